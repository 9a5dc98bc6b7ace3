"""Loops of the fraction tree on the GPU: parents, and rounds over bound arrays (SPEC.md 17.5).

As ``layer_kernels.make_parents``, ``kernels.sum_bound`` and ``kernels.fold_bound``, all in
Montgomery form; the other loops stay on the processor. A thread makes a node, or sums every
THREADS-th pair of a task. Tasks are whole rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.logup_gkr.loop_arguments import Weights
from zkwm_protocols.field.kernels.by_cuda.arithmetic import (
    ZERO,
    bind,
    least,
    load,
    minus,
    plus,
    store,
    times,
)
from zkwm_protocols.field.kernels.by_cuda.launch import THREADS, Session, cuda, kernel
from zkwm_protocols.field.kernels.layout import CHUNK, Residues, element_of_line
from zkwm_protocols.field.kernels.native import require
from zkwm_protocols.field.kernels.threads import at_once
from zkwm_protocols.field.scalar import DEGREE

_CLEARED = 16
"""Zeros are written behind the last column up to a multiple of this, as ``clear_behind`` does."""


@kernel
def _parents(
    parent_n: Residues, parent_d: Residues, n: Residues, d: Residues, pairs: int, written: int
) -> None:
    """A thread for each of ``written`` columns of each row; zeros behind ``pairs``."""
    t = cuda.grid(1)
    if t < n.shape[0] * written:
        row, i = t // written, t % written
        numerator, denominator = ZERO, ZERO
        if i < pairs:
            n0, n1 = load(n, row, 2 * i), load(n, row, 2 * i + 1)
            d0, d1 = load(d, row, 2 * i), load(d, row, 2 * i + 1)
            numerator = plus(plus(n0, n1), plus(times(n0, d1), times(n1, d0)))
            denominator = plus(plus(d0, d1), times(d0, d1))
        store(parent_n, row, i, numerator)
        store(parent_d, row, i, denominator)


@kernel
def _bind(out: Residues, bound: Residues, r: Residues, folded: int, written: int) -> None:
    """A thread for each of ``written`` columns of each array; zeros behind ``folded``."""
    t = cuda.grid(1)
    if t < bound.shape[0] * written:
        which, i = t // written, t % written
        value = ZERO
        if i < folded:
            low, high = load(bound, which, 2 * i), load(bound, which, 2 * i + 1)
            value = bind(low, high, load(r, 0, 0))
        store(out, which, i, value)


@kernel
def _round_parts(
    parts: Residues, bound: Residues, challenge: Residues, low: Residues, pairs: int, chunks: int
) -> None:
    """Of each task, a block, a part of h(0) and h(inf) for each thread; (2 tasks, 5, THREADS).

    h(0): F = n0 + n1' + n0 d1 + (n1' + lambda) d0 of the even node; h(inf): n0 d1 + n1' d0 of the
    odd one less the even one.
    """
    task, thread = cuda.blockIdx.x, cuda.threadIdx.x
    first, chunk = 4 * (task // chunks), task % chunks
    at_zero, at_infinity = ZERO, ZERO
    for pair in range(chunk * CHUNK + thread, least((chunk + 1) * CHUNK, pairs), THREADS):
        n0, n1 = load(bound, first, 2 * pair), load(bound, first + 1, 2 * pair)
        d0, d1 = load(bound, first + 2, 2 * pair), load(bound, first + 3, 2 * pair)
        weight = load(low, 0, pair - chunk * CHUNK)
        value = plus(plus(n0, n1), times(n0, d1))
        value = plus(value, times(plus(n1, load(challenge, 0, 0)), d0))
        at_zero = plus(at_zero, times(value, weight))
        n0 = minus(load(bound, first, 2 * pair + 1), n0)
        n1 = minus(load(bound, first + 1, 2 * pair + 1), n1)
        d0 = minus(load(bound, first + 2, 2 * pair + 1), d0)
        d1 = minus(load(bound, first + 3, 2 * pair + 1), d1)
        value = plus(times(n0, d1), times(n1, d0))
        at_infinity = plus(at_infinity, times(value, weight))
    store(parts, 2 * task, thread, at_zero)
    store(parts, 2 * task + 1, thread, at_infinity)


@kernel
def _join_parts(
    sums: Residues, parts: Residues, rows: Residues, high: Residues, first_row: int, chunks: int
) -> None:
    """sums[i // 2, i % 2] of ``parts``, times the weights of row and chunk, both (1, 5, number)."""
    i = cuda.grid(1)
    if i < parts.shape[0]:
        total = ZERO
        for thread in range(THREADS):
            total = plus(total, load(parts, i, thread))
        task = i // 2
        total = times(total, load(rows, 0, first_row + task // chunks))
        total = times(total, load(high, 0, task % chunks))
        for k in range(DEGREE):
            sums[task, i % 2, k] = total[k]


def _rows_of(begin: int, end: int, chunks: int, rows: int) -> slice:
    """The rows of some tasks. Raises UsageError unless they are whole rows of those that exist."""
    whole = begin % chunks == 0 and end % chunks == 0 and 0 <= begin <= end <= rows * chunks
    require(whole, "whole rows of the fraction tree")
    return slice(begin // chunks, end // chunks)


def _four(rows: slice) -> slice:
    """The arrays of some rows."""
    return slice(4 * rows.start, 4 * rows.stop)


def _written(columns: int, width: int) -> int:
    """The columns that are written: those behind the last are zeros."""
    return min(width, -(-columns // _CLEARED) * _CLEARED)


def _element(line: Residues) -> Residues:
    """The element of a line, (1, 5, 1)."""
    return element_of_line(line).reshape(1, DEGREE, 1)


@at_once
def make_parents(
    begin: int, end: int, n: Residues, d: Residues, columns: int, parent_n: Residues,
    parent_d: Residues,
) -> None:  # fmt: skip
    """As ``layer_kernels.make_parents``, of whole rows."""
    pairs = (columns + 1) // 2
    rows = _rows_of(begin, end, -(-pairs // CHUNK), n.shape[0])
    require(2 * pairs <= n.shape[2] and pairs <= parent_n.shape[2], "parents")
    require(d.shape == n.shape and parent_d.shape == parent_n.shape, "numerators, denominators")
    written = _written(pairs, parent_n.shape[2])
    with Session() as gpu:
        above = gpu.send(parent_n[rows]), gpu.send(parent_d[rows])
        below = gpu.send(n[rows]), gpu.send(d[rows])
        gpu.run(_parents, (rows.stop - rows.start) * written, *above, *below, pairs, written)
        gpu.fetch(above[0], parent_n[rows])
        gpu.fetch(above[1], parent_d[rows])


def _add_round(
    gpu: Session, bound: object, columns: int, challenge: Residues, weights: Weights, rows: slice,
    sums: NDArray[np.uint32],
) -> None:  # fmt: skip
    """The sums of a round over arrays on the device, of the tasks of some rows."""
    pairs = (columns + 1) // 2
    chunks = -(-pairs // CHUNK)
    tasks = (rows.stop - rows.start) * chunks
    parts, result = gpu.make(2 * tasks, DEGREE, THREADS), gpu.make(tasks, 2, DEGREE)
    gpu.run(
        _round_parts, tasks * THREADS, parts, bound, gpu.send(_element(challenge)),
        gpu.send(weights.low), pairs, chunks,
    )  # fmt: skip
    gpu.run(
        _join_parts, 2 * tasks, result, parts, gpu.send(weights.rows[None]),
        gpu.send(weights.high[None]), rows.start, chunks,
    )  # fmt: skip
    gpu.fetch(result, sums[rows.start * chunks : rows.stop * chunks])


@at_once
def sum_bound(
    begin: int, end: int, bound: Residues, columns: int, challenge: Residues, weights: Weights,
    sums: Residues,
) -> None:  # fmt: skip
    """As ``kernels.sum_bound``, of whole rows."""
    pairs = (columns + 1) // 2
    rows = _rows_of(begin, end, -(-pairs // CHUNK), bound.shape[0] // 4)
    require(2 * pairs <= bound.shape[2], "columns of bound arrays")
    with Session() as gpu:
        there = gpu.send(bound[_four(rows)])
        _add_round(gpu, there, columns, challenge, weights, rows, sums)


@at_once
def fold_bound(
    begin: int, end: int, bound: Residues, columns: int, challenge: Residues, r: Residues,
    weights: Weights, out: Residues, sums: Residues,
) -> None:  # fmt: skip
    """As ``kernels.fold_bound``, of whole rows."""
    folded = (columns + 1) // 2
    rows = _rows_of(begin, end, -(-folded // (2 * CHUNK)), bound.shape[0] // 4)
    require(2 * folded <= bound.shape[2] and folded <= out.shape[2], "columns of bound arrays")
    arrays, written = _four(rows), _written(folded, out.shape[2])
    with Session() as gpu:
        there, result = gpu.send(bound[arrays]), gpu.send(out[arrays])
        count = (arrays.stop - arrays.start) * written
        gpu.run(_bind, count, result, there, gpu.send(_element(r)), folded, written)
        if weights.low.shape[2]:
            _add_round(gpu, result, folded, challenge, weights, rows, sums)
        gpu.fetch(result, out[arrays])
