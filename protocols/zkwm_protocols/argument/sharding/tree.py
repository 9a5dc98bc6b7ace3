"""The fraction tree whose lookups are at the workers: the prover adds up their messages.

::

    workers            rows of lookups, each worker its triggers'     columns are bound there
    prover             rows of the tables, the joined row, the root   all that is left

A layer of lookups is ``RowsElsewhere`` to ``logup_gkr.level``, which treats it as any other part.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.logup_gkr.blocks import Block, table_block
from zkwm_protocols.argument.logup_gkr.bound_rows import Messages
from zkwm_protocols.argument.logup_gkr.prover import TreeProver, layers_in_rows
from zkwm_protocols.argument.logup_gkr.round_weights import NO_ROUND, RoundWeights
from zkwm_protocols.argument.parameters import Layout
from zkwm_protocols.argument.sharding.crew import Arguments, Crew
from zkwm_protocols.field.kernels.layout import Residues
from zkwm_protocols.field.kernels.montgomery import to_montgomery
from zkwm_protocols.field.scalar import ZERO, Element, add
from zkwm_protocols.field.vector import Array


class ShardedTree(TreeProver):
    """The tree of all workers' lookups; as ``TreeProver``.

    Args:
        crew: the workers, which have marked their triggers.
        layout: all sizes.
        table_d (uint64, (5, M_T)): beta minus the fingerprint of every table row, canonical.
        multiplicities (integers, (M_T,)): from 0 to p - 1.
        alphas: the powers of alpha, from alpha^1.
        beta: the challenge.
    """

    def __init__(
        self,
        crew: Crew,
        layout: Layout,
        table_d: Array,
        multiplicities: NDArray[np.integer],
        alphas: Sequence[Element],
        beta: Element,
    ) -> None:
        columns_log = layout.tree_columns_log
        tops: list[Block] = crew.call("tree", [(tuple(alphas), beta)] * crew.size)
        top = Block(
            np.concatenate([block.n for block in tops]),
            np.concatenate([block.d for block in tops]),
            tops[0].columns,
        )
        tables = table_block(
            to_montgomery(table_d), multiplicities, layout.table_chunks, columns_log
        )
        lookups = [CrewRows(crew, layout.triggers)] * layers_in_rows(columns_log)
        self._build(lookups, top, tables, columns_log, layout.tree_rows_log)


class CrewRows:
    """A layer of lookups, each row at the worker that has its trigger (``RowsElsewhere``).

    Args:
        crew: the workers, in the order of their triggers.
        count: of all rows.
    """

    def __init__(self, crew: Crew, count: int) -> None:
        self._crew = crew
        self.count = count

    def begin(
        self, depth: int, row_point: Sequence[Element], challenge: Element
    ) -> CrewRowsBeingBound:
        """The rows before any column is bound."""
        return CrewRowsBeingBound(self._crew, (depth, tuple(row_point), challenge))


class CrewRowsBeingBound:
    """The rows of one level while every worker binds its own (``RowsBeingBound``).

    Args:
        crew: the workers.
        begun: depth, row point and lambda.
    """

    def __init__(self, crew: Crew, begun: Arguments) -> None:
        self._crew = crew
        self._begun = begun

    def start(self, weights: RoundWeights) -> Messages:
        """The messages of the first round."""
        return self._sum("level", (*self._begun, weights.point))

    def bind(self, r: Element, weights: RoundWeights = NO_ROUND) -> Messages:
        """Bind the lowest column bit to r; the messages of the next round, if it has weights."""
        return self._sum("bind", (r, None if weights is NO_ROUND else weights.point))

    def bound(self, bits: int) -> tuple[Residues, int]:
        """What is bound, (4 rows, 5, width), and its columns, at most 2^bits."""
        parts = self._crew.call("bound", [(bits,)] * self._crew.size)
        return np.concatenate([arrays for arrays, _ in parts]), parts[0][1]

    def _sum(self, method: str, arguments: Arguments) -> Messages:
        """The sum of all workers' messages."""
        at_zero, at_infinity = ZERO, ZERO
        for zero, infinity in self._crew.call(method, [arguments] * self._crew.size):
            at_zero, at_infinity = add(at_zero, zero), add(at_infinity, infinity)
        return at_zero, at_infinity
