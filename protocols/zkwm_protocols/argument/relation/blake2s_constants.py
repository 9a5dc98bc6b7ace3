"""The constants of BLAKE2s-256 (RFC 7693) for the one message that a leaf hashes.

::

    message (SPEC.md 5.1), cut into blocks of 64 bytes, the last continued by zeros:

    0        2   4   6   8             10     42
    version  c   h   w   label field   salt   pixels, C order
    BLOCK_BYTES = 64     LABEL_OFFSET  SALT_  PIXEL_OFFSET

    working state of a block, 16 words:
    v_0 .. v_7    chaining value h                 (``initial_chaining`` for the first block)
    v_8 .. v_15   IV, counter, last-block flag     (``upper_state``)

Every number here follows from the shape of an image; nothing is hashed. The lookups that check a
block are in ``blake2s_lookups``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.leaves import LEAF_VERSION, SALT_BYTES

BLOCK_BYTES = 64
ROUNDS = 10
INITIALIZATION = (
    0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19,
)  # fmt: skip
"""IV of RFC 7693, section 2.6."""
SCHEDULE = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
    (14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3),
    (11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4),
    (7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8),
    (9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13),
    (2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9),
    (12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11),
    (13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10),
    (6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5),
    (10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0),
)
"""SIGMA of RFC 7693, section 2.7: the message words of each round."""
MIXED = (
    (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
    (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14),
)  # fmt: skip
"""The state words a, b, c, d of the eight applications of G in a round (section 3.2)."""
LABEL_OFFSET = 8
SALT_OFFSET = LABEL_OFFSET + 2
PIXEL_OFFSET = SALT_OFFSET + SALT_BYTES

# section 2.5: digest length 32, no key, fan-out and depth 1, the personalization of a leaf
_PARAMETERS = bytes([32, 0, 1, 1]) + bytes(20) + b"zkwmleaf"


def message_length(shape: tuple[int, int, int]) -> int:
    """The length in bytes of a leaf's message for images of ``shape`` (channels, height, width)."""
    return PIXEL_OFFSET + shape[0] * shape[1] * shape[2]


def block_count(shape: tuple[int, int, int]) -> int:
    """The number of BLAKE2s blocks of a leaf's message."""
    return -(-message_length(shape) // BLOCK_BYTES)


def message_start(shape: tuple[int, int, int]) -> bytes:
    """The constant bytes before the label field: version and shape (SPEC.md 5.1)."""
    return b"".join(number.to_bytes(2, "big") for number in (LEAF_VERSION, *shape))


def initial_chaining() -> NDArray[np.uint32]:
    """The first block's h, 8 words: IV and parameter block (sections 2.5 and 3.3)."""
    parameters = np.frombuffer(_PARAMETERS, dtype="<u4").astype(np.uint32)
    return np.array(INITIALIZATION, dtype=np.uint32) ^ parameters


def upper_state(shape: tuple[int, int, int]) -> NDArray[np.uint32]:
    """v_8 .. v_15 before the rounds, (blocks, 8): IV with counter and last-block flag (3.2)."""
    blocks = block_count(shape)
    words = np.tile(np.array(INITIALIZATION, dtype=np.uint32), (blocks, 1))
    counters = np.minimum((np.arange(blocks) + 1) * BLOCK_BYTES, message_length(shape))
    words[:, 4] ^= counters.astype(np.uint32)  # below 2^32: an image has at most 2^24 pixels
    words[-1, 6] ^= np.uint32(0xFFFFFFFF)
    return words
