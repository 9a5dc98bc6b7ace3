"""Lines of nodes for the kernels of the fraction tree: stored nodes, and nodes made of leaves.

::

    depth        0            1                    2, 3
    node i       leaf i       parent of the        parent of nodes 2i and 2i + 1
                              leaves 2i, 2i + 1    of the depth below

    leaf u of trigger b      1 / (1 + table[rows[b, u]]),  or 0 / 1 behind the last lookup

The lowest layers of the lookups are most of the tree. They are gathered and computed where they are
read, from 4 bytes a lookup, and never stored. All in Montgomery form.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from zkwm_protocols.field.kernels.by_numba.arithmetic import (
    add,
    add_line,
    add_product_line,
    product_line,
)
from zkwm_protocols.field.kernels.layout import LINE, Residues, line_of
from zkwm_protocols.field.scalar import DEGREE, ONE, constant

_FOUR = np.uint64(4)
ONE_RESIDUE = np.uint32(line_of(ONE)[0])
_TWO = np.uint32(line_of(constant(2))[0])


@njit(cache=True)
def gather_line(
    line: Residues,
    table: Residues,
    rows: NDArray[np.int32],
    b: int,
    first: int,
    step: int,
    count: int,
) -> None:
    """table[rows[b, first + step i]], i < count, into a line; 0 behind the last lookup.

    ``table`` (M_T, 8) has an element in the first five words of a row; ``rows`` (n, M).
    """
    whole = count
    if first + step * (count - 1) >= rows.shape[1]:
        whole = max(0, (rows.shape[1] - first + step - 1) // step)
    row = rows[b]
    for i in range(np.uint64(whole)):
        at = np.uint64(row[np.uint64(first) + np.uint64(step) * i])
        for k in range(np.uint64(DEGREE)):
            line[k * np.uint64(LINE) + i] = table[at, k]
    for i in range(whole, count):
        for k in range(DEGREE):
            line[k * LINE + i] = np.uint32(0)


@njit(cache=True)
def _leaf_parents(
    n: Residues,
    d: Residues,
    scratch: Residues,
    table: Residues,
    rows: NDArray[np.int32],
    b: int,
    first: int,
    step: int,
    count: int,
) -> None:
    """Parents of the leaves first + step i and the next one: n = 2 + d0 + d1, one product."""
    gather_line(d, table, rows, b, first, step, count)
    gather_line(scratch, table, rows, b, first + 1, step, count)
    product_line(n, d, scratch, count)
    for k in range(DEGREE):
        for i in range(k * LINE, k * LINE + count):
            total = add(d[i], scratch[i])
            d[i] = add(total, n[i])
            n[i] = total
    for i in range(count):
        n[i] = add(n[i], _TWO)
    # behind the last pair of leaves: perhaps a single leaf, which is its own parent, then 0 / 1
    i = count - 1
    while i >= 0 and first + step * i + 1 >= rows.shape[1]:
        for k in range(DEGREE):
            n[k * LINE + i] = np.uint32(0)
        if first + step * i < rows.shape[1]:
            n[i] = ONE_RESIDUE
        i -= 1


@njit(cache=True)
def parent_lines(
    n0: Residues, d0: Residues, n1: Residues, d1: Residues, scratch: Residues, count: int
) -> None:
    """The parents of two lines of nodes, into the first.

    n = n0 (1 + d1) + n1 (1 + d0), and d = d0 + d1 + d0 d1.
    ``n1`` and ``scratch`` are overwritten.
    """
    add_line(scratch, n0, n1, count)
    add_product_line(scratch, n0, d1, count)
    add_product_line(scratch, n1, d0, count)
    for k in range(DEGREE):
        for i in range(k * LINE, k * LINE + count):
            n0[i] = scratch[i]
    product_line(n1, d0, d1, count)
    add_line(d0, d0, d1, count)
    add_line(d0, d0, n1, count)


@njit(cache=True)
def _leaf_grandparents(
    n: Residues,
    d: Residues,
    scratch: Residues,
    table: Residues,
    rows: NDArray[np.int32],
    b: int,
    first: int,
    step: int,
    count: int,
) -> None:
    """Parents of parents of four leaves each, first + step i and the next three."""
    _leaf_parents(n, d, scratch[0], table, rows, b, first, step, count)
    _leaf_parents(scratch[1], scratch[2], scratch[0], table, rows, b, first + 2, step, count)
    parent_lines(n, d, scratch[1], scratch[2], scratch[0], count)


@njit(cache=True)
def node_lines(
    n: Residues,
    d: Residues,
    scratch: Residues,
    depth: int,
    table: Residues,
    rows: NDArray[np.int32],
    b: int,
    first: int,
    step: int,
    count: int,
) -> None:
    """Nodes first + step i of a depth from 0 to 3 into two lines; ``scratch`` (5, a line)."""
    if depth == 0:
        gather_line(d, table, rows, b, first, step, count)
        for i in range(count):
            n[i] = ONE_RESIDUE if first + step * i < rows.shape[1] else np.uint32(0)
        for k in range(1, DEGREE):
            for i in range(k * LINE, k * LINE + count):
                n[i] = np.uint32(0)
    elif depth == 1:
        _leaf_parents(n, d, scratch[0], table, rows, b, 2 * first, 2 * step, count)
    elif depth == 2:
        _leaf_grandparents(n, d, scratch, table, rows, b, 4 * first, 4 * step, count)
    else:
        first, step = 8 * first, 8 * step
        _leaf_grandparents(n, d, scratch, table, rows, b, first, step, count)
        other_n, other_d = scratch[3], scratch[4]
        _leaf_grandparents(other_n, other_d, scratch, table, rows, b, first + 4, step, count)
        parent_lines(n, d, other_n, other_d, scratch[0], count)


@njit(cache=True)
def clear_behind(arrays: Residues, which: int, start: int) -> None:
    """Zeros behind ``start`` columns, as far as loads of two or four columns reach."""
    stop = min(arrays.shape[2], (start + 15) // 16 * 16)
    for k in range(DEGREE):
        for i in range(start, stop):
            arrays[which, k, i] = np.uint32(0)


@njit(cache=True)
def load_quadruples(
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
