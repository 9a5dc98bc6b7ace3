"""The judge's decoys: images in which triggers are hidden from a remote suspect (SPEC.md 7).

They follow from the judge's secret key and the challenge, so that neither the owner, who knows the
labels, nor a suspect, who may see the challenge, has a say in them or can tell them from triggers.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np
from numpy.typing import NDArray

from zkwm.quantizer.calibration import public_images
from zkwm.triggers import generate
from zkwm.triggers.keystream import KeyStream
from zkwm.triggers.public_families import LEAST_BITS

_DOMAIN = "zkwm-decoys-1"
_PUBLIC = 2000
FEWEST_NATURAL = 25
MOST_NATURAL = 100


def odd_decoys(count: int, shape: tuple[int, int, int], key: bytes) -> NDArray[np.uint8]:
    """``count`` images of families in which triggers are made, uint8 (count, *shape).

    Half are of the family ``secret``, each from a generator of its own draw as an owner's blocks
    are, half of ``abstract``; independent pixels where images are too small for a family.
    ``key`` is 32 secret bytes.
    """
    if math.prod(shape) < LEAST_BITS:
        noise = hashlib.shake_256(key).digest(count * math.prod(shape))
        return np.frombuffer(noise, np.uint8).reshape(count, *shape)
    half = -(-count // 2)
    families = [
        generate(family, half, shape, key=key, block_size=half).images
        for family in ("secret", "abstract")
    ]
    return np.stack(families, axis=1).reshape(-1, *shape)[:count]


def natural_count(triggers: int) -> int:
    """How many natural images are asked beside this many triggers: half, 25 to 100."""
    return min(max(FEWEST_NATURAL, triggers // 2), MOST_NATURAL)


def natural_images(
    count: int, shape: tuple[int, int, int], key: bytes, given: NDArray[np.uint8] | None
) -> NDArray[np.uint8]:
    """Natural images uint8 (n, *shape): all that the judge gave, else ``count`` public ones.

    Public ones are drawn from the bundled test images (SPEC.md 16.5) by ``key``, 32 secret bytes.
    """
    if given is not None and len(given):
        return given
    public = public_images(shape, _PUBLIC, test=True)
    order = KeyStream(key, _DOMAIN).derive("natural").permutation(len(public))
    return public[order[:count]]
