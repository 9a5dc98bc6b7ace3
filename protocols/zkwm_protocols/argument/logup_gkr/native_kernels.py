"""The loops of the fraction tree from C that make layers, with the arguments of those by Numba.

Sizes are checked here: C checks nothing. See ``field.kernels.native``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.field.kernels.layout import CHUNK, Residues, element_of_line
from zkwm_protocols.field.kernels.native import call, require, words
from zkwm_protocols.field.scalar import DEGREE


def tasks_of(rows: int, columns: int, of_task: int = CHUNK) -> int:
    """The number of tasks of ``of_task`` columns each, of some rows."""
    return rows * -(-columns // of_task)


def lookups_given(table: Residues, rows: NDArray[np.int32], depth: int) -> list[int]:
    """Table and rows for C; that all row numbers exist is ``TreeProver``'s to check.

    Raises:
        UsageError: shapes that do not fit.
    """
    require(0 <= depth <= 3 and 0 < len(table) < 2**31, "lookups")
    return [
        words(table, None, 8), len(table), words(rows, None, None, dtype=np.int32), rows.shape[1],
    ]  # fmt: skip


def make_parents(
    begin: int,
    end: int,
    n: Residues,
    d: Residues,
    columns: int,
    parent_n: Residues,
    parent_d: Residues,
) -> None:
    """As ``layer_kernels.make_parents``.

    Raises:
        UsageError: shapes that do not fit.
    """
    rows, _, width = d.shape
    pairs = -(-columns // 2)
    require(
        0 <= begin <= end <= tasks_of(rows, pairs)
        and 2 * pairs <= width
        and pairs <= parent_n.shape[2],
        "parents",
    )
    call(
        "make_parents", begin, end, words(n, rows, DEGREE, width), words(d, rows, DEGREE, width),
        width, columns, words(parent_n, rows, DEGREE, None, out=True),
        words(parent_d, *parent_n.shape, out=True), parent_n.shape[2],
    )  # fmt: skip


def gather_nodes(
    begin: int,
    end: int,
    depth: int,
    table: Residues,
    rows: NDArray[np.int32],
    n: Residues,
    d: Residues,
) -> None:
    """As ``layer_kernels.gather_nodes``.

    Raises:
        UsageError: shapes that do not fit.
    """
    given = lookups_given(table, rows, depth)
    nodes = -(-rows.shape[1] >> depth)
    require(
        0 <= begin <= end <= tasks_of(len(rows), nodes) and nodes <= n.shape[2], "nodes of lookups"
    )
    call(
        "gather_nodes", begin, end, depth, *given, words(n, len(rows), DEGREE, None, out=True),
        words(d, *n.shape, out=True), n.shape[2],
    )  # fmt: skip


def units_as_bound(
    begin: int,
    end: int,
    e: Residues,
    columns: int,
    shift: Residues,
    challenge: Residues,
    out: Residues,
) -> None:
    """As ``unit_kernels.units_as_bound``.

    Raises:
        UsageError: shapes that do not fit.
    """
    rows, width = len(e) // 2, e.shape[2]
    require(0 <= begin <= end <= rows and 0 <= columns <= min(width, out.shape[2]), "leaves")
    shift, challenge = element_of_line(shift), element_of_line(challenge)
    call(
        "units_as_bound", begin, end, words(e, 2 * rows, DEGREE, width), width, columns,
        words(shift, DEGREE), words(challenge, DEGREE),
        words(out, 4 * rows, DEGREE, None, out=True), out.shape[2],
    )  # fmt: skip
