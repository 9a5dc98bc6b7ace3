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


@dataclass(frozen=True)
class Block:
    """A layer's nodes in rows: numerators and denominators less one (rows, 5, width)."""

    n: Residues
    d: Residues
    columns: int

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
    """

    rows: NDArray[np.int32]
    table: Residues

    def columns(self, depth: int) -> int:
        """Nodes of a trigger ``depth`` layers above the leaves."""
        return -(-int(self.rows.shape[1]) >> depth)


def width(columns: int) -> int:
    """Columns stored for a row: whole vectors, and no large power of two between coefficients."""
    vectors = -(-columns // 16)
    return 16 * (vectors | 1 if vectors > 64 else vectors)


def new_arrays(arrays: int, columns: int) -> Residues:
    """Uninitialized uint32 (arrays, 5, width)."""
    return np.empty((arrays, DEGREE, width(columns)), dtype=np.uint32)


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


def parents_of(children: Block) -> Block:
    """The layer above."""
    columns = -(-children.columns // 2)
    parents = Block(new_arrays(children.rows, columns), new_arrays(children.rows, columns), columns)
    run_tasks(
        make_parents, children.rows * -(-columns // CHUNK), children.n, children.d,
        children.columns, parents.n, parents.d, work=3 * children.rows * columns,
    )  # fmt: skip
    return parents


def lookup_nodes(lookups: Lookups, depth: int) -> Block:
    """The lookups' nodes ``depth`` layers above the leaves, 0 to 3."""
    columns, triggers = lookups.columns(depth), lookups.rows.shape[0]
    nodes = Block(new_arrays(triggers, columns), new_arrays(triggers, columns), columns)
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
