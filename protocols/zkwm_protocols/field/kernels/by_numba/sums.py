"""Loops of sumchecks and linear combinations by Numba (SPEC.md 17.6, 17.7)."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from zkwm_protocols.field.kernels.by_numba.arithmetic import (
    add_product_line,
    reduce,
    saturate,
    scale,
    subtract_line,
    sum_line,
)
from zkwm_protocols.field.kernels.by_numba.lines import (
    fold_lines,
    load_pairs,
    new_line,
    store_line,
)
from zkwm_protocols.field.kernels.layout import CHUNK, LINE, RADIX, Residues
from zkwm_protocols.field.kernels.threads import run_tasks
from zkwm_protocols.field.scalar import DEGREE, P
from zkwm_protocols.field.vector import Array

_STRIP = 512
"""Columns combined together."""

_P64 = np.uint64(P)
_LOW = np.uint64(0xFFFFFFFF)
_WORD = np.uint64(32)
_RADIX = np.uint64((1 << 32) % P)


@njit(cache=True, nogil=True)
def fold(begin: int, end: int, arrays: Residues, r: Residues, out: Residues) -> None:
    """Fold pairs of columns; a task is CHUNK pairs of one array.

    ``arrays`` (number, 5, C), ``r`` a line, ``out`` (number, 5, at least C / 2) with zeros behind.
    """
    pairs = arrays.shape[2] // 2
    chunks = (pairs + CHUNK - 1) // CHUNK
    low = new_line()
    high = new_line()
    for task in range(begin, end):
        which = task // chunks
        start = (task % chunks) * CHUNK
        stop = min(start + CHUNK, pairs)
        for at in range(start, stop, LINE):
            count = min(LINE, stop - at)
            load_pairs(low, high, arrays, which, at, count)
            fold_lines(low, high, r, count)
            store_line(out, which, low, at, count)


@njit(cache=True, nogil=True)
def product_round(begin: int, end: int, arrays: Residues, sums: Residues) -> None:
    """s(0) and s(inf) of CHUNK pairs a task; ``arrays`` (2, 5, C), ``sums`` (tasks, 2, 5)."""
    pairs = arrays.shape[2] // 2
    a = new_line()
    b = new_line()
    c = new_line()
    d = new_line()
    for task in range(begin, end):
        at_zero = new_line()
        at_infinity = new_line()
        start = task * CHUNK
        stop = min(start + CHUNK, pairs)
        for at in range(start, stop, LINE):
            count = min(LINE, stop - at)
            load_pairs(a, b, arrays, 0, at, count)
            load_pairs(c, d, arrays, 1, at, count)
            add_product_line(at_zero, a, c, count)
            subtract_line(b, b, a, count)
            subtract_line(d, d, c, count)
            add_product_line(at_infinity, b, d, count)
        sum_line(sums, task, 0, at_zero)
        sum_line(sums, task, 1, at_infinity)


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
def _fold_strips(
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
def _fold_cells(
    begin: int, end: int, weights: NDArray[np.uint64], cells: Residues, out: NDArray[np.uint64]
) -> None:
    """Cells begin .. end - 1 of ``cells`` (J, n) into ``out`` (5, J)."""
    for j in range(begin, end):
        for k in range(DEGREE):
            out[k, j] = _inner_product(weights[k], cells[j])


def fold_rows(weights: Array, rows: NDArray[np.uint32], out: Array) -> None:
    """As ``linear_combination.fold_rows``, which has checked the shapes."""
    count = rows.shape[0]
    flat = np.zeros((DEGREE, -(-count // 4) * 4), dtype=np.uint32)
    flat[:, :count] = weights
    form = np.empty_like(flat)
    scale(flat.reshape(-1), RADIX * RADIX % P, form.reshape(-1))
    strips = -(-rows.shape[1] // _STRIP)
    run_tasks(_fold_strips, strips, form, rows, out, work=rows.size // 8)


def fold_batch(weights: Array, cells: NDArray[np.uint32], out: Array) -> None:
    """As ``linear_combination.fold_batch``, which has checked the shapes."""
    weights = np.ascontiguousarray(weights)
    run_tasks(_fold_cells, cells.shape[0], weights, cells, out, work=cells.size // 4)
