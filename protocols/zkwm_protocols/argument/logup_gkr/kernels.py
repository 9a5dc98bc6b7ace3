"""Compiled loops of the fraction tree: round polynomials and folds (SPEC.md 17.5).

::

    n, d (rows, 5, width)     numerators and denominators less one of a layer, 0 behind its columns;
                              rows are the bits of b, columns the bits of u
    bound (4 rows, 5, width)  n0, n1 + lambda d1, d0, d1 of every row, after the first fold

    tasks: (row, chunk of CHUNK pairs); a chunk is worked on line by line (``montgomery``)

           children of a row            0 1 2 3 4 5 6 7
           parents                      0   1   2   3
           pairs of parents (rounds)      0       1

All in Montgomery form. A fold goes on with the sums of the next round while its columns are in the
cache. A task's pairs have the weights ``low``, and its sums those of row and chunk. Levels and
rounds are put in order by ``logup_gkr.level``.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from zkwm_protocols.argument.logup_gkr.loop_arguments import STORED, Children, Weights
from zkwm_protocols.argument.logup_gkr.node_lines import (
    clear_behind,
    load_quadruples,
    node_lines,
)
from zkwm_protocols.field.kernels.by_numba.arithmetic import (
    add_line,
    add_product_line,
    product_line,
    quintic_product,
    subtract_line,
    sum_line,
)
from zkwm_protocols.field.kernels.by_numba.lines import (
    fold_lines,
    load_line,
    load_pairs,
    store_line,
)
from zkwm_protocols.field.kernels.layout import CHUNK, LINE, Residues
from zkwm_protocols.field.scalar import DEGREE


@njit(cache=True)
def _load_children(
    lines: Residues, scratch: Residues, children: Children, row: int, start: int, count: int
) -> None:
    """n0, n1, d0, d1 of pairs of parents: lines 0 to 3 low, 4 to 7 high."""
    if children.depth == STORED:
        load_quadruples(lines[0], lines[1], lines[4], lines[5], children.n, row, start, count)
        load_quadruples(lines[2], lines[3], lines[6], lines[7], children.d, row, start, count)
        return
    for child in range(4):
        at = child % 2 + 4 * (child // 2)
        node_lines(
            lines[at], lines[at + 2], scratch, children.depth, children.table, children.rows, row,
            4 * start + child, 4, count,
        )  # fmt: skip


@njit(cache=True)
def _add_round(
    totals: Residues, lines: Residues, challenge: Residues, low: Residues, start: int, count: int
) -> None:
    """Add F's h(0) and h(inf) of pairs start .. of a chunk, weighted.

    h(inf): the quadratic terms n0 d1 + n1' d0, of high - low.
    h(0): F = n0 + n1' + n0 d1 + (n1' + lambda) d0, of low.

    ``lines``: n0, n1', d0, d1 low, then high, then two lines of scratch; all are overwritten.
    """
    n0, n1, d0, d1, value, weight = lines[0], lines[1], lines[2], lines[3], lines[8], lines[9]
    load_line(weight, low, 0, start, count)
    for which in range(4):
        subtract_line(lines[which + 4], lines[which + 4], lines[which], count)
    product_line(value, lines[4], lines[7], count)
    add_product_line(value, lines[5], lines[6], count)
    add_product_line(totals[1], value, weight, count)
    add_line(value, n0, n1, count)
    add_product_line(value, n0, d1, count)
    add_line(n1, n1, challenge, count)
    add_product_line(value, n1, d0, count)
    add_product_line(totals[0], value, weight, count)


@njit(cache=True)
def store_sums(
    sums: Residues, task: int, totals: Residues, weights: Weights, row: int, chunk: int
) -> None:
    """Two lines as sums[task], times the weights of row and chunk; the lines become 0."""
    for which in range(2):
        sum_line(sums, task, which, totals[which])
        totals[which, :] = np.uint32(0)
        s = sums[task, which]
        for array, at in ((weights.rows, row), (weights.high, chunk)):
            weighted = quintic_product(
                s[0], s[1], s[2], s[3], s[4],
                array[0, at], array[1, at], array[2, at], array[3, at], array[4, at],
            )  # fmt: skip
            for k in range(DEGREE):
                s[k] = weighted[k]


@njit(cache=True, nogil=True)
def sum_children(
    begin: int,
    end: int,
    children: Children,
    challenge: Residues,
    weights: Weights,
    sums: Residues,
) -> None:
    """h(0) and h(inf) of a level's first round, of every task.

    Args:
        begin: the first task, CHUNK pairs of parents of a row.
        end: behind the last task.
        children: of the parents.
        challenge: lambda, a line.
        weights: of the pairs.
        sums (uint32, (tasks, 2, 5)): written.
    """
    lines = np.empty((10, DEGREE * LINE), dtype=np.uint32)
    scratch = np.empty((5, DEGREE * LINE), dtype=np.uint32)
    totals = np.zeros((2, DEGREE * LINE), dtype=np.uint32)
    pairs = (children.columns + 3) // 4
    chunks = (pairs + CHUNK - 1) // CHUNK
    for task in range(begin, end):
        row, chunk = task // chunks, task % chunks
        start = chunk * CHUNK
        stop = min(start + CHUNK, pairs)
        for at in range(start, stop, LINE):
            count = min(LINE, stop - at)
            _load_children(lines, scratch, children, row, at, count)
            add_product_line(lines[1], challenge, lines[3], count)
            add_product_line(lines[5], challenge, lines[7], count)
            _add_round(totals, lines, challenge, weights.low, at - start, count)
        store_sums(sums, task, totals, weights, row, chunk)


@njit(cache=True)
def _add_pairs(
    totals: Residues,
    lines: Residues,
    bound: Residues,
    row: int,
    challenge: Residues,
    low: Residues,
    chunk: int,
    stop: int,
) -> None:
    """Add a round over bound columns, of the pairs of a chunk up to ``stop``."""
    for at in range(chunk * CHUNK, stop, LINE):
        count = min(LINE, stop - at)
        for which in range(4):
            load_pairs(lines[which], lines[which + 4], bound, 4 * row + which, at, count)
        _add_round(totals, lines, challenge, low, at - chunk * CHUNK, count)


@njit(cache=True, nogil=True)
def fold_children(
    begin: int,
    end: int,
    children: Children,
    challenge: Residues,
    r: Residues,
    weights: Weights,
    out: Residues,
    sums: Residues,
) -> None:
    """The first fold of a level, from children to four bound arrays, and the next round's sums.

    n0, n1 + lambda d1, d0, d1 of pairs of parents, their lowest index bit bound to r. A task is
    2 CHUNK columns, CHUNK pairs, of what is bound.

    Args:
        begin: the first task.
        end: behind the last task.
        children: of the parents.
        challenge: lambda, a line.
        r: the round's challenge, a line.
        weights: of the next round's pairs, or without ``low``.
        out (uint32, (4 rows, 5, width)): written, zeros behind the columns.
        sums (uint32, (tasks, 2, 5)): written if there are weights.
    """
    lines = np.empty((10, DEGREE * LINE), dtype=np.uint32)
    scratch = np.empty((5, DEGREE * LINE), dtype=np.uint32)
    totals = np.zeros((2, DEGREE * LINE), dtype=np.uint32)
    folded = (children.columns + 3) // 4
    chunks = (folded + 2 * CHUNK - 1) // (2 * CHUNK)
    for task in range(begin, end):
        row, chunk = task // chunks, task % chunks
        stop = min(2 * CHUNK * (chunk + 1), folded)
        for at in range(2 * CHUNK * chunk, stop, LINE):
            count = min(LINE, stop - at)
            _load_children(lines, scratch, children, row, at, count)
            for which in range(4):
                fold_lines(lines[which], lines[which + 4], r, count)
            add_product_line(lines[1], challenge, lines[3], count)
            for which in range(4):
                store_line(out, 4 * row + which, lines[which], at, count)
        if stop == folded:
            for which in range(4):
                clear_behind(out, 4 * row + which, folded)
        if weights.low.shape[2]:
            _add_pairs(totals, lines, out, row, challenge, weights.low, chunk, (stop + 1) // 2)
            store_sums(sums, task, totals, weights, row, chunk)


@njit(cache=True, nogil=True)
def sum_bound(
    begin: int,
    end: int,
    bound: Residues,
    columns: int,
    challenge: Residues,
    weights: Weights,
    sums: Residues,
) -> None:
    """h(0) and h(inf) of a round over bound arrays, of every task: CHUNK pairs of a row.

    ``bound`` (4 rows, 5, width) with ``columns`` columns; the others as in ``sum_children``.
    """
    lines = np.empty((10, DEGREE * LINE), dtype=np.uint32)
    totals = np.zeros((2, DEGREE * LINE), dtype=np.uint32)
    pairs = (columns + 1) // 2
    chunks = (pairs + CHUNK - 1) // CHUNK
    for task in range(begin, end):
        row, chunk = task // chunks, task % chunks
        stop = min(CHUNK * (chunk + 1), pairs)
        _add_pairs(totals, lines, bound, row, challenge, weights.low, chunk, stop)
        store_sums(sums, task, totals, weights, row, chunk)


@njit(cache=True, nogil=True)
def fold_bound(
    begin: int,
    end: int,
    bound: Residues,
    columns: int,
    challenge: Residues,
    r: Residues,
    weights: Weights,
    out: Residues,
    sums: Residues,
) -> None:
    """Bind the lowest column bit of bound arrays to r, and sum the next round.

    ``out`` may be ``bound`` where a row's tasks come in order: what is written has been read.
    ``bound`` (4 rows, 5, width) with ``columns`` columns; the others as in ``fold_children``.
    """
    lines = np.empty((10, DEGREE * LINE), dtype=np.uint32)
    totals = np.zeros((2, DEGREE * LINE), dtype=np.uint32)
    folded = (columns + 1) // 2
    chunks = (folded + 2 * CHUNK - 1) // (2 * CHUNK)
    for task in range(begin, end):
        row, chunk = task // chunks, task % chunks
        stop = min(2 * CHUNK * (chunk + 1), folded)
        for which in range(4 * row, 4 * row + 4):
            for at in range(2 * CHUNK * chunk, stop, LINE):
                count = min(LINE, stop - at)
                load_pairs(lines[0], lines[1], bound, which, at, count)
                fold_lines(lines[0], lines[1], r, count)
                store_line(out, which, lines[0], at, count)
            if stop == folded:
                clear_behind(out, which, folded)
        if weights.low.shape[2]:
            _add_pairs(totals, lines, out, row, challenge, weights.low, chunk, (stop + 1) // 2)
            store_sums(sums, task, totals, weights, row, chunk)
