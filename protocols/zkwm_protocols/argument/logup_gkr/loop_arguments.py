"""What the loops of the fraction tree take: children, bound nodes, weights (SPEC.md 17.5).

Loops from C and by Numba take the same.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.field.kernels.layout import Residues

STORED = -1
"""Instead of a depth: children are stored."""


class Children(NamedTuple):
    """The children of a level's parents: stored, or computed from leaves.

    Args:
        depth: of the children (``node_lines``), or ``STORED``.
        table (uint32, (M_T, 8)): with ``rows``, for children that are not stored.
        rows (int32, (n, M)): the table row of every lookup.
        n (uint32, (rows, 5, width)): numerators of children that are stored.
        d (uint32, (rows, 5, width)): their denominators less one.
        columns: children of a row.
    """

    depth: int
    table: Residues
    rows: NDArray[np.int32]
    n: Residues
    d: Residues
    columns: int


class Weights(NamedTuple):
    """The weights of a round's pairs: low[pair in chunk] high[chunk] rows[row].

    Args:
        low (uint32, (1, 5, at most CHUNK)): empty for no sums at all.
        high (uint32, (5, chunks)): of chunks.
        rows (uint32, (5, rows)): of rows.
    """

    low: Residues
    high: Residues
    rows: Residues


class UnitNodes(NamedTuple):
    """e0 and e1 of all nodes whose two leaves are lookups, by leaves or bound.

    Args:
        leaves: whether nothing is bound yet: e is table[rows].
        table (uint32, (M_T, 8)): a table row's e in the first five words.
        rows (int32, (n, M)): the table row of every lookup.
        e (uint32, (2 n, 5, width)): e0 and e1 of every row, once a bit is bound.
        columns: nodes of a row.
    """

    leaves: bool
    table: Residues
    rows: NDArray[np.int32]
    e: Residues
    columns: int
