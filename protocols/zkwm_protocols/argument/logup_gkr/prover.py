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

    halving columns, then rows:
      two blocks (lookups; tables), rows of each kept apart  ->  2^5 columns each
      -> joined into one row (``join_blocks``)                     ->  the root

A node stores its numerator n and its denominator less one, d, so that the zeros of the padding are
the neutral fraction 0/1. They are hardly stored. The leaves of an honest lookup equal the table
row's, so the lowest layers of lookups are not stored either: they are computed from row numbers
where they are read (``node_lines``).

LogUp (Haböck, ePrint 2022/1530) in the form of Papini and Haböck (ePrint 2023/1284), SPEC.md 17.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.logup_gkr.blocks import (
    JOINED_BITS,
    Block,
    Lookups,
    join_blocks,
    lookup_nodes,
    lookup_table,
    parents_of,
    room_of,
    table_block,
)
from zkwm_protocols.argument.logup_gkr.level import LevelProver, RowsElsewhere
from zkwm_protocols.field.kernels.layout import Residues, canonical_element
from zkwm_protocols.field.kernels.montgomery import (
    to_montgomery,
)
from zkwm_protocols.field.scalar import Element
from zkwm_protocols.field.vector import Array

_COMPUTED_LAYERS = 3
"""Layers of the lookups that are not stored: leaves and two more, seven eighths of all nodes."""


def layers_in_rows(columns_log: int) -> int:
    """How many layers, from the leaves, have rows of more than 2^5 columns."""
    return max(0, columns_log - JOINED_BITS)


def lookup_layers(lookups: Lookups, count: int) -> tuple[list[Block | Lookups], Block]:
    """The lowest ``count`` layers of lookups, the lowest ones not stored, and the next one.

    Stored ones lie in one room: what is bound of a level takes the place of those above it.
    """
    room = room_of(lookups, _COMPUTED_LAYERS, count)
    lookups = replace(lookups, room=room)
    layers: list[Block | Lookups] = []
    stored: Block | None = None
    for depth in range(count):
        if depth == _COMPUTED_LAYERS:
            stored = lookup_nodes(lookups, depth, room)
        elif stored is not None:
            stored = parents_of(stored, room)
        layers.append(lookups if stored is None else stored)
    return layers, lookup_nodes(lookups, count) if stored is None else parents_of(stored)


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
        d = to_montgomery(table_d)
        layers, top = lookup_layers(self.leaves(rows, d), layers_in_rows(columns_log))
        tables = table_block(d, multiplicities, chunks, columns_log)
        self._build(layers, top, tables, columns_log, rows_log)

    def leaves(self, rows: NDArray[np.int32], d: Residues) -> Lookups:
        """The lookups' leaves, from their table rows and those rows' d (5, M_T)."""
        return Lookups(rows, lookup_table(d))

    def _build(
        self,
        lookups: Sequence[Block | Lookups | RowsElsewhere],
        top: Block,
        tables: Block,
        columns_log: int,
        rows_log: int,
    ) -> None:
        """All layers from the leaves to the root.

        Args:
            lookups: their layers, from the leaves up to those of more than 2^5 columns.
            top: their next layer.
            tables: their leaves.
            columns_log: U.
            rows_log: b'.
        """
        self._rows_log = rows_log
        # self._layers[k]: the layer k above the leaves, as its level needs it: lookups and tables,
        # or one row
        self._layers: list[list[Block | Lookups | RowsElsewhere]] = []
        self._next = 0
        for source in lookups:
            self._layers.append([source, tables])
            tables = parents_of(tables)
        bits = columns_log - len(lookups)
        row = join_blocks([top, tables], bits)
        for _ in range(bits + rows_log):
            self._layers.append([row])
            row = parents_of(row)
        self._root = row

    def root_numerator(self) -> Element:
        """n of the root: 0 if every lookup is a table row, else 0 with negligible probability."""
        return canonical_element(self._root.n[0, :, 0])

    def root_denominator(self) -> Element:
        """d of the root, which is sent (masked)."""
        return canonical_element(self._root.d[0, :, 0])

    def level(
        self,
        level: int,
        point: Sequence[Element],
        challenge: Element,
        *,
        general: bool = False,
    ) -> LevelProver:
        """The sumcheck of a level, for the claims at ``point`` (``level`` coordinates) and lambda.

        Levels come in order and once, each proven before the next: its nodes' memory is used again.

        Args:
            level: from 0 at the root.
            point: where the claims on the level's nodes are.
            challenge: lambda.
            general: leaves with numerators 1 in general form too: slower, the same messages.

        Raises:
            ValueError: another level than the next one.
        """
        if level != self._next or not self._layers or len(point) != level:
            raise ValueError(f"level {level} at {len(point)} coordinates is not the next one")
        self._next += 1
        depth = len(self._layers) - 1
        return LevelProver(
            self._layers.pop(), depth, point, challenge, self._rows_log, general=general
        )
