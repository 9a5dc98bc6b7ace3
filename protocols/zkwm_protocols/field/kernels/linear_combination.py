"""Linear combinations of many rows over F_p with weights in K (SPEC.md 17.6, 17.7).

::

    fold_rows    weights (5, m), rows (m, t)   ->  (5, t)    the rows of the tableau
    fold_batch   weights (5, n), cells (J, n)  ->  (5, J)    the cells of all triggers to one vector

The verifier does the same by matrix products in double precision (``vector.combine``); here there
are no copies of the rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.field.kernels import loops
from zkwm_protocols.field.scalar import DEGREE
from zkwm_protocols.field.vector import Array

_AT_ONCE = 1 << 18
"""Cells that are folded before they are cut to 32 bits: 10 MiB."""


def fold_rows(weights: Array, rows: NDArray[np.uint32]) -> Array:
    """The sum over i of weights[:, i] rows[i].

    Args:
        weights (uint64, (5, m)): over K, canonical; m at most 2^32.
        rows (uint32, (m, t)): over F_p, canonical.

    Returns:
        uint64 (5, t), canonical.

    Raises:
        ValueError: the numbers of weights and rows differ.
    """
    count = rows.shape[0]
    if weights.shape != (DEGREE, count):
        raise ValueError(f"weights of shape {weights.shape} for {count} rows")
    out = np.zeros((DEGREE, rows.shape[1]), dtype=np.uint64)
    if count:
        loops.fold_rows(weights, np.ascontiguousarray(rows), out)
    return out


def fold_batch(weights: Array, cells: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The sum over b of weights[:, b] cells[:, b].

    Args:
        weights (uint64, (5, n)): over K, canonical; n at most 2^32.
        cells (uint32, (J, n)): over F_p, canonical.

    Returns:
        uint32 (5, J), canonical.

    Raises:
        ValueError: the numbers of weights and columns differ.
    """
    if weights.shape != (DEGREE, cells.shape[1]):
        raise ValueError(f"weights of shape {weights.shape} for {cells.shape[1]} columns")
    result = np.empty((DEGREE, cells.shape[0]), dtype=np.uint32)
    for start in range(0, cells.shape[0], _AT_ONCE):
        part = np.ascontiguousarray(cells[start : start + _AT_ONCE])
        out = np.empty((DEGREE, len(part)), dtype=np.uint64)
        loops.fold_batch(weights, part, out)
        result[:, start : start + len(part)] = out
    return result
