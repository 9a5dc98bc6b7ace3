"""Layers of the fraction tree: nodes in rows, their parents, and rows joined into one.

::

    lookups   (n rows, 5, width)      .  .  .  .      columns halve with every layer; ragged: the
    tables    (A rows, 5, width)      .  .            padding of a row to 2^bits is not stored
    few columns each:  ->  one row (1, 5, width):  index = column + 2^bits * row

A node is a numerator and a denominator less one, in Montgomery form. Behind a row's columns are up
to 15 zeros, which are the neutral fraction 0 / 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.logup_gkr.loops import gather_nodes, make_parents
from zkwm_protocols.field.kernels.layout import CHUNK, Residues
from zkwm_protocols.field.kernels.montgomery import (
    to_montgomery,
)
from zkwm_protocols.field.kernels.threads import run_tasks
from zkwm_protocols.field.scalar import DEGREE, P

JOINED_BITS = 5
"""Rows of 2^5 columns and fewer are joined: so short, a row for itself costs more than its work."""


def width(columns: int) -> int:
    """Columns stored for a row: whole vectors, and no large power of two between coefficients."""
    vectors = -(-columns // 16)
    return 16 * (vectors | 1 if vectors > 64 else vectors)


def new_arrays(arrays: int, columns: int) -> Residues:
    """Uninitialized uint32 (arrays, 5, width)."""
    return np.empty((arrays, DEGREE, width(columns)), dtype=np.uint32)


def words_of(arrays: int, columns: int) -> int:
    """Words of ``new_arrays``."""
    return arrays * DEGREE * width(columns)


class Room:
    """One piece of memory for a tree's large arrays, taken from its front, given back from its end.

    A proof frees layers and then needs an array as large as several of them. In a heap it would not
    fit where the layers were, since other arrays lie in between. What does not fit is allocated.

    Args:
        words: how many.
    """

    def __init__(self, words: int) -> None:
        self._words = np.empty(words, dtype=np.uint32)
        self.used = 0

    def __repr__(self) -> str:
        return "Room()"

    def arrays(self, arrays: int, columns: int) -> Residues:
        """As ``new_arrays``."""
        size = words_of(arrays, columns)
        if self.used + size > len(self._words):
            return new_arrays(arrays, columns)
        self.used += size
        taken = self._words[self.used - size : self.used]
        return taken.reshape(arrays, DEGREE, width(columns))

    def behind(self, end: int) -> Room:
        """This room with what was taken since ``used`` was ``end`` given back, and forgotten."""
        self.used = end
        return self


@dataclass(frozen=True)
class Block:
    """A layer's nodes in rows.

    Args:
        n (uint32, (rows, 5, width)): numerators.
        d (uint32, (rows, 5, width)): denominators less one.
        columns: of a row.
        room: where they lie, if it is one: what follows them there are the layers above.
        end: what of the room is used up to them.
    """

    n: Residues
    d: Residues
    columns: int
    room: Room | None = None
    end: int = 0

    @property
    def rows(self) -> int:
        """How many rows."""
        return int(self.d.shape[0])


@dataclass(frozen=True)
class Lookups:
    """The leaves 1 / (1 + d) of all lookups, by table row.

    Args:
        rows (int32, (n, M)): the table row of every lookup.
        table (uint32, (M_T, 8)): a table row's d in the first five words, in Montgomery form.
        room: where the layers above lie.
    """

    rows: NDArray[np.int32]
    table: Residues
    room: Room | None = None

    def columns(self, depth: int) -> int:
        """Nodes of a trigger ``depth`` layers above the leaves."""
        return -(-int(self.rows.shape[1]) >> depth)


def zero_arrays(arrays: int, columns: int) -> Residues:
    """Zeros, uint32 (arrays, 5, width)."""
    return np.zeros((arrays, DEGREE, width(columns)), dtype=np.uint32)


def lookup_table(d: Residues) -> Residues:
    """Elements (5, count) as (count, 8): half a cache line each, so a gather touches one line."""
    table = np.zeros((d.shape[1], 8), dtype=np.uint32)
    table[:, :DEGREE] = d.T
    return table


def table_block(
    d: Residues, multiplicities: NDArray[np.integer], chunks: int, columns_log: int
) -> Block:
    """The leaves of the tables: ``chunks`` rows of 2^U, or one row that is not padded to 2^U.

    Args:
        d (uint32, (5, M_T)): denominators less one, in Montgomery form.
        multiplicities (integers, (M_T,)): of the table rows.
        chunks: the number of rows.
        columns_log: U.
    """
    columns = 1 << columns_log if chunks > 1 else d.shape[1]
    # minus the multiplicity: the tables' fractions cancel those of the lookups
    counts = (P - np.asarray(multiplicities, dtype=np.int64)) % P
    block = Block(zero_arrays(chunks, columns), zero_arrays(chunks, columns), columns)
    numerators = to_montgomery(counts.astype(np.uint64))
    for chunk in range(chunks):
        part = slice(chunk * columns, (chunk + 1) * columns)
        length = numerators[part].shape[0]
        block.n[chunk, 0, :length] = numerators[part]
        block.d[chunk, :, :length] = d[:, part]
    return block


def _new_block(rows: int, columns: int, room: Room | None) -> Block:
    """Uninitialized nodes."""
    if room is None:
        return Block(new_arrays(rows, columns), new_arrays(rows, columns), columns)
    n, d = room.arrays(rows, columns), room.arrays(rows, columns)
    return Block(n, d, columns, room, room.used)


def parents_of(children: Block, room: Room | None = None) -> Block:
    """The layer above, in ``room`` if there is one."""
    columns = -(-children.columns // 2)
    parents = _new_block(children.rows, columns, room)
    run_tasks(
        make_parents, children.rows * -(-columns // CHUNK), children.n, children.d,
        children.columns, parents.n, parents.d, work=3 * children.rows * columns,
    )  # fmt: skip
    return parents


def room_of(lookups: Lookups, lowest: int, count: int) -> Room:
    """Room for the lookups' stored layers, and for what is bound of those below when they are gone.

    Args:
        lookups: the leaves.
        lowest: depth of the lowest stored layer.
        count: layers in all, those that are not stored included.
    """
    triggers, leaves = lookups.rows.shape
    depths = range(lowest, count)
    stored = sum(2 * words_of(triggers, lookups.columns(depth)) for depth in depths)
    bound = words_of(4 * triggers, -(-lookups.columns(1) // 4))
    return Room(max(stored, bound, words_of(2 * triggers, leaves // 4)))


def room_behind(source: Block | Lookups) -> Room | None:
    """Where what is bound of a layer may lie: the layers above it must be gone."""
    end = source.end if isinstance(source, Block) else 0
    return None if source.room is None else source.room.behind(end)


def lookup_nodes(lookups: Lookups, depth: int, room: Room | None = None) -> Block:
    """The lookups' nodes ``depth`` layers above the leaves, 0 to 3, in ``room`` if there is one."""
    columns, triggers = lookups.columns(depth), lookups.rows.shape[0]
    nodes = _new_block(triggers, columns, room)
    run_tasks(
        gather_nodes, triggers * -(-columns // CHUNK), depth, lookups.table, lookups.rows,
        nodes.n, nodes.d, work=lookups.rows.size,
    )  # fmt: skip
    return nodes


def join_blocks(blocks: Sequence[Block], bits: int) -> Block:
    """Rows of at most 2^bits columns as one row, index column + 2^bits * row."""
    return Block(
        join_rows([(block.n, block.columns) for block in blocks], 1, bits),
        join_rows([(block.d, block.columns) for block in blocks], 1, bits),
        sum(block.rows for block in blocks) << bits,
    )


def join_rows(parts: Sequence[tuple[Residues, int]], arrays: int, bits: int) -> Residues:
    """Every row's arrays (arrays * rows, 5, columns) as long arrays (arrays, 5, width).

    Args:
        parts: rows and their columns, at most 2^bits; columns behind are 0 in the result.
        arrays: of a row.
        bits: the index is column + 2^bits * row.
    """
    rows = sum(part.shape[0] for part, _ in parts) // arrays
    long = np.zeros((arrays, DEGREE, rows, 1 << bits), dtype=np.uint32)
    start = 0
    for part, columns in parts:
        stop = start + part.shape[0] // arrays
        by_row = part.reshape(-1, arrays, DEGREE, part.shape[2])[..., :columns]
        long[:, :, start:stop, :columns] = by_row.transpose(1, 2, 0, 3)
        start = stop
    out = zero_arrays(arrays, rows << bits)
    out[:, :, : rows << bits] = long.reshape(arrays, DEGREE, -1)
    return out
