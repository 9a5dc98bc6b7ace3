"""The leaf of a trigger: a salted BLAKE2s hash of its pixels and label (SPEC.md 5.1).

``zkwm_protocols.argument.relation.leaf`` proves the same hash in zero knowledge.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.errors import Malformed

DERIVED_LABEL_FIELD = 0xFFFF
"""Stands in a leaf for the label where labels are derived."""
LEAF_VERSION = 1
SALT_BYTES = 32


def leaf(pixels: NDArray[np.uint8], salt: bytes, label: int | None) -> bytes:
    """The leaf of one trigger, 32 bytes: BLAKE2s-256 (RFC 7693; SPEC.md 5.1).

    ``pixels`` is uint8 of shape (channels, height, width); ``salt`` 32 secret random bytes, which
    hide the image; ``label`` the declared label, or None where labels are derived.
    """
    field = DERIVED_LABEL_FIELD if label is None else label
    numbers = (LEAF_VERSION, *pixels.shape, field)
    prefix = b"".join(number.to_bytes(2, "big") for number in numbers)
    body = np.ascontiguousarray(pixels, dtype=np.uint8).tobytes()
    return hashlib.blake2s(prefix + salt + body, person=b"zkwmleaf").digest()


def make_leaves(
    images: NDArray[np.uint8],
    salts: list[bytes],
    declared_labels: NDArray[np.int64] | None,
    class_count: int,
) -> tuple[bytes, ...]:
    """The leaf of every trigger.

    Args:
        images (uint8, (n, channels, height, width)): the triggers.
        salts: n times 32 secret random bytes.
        declared_labels (int64, (n,)): None where labels are derived.
        class_count: C; declared labels are below it.

    Raises:
        Malformed: these do not fit together.
    """
    count = len(images)
    if images.ndim != 4 or images.dtype != np.uint8:
        raise Malformed("images are uint8 of shape (n, channels, height, width)")
    if len(salts) != count or any(len(salt) != SALT_BYTES for salt in salts):
        raise Malformed("expected one salt of 32 bytes for each image")
    if declared_labels is None:
        return tuple(leaf(image, salt, None) for image, salt in zip(images, salts, strict=True))
    if (
        len(declared_labels) != count
        or (declared_labels < 0).any()
        or (declared_labels >= class_count).any()
    ):
        raise Malformed("expected one declared label below the number of classes for each image")
    return tuple(
        leaf(image, salt, int(label))
        for image, salt, label in zip(images, salts, declared_labels, strict=True)
    )
