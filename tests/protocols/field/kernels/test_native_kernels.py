"""The loops of the field from C and by Numba against Python's integers, at every level."""

from __future__ import annotations

import random
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.support.field_values import from_montgomery
from tests.support.native_levels import NATIVE_LEVELS
from zkwm_protocols.errors import UsageError
from zkwm_protocols.field import vector
from zkwm_protocols.field.kernels import native, native_kernels, native_transform
from zkwm_protocols.field.kernels.by_numba import arithmetic, sums, transform
from zkwm_protocols.field.kernels.layout import CHUNK, RADIX, Residues, line_of, montgomery_element
from zkwm_protocols.field.scalar import DEGREE, Element, P, multiply, root_of_unity

SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, CHUNK + 9]
"""Around the numbers of lanes and words of a vector, and more than one task."""


@pytest.fixture(params=[*NATIVE_LEVELS, "numba"])
def loops(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The loops of one level, or Numba's."""
    if request.param == "numba":
        modules = vars(arithmetic) | vars(sums) | vars(transform)
        yield SimpleNamespace(**modules)
    else:
        with native.at_level(request.param):
            yield SimpleNamespace(**(vars(native_kernels) | vars(native_transform)))


def residues(shape: tuple[int, ...], seed: int) -> Residues:
    """A third of them 0 or p - 1; aligned to four bytes only."""
    generator = np.random.default_rng(seed)
    values = generator.integers(0, P, shape, dtype=np.uint64)
    edges = generator.choice(np.array([0, P - 1], dtype=np.uint64), shape)
    chosen = np.where(generator.integers(0, 3, shape) == 0, edges, values).astype(np.uint32)
    room = np.empty(chosen.size + 1, dtype=np.uint32)
    room[1:] = chosen.reshape(-1)
    return room[1:].reshape(shape)


def element(seed: int) -> Element:
    return vector.to_element(residues((DEGREE,), seed))


def some(count: int) -> set[int]:
    """Places worth looking at."""
    return {0, 1, count // 2, count - 2, count - 1} & set(range(count))


@pytest.mark.parametrize("count", SIZES)
def test_products_with_a_constant(loops: Any, count: int) -> None:
    values, out = residues((count,), 1), np.full(count + 1, 7, dtype=np.uint32)
    for factor in (0, 1, RADIX, P - 1):
        loops.scale(values, factor, out[:count])
        expected = [int(x) * factor * pow(RADIX, -1, P) % P for x in values]
        assert out.tolist() == [*expected, 7]


@pytest.mark.parametrize("length", range(8))
def test_equality_tables(loops: Any, length: int) -> None:
    point = [element(10 + i) for i in range(length)]
    table = np.empty((DEGREE, 1 << length), dtype=np.uint32)
    rows = np.array([montgomery_element(q) for q in point], dtype=np.uint32)
    loops.equality_table(table, rows.reshape(-1, DEGREE))
    assert (from_montgomery(table) == vector.equality_table(point)).all()


@pytest.mark.parametrize("pairs", SIZES)
def test_binding_a_bit(loops: Any, pairs: int) -> None:
    arrays, r = residues((3, DEGREE, 2 * pairs), 2), element(3)
    out = np.full((3, DEGREE, pairs + 1), 7, dtype=np.uint32)
    tasks = 3 * -(-pairs // CHUNK)
    loops.fold(0, 1, arrays, line_of(r), out)
    loops.fold(1, tasks, arrays, line_of(r), out)
    for before, after in zip(from_montgomery(arrays), out, strict=True):
        step = vector.subtract_arrays(before[:, 1::2], before[:, ::2])
        bound = vector.add(before[:, ::2], vector.multiply(vector.from_element(r)[:, None], step))
        assert (from_montgomery(after[:, :pairs]) == bound).all()
        assert (after[:, pairs:] == 7).all()


@pytest.mark.parametrize("pairs", SIZES)
def test_rounds_of_products(loops: Any, pairs: int) -> None:
    arrays = residues((2, DEGREE, 2 * pairs), 4)
    tasks = -(-pairs // CHUNK)
    sums_ = np.full((tasks + 1, 2, DEGREE), 7, dtype=np.uint32)
    loops.product_round(0, tasks, arrays, sums_)
    a, b = from_montgomery(arrays)
    steps = [vector.subtract_arrays(x[:, 1::2], x[:, ::2]) for x in (a, b)]
    expected = [vector.sum_all(vector.multiply(a[:, ::2], b[:, ::2])),
                vector.sum_all(vector.multiply(*steps))]  # fmt: skip
    total = (sums_[:tasks].sum(axis=0, dtype=np.uint64) % np.uint64(P)).astype(np.uint32)
    assert [vector.to_element(x) for x in from_montgomery(total)] == expected
    assert (sums_[tasks] == 7).all()


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (2, 7), (3, 8), (5, 257), (33, 515)])
@pytest.mark.parametrize("largest", [False, True])
def test_combinations(loops: Any, count: int, columns: int, *, largest: bool) -> None:
    weights = residues((DEGREE, count), 5).astype(np.uint64)
    rows = residues((count, columns), 6)
    if largest:
        weights[:], rows[:] = P - 1, P - 1
    out = np.empty((DEGREE, columns), dtype=np.uint64)
    loops.fold_rows(weights, rows, out)
    for k in range(DEGREE):
        for j in some(columns):
            expected = sum(int(weights[k, i]) * int(rows[i, j]) for i in range(count)) % P
            assert int(out[k, j]) == expected
    batch = np.empty_like(out)
    loops.fold_batch(weights, np.ascontiguousarray(rows.T), batch)
    assert (batch == out).all()


def values_at(row: Residues, base: int, scale: int, logarithm: int, place: int) -> int:
    x = base * pow(root_of_unity(logarithm), place, P) % P
    value = 0
    for coefficient in reversed(row.tolist()):
        value = (value * x + coefficient) % P
    return value * scale % P


@pytest.mark.parametrize("logarithm", [*range(11), 13])
def test_transforms(loops: Any, logarithm: int) -> None:
    size = 1 << logarithm
    chosen = random.Random(logarithm)
    for terms in {1, size // 4 + 1, size // 4 or 1, size // 2, size - 1, size} - {0}:
        rows = residues((2, terms), terms)
        rows[1] = P - 1
        out = np.empty((2, size), dtype=np.uint32)
        loops.transform(rows, 3, 5, logarithm, out)
        for place in {0, 1, size - 1, *chosen.choices(range(size), k=3)} & set(range(size)):
            for row in range(2):
                assert int(out[row, place]) == values_at(rows[row], 3, 5, logarithm, place)


@pytest.mark.parametrize("logarithm", [0, 3, 7, 8, 9, 13])
def test_transforms_at_some_places(loops: Any, logarithm: int) -> None:
    size = 1 << logarithm
    generator = np.random.default_rng(logarithm)
    for terms, count in ((1, 1), (size // 5 + 1, 163), (size // 2 or 1, 3), (size, 70)):
        rows = residues((3, terms), terms)
        rows[1] = P - 1
        whole = np.empty((3, size), dtype=np.uint32)
        loops.transform(rows, 3, 5, logarithm, whole)
        places = generator.integers(0, size, count)
        out = np.empty((3, count), dtype=np.uint32)
        loops.transform_at(rows, 3, 5, logarithm, places, out)
        assert (out == whole[:, places]).all()


@pytest.mark.parametrize("level", NATIVE_LEVELS)
def test_large_transforms_are_numbas(level: str) -> None:
    for logarithm, terms in ((16, 16_400), (17, 1 << 17)):
        rows = residues((1, terms), logarithm)
        expected, out = (np.empty((1, 1 << logarithm), dtype=np.uint32) for _ in range(2))
        transform.transform(rows, 3, 1, logarithm, expected)
        with native.at_level(level):
            native_transform.transform(rows, 3, 1, logarithm, out)
        assert (out == expected).all()


@pytest.mark.skipif(not native.available(), reason="no kernels from C")
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("scale", (residues((3,), 1), P, residues((3,), 1))),
        ("scale", (residues((3,), 1), 1, residues((4,), 1))),
        ("equality_table", (residues((DEGREE, 3), 1), residues((2, DEGREE), 1))),
        ("equality_table", (residues((DEGREE, 4), 1), residues((2, 4), 1))),
        ("fold", (0, 2, residues((1, 5, 4), 1), residues((640,), 1), residues((1, 5, 2), 1))),
        ("fold", (-1, 1, residues((1, 5, 4), 1), residues((640,), 1), residues((1, 5, 2), 1))),
        ("fold", (0, 1, residues((1, 5, 4), 1), residues((640,), 1), residues((1, 5, 1), 1))),
        ("fold", (0, 1, residues((1, 4, 4), 1), residues((640,), 1), residues((1, 5, 2), 1))),
        ("product_round", (0, 1, residues((2, 5, 4), 1), residues((0, 2, 5), 1))),
        ("product_round", (0, 2, residues((2, 5, 4), 1), residues((2, 2, 5), 1))),
        ("product_round", (0, 1, residues((1, 5, 4), 1), residues((1, 2, 5), 1))),
        ("fold_rows", (residues((5, 2), 1), residues((3, 4), 1), np.empty((5, 4), np.uint64))),
        ("fold_rows", (residues((5, 3), 1), residues((3, 4), 1), np.empty((5, 3), np.uint64))),
        ("fold_batch", (residues((5, 4), 1), residues((3, 4), 1), np.empty((5, 4), np.uint64))),
        ("fold_batch", (residues((5, 3), 1), residues((3, 4), 1), np.empty((5, 3), np.uint64))),
        ("transform", (residues((1, 9), 1), 3, 1, 3, residues((1, 8), 1))),
        ("transform", (residues((1, 8), 1), 3, 1, 3, residues((2, 8), 1))),
        ("transform", (residues((1, 1), 1), 3, 1, 25, residues((1, 1), 1))),
        ("transform_at", (residues((1, 9), 1), 3, 1, 3, np.arange(2), residues((1, 2), 1))),
        ("transform_at", (residues((1, 9), 1), 3, 1, 9, np.arange(2), residues((1, 3), 1))),
        ("transform_at", (residues((1, 9), 1), 3, 1, 9, np.array([512]), residues((1, 1), 1))),
        ("transform_at", (residues((1, 9), 1), 3, 1, 9, np.array([-1]), residues((1, 1), 1))),
    ],
)  # fmt: skip
def test_sizes_that_do_not_fit_never_reach_c(name: str, arguments: tuple[Any, ...]) -> None:
    module = native_transform if name.startswith("transform") else native_kernels
    with native.at_level("plain"), pytest.raises(UsageError):
        getattr(module, name)(*arguments)


def test_a_product_of_two_elements_is_that_of_k() -> None:
    """What the slow references above rest on."""
    a, b = element(20), element(21)
    both = vector.multiply(*(vector.from_element(x)[:, None] for x in (a, b)))
    assert vector.to_element(both[:, 0]) == multiply(a, b)
