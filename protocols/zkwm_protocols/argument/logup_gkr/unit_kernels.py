"""Compiled loops of the leaf level where numerators are 1: sums and folds of e0 and e1.

::

    leaf    e = d + 1 + 1 / lambda,   table[rows[b, u]]
    node i  e0, e1 = its leaves 2i and 2i + 1          (rows, 2, 5, width) once a bit is bound
    pair i  nodes 2i and 2i + 1

A level's claim is then a sum of products e0 e1 and a constant (``unit_fractions``): two products a
pair and two with its weight, not eight. Only pairs of whole nodes are here. All in Montgomery form;
tasks and weights as in ``kernels``.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from zkwm_protocols.argument.logup_gkr.kernels import store_sums
from zkwm_protocols.argument.logup_gkr.loop_arguments import UnitNodes, Weights
from zkwm_protocols.argument.logup_gkr.node_lines import ONE_RESIDUE, gather_line
from zkwm_protocols.field.kernels.by_numba.arithmetic import (
    add_product_line,
    product_line,
    subtract_line,
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


@njit(cache=True)
def _load_units(lines: Residues, nodes: UnitNodes, row: int, start: int, count: int) -> None:
    """e0, e1 of low and e0, e1 of high nodes of pairs, into four lines."""
    if nodes.leaves:
        for child in range(4):
            gather_line(lines[child], nodes.table, nodes.rows, row, 4 * start + child, 4, count)
    else:
        load_pairs(lines[0], lines[2], nodes.e, 2 * row, start, count)
        load_pairs(lines[1], lines[3], nodes.e, 2 * row + 1, start, count)


@njit(cache=True)
def _add_round(totals: Residues, lines: Residues, low: Residues, start: int, count: int) -> None:
    """Add the weighted e0 e1 of low and of high - low, of pairs start .. of a chunk.

    ``lines``: e0, e1 low, e0, e1 high, and two lines of scratch.
    """
    value, weight = lines[4], lines[5]
    load_line(weight, low, 0, start, count)
    product_line(value, lines[0], lines[1], count)
    add_product_line(totals[0], value, weight, count)
    subtract_line(lines[2], lines[2], lines[0], count)
    subtract_line(lines[3], lines[3], lines[1], count)
    product_line(value, lines[2], lines[3], count)
    add_product_line(totals[1], value, weight, count)


@njit(cache=True, nogil=True)
def sum_units(begin: int, end: int, nodes: UnitNodes, weights: Weights, sums: Residues) -> None:
    """The sums of e0 e1 over floor(columns / 2) pairs of a row: of low, and of high - low.

    Args:
        begin: the first task, CHUNK pairs of a row.
        end: behind the last task.
        nodes: of all rows.
        weights: of the pairs.
        sums (uint32, (tasks, 2, 5)): written.
    """
    lines = np.empty((6, DEGREE * LINE), dtype=np.uint32)
    totals = np.zeros((2, DEGREE * LINE), dtype=np.uint32)
    pairs = nodes.columns // 2
    chunks = (pairs + CHUNK - 1) // CHUNK
    for task in range(begin, end):
        row, chunk = task // chunks, task % chunks
        start = chunk * CHUNK
        stop = min(start + CHUNK, pairs)
        for at in range(start, stop, LINE):
            count = min(LINE, stop - at)
            _load_units(lines, nodes, row, at, count)
            _add_round(totals, lines, weights.low, at - start, count)
        store_sums(sums, task, totals, weights, row, chunk)


@njit(cache=True, nogil=True)
def fold_units(
    begin: int,
    end: int,
    nodes: UnitNodes,
    r: Residues,
    weights: Weights,
    out: Residues,
    sums: Residues,
) -> None:
    """Bind the lowest bit of e0 and e1 to r, and sum the next round.

    A task is 2 CHUNK columns of what is bound.

    Args:
        begin: the first task.
        end: behind the last task.
        nodes: of all rows; an odd last one is left out.
        r: the round's challenge, a line.
        weights: of the next round's pairs, or without ``low``.
        out (uint32, (2 rows, 5, width)): written; may be what is read, as in ``fold_bound``.
        sums (uint32, (tasks, 2, 5)): written if there are weights.
    """
    lines = np.empty((6, DEGREE * LINE), dtype=np.uint32)
    totals = np.zeros((2, DEGREE * LINE), dtype=np.uint32)
    folded = nodes.columns // 2
    chunks = (folded + 2 * CHUNK - 1) // (2 * CHUNK)
    for task in range(begin, end):
        row, chunk = task // chunks, task % chunks
        start = chunk * CHUNK
        stop = min(2 * start + 2 * CHUNK, folded)
        for at in range(2 * start, stop, LINE):
            count = min(LINE, stop - at)
            _load_units(lines, nodes, row, at, count)
            for which in range(2):
                fold_lines(lines[which], lines[which + 2], r, count)
                store_line(out, 2 * row + which, lines[which], at, count)
        if weights.low.shape[2]:
            stop //= 2
            for at in range(start, stop, LINE):
                count = min(LINE, stop - at)
                load_pairs(lines[0], lines[2], out, 2 * row, at, count)
                load_pairs(lines[1], lines[3], out, 2 * row + 1, at, count)
                _add_round(totals, lines, weights.low, at - start, count)
            store_sums(sums, task, totals, weights, row, chunk)


@njit(cache=True, nogil=True)
def units_as_bound(
    begin: int, end: int, e: Residues, columns: int, shift: Residues, challenge: Residues,
    out: Residues,
) -> None:  # fmt: skip
    """e0 and e1 as the general form's four arrays, n0 = 1, n1 + lambda d1, d0, d1.

    Args:
        begin: the first row.
        end: behind the last row.
        e (uint32, (2 rows, 5, width)): e0 and e1 of every row.
        columns: of e.
        shift: 1 + 1 / lambda, a line.
        challenge: lambda, a line.
        out (uint32, (4 rows, 5, width)): the first ``columns`` columns are written.
    """
    ones, n1, d0, d1 = new_line(), new_line(), new_line(), new_line()
    ones[:LINE] = ONE_RESIDUE
    for row in range(begin, end):
        for at in range(0, columns, LINE):
            count = min(LINE, columns - at)
            load_line(d0, e, 2 * row, at, count)
            load_line(d1, e, 2 * row + 1, at, count)
            subtract_line(d0, d0, shift, count)
            subtract_line(d1, d1, shift, count)
            n1[:] = ones
            add_product_line(n1, challenge, d1, count)
            store_line(out, 4 * row, ones, at, count)
            store_line(out, 4 * row + 1, n1, at, count)
            store_line(out, 4 * row + 2, d0, at, count)
            store_line(out, 4 * row + 3, d1, at, count)
