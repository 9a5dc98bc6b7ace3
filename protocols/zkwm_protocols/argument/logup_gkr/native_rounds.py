"""The loops of the fraction tree from C that sum rounds and bind bits, as those by Numba.

Sizes are checked here: C checks nothing. See ``field.kernels.native``.
"""

from __future__ import annotations

from zkwm_protocols.argument.logup_gkr.loop_arguments import (
    STORED,
    Children,
    UnitNodes,
    Weights,
)
from zkwm_protocols.argument.logup_gkr.native_kernels import lookups_given, tasks_of
from zkwm_protocols.field.kernels.layout import CHUNK, Residues, element_of_line
from zkwm_protocols.field.kernels.native import call, require, words
from zkwm_protocols.field.scalar import DEGREE


def _children_given(children: Children) -> tuple[list[int], int]:
    """Children for C, and the number of their rows."""
    depth, table, lookups, n, d, columns = children
    width = n.shape[2]
    if depth == STORED:
        require(columns > 0 and 4 * -(-columns // 4) <= width, "children")
        source = [STORED, 0, 0, 0, 0]
    else:
        source = [depth, *lookups_given(table, lookups, depth)]
        require(columns == -(-lookups.shape[1] >> depth), "children")
    rows = len(n) if depth == STORED else len(lookups)
    given = [*source, words(n, None, DEGREE, None), words(d, *n.shape), width, columns]
    return given, rows


def _units_given(nodes: UnitNodes) -> tuple[list[int], int]:
    """Nodes with numerators 1 for C, and the number of their rows."""
    leaves, table, lookups, e, columns = nodes
    rows, width = len(lookups), e.shape[2]
    if leaves:
        require(columns == lookups.shape[1] // 2, "leaves")
    else:
        require(0 <= columns <= width and len(e) == 2 * rows, "leaves")
    given = [
        int(leaves), *lookups_given(table, lookups, 0), words(e, None, DEGREE, None), width,
        columns,
    ]  # fmt: skip
    return given, rows


def _weights_given(weights: Weights, pairs: int, rows: int, *, optional: bool) -> list[int]:
    """The weights of a round of some pairs a row, for C."""
    low, high, of_rows = weights
    columns = low.shape[2]
    require(
        (optional and not columns)
        or (columns >= min(pairs, CHUNK) and high.shape[1] >= -(-pairs // CHUNK)),
        "weights",
    )
    return [
        words(low, 1, DEGREE, None), columns, words(high, DEGREE, None), high.shape[1],
        words(of_rows, DEGREE, rows), rows,
    ]  # fmt: skip


def _sums_given(begin: int, end: int, tasks: int, sums: Residues) -> int:
    """Where the sums of all tasks go."""
    require(0 <= begin <= end <= tasks <= len(sums), "tasks of a round")
    return words(sums, None, 2, DEGREE, out=True)


def sum_children(
    begin: int,
    end: int,
    children: Children,
    challenge: Residues,
    weights: Weights,
    sums: Residues,
) -> None:
    """As ``kernels.sum_children``.

    Raises:
        UsageError: shapes that do not fit.
    """
    given, rows = _children_given(children)
    pairs = -(-children.columns // 4)
    challenge = element_of_line(challenge)
    call(
        "sum_children", begin, end, *given, words(challenge, DEGREE),
        *_weights_given(weights, pairs, rows, optional=False),
        _sums_given(begin, end, tasks_of(rows, pairs), sums),
    )  # fmt: skip


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
    """As ``kernels.fold_children``.

    Raises:
        UsageError: shapes that do not fit.
    """
    given, rows = _children_given(children)
    folded, width = -(-children.columns // 4), out.shape[2]
    pairs = -(-folded // 2)
    require(2 * pairs <= width, "what is bound")
    challenge, r = element_of_line(challenge), element_of_line(r)
    call(
        "fold_children", begin, end, *given, words(challenge, DEGREE), words(r, DEGREE),
        *_weights_given(weights, pairs, rows, optional=True),
        words(out, 4 * rows, DEGREE, width, out=True), width,
        _sums_given(begin, end, tasks_of(rows, folded, 2 * CHUNK), sums),
    )  # fmt: skip


def sum_bound(
    begin: int,
    end: int,
    bound: Residues,
    columns: int,
    challenge: Residues,
    weights: Weights,
    sums: Residues,
) -> None:
    """As ``kernels.sum_bound``.

    Raises:
        UsageError: shapes that do not fit.
    """
    rows, width, pairs = len(bound) // 4, bound.shape[2], -(-columns // 2)
    require(columns > 0 and 2 * pairs <= width, "what is bound")
    challenge = element_of_line(challenge)
    call(
        "sum_bound", begin, end, words(bound, 4 * rows, DEGREE, width), width, columns,
        words(challenge, DEGREE), *_weights_given(weights, pairs, rows, optional=False),
        _sums_given(begin, end, tasks_of(rows, pairs), sums),
    )  # fmt: skip


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
    """As ``kernels.fold_bound``.

    Raises:
        UsageError: shapes that do not fit.
    """
    rows, width, folded = len(bound) // 4, bound.shape[2], -(-columns // 2)
    pairs = -(-folded // 2)
    require(columns > 0 and 2 * folded <= width and 2 * pairs <= out.shape[2], "what is bound")
    challenge, r = element_of_line(challenge), element_of_line(r)
    call(
        "fold_bound", begin, end, words(bound, 4 * rows, DEGREE, width), width, columns,
        words(challenge, DEGREE), words(r, DEGREE),
        *_weights_given(weights, pairs, rows, optional=True),
        words(out, 4 * rows, DEGREE, None, out=True), out.shape[2],
        _sums_given(begin, end, tasks_of(rows, folded, 2 * CHUNK), sums),
    )  # fmt: skip


def sum_units(begin: int, end: int, nodes: UnitNodes, weights: Weights, sums: Residues) -> None:
    """As ``unit_kernels.sum_units``.

    Raises:
        UsageError: shapes that do not fit.
    """
    given, rows = _units_given(nodes)
    pairs = nodes.columns // 2
    call(
        "sum_units", begin, end, *given, *_weights_given(weights, pairs, rows, optional=False),
        _sums_given(begin, end, tasks_of(rows, pairs), sums),
    )  # fmt: skip


def fold_units(
    begin: int,
    end: int,
    nodes: UnitNodes,
    r: Residues,
    weights: Weights,
    out: Residues,
    sums: Residues,
) -> None:
    """As ``unit_kernels.fold_units``.

    Raises:
        UsageError: shapes that do not fit.
    """
    given, rows = _units_given(nodes)
    folded = nodes.columns // 2
    require(folded <= out.shape[2], "what is bound")
    r = element_of_line(r)
    call(
        "fold_units", begin, end, *given, words(r, DEGREE),
        *_weights_given(weights, folded // 2, rows, optional=True),
        words(out, 2 * rows, DEGREE, None, out=True), out.shape[2],
        _sums_given(begin, end, tasks_of(rows, folded, 2 * CHUNK), sums),
    )  # fmt: skip
