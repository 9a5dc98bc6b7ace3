"""The lookups' rows at the leaf level, where every numerator is 1.

::

    F = n0 + n1 + lambda (d0 + d1) + n0 d1 + n1 d0 + lambda d0 d1      (SPEC.md 17.5)

    n0 = n1 = 1,  e = d + 1 + 1 / lambda:      F = lambda e0 e1 - (lambda + 1 / lambda)

    nodes i of a row      0 1 ... whole - 1 | whole      | ...
                          two lookups       | partial    | 0 / 1

The numerators stay 1 when bits are bound, so of every whole node only e0 and e1 are kept, and a
round's messages are lambda times two sums of products, and the constant times the sum of weights.
The pair where a row ends (``_edge``) is computed in general form: of the node that is partly bound
to padding, and of a whole one beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zkwm_protocols.argument.logup_gkr.blocks import Lookups, Room, room_behind, zero_arrays
from zkwm_protocols.argument.logup_gkr.bound_rows import (
    ROWS_IN_PLACE,
    BoundRows,
    Messages,
    messages_of,
    run_rows,
)
from zkwm_protocols.argument.logup_gkr.loop_arguments import UnitNodes
from zkwm_protocols.argument.logup_gkr.loops import fold_units, sum_units, units_as_bound
from zkwm_protocols.argument.logup_gkr.round_weights import (
    NO_ROUND,
    RoundWeights,
    equality_at,
    equality_prefix,
    round_weights,
)
from zkwm_protocols.field.kernels.layout import CHUNK, Residues, line_of, montgomery_element
from zkwm_protocols.field.kernels.montgomery import (
    equality_table,
)
from zkwm_protocols.field.kernels.threads import run_tasks
from zkwm_protocols.field.scalar import (
    DEGREE,
    ONE,
    Element,
    P,
    add,
    inverse,
    multiply,
    negate,
    subtract,
)

_ONE_ROW = equality_table([])


class UnitFractions:
    """Lookups of triggers at the leaf level: ``start``, then ``bind`` for every round."""

    def __init__(
        self,
        lookups: Lookups,
        row_point: Sequence[Element],
        challenge: Element,
        first: int = 0,
    ) -> None:
        """Begin with the leaves.

        Args:
            lookups: the leaves.
            row_point: the coordinates of the rows.
            challenge: lambda.
            first: the number of the first row.

        Raises:
            ZeroDivisionError: lambda is 0; then only the general form serves.
        """
        self._room = room_behind(lookups) or Room(0)
        self._triggers, count = lookups.rows.shape
        self._first, self._end = first, first + self._triggers
        self._challenge = challenge
        self._shift = add(ONE, inverse(challenge))
        # all rows together: the sum of their weights is a factor of the constant
        self._constant = multiply(
            negate(add(challenge, inverse(challenge))),
            subtract(equality_prefix(row_point, self._end), equality_prefix(row_point, first)),
        )
        self._weights = np.ascontiguousarray(equality_table(row_point)[:, first : self._end])
        self._row_weights = round_weights(row_point)
        table = lookups.table.copy()
        total = table[:, :DEGREE] + montgomery_element(self._shift)
        table[:, :DEGREE] = np.minimum(total, total - np.uint32(P))
        nothing = np.empty((0, DEGREE, 0), dtype=np.uint32)
        self._nodes = UnitNodes(True, table, lookups.rows, nothing, count // 2)
        self._partial: Residues | None = None
        if count % 2:
            self._partial = zero_arrays(4, self._end)
            self._partial[0, 0, first : self._end] = montgomery_element(ONE)[0]
            last = lookups.table[lookups.rows[:, -1], :DEGREE]
            self._partial[2, :, first : self._end] = last.T

    def start(self, weights: RoundWeights) -> Messages:
        """The messages of the first round."""
        tasks = self._triggers * -(-(self._nodes.columns // 2) // CHUNK)
        sums = np.empty((tasks, 2, DEGREE), dtype=np.uint32)
        run_tasks(
            sum_units, tasks, self._nodes, weights.of_rows(self._weights), sums,
            work=self._nodes.rows.size,
        )  # fmt: skip
        return self._messages(sums, weights)

    def bind(self, r: Element, weights: RoundWeights = NO_ROUND) -> Messages:
        """Bind the lowest column bit to r; the messages of the next round, if it has weights."""
        edge = self._edge()
        folded = self._nodes.columns // 2
        triggers, chunks = self._triggers, -(-folded // (2 * CHUNK))
        sums = np.zeros((triggers * chunks, 2, DEGREE), dtype=np.uint32)
        given = self._nodes, line_of(r), weights.of_rows(self._weights)
        work = 4 * triggers * folded
        if self._nodes.leaves or triggers < ROWS_IN_PLACE:
            out = self._room.arrays(2 * triggers, folded)
            run_tasks(fold_units, triggers * chunks, *given, out, sums, work=work)
        else:
            out = self._nodes.e
            run_rows(fold_units, triggers, chunks, *given, out, sums, work=work)
        self._nodes = self._nodes._replace(leaves=False, e=out, columns=folded)
        if edge is not None:
            edge.bind(r)
            self._partial = edge.bound(self._end.bit_length())[0]
        return self._messages(sums, weights)

    def bound(self, bits: int) -> tuple[Residues, int]:
        """All nodes in general form, (4 n, 5, width), and their columns, at most 2^bits."""
        whole = self._nodes.columns
        total = min(whole + 1, 1 << bits)
        out = zero_arrays(4 * self._triggers, total)
        by_row = out.reshape(self._triggers, 4, DEGREE, -1)
        if self._partial is not None:
            partial = self._partial[:, :, self._first : self._end]
            by_row[..., whole:total] = partial.transpose(2, 0, 1)[..., None]
        run_tasks(
            units_as_bound, self._triggers, self._nodes.e, whole, line_of(self._shift),
            line_of(self._challenge), out, work=self._triggers * whole,
        )  # fmt: skip
        return out, total

    def _messages(self, sums: Residues, weights: RoundWeights) -> Messages:
        """h(0) and h(inf) from the sums over pairs of whole nodes: constant and edge added."""
        if not weights.low.size:
            return messages_of(sums)
        at_zero, at_infinity = (multiply(self._challenge, s) for s in messages_of(sums))
        pairs = self._nodes.columns // 2
        constant = multiply(self._constant, equality_prefix(weights.point, pairs))
        edge = self._edge()
        if edge is None:
            return add(at_zero, constant), at_infinity
        weight = equality_at(weights.point, pairs)
        edge_zero, edge_infinity = (multiply(weight, s) for s in edge.start(self._row_weights))
        return add(add(at_zero, constant), edge_zero), add(at_infinity, edge_infinity)

    def _edge(self) -> BoundRows | None:
        """The pair behind those of whole nodes in all rows, if it is not 0 / 1.

        One array over all rows, bound as if the row index were the column: nodes 2b and 2b + 1 are
        row b's. Rows before the first are 0 / 1.
        """
        odd = self._nodes.columns % 2
        if self._partial is None and not odd:
            return None
        first, end = self._first, self._end
        pair = zero_arrays(4, 2 * end)
        if self._partial is not None:
            pair[:, :, 2 * first + odd : 2 * end : 2] = self._partial[:, :, first:end]
        if odd:
            whole = self._last_whole()
            pair[:, :, 2 * first : 2 * end : 2] = whole[:, :, : self._triggers]
        return BoundRows((pair, 2 * end), _ONE_ROW, self._challenge)

    def _last_whole(self) -> Residues:
        """The last whole node of every row in general form, (4, 5, at least n)."""
        last = self._nodes.columns - 1
        e = zero_arrays(2, self._triggers)
        for side in range(2):
            if self._nodes.leaves:
                found = self._nodes.table[self._nodes.rows[:, 2 * last + side], :DEGREE]
            else:
                found = self._nodes.e[side::2, :, last]
            e[side, :, : self._triggers] = found.T
        out = zero_arrays(4, self._triggers)
        units_as_bound(0, 1, e, self._triggers, line_of(self._shift), line_of(self._challenge), out)
        return out
