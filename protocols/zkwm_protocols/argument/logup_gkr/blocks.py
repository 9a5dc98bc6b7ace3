"""Blocks of the fraction tree: nodes in rows, their parents, and rows joined into one.

::

    lookups   (n rows, 5, C)      .  .  .  .      C halves with every layer; ragged: the padding of
    tables    (A rows, 5, C')     .  .            a row to 2^bits is not stored, but for whole
                                                  pairs of pairs (``padded``)
    one column each:  ->  one row (1, 5, n + A):  index = row

A node is a numerator and a denominator less one, in Montgomery form.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.logup_gkr.loops import make_parents
from zkwm_protocols.field.kernels.layout import CHUNK, Residues
from zkwm_protocols.field.kernels.montgomery import to_montgomery
from zkwm_protocols.field.kernels.threads import run_tasks
from zkwm_protocols.field.scalar import DEGREE, P


@dataclass(frozen=True)
class Block:
    """Nodes in rows: numerators (rows or 1, 5, C) and denominators less one (rows, 5, C)."""

    n: Residues
    d: Residues


def padded(columns: int, bits: int) -> int:
    """Columns stored for a row whose index has ``bits`` bits: whole pairs of pairs."""
    unit = min(4, 1 << bits)
    return -(-columns // unit) * unit


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
    table_rows = d.shape[1]
    width = 1 << columns_log if chunks > 1 else padded(table_rows, columns_log)
    flat = np.zeros((2, DEGREE, chunks * width), dtype=np.uint32)
    # minus the multiplicity: the tables' fractions cancel those of the lookups
    numerators = (P - np.asarray(multiplicities, dtype=np.int64)) % P
    flat[0, 0, :table_rows] = to_montgomery(numerators.astype(np.uint64))
    flat[1, :, :table_rows] = d
    both = flat.reshape(2, DEGREE, chunks, width).transpose(0, 2, 1, 3)
    return Block(np.ascontiguousarray(both[0]), np.ascontiguousarray(both[1]))


def parents_of(children: Block, bits: int) -> Block:
    """The parents of nodes whose column index has ``bits`` bits."""
    rows, _, columns = children.d.shape
    shape = (rows, DEGREE, padded(columns // 2, bits - 1))
    parents = Block(np.zeros(shape, dtype=np.uint32), np.zeros(shape, dtype=np.uint32))
    fill_parents(children, parents)
    return parents


def fill_parents(children: Block, parents: Block) -> None:
    """Write the parents of all children; columns behind the last one stay 0."""
    rows, _, columns = children.d.shape
    tasks = rows * -(-(columns // 2) // CHUNK)
    run_tasks(
        make_parents, tasks, children.n, children.d, parents.n, parents.d,
        work=children.d.size // 3,
    )  # fmt: skip


def join_blocks(blocks: list[Block], columns: int, bits: int) -> Block:
    """Blocks of one or two columns as one row: index column + columns * row, of ``bits`` bits."""
    n = np.concatenate(
        [np.broadcast_to(block.n, block.d.shape)[:, :, :columns] for block in blocks]
    )
    d = np.concatenate([block.d[:, :, :columns] for block in blocks])
    return Block(_one_row(n, bits), _one_row(d, bits))


def _one_row(nodes: Residues, bits: int) -> Residues:
    """Nodes (rows, 5, columns) as (1, 5, rows * columns), continued by zeros."""
    rows, _, columns = nodes.shape
    out = np.zeros((1, DEGREE, padded(rows * columns, bits)), dtype=np.uint32)
    out[0, :, : rows * columns] = nodes.transpose(1, 0, 2).reshape(DEGREE, -1)
    return out


def join_bound(bound: list[Residues]) -> Residues:
    """Bound blocks of one column each, joined into one row.

    (4 rows, 5, 1) each to (4, 5, rows), rows continued by a zero to an even number.
    """
    joined = np.concatenate([arrays.reshape(-1, 4, DEGREE) for arrays in bound])
    rows = joined.shape[0]
    out = np.zeros((4, DEGREE, rows + rows % 2), dtype=np.uint32)
    out[:, :, :rows] = joined.transpose(1, 2, 0)
    return out


def split_weights(weights: Residues, blocks: list[Block]) -> list[Residues]:
    """The weights of each block's rows."""
    parts = []
    start = 0
    for block in blocks:
        parts.append(np.ascontiguousarray(weights[:, start : start + block.d.shape[0]]))
        start += block.d.shape[0]
    return parts
