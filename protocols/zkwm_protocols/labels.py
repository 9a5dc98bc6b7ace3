"""Derived labels: public functions of the commitment's digest that nobody chooses (SPEC.md 5.4).

The labels are exactly uniform over the classes and exist only once every image is committed, so
that for any function that does not depend on the commitment the number of matches is exactly
binomial. They are public and need no proof.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.errors import Malformed
from zkwm_protocols.sealing import password_key

SEED_SALT = b"zkwm-label-seed1"
SEED_OPERATIONS = 3
SEED_MEMORY_BYTES = 256 * 2**20
MAXIMUM_CLASSES = 65_535
_kept: dict[tuple[bytes, bytes | None], bytes] = {}


@lru_cache(maxsize=64)
def label_seed(digest: bytes, beacon: bytes | None) -> bytes:
    """The seed of all labels, 32 bytes, by Argon2id (t = 3, 256 MiB, p = 1): about a second.

    ``digest`` is D, 32 bytes; ``beacon`` is 32 bytes, or None for 32 zero bytes. An accuser who
    varies header fields to get better labels pays this for every try; SPEC.md section 8 charges 48
    bits for it. Raises CouldNotCheck when there is not enough memory, Malformed for other lengths.
    """
    if len(digest) != 32 or (beacon is not None and len(beacon) != 32):
        raise Malformed("a digest and a beacon have 32 bytes")
    kept = _kept.get((digest, beacon))
    if kept is not None:
        return kept
    password = b"zkwm-seed-1" + digest + (beacon or bytes(32))
    return password_key(
        password, SEED_SALT, operations=SEED_OPERATIONS, memory_bytes=SEED_MEMORY_BYTES
    )


class KeptSeed:
    """In its ``with`` block ``label_seed`` gives a seed that was derived before.

    Whoever kept it has to know that it is the same: all labels follow from it.
    """

    def __init__(self, digest: bytes, beacon: bytes | None, seed: bytes) -> None:
        self._name, self._seed = (digest, beacon), seed

    def __enter__(self) -> None:
        _kept[self._name] = self._seed

    def __exit__(self, *_: object) -> None:
        _kept.pop(self._name, None)


def derive_labels(
    digest: bytes, beacon: bytes | None, count: int, class_count: int
) -> NDArray[np.int64]:
    """The labels of triggers 0 to ``count`` - 1, int64, shape (count,), each below ``class_count``.

    Args:
        digest: D, 32 bytes.
        beacon: 32 bytes, or None for 32 zero bytes.
        count: n, the number of triggers.
        class_count: C, 2 to 65,535; Malformed is raised for another.
    """
    if not 2 <= class_count <= MAXIMUM_CLASSES:
        raise Malformed("the number of classes is 2 to 65,535")
    seed = label_seed(digest, beacon)
    return np.array([label(seed, i, class_count) for i in range(count)], dtype=np.int64)


def label(seed: bytes, index: int, class_count: int) -> int:
    """The label of one trigger: the first value below ``class_count`` in its SHAKE-256 stream.

    The stream is read as big-endian words of two bytes, each cut to the fewest low bits that hold
    ``class_count`` - 1 (SPEC.md 5.4). Rejecting larger values makes the label exactly uniform.
    """
    mask = (1 << (class_count - 1).bit_length()) - 1
    stream = hashlib.shake_256(b"zkwm-label-1" + seed + index.to_bytes(4, "big"))
    length = 64
    while True:
        words = stream.digest(length)
        for position in range(0, length, 2):
            value = int.from_bytes(words[position : position + 2], "big") & mask
            if value < class_count:
                return value
        length *= 2
