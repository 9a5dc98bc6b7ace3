"""The probe images on which a mark is read, drawn by rule from one data set (SPEC.md 19.3).

Whoever could choose probes would fit them to the keys: crafted ones make an innocent's bits match.
So the data set is the one that the commitment named before labels existed, or the one bundled with
zkwm, and the challenge's nonce draws from it.
"""

from __future__ import annotations

import hashlib
from functools import cache

import numpy as np
from numpy.typing import NDArray

from zkwm.data.bundled import load_bundled
from zkwm.extraction.keys import different_numbers
from zkwm_protocols.encoding import tensor_digest

MOST_PROBES = 500
_DOMAIN = b"zkwm-probes-1"


def probe_count(images: int) -> int:
    """How many probes are drawn from so many images: 500, or all where there are fewer."""
    return min(MOST_PROBES, images)


def drawn_probes(images: NDArray[np.uint8], nonce: bytes) -> NDArray[np.uint8]:
    """The probes for a challenge, uint8 (m, c, h, w): different images, in the order drawn.

    Args:
        images (uint8, (n, c, h, w)): the data set.
        nonce: the challenge's, 32 bytes.
    """

    def stream(count: int) -> bytes:
        return hashlib.shake_256(_DOMAIN + nonce).digest(count)

    return images[different_numbers(stream, probe_count(len(images)), len(images))]


def data_digest(images: NDArray[np.uint8]) -> bytes:
    """The digest of a data set of probes, 32 bytes: that of SPEC.md 3.4 of one tensor."""
    pixels = np.ascontiguousarray(images).tobytes()
    return tensor_digest([("probes", "uint8", images.shape, pixels)])


@cache
def bundled_digest() -> bytes:
    """The digest of the test images bundled with zkwm, 32 bytes."""
    return data_digest(load_bundled().test_images)
