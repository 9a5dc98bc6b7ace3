"""The rows of a level while their columns are bound, in general form: any numerators.

::

    children    two nodes of every parent, stored (``Block``) or made of lookups
       |  bind
    bound       n0, n1 + lambda d1, d0, d1 of every parent (4 rows, 5, width), halved by every bind

``start`` and ``bind`` give the messages of the next round: these rows' part of h(0) and h(inf).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from zkwm_protocols.argument.logup_gkr.blocks import Block, Lookups, Room
from zkwm_protocols.argument.logup_gkr.loop_arguments import STORED, Children
from zkwm_protocols.argument.logup_gkr.loops import (
    fold_bound,
    fold_children,
    sum_bound,
    sum_children,
)
from zkwm_protocols.argument.logup_gkr.round_weights import NO_ROUND, RoundWeights
from zkwm_protocols.field.kernels.layout import CHUNK, Residues, canonical_element, line_of
from zkwm_protocols.field.kernels.threads import run_tasks
from zkwm_protocols.field.scalar import DEGREE, Element

Messages = tuple[Element, Element]
"""h(0) and h(inf)."""

ROWS_IN_PLACE = 4
"""Fewer rows are too few to share among threads, and too short to need their memory twice."""

_NO_TABLE = np.empty((0, 8), dtype=np.uint32)
_NO_ROWS = np.empty((0, 0), dtype=np.int32)
_NO_NODES = np.empty((0, DEGREE, 0), dtype=np.uint32)


def run_rows(
    kernel: Callable[..., None], rows: int, chunks: int, *arguments: object, work: int
) -> None:
    """Run all tasks of a kernel that writes where it reads: those of a row in order.

    Args:
        kernel: as for ``run_tasks``.
        rows: how many.
        chunks: tasks of a row.
        arguments: handed on.
        work: as for ``run_tasks``.
    """

    def of_rows(begin: int, end: int, *given: object) -> None:
        kernel(begin * chunks, end * chunks, *given)

    run_tasks(of_rows, rows, *arguments, work=work)


def messages_of(sums: Residues) -> Messages:
    """The sums of all tasks, (tasks, 2, 5), as two elements."""
    total = sums.sum(axis=0, dtype=np.uint64)
    return canonical_element(total[0]), canonical_element(total[1])


def children_of(source: Block | Lookups, depth: int) -> Children:
    """The nodes of a stored layer, or those of lookups ``depth`` layers above the leaves."""
    if isinstance(source, Block):
        return Children(STORED, _NO_TABLE, _NO_ROWS, source.n, source.d, source.columns)
    return Children(depth, source.table, source.rows, _NO_NODES, _NO_NODES, source.columns(depth))


class BoundRows:
    """Rows of one level: ``start``, then ``bind`` for every round."""

    def __init__(
        self,
        source: Children | tuple[Residues, int],
        weights: Residues,
        challenge: Element,
        room: Room | None = None,
    ) -> None:
        """Begin with children, or with what is bound and its columns.

        Args:
            source: children, or the arrays (4 rows, 5, width) and their columns.
            weights (uint32, (5, rows)): eq of the rows.
            challenge: lambda.
            room: for what is bound.
        """
        self._room = room or Room(0)
        self._children = source if isinstance(source, Children) else None
        self._bound = _NO_NODES if isinstance(source, Children) else source[0]
        self._columns = source.columns if isinstance(source, Children) else source[1]
        self._weights = weights
        self._challenge = line_of(challenge)

    def start(self, weights: RoundWeights) -> Messages:
        """The messages of the first round."""
        rows = self._weights.shape[1]
        if self._children is not None:
            tasks = rows * -(-self._columns // (4 * CHUNK))
            sums = np.empty((tasks, 2, DEGREE), dtype=np.uint32)
            run_tasks(
                sum_children, tasks, self._children, self._challenge,
                weights.of_rows(self._weights), sums, work=2 * rows * self._columns,
            )  # fmt: skip
            return messages_of(sums)
        tasks = rows * -(-self._columns // (2 * CHUNK))
        sums = np.empty((tasks, 2, DEGREE), dtype=np.uint32)
        run_tasks(
            sum_bound, tasks, self._bound, self._columns, self._challenge,
            weights.of_rows(self._weights), sums, work=3 * rows * self._columns,
        )  # fmt: skip
        return messages_of(sums)

    def bind(self, r: Element, weights: RoundWeights = NO_ROUND) -> Messages:
        """Bind the lowest column bit to r; the messages of the next round, if it has weights."""
        rows, columns = self._weights.shape[1], self._columns
        step = 2 if self._children is None else 4
        folded = -(-columns // step)
        chunks = -(-folded // (2 * CHUNK))
        sums = np.zeros((rows * chunks, 2, DEGREE), dtype=np.uint32)
        of_rows = weights.of_rows(self._weights)
        challenges = self._challenge, line_of(r)
        work = 8 * rows * folded
        if self._children is not None:
            out = self._room.arrays(4 * rows, folded)
            run_tasks(
                fold_children, rows * chunks, self._children, *challenges, of_rows, out, sums,
                work=work,
            )  # fmt: skip
        elif rows < ROWS_IN_PLACE:
            out = self._room.arrays(4 * rows, folded)
            run_tasks(
                fold_bound, rows * chunks, self._bound, columns, *challenges, of_rows, out, sums,
                work=work,
            )  # fmt: skip
        else:
            out = self._bound
            run_rows(
                fold_bound, rows, chunks, out, columns, *challenges, of_rows, out, sums, work=work
            )
        self._children, self._bound, self._columns = None, out, folded
        return messages_of(sums)

    def bound(self, bits: int) -> tuple[Residues, int]:
        """What is bound, (4 rows, 5, width), and its columns, at most 2^bits."""
        return self._bound, min(self._columns, 1 << bits)
