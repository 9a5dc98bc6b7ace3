"""Compiled loops that make layers of the fraction tree: from lookups, and from the layer below.

::

    n, d (rows, 5, width)     numerators and denominators less one, 0 behind a row's columns

    tasks: (row, chunk of CHUNK nodes); a chunk is worked on line by line (``montgomery``)

All in Montgomery form. SPEC.md 17.5.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from zkwm_protocols.argument.logup_gkr.node_lines import clear_behind, node_lines, parent_lines
from zkwm_protocols.field.kernels.by_numba.lines import (
    load_pairs,
    new_line,
    store_line,
)
from zkwm_protocols.field.kernels.layout import CHUNK, LINE, Residues
from zkwm_protocols.field.scalar import DEGREE


@njit(cache=True, nogil=True)
def make_parents(
    begin: int, end: int, n: Residues, d: Residues, columns: int, parent_n: Residues,
    parent_d: Residues,
) -> None:  # fmt: skip
    """The parents of columns 2i and 2i + 1.

    Args:
        begin: the first task, a row's CHUNK parents.
        end: behind the last task.
        n (uint32, (rows, 5, width)): numerators.
        d (uint32, (rows, 5, width)): denominators less one.
        columns: of n and d; those behind are 0.
        parent_n (uint32, (rows, 5, about width / 2)): written.
        parent_d (uint32, (rows, 5, about width / 2)): written.
    """
    n0, n1, d0, d1, scratch = new_line(), new_line(), new_line(), new_line(), new_line()
    pairs = (columns + 1) // 2
    chunks = (pairs + CHUNK - 1) // CHUNK
    for task in range(begin, end):
        row = task // chunks
        start = (task % chunks) * CHUNK
        stop = min(start + CHUNK, pairs)
        for at in range(start, stop, LINE):
            count = min(LINE, stop - at)
            load_pairs(n0, n1, n, row, at, count)
            load_pairs(d0, d1, d, row, at, count)
            parent_lines(n0, d0, n1, d1, scratch, count)
            store_line(parent_n, row, n0, at, count)
            store_line(parent_d, row, d0, at, count)
        if stop == pairs:
            clear_behind(parent_n, row, pairs)
            clear_behind(parent_d, row, pairs)


@njit(cache=True, nogil=True)
def gather_nodes(
    begin: int, end: int, depth: int, table: Residues, rows: NDArray[np.int32], n: Residues,
    d: Residues,
) -> None:  # fmt: skip
    """The lookups' nodes of a depth (``node_lines``).

    Args:
        begin: the first task, a row's CHUNK nodes.
        end: behind the last task.
        depth: from 0 to 3.
        table (uint32, (M_T, 8)): a table row's d in the first five words.
        rows (int32, (n, M)): the table row of every lookup.
        n (uint32, (n, 5, width)): written.
        d (uint32, (n, 5, width)): written.
    """
    node_n, node_d = new_line(), new_line()
    scratch = np.empty((5, DEGREE * LINE), dtype=np.uint32)
    nodes = (rows.shape[1] + (1 << depth) - 1) >> depth
    chunks = (nodes + CHUNK - 1) // CHUNK
    for task in range(begin, end):
        row = task // chunks
        start = (task % chunks) * CHUNK
        stop = min(start + CHUNK, nodes)
        for at in range(start, stop, LINE):
            count = min(LINE, stop - at)
            node_lines(node_n, node_d, scratch, depth, table, rows, row, at, 1, count)
            store_line(n, row, node_n, at, count)
            store_line(d, row, node_d, at, count)
        if stop == nodes:
            clear_behind(n, row, nodes)
            clear_behind(d, row, nodes)
