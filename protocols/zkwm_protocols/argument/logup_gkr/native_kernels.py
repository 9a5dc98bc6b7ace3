"""The loops of the fraction tree from C, with the arguments of ``logup_gkr.kernels``.

Sizes are checked here: C checks nothing. See ``field.kernels.native``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.field.kernels.layout import CHUNK, Residues, element_of_line
from zkwm_protocols.field.kernels.native import call, require, words
from zkwm_protocols.field.scalar import DEGREE


def _tasks(rows: int, pairs: int) -> int:
    """The number of tasks of CHUNK pairs a row."""
    return rows * -(-pairs // CHUNK)


def gather_leaves(
    begin: int, end: int, table: Residues, rows: NDArray[np.int32], d: Residues
) -> None:
    """As ``kernels.gather_leaves``; row numbers are checked by ``TreeProver``."""
    triggers, lookups = rows.shape
    require(0 <= begin <= end <= triggers and lookups <= d.shape[2] and len(table) > 0, "leaves")
    call(
        "gather_leaves", begin, end, words(table, None, 8), len(table),
        words(rows, triggers, lookups, dtype=np.int32), lookups,
        words(d, triggers, DEGREE, None, out=True), d.shape[2],
    )  # fmt: skip


def make_parents(
    begin: int, end: int, n: Residues, d: Residues, parent_n: Residues, parent_d: Residues
) -> None:
    """As ``kernels.make_parents``."""
    rows, _, columns = d.shape
    require(
        0 <= begin <= end <= _tasks(rows, columns // 2)
        and len(n) in (1, rows)
        and parent_n.shape[2] >= columns // 2,
        "parents",
    )
    call(
        "make_parents", begin, end, words(n, None, DEGREE, columns), len(n),
        words(d, rows, DEGREE, columns), columns,
        words(parent_n, rows, DEGREE, None, out=True),
        words(parent_d, *parent_n.shape, out=True), parent_n.shape[2],
    )  # fmt: skip


def fold_children(
    begin: int, end: int, n: Residues, d: Residues, challenge: Residues, r: Residues, out: Residues
) -> None:
    """As ``kernels.fold_children``."""
    rows, _, columns = d.shape
    require(
        0 <= begin <= end <= _tasks(rows, columns // 4)
        and len(n) in (1, rows)
        and out.shape[2] >= columns // 4,
        "children",
    )
    challenge, r = element_of_line(challenge), element_of_line(r)
    call(
        "fold_children", begin, end, words(n, None, DEGREE, columns), len(n),
        words(d, rows, DEGREE, columns), columns, words(challenge, DEGREE), words(r, DEGREE),
        words(out, 4 * rows, DEGREE, None, out=True), out.shape[2],
    )  # fmt: skip


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
    """As ``kernels.sum_round``."""
    columns = d.shape[2]
    rows, pairs = (len(d), columns // 4) if children else (len(d) // 4, columns // 2)
    require(
        0 <= begin <= end <= min(_tasks(rows, pairs), len(sums))
        and (not children or len(n) in (1, rows))
        and eq.shape[2] >= pairs,
        "a round",
    )
    challenge = element_of_line(challenge)
    call(
        "sum_round", begin, end, int(children),
        words(n, None, DEGREE, columns) if children else 0, len(n),
        words(d, None, DEGREE, columns), columns, words(challenge, DEGREE),
        words(eq, 1, DEGREE, None), eq.shape[2], words(weights, DEGREE, rows), rows,
        words(sums, None, 2, DEGREE, out=True),
    )  # fmt: skip
