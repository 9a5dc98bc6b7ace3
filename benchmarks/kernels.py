"""The prover's kernels from C, at every level of this processor, beside those by Numba, in one run.

Processor nanoseconds a unit, the least of several calls; every result is compared bit for bit.

    python benchmarks/kernels.py [--append benchmarks/results/kernels.jsonl]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import measure
import numpy as np

from zkwm_protocols.argument.ligero import hashing
from zkwm_protocols.argument.ligero.column_tree import LEAF_PREFIX
from zkwm_protocols.argument.logup_gkr import (
    kernels,
    layer_kernels,
    native_kernels,
    native_rounds,
    unit_kernels,
)
from zkwm_protocols.argument.logup_gkr.blocks import width
from zkwm_protocols.argument.logup_gkr.loop_arguments import UnitNodes, Weights
from zkwm_protocols.argument.relation import blake2s_native, blake2s_numba
from zkwm_protocols.argument.relation.blake2s_lookups import BLOCK_CELLS, BLOCK_LOOKUPS
from zkwm_protocols.field.kernels import native, native_transform
from zkwm_protocols.field.kernels import native_kernels as native_field
from zkwm_protocols.field.kernels.by_numba import arithmetic, sums, transform
from zkwm_protocols.field.kernels.layout import CHUNK, LINE, Residues
from zkwm_protocols.field.scalar import DEGREE, P

RUNS = 5
RANDOM = np.random.default_rng(1)


@dataclass(frozen=True)
class Kernel:
    """One kernel.

    Args:
        name: With its unit.
        units: How many a call works on.
        outputs: The arrays that it writes.
        ours: A call of the kernel from C.
        other: One of Numba's, or of hashlib's.
    """

    name: str
    units: int
    outputs: tuple[Any, ...]
    ours: Callable[[], object]
    other: Callable[[], object]


def residues(*shape: int) -> Residues:
    """Random residues."""
    return RANDOM.integers(0, P, shape, dtype=np.uint32)


def tree(columns: int) -> Iterator[Kernel]:
    """The loops of the fraction tree: one row of nodes, and lookups of a table of 2^18 rows."""
    line = np.repeat(residues(DEGREE), LINE)
    half, quarter = columns // 2, columns // 4
    n, d, bound = residues(1, 5, columns), residues(1, 5, columns), residues(4, 5, columns)
    parents = residues(1, 5, width(half)), residues(1, 5, width(half))
    tasks = -(-half // CHUNK)
    given = 0, tasks, n, d, columns, *parents
    yield Kernel(
        "parents, a parent", half, parents,
        lambda: native_kernels.make_parents(*given), lambda: layer_kernels.make_parents(*given),
    )  # fmt: skip
    table, rows = residues(1 << 18, 8), RANDOM.integers(0, 1 << 18, (1, columns), dtype=np.int32)
    gather = 0, tasks, 1, table, rows, *parents
    yield Kernel(
        "parents of lookups, a parent", half, parents,
        lambda: native_kernels.gather_nodes(*gather), lambda: layer_kernels.gather_nodes(*gather),
    )  # fmt: skip
    weights = Weights(residues(1, 5, CHUNK), residues(5, tasks), residues(5, 1))
    of_tasks = np.empty((tasks, 2, DEGREE), dtype=np.uint32)
    round_ = 0, tasks, bound, columns, line, weights, of_tasks
    yield Kernel(
        "round over bound arrays, a pair", half, (of_tasks,),
        lambda: native_rounds.sum_bound(*round_), lambda: kernels.sum_bound(*round_),
    )  # fmt: skip
    folded = residues(4, 5, width(half))
    few = np.empty((-(-half // (2 * CHUNK)), 2, DEGREE), dtype=np.uint32)
    fold = 0, len(few), bound, columns, line, line, weights, folded, few
    yield Kernel(
        "fold of bound arrays and next round, a pair", half, (folded, few),
        lambda: native_rounds.fold_bound(*fold), lambda: kernels.fold_bound(*fold),
    )  # fmt: skip
    nodes = UnitNodes(False, table, rows, residues(2, 5, half), half)
    units = 0, -(-quarter // CHUNK), nodes, weights, of_tasks
    yield Kernel(
        "round with numerators 1, a pair", quarter, (of_tasks[: tasks // 2],),
        lambda: native_rounds.sum_units(*units), lambda: unit_kernels.sum_units(*units),
    )  # fmt: skip


def field() -> Iterator[Kernel]:
    """Sumcheck, combinations, conversions."""
    arrays, line = residues(2, 5, 1 << 20), np.repeat(residues(DEGREE), LINE)
    tasks = -(-(1 << 19) // CHUNK)
    of_tasks = np.empty((tasks, 2, DEGREE), dtype=np.uint32)
    folded = residues(2, 5, 1 << 19)
    yield Kernel(
        "round of products, a pair", 1 << 19, (of_tasks,),
        lambda: native_field.product_round(0, tasks, arrays, of_tasks),
        lambda: sums.product_round(0, tasks, arrays, of_tasks),
    )  # fmt: skip
    yield Kernel(
        "fold, an element", 1 << 20, (folded,),
        lambda: native_field.fold(0, 2 * tasks, arrays, line, folded),
        lambda: sums.fold(0, 2 * tasks, arrays, line, folded),
    )  # fmt: skip
    weights, rows = residues(5, 400).astype(np.uint64), residues(400, 1 << 14)
    combined = np.empty((5, 1 << 14), dtype=np.uint64)
    yield Kernel(
        "rows combined with five weights, a cell", rows.size, (combined,),
        lambda: native_field.fold_rows(weights, rows, combined),
        lambda: sums.fold_rows(weights, rows, combined),
    )  # fmt: skip
    few, cells = residues(5, 100).astype(np.uint64), residues(1 << 16, 100)
    batch = np.empty((5, 1 << 16), dtype=np.uint64)
    yield Kernel(
        "cells of 100 triggers combined, a cell", cells.size, (batch,),
        lambda: native_field.fold_batch(few, cells, batch),
        lambda: sums.fold_batch(few, cells, batch),
    )  # fmt: skip
    point, table = residues(18, 5), residues(5, 1 << 18)
    yield Kernel(
        "equality table, a point", 1 << 18, (table,),
        lambda: native_field.equality_table(table, point),
        lambda: arithmetic.equality_table(table, point),
    )  # fmt: skip


def transforms() -> Iterator[Kernel]:
    """Codewords of rate a quarter."""
    for logarithm, count in ((12, 64), (15, 16), (17, 8), (19, 4), (21, 2)):
        size = 1 << logarithm
        rows, out = residues(count, size // 4), np.empty((count, size), dtype=np.uint32)
        given = rows, 3, 1, logarithm, out
        yield Kernel(
            f"transform of 2^{logarithm}, a butterfly", count * size * logarithm // 2, (out,),
            lambda given=given: native_transform.transform(*given),
            lambda given=given: transform.transform(*given),
        )  # fmt: skip
    places, values = RANDOM.integers(0, size, 163), np.empty((count, 163), dtype=np.uint32)
    at = rows, 3, 1, logarithm, places, values
    yield Kernel(
        "the same for 163 values alone", count * size * logarithm // 2, (values,),
        lambda: native_transform.transform_at(*at), lambda: transform.transform_at(*at),
    )  # fmt: skip


def hashes() -> Iterator[Kernel]:
    """The column tree beside hashlib, and the leaf gadget's cells."""
    for rows, length in ((64, 1 << 14), (1300, 1 << 12)):
        code, nonces = residues(rows, length), RANDOM.bytes(32 * length)
        kept: list[Any] = []

        def ours(code: Residues = code, nonces: bytes = nonces, kept: list[Any] = kept) -> None:
            kept[:] = [hashing._hash_columns(code, nonces, LEAF_PREFIX).tobytes()]

        def other(code: Residues = code, nonces: bytes = nonces, kept: list[Any] = kept) -> None:
            kept[:] = [hashing._hash_by_library(code, nonces, LEAF_PREFIX)]

        yield Kernel(
            f"SHA-256 of columns of {4 * rows} bytes, a column", length, (kept,), ours, other
        )
    count, blocks = 96, 14
    messages = RANDOM.integers(0, 1 << 32, (count, 16 * blocks), dtype=np.uint32)
    upper = RANDOM.integers(0, 1 << 32, (blocks, 8), dtype=np.uint32)
    cells = np.empty((blocks * BLOCK_CELLS, count), dtype=np.uint32)
    lookups = np.empty((count, blocks * BLOCK_LOOKUPS), dtype=np.int32)
    first = np.array([0, 1 << 16, 1 << 17, 3 << 16], dtype=np.uint32)

    def fill(loops: Any) -> None:  # noqa: ANN401
        chaining = np.zeros((count, 8), dtype=np.uint32)
        loops.fill_blocks(messages, upper, chaining, cells, lookups, 0, first)

    written = (cells[:-32], lookups)
    yield Kernel(
        "BLAKE2s written down, a lookup", lookups.size, written,
        lambda: fill(blake2s_native), lambda: fill(blake2s_numba),
    )  # fmt: skip


def least(call: Callable[[], object], units: int) -> float:
    """Processor nanoseconds a unit: the least of some calls, after one that warms up."""
    call()
    times = []
    for _ in range(RUNS):
        before = time.process_time()
        call()
        times.append(time.process_time() - before)
    return round(min(times) / units * 1e9, 3)


def copies(outputs: tuple[Any, ...]) -> list[Any]:
    """What a kernel has written."""
    return [part.copy() for part in outputs]


def compared(kernel: Kernel) -> dict[str, float]:
    """Nanoseconds a unit, by Numba or hashlib and by every level; all write the same."""
    found = {"other": least(kernel.other, kernel.units)}
    expected = copies(kernel.outputs)
    for level in native.available():
        with native.at_level(level):
            found[level] = least(kernel.ours, kernel.units)
        for got, want in zip(copies(kernel.outputs), expected, strict=True):
            assert np.array_equal(got, want), (kernel.name, level)
    return found


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--append", type=Path, help="a file that gets the line as well")
    chosen = parser.parse_args()
    every = (*tree(1 << 20), *field(), *transforms(), *hashes())
    figures = {kernel.name: compared(kernel) for kernel in every}
    result = measure.report("kernels", nanoseconds=figures)
    if chosen.append:
        measure.append(chosen.append, result)


if __name__ == "__main__":
    main()
