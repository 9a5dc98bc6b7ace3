"""The prover of the fraction tree: leaves, layers, and one fractional sumcheck for each layer.

::

    level 0          root                          n = 0 if every lookup is a table row
    level 1          .    .                        parent: n = n0 (1 + d1) + n1 (1 + d0)
      ...                                                  d = d0 + d1 + d0 d1
    level U + b'     leaves (2^(U + b') of them, index u + 2^U b)

    leaves as rows b and columns u:                columns 0 ........ M - 1 ....... 2^U - 1
      rows 0 .. n - 1        lookups of trigger b          1 / (1 + d)     | 0 / 1
      rows n .. n + A - 1    chunk of the tables   -multiplicity / (1 + d) ............. | 0 / 1
      other rows             0 / 1

    halving columns U times, then rows b' times:
      two blocks (lookups; tables), rows of each kept apart  ->  one column each
      -> joined into one row (``join_blocks``)                     ->  the root

A node stores its numerator n and its denominator less one, d, so that the zeros of the padding are
the neutral fraction 0/1. They are never stored, but for up to three columns behind a row that make
whole pairs of pairs. The leaves of an honest lookup equal the table row's: they are gathered by
row number when they are needed and not kept.

LogUp (Haböck, ePrint 2022/1530) in the form of Papini and Haböck (ePrint 2023/1284), SPEC.md 17.5.
This module computes messages in the clear; masking and the transcript are ``argument.prover``'s.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.logup_gkr.blocks import (
    Block,
    fill_parents,
    join_blocks,
    join_bound,
    padded,
    parents_of,
    split_weights,
    table_block,
)
from zkwm_protocols.argument.logup_gkr.loops import fold_children, gather_leaves, sum_round
from zkwm_protocols.field.kernels.layout import CHUNK, Residues, canonical_element, line_of
from zkwm_protocols.field.kernels.montgomery import drop_first_bit, equality_table, to_montgomery
from zkwm_protocols.field.kernels.sumcheck import fold
from zkwm_protocols.field.kernels.threads import run_tasks
from zkwm_protocols.field.scalar import DEGREE, ONE, Element, multiply, subtract
from zkwm_protocols.field.vector import Array

_GATHERED = 1 << 20
"""Leaves gathered at a time while the tree is built."""


class TreeProver:
    """The fraction tree: built at once, then proven level by level from the root, each once."""

    def __init__(
        self,
        rows: NDArray[np.int32],
        table_d: Array,
        multiplicities: NDArray[np.integer],
        columns_log: int,
        rows_log: int,
    ) -> None:
        """Build all layers.

        Args:
            rows (int32, (n, M)): the table row of every lookup.
            table_d (uint64, (5, M_T)): beta minus the fingerprint of every table row, canonical.
            multiplicities (integers, (M_T,)): from 0 to p - 1.
            columns_log: U.
            rows_log: b'.

        Raises:
            ValueError: leaves that do not fit the tree, or a row that does not exist.
        """
        triggers, lookups = rows.shape
        table_rows = table_d.shape[1]
        chunks = -(-table_rows // (1 << columns_log))
        if columns_log < 1 or lookups > 1 << columns_log or triggers + chunks > 1 << rows_log:
            raise ValueError("the leaves do not fit the tree")
        if not 0 <= int(rows.min()) <= int(rows.max()) < table_rows:
            raise ValueError("a lookup of no table row")
        self._rows = rows
        self._rows_log = rows_log
        self._width = padded(lookups, columns_log)
        # all lookups have the numerator 1: one row of numerators serves all triggers
        self._numerators = np.zeros((1, DEGREE, self._width), dtype=np.uint32)
        self._numerators[0, 0, :lookups] = line_of(ONE)[0]
        d = to_montgomery(table_d)
        # (M_T, 8): an element in half a cache line, so that gathering one touches one line
        self._table = np.zeros((table_rows, 8), dtype=np.uint32)
        self._table[:, :DEGREE] = d.T
        tables = table_block(d, multiplicities, chunks, columns_log)
        # self._nodes[l]: the blocks of the 2^(l+1) children of level l (reversed below); of the
        # leaves only the tables' block is kept
        self._nodes: list[list[Block]] = [[tables]]
        self._next = 0
        blocks = [self._lookup_parents(columns_log), parents_of(tables, columns_log)]
        for bits in range(columns_log - 1, 0, -1):
            self._nodes.append(blocks)
            blocks = [parents_of(block, bits) for block in blocks]
        blocks = [join_blocks(blocks, 1, rows_log)]
        for bits in range(rows_log, 0, -1):
            self._nodes.append(blocks)
            blocks = [parents_of(block, bits) for block in blocks]
        self._root = blocks[0]
        self._nodes.reverse()

    def root_numerator(self) -> Element:
        """n of the root: 0 if every lookup is a table row, else 0 with negligible probability."""
        return canonical_element(self._root.n[0, :, 0])

    def root_denominator(self) -> Element:
        """d of the root, which is sent (masked)."""
        return canonical_element(self._root.d[0, :, 0])

    def level(self, level: int, point: Sequence[Element], challenge: Element) -> LevelProver:
        """The sumcheck of a level, for the claims at ``point`` (``level`` coordinates) and lambda.

        The level's nodes are freed, so levels come in order and once.

        Raises:
            ValueError: another level than the next one.
        """
        if level != self._next or level >= len(self._nodes) or len(point) != level:
            raise ValueError(f"level {level} at {len(point)} coordinates is not the next one")
        self._next += 1
        blocks = self._nodes[level]
        self._nodes[level] = []
        if self._next == len(self._nodes):
            d = self.lookup_denominators(slice(None))
            blocks = [Block(self._numerators, d), *blocks]
            self._table = self._table[:0]
        return LevelProver(blocks, list(point), challenge, self._rows_log)

    def lookup_denominators(self, part: slice) -> Residues:
        """The leaves' d of some triggers' lookups, (triggers, 5, width), zeros behind them."""
        rows = self._rows[part]
        d = np.empty((rows.shape[0], DEGREE, self._width), dtype=np.uint32)
        run_tasks(gather_leaves, rows.shape[0], self._table, rows, d, work=rows.size)
        return d

    def _lookup_parents(self, columns_log: int) -> Block:
        """The layer above the lookups' leaves, some triggers at a time to bound memory."""
        triggers, lookups = self._rows.shape
        shape = (triggers, DEGREE, padded(self._width // 2, columns_log - 1))
        parents = Block(np.zeros(shape, dtype=np.uint32), np.zeros(shape, dtype=np.uint32))
        step = max(1, _GATHERED // lookups)
        for start in range(0, triggers, step):
            part = slice(start, min(start + step, triggers))
            children = Block(self._numerators, self.lookup_denominators(part))
            fill_parents(children, Block(parents.n[part], parents.d[part]))
        return parents


class LevelProver:
    """One level's sumcheck: ``round`` and ``bind`` for each of its l rounds, then ``children``.

    ::

        rounds 0 .. column bits - 1      bind columns (u); rows have weights eq(q_rows, b)
        then rows are joined (``join_bound``) and bound like columns
    """

    def __init__(
        self, blocks: list[Block], point: list[Element], challenge: Element, rows_log: int
    ) -> None:
        """Start; called by ``TreeProver.level``.

        Args:
            blocks: the children of the level's 2^len(point) parents.
            point: where the claims on the parents are.
            challenge: lambda, which combines numerators and denominators.
            rows_log: b'.
        """
        self._challenge = challenge
        self._challenge_line = line_of(challenge)
        self._column_bits = max(0, len(point) - rows_log)
        self._row_point = point[self._column_bits :]
        if len(blocks) == 2 and not self._column_bits:
            blocks = [join_blocks(blocks, 2, rows_log + 1)]
        self._children: list[Block] = blocks
        self._bound: list[Residues] = []
        self._weights = split_weights(equality_table(self._row_point), blocks)
        self._start_phase(point[: self._column_bits] or self._row_point)
        if not self._column_bits:
            self._weights = [equality_table([])]

    def _start_phase(self, point: list[Element]) -> None:
        """Bind the bits of ``point`` next: those of columns, or of rows joined into one row."""
        self._left = len(point)
        self._eq = equality_table(point[1:])  # the round's own coordinate is the verifier's

    def round(self) -> tuple[Element, Element]:
        """h(0) and h(inf), the coefficient of X^2, of the round polynomial h.

        Raises:
            ValueError: all rounds are over.
        """
        if not self._left:
            raise ValueError("all rounds are over")
        eq = self._eq.reshape(1, DEGREE, -1)
        total = np.zeros((2, DEGREE), dtype=np.uint64)
        nothing = np.empty((0, DEGREE, 0), dtype=np.uint32)
        for index, weights in enumerate(self._weights):
            if self._bound:
                # four bound arrays a row, in pairs (2i, 2i + 1)
                n, d, per_row, step = nothing, self._bound[index], 4, 2
            else:
                # children of two parents: in fours
                n, d, per_row, step = self._children[index].n, self._children[index].d, 1, 4
            tasks = d.shape[0] // per_row * -(-(d.shape[2] // step) // CHUNK)
            sums = np.empty((tasks, 2, DEGREE), dtype=np.uint32)
            run_tasks(
                sum_round, tasks, not self._bound, n, d, self._challenge_line, eq, weights, sums,
                work=d.size // 5,
            )  # fmt: skip
            total += sums.sum(axis=0, dtype=np.uint64)
        return canonical_element(total[0]), canonical_element(total[1])

    def bind(self, r: Element) -> None:
        """Fix the round's variable to the challenge r.

        Raises:
            ValueError: all rounds are over.
        """
        if not self._left:
            raise ValueError("all rounds are over")
        self._left -= 1
        if self._bound:
            last = self._left == 0
            self._bound = [fold(arrays, r, last=last) for arrays in self._bound]
        else:
            self._bind_children(r)
        if self._left:
            self._eq = drop_first_bit(self._eq)
        elif self._column_bits:
            self._column_bits = 0
            self._bound = [join_bound(self._bound)]
            self._weights = [equality_table([])]
            self._start_phase(self._row_point)

    def children(self) -> tuple[Element, Element, Element, Element]:
        """n0, d0, n1, d1 of the children's extensions at the point of all challenges.

        Raises:
            ValueError: rounds are left.
        """
        if self._left:
            raise ValueError(f"{self._left} rounds are left")
        if not self._bound:
            root = self._children[0]
            n, d = root.n[0], root.d[0]
            return (
                canonical_element(n[:, 0]),
                canonical_element(d[:, 0]),
                canonical_element(n[:, 1]),
                canonical_element(d[:, 1]),
            )
        n0, mixed, d0, d1 = (canonical_element(array[:, 0]) for array in self._bound[0])
        return n0, d0, subtract(mixed, multiply(self._challenge, d1)), d1

    def _bind_children(self, r: Element) -> None:
        """The first fold: from children to n0, n1 + lambda d1, d0, d1."""
        while self._children:
            block = self._children.pop(0)
            rows = block.d.shape[0]
            pairs = block.d.shape[2] // 4
            columns = pairs + (pairs % 2 if self._left else 0)
            out = np.empty((4 * rows, DEGREE, columns), dtype=np.uint32)
            out[:, :, -1] = 0
            run_tasks(
                fold_children, rows * -(-pairs // CHUNK), block.n, block.d, self._challenge_line,
                line_of(r), out, work=block.d.size // 4,
            )  # fmt: skip
            self._bound.append(out)
