"""Compiled loops of the fraction tree: leaves, parents, round polynomials (SPEC.md 17.5).

::

    n, d (rows, 5, C)     numerators (one row where all rows agree) and denominators less one;
                          rows are the bits of b, columns the bits of u
    bound (4 rows, 5, C)  n0, n1 + lambda d1, d0, d1 of every row, after the first fold

    tasks: (row, chunk of CHUNK columns); a chunk is worked on line by line (``montgomery``)

           C children of a row         0 1 2 3 4 5 6 7
           parents                      0   1   2   3
           pairs of parents (rounds)      0       1

All in Montgomery form. ``sum_round`` with children = True fuses the first round with making the
four arrays, so that they are never stored at full length. Levels and rounds are put in order by
``logup_gkr.prover``.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

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
    new_line,
    store_line,
)
from zkwm_protocols.field.kernels.layout import CHUNK, LINE, Residues
from zkwm_protocols.field.scalar import DEGREE

_FOUR = np.uint64(4)


@njit(cache=True, nogil=True)
def gather_leaves(
    begin: int, end: int, table: Residues, rows: NDArray[np.int32], d: Residues
) -> None:
    """d[b, :, u] = table[rows[b, u]] for rows begin .. end - 1 of ``d``, zeros behind.

    Args:
        begin: the first trigger.
        end: behind the last trigger.
        table (uint32, (M_T, 8)): a table row's d in the first five.
        rows (int32, (n, M)): the table row of every lookup.
        d (uint32, (n, 5, width)): written.
    """
    for b in range(begin, end):
        for u in range(rows.shape[1]):
            entry = table[rows[b, u]]
            for k in range(DEGREE):
                d[b, k, u] = entry[k]
        for k in range(DEGREE):
            for u in range(rows.shape[1], d.shape[2]):
                d[b, k, u] = np.uint32(0)


@njit(cache=True, nogil=True)
def make_parents(
    begin: int, end: int, n: Residues, d: Residues, parent_n: Residues, parent_d: Residues
) -> None:
    """The parents of columns 2i and 2i + 1.

    n = n0 (1 + d1) + n1 (1 + d0), and d = d0 + d1 + d0 d1.

    Args:
        begin: the first task, a row's CHUNK parents.
        end: behind the last task.
        n (uint32, (rows or 1, 5, C)): numerators, C even.
        d (uint32, (rows, 5, C)): denominators less one.
        parent_n (uint32, (rows, 5, at least C / 2)): written.
        parent_d (uint32, (rows, 5, at least C / 2)): written.
    """
    n0 = new_line()
    n1 = new_line()
    d0 = new_line()
    d1 = new_line()
    total = new_line()
    pairs = d.shape[2] // 2
    chunks = (pairs + CHUNK - 1) // CHUNK
    for task in range(begin, end):
        row = task // chunks
        start = (task % chunks) * CHUNK
        stop = min(start + CHUNK, pairs)
        for at in range(start, stop, LINE):
            count = min(LINE, stop - at)
            load_pairs(n0, n1, n, row % n.shape[0], at, count)
            load_pairs(d0, d1, d, row, at, count)
            add_line(total, n0, n1, count)
            add_product_line(total, n0, d1, count)
            add_product_line(total, n1, d0, count)
            store_line(parent_n, row, total, at, count)
            add_line(total, d0, d1, count)
            add_product_line(total, d0, d1, count)
            store_line(parent_d, row, total, at, count)


@njit(cache=True)
def _load_quadruples(
    a: Residues,
    b: Residues,
    c: Residues,
    e: Residues,
    arrays: Residues,
    which: int,
    start: int,
    count: int,
) -> None:
    """Columns 4i .. 4i + 3 of array ``which`` into four lines, i = start .. start + count - 1."""
    first = np.uint64(start)
    for k in range(DEGREE):
        for i in range(np.uint64(count)):
            at = _FOUR * (first + i)
            a[np.uint64(k * LINE) + i] = arrays[which, k, at]
            b[np.uint64(k * LINE) + i] = arrays[which, k, at + np.uint64(1)]
            c[np.uint64(k * LINE) + i] = arrays[which, k, at + np.uint64(2)]
            e[np.uint64(k * LINE) + i] = arrays[which, k, at + np.uint64(3)]


@njit(cache=True, nogil=True)
def fold_children(
    begin: int,
    end: int,
    n: Residues,
    d: Residues,
    challenge: Residues,
    r: Residues,
    out: Residues,
) -> None:
    """The first fold of a level: from children to four bound arrays.

    n0, n1 + lambda d1, d0, d1 of pairs of parents, their lowest index bit bound to r.

    Args:
        begin: the first task, CHUNK pairs of a row.
        end: behind the last task.
        n (uint32, (rows or 1, 5, C)): numerators of the children, C a multiple of four.
        d (uint32, (rows, 5, C)): denominators less one.
        challenge: lambda, a line.
        r: the round's challenge, a line.
        out (uint32, (4 rows, 5, at least C / 4)): written.
    """
    n0, n1, d0, d1 = new_line(), new_line(), new_line(), new_line()
    high_n0, high_n1, high_d0, high_d1 = new_line(), new_line(), new_line(), new_line()
    pairs = d.shape[2] // 4
    chunks = (pairs + CHUNK - 1) // CHUNK
    for task in range(begin, end):
        row = task // chunks
        start = (task % chunks) * CHUNK
        stop = min(start + CHUNK, pairs)
        for at in range(start, stop, LINE):
            count = min(LINE, stop - at)
            _load_quadruples(n0, n1, high_n0, high_n1, n, row % n.shape[0], at, count)
            _load_quadruples(d0, d1, high_d0, high_d1, d, row, at, count)
            fold_lines(n0, high_n0, r, count)
            fold_lines(n1, high_n1, r, count)
            fold_lines(d0, high_d0, r, count)
            fold_lines(d1, high_d1, r, count)
            add_product_line(n1, challenge, d1, count)
            store_line(out, 4 * row, n0, at, count)
            store_line(out, 4 * row + 1, n1, at, count)
            store_line(out, 4 * row + 2, d0, at, count)
            store_line(out, 4 * row + 3, d1, at, count)


@njit(cache=True)
def _load_children(
    lines: Residues,
    n: Residues,
    d: Residues,
    challenge: Residues,
    row: int,
    start: int,
    count: int,
) -> None:
    """n0, n1' = n1 + lambda d1, d0, d1 of pairs of parents: lines 0 to 3 low, 4 to 7 high."""
    _load_quadruples(lines[0], lines[1], lines[4], lines[5], n, row % n.shape[0], start, count)
    _load_quadruples(lines[2], lines[3], lines[6], lines[7], d, row, start, count)
    add_product_line(lines[1], challenge, lines[3], count)
    add_product_line(lines[5], challenge, lines[7], count)


@njit(cache=True)
def _add_infinity(
    at_infinity: Residues, lines: Residues, weight: Residues, value: Residues, count: int
) -> None:
    """h(inf): F's quadratic terms n0 d1 + n1' d0, of high - low; overwrites the highs."""
    for which in range(4):
        subtract_line(lines[which + 4], lines[which + 4], lines[which], count)
    product_line(value, lines[4], lines[7], count)
    add_product_line(value, lines[5], lines[6], count)
    add_product_line(at_infinity, value, weight, count)


@njit(cache=True)
def _add_zero(
    at_zero: Residues,
    lines: Residues,
    challenge: Residues,
    weight: Residues,
    value: Residues,
    count: int,
) -> None:
    """h(0): F = n0 + n1' + n0 d1 + (n1' + lambda) d0 of the lows; overwrites n1'."""
    n0, n1, d0, d1 = lines[0], lines[1], lines[2], lines[3]
    add_line(value, n0, n1, count)
    add_product_line(value, n0, d1, count)
    add_line(n1, n1, challenge, count)
    add_product_line(value, n1, d0, count)
    add_product_line(at_zero, value, weight, count)


@njit(cache=True, nogil=True)
def sum_round(
    begin: int,
    end: int,
    children: bool,
    n: Residues,
    d: Residues,
    challenge: Residues,
    eq: Residues,
    weights: Residues,
    sums: Residues,
) -> None:
    """h(0) and h(inf) of every task, weighted with eq.

    Args:
        begin: the first task, CHUNK pairs of a row.
        end: behind the last task.
        children: whether ``n`` and ``d`` are children, of two parents every four columns; else
            ``d`` is what is bound and ``n`` is empty.
        n (uint32, (rows or 1, 5, C)): numerators.
        d (uint32, (rows, 5, C) or (4 rows, 5, C)): denominators less one, or what is bound.
        challenge: lambda, a line.
        eq (uint32, (1, 5, at least the pairs)): eq of the later column bits.
        weights (uint32, (5, rows)): eq of the row bits.
        sums (uint32, (tasks, 2, 5)): written.
    """
    lines = np.zeros((8, DEGREE * LINE), dtype=np.uint32)
    value, weight = new_line(), new_line()
    pairs = d.shape[2] // 4 if children else d.shape[2] // 2
    chunks = (pairs + CHUNK - 1) // CHUNK
    for task in range(begin, end):
        at_zero, at_infinity = new_line(), new_line()
        row = task // chunks
        start = (task % chunks) * CHUNK
        stop = min(start + CHUNK, pairs)
        for at in range(start, stop, LINE):
            count = min(LINE, stop - at)
            load_line(weight, eq, 0, at, count)
            if children:
                _load_children(lines, n, d, challenge, row, at, count)
            else:
                for which in range(4):
                    load_pairs(lines[which], lines[which + 4], d, 4 * row + which, at, count)
            _add_infinity(at_infinity, lines, weight, value, count)
            _add_zero(at_zero, lines, challenge, weight, value, count)
        sum_line(sums, task, 0, at_zero)
        sum_line(sums, task, 1, at_infinity)
        # eq of the row is the same for the whole task: multiplied once, at the end
        for which in range(2):
            s = sums[task, which]
            weighted = quintic_product(
                s[0], s[1], s[2], s[3], s[4],
                weights[0, row], weights[1, row], weights[2, row], weights[3, row], weights[4, row],
            )  # fmt: skip
            for k in range(DEGREE):
                sums[task, which, k] = weighted[k]
