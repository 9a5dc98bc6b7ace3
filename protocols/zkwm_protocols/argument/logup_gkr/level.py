"""The sumcheck of one level of the fraction tree: messages, and bound by the challenges.

::

    parts      lookups, tables: rows of many columns      bind columns; rows have weights
      |        5 column bits or fewer are left
    joined     one row, index column + 2^bits * row       bind the rest

All levels but the largest have one row from the start. This module computes messages in the clear;
masking and the transcript are ``argument.prover``'s. SPEC.md 17.5.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from zkwm_protocols.argument.logup_gkr.blocks import (
    JOINED_BITS,
    Block,
    Lookups,
    join_rows,
    room_behind,
)
from zkwm_protocols.argument.logup_gkr.bound_rows import BoundRows, Messages, children_of
from zkwm_protocols.argument.logup_gkr.round_weights import NO_ROUND, RoundWeights, round_weights
from zkwm_protocols.argument.logup_gkr.unit_fractions import UnitFractions
from zkwm_protocols.field.kernels.layout import Residues, canonical_element
from zkwm_protocols.field.kernels.montgomery import (
    equality_table,
)
from zkwm_protocols.field.scalar import ZERO, Element, add, multiply, subtract


class RowsBeingBound(Protocol):
    """Rows of one level while their columns are bound, as ``BoundRows`` does it."""

    def start(self, weights: RoundWeights) -> Messages:
        """The messages of the first round."""

    def bind(self, r: Element, weights: RoundWeights = NO_ROUND) -> Messages:
        """Bind the lowest column bit to r; the messages of the next round, if it has weights."""

    def bound(self, bits: int) -> tuple[Residues, int]:
        """What is bound, (4 rows, 5, width), and its columns, at most 2^bits."""


class RowsElsewhere(Protocol):
    """Rows of a layer that others hold (``argument.sharding``)."""

    @property
    def count(self) -> int:
        """How many rows."""

    def begin(self, depth: int, row_point: Sequence[Element], challenge: Element) -> RowsBeingBound:
        """The rows, the first ones of the layer, as ``begin_rows`` begins them."""


def begin_rows(
    source: Block | Lookups,
    depth: int,
    row_point: Sequence[Element],
    first: int,
    challenge: Element,
    *,
    general: bool = False,
) -> BoundRows | UnitFractions:
    """The children of some rows' parents, before any bit is bound.

    Args:
        source: the children.
        depth: of children made of lookups: how far above the leaves.
        row_point: the coordinates of the rows.
        first: the number of the first row.
        challenge: lambda.
        general: as for ``LevelProver``.
    """
    if isinstance(source, Lookups) and depth == 0 and challenge != ZERO and not general:
        return UnitFractions(source, row_point, challenge, first)
    count = _count(source)
    weights = equality_table(row_point)[:, first : first + count].copy()
    return BoundRows(children_of(source, depth), weights, challenge, room_behind(source))


def _count(source: Block | Lookups | RowsElsewhere) -> int:
    """How many rows."""
    if isinstance(source, Lookups):
        return int(source.rows.shape[0])
    return source.rows if isinstance(source, Block) else source.count


class LevelProver:
    """One level's sumcheck: ``round`` and ``bind`` for each of its l rounds, then ``children``."""

    def __init__(
        self,
        sources: Sequence[Block | Lookups | RowsElsewhere],
        depth: int,
        point: Sequence[Element],
        challenge: Element,
        rows_log: int,
        *,
        general: bool = False,
    ) -> None:
        """Start; called by ``TreeProver.level``.

        Args:
            sources: the children of the level's parents: one row, or lookups and tables.
            depth: of children made of lookups: how far above the leaves.
            point: where the claims on the parents are.
            challenge: lambda, which combines numerators and denominators.
            rows_log: b'.
            general: leaves with numerators 1 in general form too: slower, the same messages.
        """
        self._challenge = challenge
        self._root = sources[0] if not point and isinstance(sources[0], Block) else None
        joined = len(sources) == 1
        columns = len(point) if joined else len(point) - rows_log
        self._point, self._row_point = list(point[:columns]), list(point[columns:])
        self._parts: list[RowsBeingBound] = []
        first = 0
        for source in sources:
            part: RowsBeingBound
            if isinstance(source, Block | Lookups):
                part = begin_rows(source, depth, self._row_point, first, challenge, general=general)
            else:
                part = source.begin(depth, self._row_point, challenge)
            self._parts.append(part)
            first += _count(source)
        self._messages: Messages | None = None
        if point:
            self._begin_phase()

    def round(self) -> Messages:
        """h(0) and h(inf), the coefficient of X^2, of the round polynomial h.

        Raises:
            ValueError: all rounds are over.
        """
        if self._messages is None:
            raise ValueError("all rounds are over")
        return self._messages

    def bind(self, r: Element) -> None:
        """Fix the round's variable to the challenge r.

        Raises:
            ValueError: all rounds are over.
        """
        if self._messages is None:
            raise ValueError("all rounds are over")
        self._point.pop(0)
        if self._row_point and len(self._point) <= JOINED_BITS:
            for part in self._parts:
                part.bind(r)
            self._join()
        elif self._point:
            weights = round_weights(self._point[1:])
            self._messages = _sum(part.bind(r, weights) for part in self._parts)
        else:
            self._parts[0].bind(r)
            self._messages = None

    def children(self) -> tuple[Element, Element, Element, Element]:
        """n0, d0, n1, d1 of the children's extensions at the point of all challenges.

        Raises:
            ValueError: rounds are left.
        """
        if self._messages is not None:
            raise ValueError(f"{len(self._point) + len(self._row_point)} rounds are left")
        if self._root is not None:
            n, d = self._root.n[0], self._root.d[0]
            return (
                canonical_element(n[:, 0]),
                canonical_element(d[:, 0]),
                canonical_element(n[:, 1]),
                canonical_element(d[:, 1]),
            )
        bound, _ = self._parts[0].bound(0)
        n0, mixed, d0, d1 = (canonical_element(array[:, 0]) for array in bound)
        return n0, d0, subtract(mixed, multiply(self._challenge, d1)), d1

    def _begin_phase(self) -> None:
        """The first round of these parts."""
        weights = round_weights(self._point[1:])
        self._messages = _sum(part.start(weights) for part in self._parts)

    def _join(self) -> None:
        """Join what is bound into one row, and begin with it."""
        bits = len(self._point)
        bound = [part.bound(bits) for part in self._parts]
        joined = join_rows(bound, 4, bits)
        rows = sum(arrays.shape[0] // 4 for arrays, _ in bound)
        self._point, self._row_point = self._point + self._row_point, []
        self._parts = [BoundRows((joined, rows << bits), equality_table([]), self._challenge)]
        self._begin_phase()


def _sum(messages: Iterable[Messages]) -> Messages:
    """The sum of all parts' messages."""
    at_zero, at_infinity = ZERO, ZERO
    for zero, infinity in messages:
        at_zero, at_infinity = add(at_zero, zero), add(at_infinity, infinity)
    return at_zero, at_infinity
