"""The codewords of the tableau: kept if they are small, else made twice and never held at once.

::

    kept        encode all rows -> hash columns -> root              columns: read off
    streamed    encode a strip of rows -> hash it into every         columns: evaluate all rows at
                column's state -> forget it -> the next strip        the opened places only

Both give the same root and the same columns, bit for bit. A codeword is several times as long as
its row, so kept codewords would be the largest part of a large proof's memory; evaluating t places
takes a quarter of the time of a transform (``field.kernels.ntt``). SPEC.md 17.7.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.ligero import codeword_memory
from zkwm_protocols.argument.ligero.column_tree import ColumnTree
from zkwm_protocols.argument.ligero.hashing import hash_codewords, tree_of
from zkwm_protocols.argument.ligero.rows import CommittedRows
from zkwm_protocols.argument.ligero.strips import StripHasher, strip_bounds
from zkwm_protocols.argument.parameters import Layout
from zkwm_protocols.field.kernels.ntt import ALL_COLUMNS, Coset


def hash_leaves(
    layout: Layout, rows: CommittedRows, nonces: bytes, columns: Coset = ALL_COLUMNS
) -> NDArray[np.uint8]:
    """The leaves of some columns, whose codewords are made in strips: uint8 (m, 32).

    Args:
        layout: all sizes.
        rows: the tableau.
        nonces: of these columns, 32 m bytes.
        columns: which.
    """
    hasher = StripHasher(layout.base_rows, nonces, columns=columns)
    most, length = codeword_memory.strip_rows(layout), layout.code_length >> columns.step_log
    strip = np.empty((most, length), dtype=np.uint32)
    for first, last in strip_bounds(layout.base_rows, most):
        rows.encode_rows(first, last, strip[: last - first], columns)
        hasher.add(strip[: last - first])
    return hasher.leaves()


class Codewords:
    """The encoded tableau, committed to by the root of its column tree.

    Args:
        layout: all sizes.
        rows: the tableau.
        nonces: 32 N bytes.
    """

    def __init__(self, layout: Layout, rows: CommittedRows, nonces: bytes) -> None:
        self.rows = rows
        self._kept: NDArray[np.uint32] | None = None
        self.tree: ColumnTree
        if codeword_memory.is_kept(layout):
            self._kept = rows.encode()
            self.tree = hash_codewords(self._kept, nonces)
            return
        self.tree = tree_of(hash_leaves(layout, rows, nonces))

    def __repr__(self) -> str:
        return "Codewords()"

    def columns(self, indices: NDArray[np.int64]) -> NDArray[np.uint32]:
        """Columns by their places int64 (t,), uint32 (t, base_rows)."""
        if self._kept is not None:
            return np.ascontiguousarray(self._kept[:, indices].T)
        return np.ascontiguousarray(self.rows.encode_at(indices).T)
