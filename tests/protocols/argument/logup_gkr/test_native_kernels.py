"""The tree's loops from C beside Numba's, bit for bit, at every level and around all sizes.

``test_prover`` holds whichever of them run against definitions in Python's integers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.support.native_levels import NATIVE_LEVELS
from zkwm_protocols.argument.logup_gkr import (
    kernels,
    layer_kernels,
    native_kernels,
    native_rounds,
    unit_kernels,
)
from zkwm_protocols.argument.logup_gkr.blocks import width
from zkwm_protocols.argument.logup_gkr.loop_arguments import STORED, Children, UnitNodes, Weights
from zkwm_protocols.errors import UsageError
from zkwm_protocols.field.kernels import native
from zkwm_protocols.field.kernels.layout import CHUNK, LINE, Residues
from zkwm_protocols.field.scalar import DEGREE, P

SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33, 67, 4 * CHUNK + 1, 8 * CHUNK + 13]
"""Columns: around the numbers of lanes, and more than one task."""
ROWS = 2
DEPTHS = [STORED, 0, 1, 2, 3]


@pytest.fixture(params=NATIVE_LEVELS)
def level(request: pytest.FixtureRequest) -> Iterator[str]:
    """Kernels from C at one level."""
    with native.at_level(request.param):
        yield request.param


def residues(shape: tuple[int, ...], seed: int) -> Residues:
    """In Montgomery form; a third of them 0 or p - 1; aligned to four bytes only."""
    generator = np.random.default_rng(seed)
    values = generator.integers(0, P, shape, dtype=np.uint64)
    edges = generator.choice(np.array([0, P - 1], dtype=np.uint64), shape)
    chosen = np.where(generator.integers(0, 3, shape) == 0, edges, values).astype(np.uint32)
    room = np.empty(chosen.size + 1, dtype=np.uint32)
    room[1:] = chosen.reshape(-1)
    return room[1:].reshape(shape)


def arrays(number: int, columns: int, seed: int) -> Residues:
    """(number, 5, width), zeros behind the columns."""
    out = residues((number, DEGREE, width(columns)), seed)
    out[:, :, columns:] = 0
    return out


def unwritten(number: int, columns: int) -> Residues:
    """Memory to write to, none of it zero."""
    return np.full((number, DEGREE, width(columns)), 7, dtype=np.uint32)


def line(seed: int) -> Residues:
    """One element, repeated."""
    return np.repeat(residues((DEGREE,), seed), LINE)


def lookups(count: int) -> tuple[Residues, np.ndarray]:
    """A table of 11 rows, and lookups in it."""
    rows = np.random.default_rng(count).integers(0, 11, (ROWS, count)).astype(np.int32)
    return residues((11, 8), 1), rows


def children(depth: int, columns: int) -> Children:
    """Some children, stored or made of lookups."""
    if depth == STORED:
        n, d = arrays(ROWS, columns, 2), arrays(ROWS, columns, 3)
        return Children(
            STORED, np.empty((0, 8), np.uint32), np.empty((0, 0), np.int32), n, d, columns
        )
    nothing = np.empty((0, DEGREE, 0), dtype=np.uint32)
    return Children(depth, *lookups(columns), nothing, nothing, -(-columns >> depth))


def weights(pairs: int, *, none: bool = False) -> Weights:
    """The weights of a round."""
    low = 0 if none else min(pairs, CHUNK)
    return Weights(
        residues((1, DEGREE, low), 4),
        residues((DEGREE, max(1, -(-pairs // CHUNK))), 5),
        residues((DEGREE, ROWS), 6),
    )


def sums_of(columns: int, of_task: int = CHUNK) -> Residues:
    """Room for the sums of all tasks."""
    return np.full((ROWS * -(-columns // of_task), 2, DEGREE), 7, dtype=np.uint32)


def same(ours: Any, numbas: Any, tasks: int, *arguments: Any, out: int) -> None:
    """Both loops write the same, in two calls from C; the last ``out`` arguments are written."""
    inputs, outputs = arguments[: len(arguments) - out], arguments[len(arguments) - out :]
    expected = [array.copy() for array in outputs]
    numbas(0, tasks, *inputs, *expected)
    ours(0, tasks // 2, *inputs, *outputs)
    ours(tasks // 2, tasks, *inputs, *outputs)
    for got, want in zip(outputs, expected, strict=True):
        assert np.array_equal(got, want)


@pytest.mark.parametrize("columns", SIZES)
def test_layers(level: str, columns: int) -> None:
    n, d = arrays(ROWS, columns, 7), arrays(ROWS, columns, 8)
    pairs = -(-columns // 2)
    out = unwritten(ROWS, pairs), unwritten(ROWS, pairs)
    tasks = ROWS * -(-pairs // CHUNK)
    same(native_kernels.make_parents, layer_kernels.make_parents, tasks, n, d, columns, *out, out=2)
    for depth in (0, 1, 2, 3):
        nodes = -(-columns >> depth)
        out = unwritten(ROWS, nodes), unwritten(ROWS, nodes)
        tasks = ROWS * -(-nodes // CHUNK)
        given = depth, *lookups(columns), *out
        same(native_kernels.gather_nodes, layer_kernels.gather_nodes, tasks, *given, out=2)


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("columns", SIZES)
def test_first_rounds(level: str, columns: int, depth: int) -> None:
    source = children(depth, columns)
    folded = -(-source.columns // 4)
    sums = sums_of(folded)
    given = source, line(9), weights(folded), sums
    same(native_rounds.sum_children, kernels.sum_children, len(sums), *given, out=1)
    for none in (False, True):
        sums = sums_of(folded, 2 * CHUNK)
        given = (
            source, line(9), line(10), weights(-(-folded // 2), none=none),
            unwritten(4 * ROWS, folded), sums,
        )  # fmt: skip
        same(native_rounds.fold_children, kernels.fold_children, len(sums), *given, out=2)


@pytest.mark.parametrize("columns", SIZES)
def test_rounds(level: str, columns: int) -> None:
    bound = arrays(4 * ROWS, columns, 11)
    folded = -(-columns // 2)
    sums = sums_of(folded)
    given = bound, columns, line(9), weights(folded), sums
    same(native_rounds.sum_bound, kernels.sum_bound, len(sums), *given, out=1)
    for none in (False, True):
        sums = sums_of(folded, 2 * CHUNK)
        given = (
            bound, columns, line(9), line(10), weights(-(-folded // 2), none=none),
            unwritten(4 * ROWS, folded), sums,
        )  # fmt: skip
        same(native_rounds.fold_bound, kernels.fold_bound, len(sums), *given, out=2)


@pytest.mark.parametrize("leaves", [False, True])
@pytest.mark.parametrize("columns", SIZES)
def test_numerators_1(level: str, columns: int, *, leaves: bool) -> None:
    table, rows = lookups(columns)
    nodes = UnitNodes(leaves, table, rows, arrays(2 * ROWS, columns, 12), columns)
    if leaves:
        nodes = nodes._replace(columns=columns // 2)
    folded = nodes.columns // 2
    sums = sums_of(folded)
    given = nodes, weights(folded), sums
    same(native_rounds.sum_units, unit_kernels.sum_units, len(sums), *given, out=1)
    for none in (False, True):
        sums = sums_of(folded, 2 * CHUNK)
        out = unwritten(2 * ROWS, folded)
        given = nodes, line(10), weights(folded // 2, none=none), out, sums
        same(native_rounds.fold_units, unit_kernels.fold_units, len(sums), *given, out=2)
    if not leaves:
        given = nodes.e, columns, line(13), line(9), unwritten(4 * ROWS, columns)
        same(native_kernels.units_as_bound, unit_kernels.units_as_bound, ROWS, *given, out=1)


def test_the_largest_values_overflow_nothing(level: str) -> None:
    largest = np.full((4, DEGREE, 32), P - 1, dtype=np.uint32)
    top = np.full(DEGREE * LINE, P - 1, dtype=np.uint32)
    row = largest[:1, :, :1].reshape(DEGREE, 1)
    given = Weights(largest[:1, :, :16].copy(), row.copy(), row.copy())
    sums = np.empty((1, 2, DEGREE), dtype=np.uint32)
    same(native_rounds.sum_bound, kernels.sum_bound, 1, largest, 32, top, given, sums, out=1)


GOOD: dict[str, tuple[Any, list[Any]]] = {
    "make_parents": (
        native_kernels,
        [2, arrays(2, 9, 1), arrays(2, 9, 2), 9, unwritten(2, 5), unwritten(2, 5)],
    ),
    "gather_nodes": (native_kernels, [2, 1, *lookups(9), unwritten(2, 5), unwritten(2, 5)]),
    "units_as_bound": (
        native_kernels,
        [2, arrays(4, 9, 1), 9, line(1), line(2), unwritten(8, 9)],
    ),
    "sum_children": (native_rounds, [2, children(STORED, 9), line(1), weights(3), sums_of(3)]),
    "fold_children": (
        native_rounds,
        [2, children(1, 9), line(1), line(2), weights(1), unwritten(8, 2), sums_of(2)],
    ),
    "sum_bound": (native_rounds, [2, arrays(8, 9, 1), 9, line(1), weights(5), sums_of(5)]),
    "fold_bound": (
        native_rounds,
        [2, arrays(8, 9, 1), 9, line(1), line(2), weights(3), unwritten(8, 5), sums_of(5)],
    ),
    "sum_units": (
        native_rounds,
        [2, UnitNodes(True, *lookups(9), arrays(4, 0, 1), 4), weights(2), sums_of(2)],
    ),
    "fold_units": (
        native_rounds,
        [
            2, UnitNodes(False, *lookups(9), arrays(4, 4, 1), 4), line(2), weights(1),
            unwritten(4, 2), sums_of(2),
        ],
    ),
}  # fmt: skip
"""Arguments of every kernel from C that fit: ``end`` and what follows."""


def damaged(argument: Any) -> Iterator[Any]:
    """Arguments that do not fit in the place of one that does."""
    if isinstance(argument, tuple):
        for place, part in enumerate(argument):
            for other in damaged(part):
                yield type(argument)(*argument[:place], other, *argument[place + 1 :])
    elif isinstance(argument, int) and not isinstance(argument, bool):
        yield from (-2, 10**9)
    elif isinstance(argument, np.ndarray) and argument.size and argument.shape != (DEGREE * LINE,):
        yield argument.astype(np.uint64)
        yield np.repeat(argument, 2, axis=-1)[..., ::2]
        yield argument[:0]


@pytest.mark.skipif(not native.available(), reason="no kernels from C")
@pytest.mark.parametrize("name", GOOD)
def test_sizes_that_do_not_fit_never_reach_c(name: str) -> None:
    module, good = GOOD[name]
    kernel = getattr(module, name)
    with native.at_level("plain"):
        kernel(0, *good)
        with pytest.raises(UsageError):
            kernel(-1, *good)
        for place, argument in enumerate(good):
            for other in damaged(argument):
                with pytest.raises((UsageError, ValueError)):
                    kernel(0, *good[:place], other, *good[place + 1 :])
