"""The tree's loops from C and by Numba against definitions in Python's integers, at every level."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from tests.support.field_values import from_montgomery
from tests.support.native_levels import NATIVE_LEVELS
from zkwm_protocols.argument.logup_gkr import kernels, native_kernels
from zkwm_protocols.errors import UsageError
from zkwm_protocols.field import vector
from zkwm_protocols.field.kernels import native
from zkwm_protocols.field.kernels.layout import CHUNK, Residues, line_of, montgomery_element
from zkwm_protocols.field.kernels.montgomery import to_montgomery
from zkwm_protocols.field.scalar import DEGREE, ONE, Element, P, add, multiply, subtract

SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33, CHUNK + 3]
"""Around the numbers of lanes, and more than one task."""


@pytest.fixture(params=[*NATIVE_LEVELS, "numba"])
def loops(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The loops of one level, or Numba's."""
    if request.param == "numba":
        yield kernels
    else:
        with native.at_level(request.param):
            yield native_kernels


def residues(shape: tuple[int, ...], seed: int) -> Residues:
    """In Montgomery form; a third of them 0 or p - 1; aligned to four bytes only."""
    generator = np.random.default_rng(seed)
    values = generator.integers(0, P, shape, dtype=np.uint64)
    edges = generator.choice(np.array([0, P - 1], dtype=np.uint64), shape)
    chosen = np.where(generator.integers(0, 3, shape) == 0, edges, values).astype(np.uint32)
    room = np.empty(chosen.size + 1, dtype=np.uint32)
    room[1:] = chosen.reshape(-1)
    return room[1:].reshape(shape)


def element(seed: int) -> Element:
    return vector.to_element(residues((DEGREE,), seed))


def elements(array: Residues) -> list[list[Element]]:
    """(rows, 5, C) in Montgomery form as rows of canonical elements."""
    return [[vector.to_element(column) for column in row.T] for row in from_montgomery(array)]


def fold(low: Element, high: Element, r: Element) -> Element:
    return add(low, multiply(r, subtract(high, low)))


def everything(tasks: int, kernel: Callable[..., None], *arguments: Any) -> None:
    """All tasks, in two calls."""
    kernel(0, tasks // 2, *arguments)
    kernel(tasks // 2, tasks, *arguments)


def tasks_of(rows: int, pairs: int) -> int:
    return rows * -(-pairs // CHUNK)


@pytest.mark.parametrize("lookups", [1, 8, 13])
def test_leaves(loops: Any, lookups: int) -> None:
    table = residues((6, 8), 1)
    rows = np.random.default_rng(2).integers(0, 6, (3, lookups)).astype(np.int32)
    d = np.full((3, DEGREE, lookups + 3), 7, dtype=np.uint32)
    everything(3, loops.gather_leaves, table, rows, d)
    assert (d[:, :, :lookups] == table[rows][:, :, :DEGREE].transpose(0, 2, 1)).all()
    assert not d[:, :, lookups:].any()


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("pairs", SIZES)
def test_parents(loops: Any, pairs: int, *, shared: bool) -> None:
    d = residues((2, DEGREE, 2 * pairs), 3)
    n = residues((1 if shared else 2, DEGREE, 2 * pairs), 4)
    parents = [np.full((2, DEGREE, pairs + 1), 7, dtype=np.uint32) for _ in range(2)]
    everything(tasks_of(2, pairs), loops.make_parents, n, d, *parents)
    all_n, all_d = elements(n) * (2 if shared else 1), elements(d)
    for row in range(2):
        for i in {0, 1, pairs // 2, pairs - 1} & set(range(pairs)):
            (n0, n1), (d0, d1) = (x[row][2 * i : 2 * i + 2] for x in (all_n, all_d))
            both = add(multiply(n0, add(ONE, d1)), multiply(n1, add(ONE, d0)))
            assert (parents[0][row, :, i] == montgomery_element(both)).all()
            both = add(add(d0, d1), multiply(d0, d1))
            assert (parents[1][row, :, i] == montgomery_element(both)).all()
    assert all((array[:, :, pairs:] == 7).all() for array in parents)


@pytest.mark.parametrize("pairs", SIZES)
def test_children_to_bound_arrays(loops: Any, pairs: int) -> None:
    n, d = residues((1, DEGREE, 4 * pairs), 5), residues((2, DEGREE, 4 * pairs), 6)
    challenge, r = element(7), element(8)
    out = np.full((8, DEGREE, pairs + 1), 7, dtype=np.uint32)
    lines = line_of(challenge), line_of(r)
    everything(tasks_of(2, pairs), loops.fold_children, n, d, *lines, out)
    for row in range(2):
        for i in {0, pairs // 2, pairs - 1}:
            (n0, n1, m0, m1), (d0, d1, e0, e1) = (
                elements(x[-1:] if len(x) == 1 else x[row : row + 1])[0][4 * i : 4 * i + 4]
                for x in (n, d)
            )
            last = fold(d1, e1, r)
            mixed = add(fold(n1, m1, r), multiply(challenge, last))
            expected = [fold(n0, m0, r), mixed, fold(d0, e0, r), last]
            got = out[4 * row : 4 * row + 4, :, i]
            assert (got == [montgomery_element(x) for x in expected]).all()
    assert (out[:, :, pairs:] == 7).all()


def slow_sums(bound: list[list[Element]], challenge: Element, eq: Residues) -> list[Element]:
    """h(0) and h(inf) of four bound arrays."""

    def value(n0: Element, n1: Element, d0: Element, d1: Element) -> Element:
        return add(add(n0, n1), add(multiply(n0, d1), multiply(add(n1, challenge), d0)))

    sums = [(0,) * DEGREE] * 2
    for i, weight in enumerate(elements(eq)[0][: len(bound[0]) // 2]):
        lows = [array[2 * i] for array in bound]
        n0, n1, d0, d1 = (subtract(array[2 * i + 1], array[2 * i]) for array in bound)
        at_infinity = add(multiply(n0, d1), multiply(n1, d0))
        sums[0] = add(sums[0], multiply(weight, value(*lows)))
        sums[1] = add(sums[1], multiply(weight, at_infinity))
    return sums


@pytest.mark.parametrize("children", [False, True])
@pytest.mark.parametrize("pairs", SIZES)
def test_rounds(loops: Any, pairs: int, *, children: bool) -> None:
    challenge = element(9)
    rows = 2
    if children:
        n, d = residues((1, DEGREE, 4 * pairs), 10), residues((rows, DEGREE, 4 * pairs), 11)
    else:
        n = np.empty((0, DEGREE, 0), dtype=np.uint32)
        d = residues((4 * rows, DEGREE, 2 * pairs), 11)
    eq, weights = residues((1, DEGREE, pairs + 2), 12), residues((DEGREE, rows), 13)
    tasks = tasks_of(rows, pairs)
    sums = np.full((tasks, 2, DEGREE), 7, dtype=np.uint32)
    everything(tasks, loops.sum_round, children, n, d, line_of(challenge), eq, weights, sums)
    for row in range(rows):
        if children:
            numerators, denominators = elements(n)[0], elements(d[row : row + 1])[0]
            n0, n1 = numerators[0::2], numerators[1::2]
            d0, d1 = denominators[0::2], denominators[1::2]
            n1 = [add(x, multiply(challenge, y)) for x, y in zip(n1, d1, strict=True)]
            bound = [n0, n1, d0, d1]
        else:
            bound = elements(d[4 * row : 4 * row + 4])
        weight = vector.to_element(from_montgomery(weights)[:, row])
        expected = [multiply(weight, x) for x in slow_sums(bound, challenge, eq)]
        of_row = sums[row * tasks // rows : (row + 1) * tasks // rows].sum(axis=0, dtype=np.uint64)
        got = (of_row % np.uint64(P)).astype(np.uint32)
        assert (got == [montgomery_element(x) for x in expected]).all()


def test_the_largest_values_overflow_nothing(loops: Any) -> None:
    largest = np.full((4, DEGREE, 34), P - 1, dtype=np.uint32)
    eq, weights = largest[:1, :, :17].copy(), largest[0, :, :1].copy()
    line = np.full(DEGREE * 128, P - 1, dtype=np.uint32)
    sums = np.empty((1, 2, DEGREE), dtype=np.uint32)
    nothing = np.empty((0, DEGREE, 0), dtype=np.uint32)
    loops.sum_round(0, 1, False, nothing, largest, line, eq, weights, sums)
    top = vector.to_element(from_montgomery(largest[0, :, 0]))
    expected = slow_sums(elements(largest), top, eq)
    assert (sums[0] == [montgomery_element(multiply(top, x)) for x in expected]).all()


def good_arguments() -> dict[str, list[Any]]:
    """Arguments of every kernel that fit."""
    d, n = residues((2, DEGREE, 8), 1), residues((1, DEGREE, 8), 2)
    line = line_of(ONE)
    sums = np.empty((2, 2, DEGREE), dtype=np.uint32)
    eq, weights = residues((1, DEGREE, 4), 3), residues((DEGREE, 2), 4)
    rows = np.zeros((2, 3), dtype=np.int32)
    return {
        "gather_leaves": [0, 2, to_montgomery(residues((4, 8), 5)), rows, d],
        "make_parents": [0, 2, n, d, d[:, :, :4].copy(), d[:, :, :4].copy()],
        "fold_children": [0, 2, n, d, line, line, residues((8, DEGREE, 2), 6)],
        "sum_round": [0, 2, True, n, d, line, eq, weights, sums],
    }


@pytest.mark.skipif(not native.available(), reason="no kernels from C")
@pytest.mark.parametrize("name", good_arguments())
def test_sizes_that_do_not_fit_never_reach_c(name: str) -> None:
    kernel = getattr(native_kernels, name)
    with native.at_level("plain"):
        kernel(*good_arguments()[name])
        for place, argument in enumerate(good_arguments()[name]):
            if isinstance(argument, bool):
                continue
            if isinstance(argument, int):
                bad: list[Any] = [-1, 10**9]
            else:
                bad = [
                    argument.astype(np.uint64),
                    argument[..., :-1],  # another size, or not contiguous
                    np.repeat(argument, 2, axis=-1)[..., ::2],
                    argument[:0],
                ]
                if argument.shape == (DEGREE * 128,):
                    bad = bad[:1]
            for other in bad:
                arguments = good_arguments()[name]
                arguments[place] = other
                with pytest.raises((UsageError, ValueError)):
                    kernel(*arguments)
