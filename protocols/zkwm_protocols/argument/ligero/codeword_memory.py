"""Which codewords are kept, and the memory of a commitment.

Codewords are several times as long as the witness, so that kept ones would be the largest part of a
large proof's memory. ``codewords`` makes large ones strip by strip instead, with the same result.
"""

from __future__ import annotations

from zkwm_protocols.argument.ligero.column_tree import DIGEST_BYTES, NONCE_BYTES
from zkwm_protocols.argument.parameters import Layout

KEPT_BYTES = 256 << 20
"""The most bytes of codewords that are kept."""
_STRIP_BYTES = 128 << 20
_LONGEST_STRIP = 32
_SHORTEST_STRIP = 16
"""Rows: a block of the hash; with fewer a column's state would cost more than its elements."""
_STATE_BYTES = 36
"""Of a column between strips."""


def is_kept(layout: Layout) -> bool:
    """Whether the codewords of a proof are kept, because they are small."""
    return _codeword_bytes(layout) <= KEPT_BYTES


def strip_rows(layout: Layout) -> int:
    """Rows that are encoded and hashed together where codewords are not kept."""
    rows = _STRIP_BYTES // (4 * layout.code_length)
    return max(_SHORTEST_STRIP, min(_LONGEST_STRIP, rows))


def held_bytes(layout: Layout) -> int:
    """Bytes of a commitment until it is opened, beside the rows: most of these are the witness."""
    held = (NONCE_BYTES + 2 * DIGEST_BYTES) * layout.code_length
    return held + (_codeword_bytes(layout) if is_kept(layout) else 0)


def transient_bytes(layout: Layout) -> int:
    """Bytes that making a commitment takes beside those that it holds."""
    if is_kept(layout):
        return 0
    return (4 * strip_rows(layout) + _STATE_BYTES) * layout.code_length


def _codeword_bytes(layout: Layout) -> int:
    """Bytes of all codewords."""
    return 4 * layout.base_rows * layout.code_length
