"""Linear combinations of many rows over F_p with weights in K (SPEC.md 17.6, 17.7).

::

    fold_rows    weights (5, m), rows (m, t)   ->  (5, t)    the rows of the tableau
    fold_batch   weights (5, n), cells (J, n)  ->  (5, J)    the cells of all triggers to one vector

The verifier does the same by matrix products in double precision (``vector.combine``); here there
are no copies of the rows.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from zkwm_protocols.field.kernels.layout import Residues
from zkwm_protocols.field.kernels.montgomery import reduce, saturate, to_montgomery
from zkwm_protocols.field.kernels.threads import run_tasks
from zkwm_protocols.field.scalar import DEGREE, P
from zkwm_protocols.field.vector import Array

_STRIP = 512
"""Columns combined together."""

_P64 = np.uint64(P)
_LOW = np.uint64(0xFFFFFFFF)
_WORD = np.uint64(32)
_RADIX = np.uint64((1 << 32) % P)


@njit(cache=True)
def _add_four(
    total: NDArray[np.uint64],
    w: Residues,
    x0: Residues,
    x1: Residues,
    x2: Residues,
    x3: Residues,
) -> None:
    """total += w[0] x0 + ... + w[3] x3, w (4,) in Montgomery form, the others (n,).

    Four products make one reduction.
    """
    w0, w1, w2, w3 = np.uint64(w[0]), np.uint64(w[1]), np.uint64(w[2]), np.uint64(w[3])
    for j in range(total.shape[0]):
        four = (
            w0 * np.uint64(x0[j]) + w1 * np.uint64(x1[j])
            + w2 * np.uint64(x2[j]) + w3 * np.uint64(x3[j])
        )  # fmt: skip
        # a sum of 2^32 residues still fits: no reduction of ``total`` until the end
        total[j] += np.uint64(reduce(saturate(four)))


@njit(cache=True, nogil=True)
def _fold_rows(
    begin: int, end: int, weights: Residues, rows: Residues, out: NDArray[np.uint64]
) -> None:
    """Strips begin .. end - 1 of ``rows`` (m, t) into ``out`` (5, t).

    ``weights`` (5, m continued by zeros to a multiple of four), in Montgomery form.
    """
    last = rows.shape[0] - 1
    columns = rows.shape[1]
    for strip in range(begin, end):
        start = strip * _STRIP
        stop = min(start + _STRIP, columns)
        total = np.zeros((DEGREE, stop - start), dtype=np.uint64)
        for i in range(0, weights.shape[1], 4):
            x0 = rows[i, start:stop]
            # behind the last row the weight is 0: any row will do
            x1 = rows[min(i + 1, last), start:stop]
            x2 = rows[min(i + 2, last), start:stop]
            x3 = rows[min(i + 3, last), start:stop]
            for k in range(DEGREE):
                _add_four(total[k], weights[k, i : i + 4], x0, x1, x2, x3)
        for k in range(DEGREE):
            for j in range(stop - start):
                out[k, start + j] = total[k, j] % _P64


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
        padded = np.zeros((DEGREE, -(-count // 4) * 4), dtype=np.uint32)
        padded[:, :count] = to_montgomery(np.ascontiguousarray(weights))
        strips = -(-rows.shape[1] // _STRIP)
        run_tasks(_fold_rows, strips, padded, np.ascontiguousarray(rows), out, work=rows.size // 8)
    return out


@njit(cache=True)
def _inner_product(w: NDArray[np.uint64], x: Residues) -> np.uint64:
    """The sum of w x modulo p, both (n,), canonical."""
    # products below 2^62 are cut in halves of 32 bits: sums of 2^32 halves fit
    low = np.uint64(0)
    high = np.uint64(0)
    for b in range(x.shape[0]):
        both = w[b] * np.uint64(x[b])
        low += both & _LOW
        high += both >> _WORD
    return (low % _P64 + high % _P64 * _RADIX) % _P64


@njit(cache=True, nogil=True)
def _fold_batch(
    begin: int, end: int, weights: NDArray[np.uint64], cells: Residues, out: NDArray[np.uint64]
) -> None:
    """Cells begin .. end - 1 of ``cells`` (J, n) into ``out`` (5, J)."""
    for j in range(begin, end):
        for k in range(DEGREE):
            out[k, j] = _inner_product(weights[k], cells[j])


def fold_batch(weights: Array, cells: NDArray[np.uint32]) -> Array:
    """The sum over b of weights[:, b] cells[:, b].

    Args:
        weights (uint64, (5, n)): over K, canonical; n at most 2^32.
        cells (uint32, (J, n)): over F_p, canonical.

    Returns:
        uint64 (5, J), canonical.

    Raises:
        ValueError: the numbers of weights and columns differ.
    """
    if weights.shape != (DEGREE, cells.shape[1]):
        raise ValueError(f"weights of shape {weights.shape} for {cells.shape[1]} columns")
    out = np.empty((DEGREE, cells.shape[0]), dtype=np.uint64)
    weights = np.ascontiguousarray(weights)
    cells = np.ascontiguousarray(cells)
    run_tasks(_fold_batch, cells.shape[0], weights, cells, out, work=cells.size // 4)
    return out
