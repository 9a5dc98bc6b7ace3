"""Every kernel of the prover's arithmetic against its definition, with residues near p."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from tests.support.field_values import from_montgomery
from zkwm_protocols.field import scalar, vector
from zkwm_protocols.field.kernels import layout, montgomery
from zkwm_protocols.field.kernels import threads as tasks
from zkwm_protocols.field.kernels.by_numba import arithmetic
from zkwm_protocols.field.kernels.by_numba.lines import load_line, load_pairs, new_line, store_line
from zkwm_protocols.field.kernels.layout import LINE, Residues
from zkwm_protocols.field.kernels.linear_combination import fold_batch, fold_rows
from zkwm_protocols.field.kernels.ntt import (
    Coset,
    encode,
    encode_at,
    interpolate,
    multiply_polynomials,
)
from zkwm_protocols.field.scalar import Element, P, add, multiply
from zkwm_protocols.field.vector import Array

EXTREMES = np.array([0, 1, 2, P // 2, P // 2 + 1, P - 2, P - 1], dtype=np.uint64)


def residues(shape: tuple[int, ...], seed: int) -> Array:
    """Half of them extremes."""
    generator = np.random.default_rng(seed)
    values = generator.integers(0, P, shape, dtype=np.uint64)
    return np.where(generator.integers(0, 2, shape) == 1, generator.choice(EXTREMES, shape), values)


def elements(count: int, seed: int) -> list[Element]:
    return [vector.to_element(column) for column in residues((count, 5), seed)]


def line(array: Array) -> Residues:
    """A line with the elements of an array (5, up to LINE)."""
    out = np.zeros((5, LINE), dtype=np.uint32)
    out[:, : array.shape[1]] = array
    return out.reshape(-1)


def test_conversions() -> None:
    values = residues((5, 3, 7), 1)
    form = montgomery.to_montgomery(values)
    assert form.dtype == np.uint32
    assert (form == (values << np.uint64(32)) % np.uint64(P)).all()
    assert (from_montgomery(form) == values).all()
    assert (montgomery.to_montgomery(values.astype(np.uint32)) == form).all()
    element = vector.to_element(values[:, 1, 2])
    assert (layout.montgomery_element(element) == form[:, 1, 2]).all()
    assert layout.canonical_element(form[:, 1, 2]) == element
    assert layout.canonical_element(form[:, 1, 2].astype(np.uint64) + np.uint64(P)) == element
    assert (layout.line_of(element) == np.repeat(form[:, 1, 2], LINE)).all()


def test_scalar_kernels_at_the_extremes() -> None:
    inverse = pow(1 << 32, -1, P)
    for a, b in itertools.product(EXTREMES.tolist(), repeat=2):
        x, y = np.uint32(a), np.uint32(b)
        assert int(arithmetic.add(x, y)) == (a + b) % P
        assert int(arithmetic.subtract(x, y)) == (a - b) % P
        assert int(arithmetic.product(x, y)) == a * b * inverse % P
    for total in (0, 1, P, P << 31, (P << 32) - 1, P << 32, 2**63 - 1):
        assert int(arithmetic.reduce(np.uint64(total))) == total * inverse % P
    for total in (0, 2**63 - 1, 2**63, 4 * (P - 1) ** 2):
        saturated = int(arithmetic.saturate(np.uint64(total)))
        assert saturated < 2**63
        assert saturated % P == total % P


@pytest.mark.parametrize("count", [0, 1, 3, 8, LINE - 1, LINE])
def test_lines(count: int) -> None:
    for seed in range(8):
        a, b, c = (residues((5, LINE), 100 * seed + i) for i in range(3))
        if not seed:
            a[:], b[:], c[:] = P - 1, P - 1, P - 1
        x, y, z = (montgomery.to_montgomery(array) for array in (a, b, c))
        both = montgomery.to_montgomery(vector.multiply(a, b))
        for kernel, expected in (
            (arithmetic.product_line, both),
            (arithmetic.add_product_line, vector.add(z.astype(np.uint64), both.astype(np.uint64))),
            (arithmetic.add_line, vector.add(x.astype(np.uint64), y.astype(np.uint64))),
            (
                arithmetic.subtract_line,
                vector.subtract_arrays(*(v.astype(np.uint64) for v in (x, y))),
            ),
        ):
            out = z.reshape(-1).copy()
            kernel(out, x.reshape(-1), y.reshape(-1), count)
            assert (out.reshape(5, LINE)[:, :count] == expected[:, :count]).all()
            assert (out.reshape(5, LINE)[:, count:] == z[:, count:]).all()
        sums = np.zeros((2, 3, 5), dtype=np.uint32)
        arithmetic.sum_line(sums, 1, 2, x.reshape(-1))
        assert tuple(sums[1, 2].tolist()) == vector.sum_all(x.astype(np.uint64))
        assert not sums[0].any()


def test_every_product_of_extremes() -> None:
    """Sums of five products overflow first where all are large."""
    choices = [np.array(c, dtype=np.uint64) for c in itertools.product([0, 1, P - 1], repeat=5)]
    for start in range(0, len(choices), LINE):
        part = np.array(choices[start : start + LINE]).T
        for other in choices[:: len(choices) // 16]:
            right = np.repeat(other[:, None], part.shape[1], axis=1)
            for a, b in ((part, right), (right, part)):
                out = new_line()
                arithmetic.product_line(out, line(a), line(b), part.shape[1])
                expected = from_montgomery(vector.multiply(a, b).astype(np.uint32))  # a b / 2^32
                assert (out.reshape(5, LINE)[:, : part.shape[1]] == expected).all()


def test_lines_from_and_to_arrays() -> None:
    arrays = residues((3, 5, 40), 3).astype(np.uint32)
    whole = new_line()
    load_line(whole, arrays, 2, 7, 11)
    assert (whole.reshape(5, LINE)[:, :11] == arrays[2, :, 7:18]).all()
    low, high = new_line(), new_line()
    load_pairs(low, high, arrays, 1, 4, 9)
    assert (low.reshape(5, LINE)[:, :9] == arrays[1, :, 8:26:2]).all()
    assert (high.reshape(5, LINE)[:, :9] == arrays[1, :, 9:26:2]).all()
    expected = arrays.copy()
    expected[0, :, 3:14] = arrays[2, :, 7:18]
    store_line(arrays, 0, whole, 3, 11)
    assert (arrays == expected).all()


@pytest.mark.parametrize("length", [0, 1, 5])
def test_equality_tables(length: int) -> None:
    point = elements(length, 4)
    table = montgomery.equality_table(point)
    assert (from_montgomery(table) == vector.equality_table(point)).all()
    if length:
        shorter = montgomery.drop_first_bit(table)
        assert (shorter == montgomery.equality_table(point[1:])).all()


def slow_values(coefficients: Array, points: list[int]) -> list[list[int]]:
    rows = []
    for row in coefficients.tolist():
        values = []
        for x in points:
            value = 0
            for coefficient in reversed(row):
                value = (value * x + coefficient) % P
            values.append(value)
        rows.append(values)
    return rows


@pytest.mark.parametrize("logarithm", [0, 1, 2, 3, 4, 5, 8])
def test_codewords(logarithm: int) -> None:
    size = 1 << logarithm
    root = scalar.root_of_unity(logarithm)
    points = [3 * pow(root, c, P) % P for c in range(size)]
    for terms in {1, size // 2 + 1, size - 1 or 1, size}:
        coefficients = residues((3, terms), logarithm)
        coefficients[0] = P - 1
        codewords = encode(coefficients.astype(np.uint32), logarithm)
        assert codewords.dtype == np.uint32
        assert codewords.tolist() == slow_values(coefficients, points)


def test_long_codewords() -> None:
    """Several strips, in several threads: at some positions."""
    coefficients = residues((9, 5000), 5).astype(np.uint32)
    out = np.full((9, 1 << 14), 7, dtype=np.uint32)
    assert encode(coefficients, 14, out) is out
    root = scalar.root_of_unity(14)
    for row, position in ((0, 0), (4, 1), (8, 8191), (3, 12345), (8, 16383)):
        x = 3 * pow(root, position, P) % P
        assert [[int(out[row, position])]] == slow_values(coefficients[row : row + 1], [x])


@pytest.mark.parametrize(
    ("terms", "logarithm", "shape"),
    [(9, 3, (2, 8)), (4, 3, (3, 8)), (4, 3, (2, 16)), (1, 25, (2, 1))],
)
def test_codewords_that_do_not_fit(terms: int, logarithm: int, shape: tuple[int, int]) -> None:
    out = np.zeros(shape, dtype=np.uint32)
    with pytest.raises(ValueError):
        encode(np.zeros((2, terms), dtype=np.uint32), logarithm, out)


@pytest.mark.parametrize("step_log", [0, 1, 3, 6])
@pytest.mark.parametrize("terms", [1, 9, 41, 64])
def test_columns_of_codewords(terms: int, step_log: int) -> None:
    """Also where a row is longer than the columns that are wanted."""
    rows = np.random.default_rng(terms).integers(0, P, (3, terms), dtype=np.uint32)
    rows[0] = P - 1
    whole, step = encode(rows, 6), 1 << step_log
    for first in range(0, step, 3):
        assert np.array_equal(
            encode(rows, 6, columns=Coset(first, step_log)), whole[:, first::step]
        )
    for wrong in (Coset(step, step_log), Coset(-1, step_log), Coset(0, 7)):
        with pytest.raises(ValueError, match="no such columns"):
            encode(rows, 6, columns=wrong)


def test_codewords_need_whole_rows() -> None:
    out = np.zeros((2, 16), dtype=np.uint32)[:, ::2]
    with pytest.raises(ValueError):
        encode(np.zeros((2, 3), dtype=np.uint32), 3, out)


@pytest.mark.parametrize(("terms", "logarithm", "place"), [(9, 3, 1), (1, 25, 0), (4, 3, 8)])
def test_places_that_do_not_fit(terms: int, logarithm: int, place: int) -> None:
    with pytest.raises(ValueError):
        encode_at(np.zeros((2, terms), dtype=np.uint32), logarithm, np.array([place]))


@pytest.mark.parametrize("logarithm", [0, 1, 3, 6])
def test_interpolation(logarithm: int) -> None:
    size = 1 << logarithm
    values = residues((5, size), 6)
    root = scalar.root_of_unity(logarithm)
    coefficients = interpolate(values)
    assert slow_values(coefficients, [pow(root, i, P) for i in range(size)]) == values.tolist()


def test_interpolation_needs_a_power_of_two() -> None:
    with pytest.raises(ValueError):
        interpolate(np.zeros((5, 6), dtype=np.uint64))


@pytest.mark.parametrize(("left", "right"), [(1, 1), (1, 4), (5, 4), (16, 17)])
@pytest.mark.parametrize("over_base", [False, True])
def test_products_of_polynomials(left: int, right: int, *, over_base: bool) -> None:
    a, b = residues((5, left), 7), residues((5, right), 8)
    if over_base:
        b[1:] = 0
    expected = [scalar.ZERO] * (left + right - 1)
    for i, j in itertools.product(range(left), range(right)):
        term = multiply(vector.to_element(a[:, i]), vector.to_element(b[:, j]))
        expected[i + j] = add(expected[i + j], term)
    product = multiply_polynomials(a, b[0] if over_base else b)
    assert [vector.to_element(column) for column in product.T] == expected


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (2, 513), (3, 5), (4, 512), (9, 1100)])
@pytest.mark.parametrize("largest", [False, True])
def test_folds(count: int, columns: int, *, largest: bool) -> None:
    weights = residues((5, count), 9)
    rows = residues((count, columns), 10).astype(np.uint32)
    if largest:
        weights[:], rows[:] = P - 1, P - 1
    expected = vector.combine(weights, rows)
    assert (fold_rows(weights, rows) == expected).all()
    assert (fold_batch(weights, np.ascontiguousarray(rows.T)) == expected).all()
    assert (fold_batch(weights, rows.T) == expected).all()


@pytest.mark.parametrize("fold_kernel", [fold_rows, fold_batch])
def test_folds_of_other_shapes(fold_kernel: Callable[[Array, Residues], Array]) -> None:
    with pytest.raises(ValueError):
        fold_kernel(np.zeros((5, 3), dtype=np.uint64), np.zeros((2, 2), dtype=np.uint32))


def test_a_fold_of_nothing() -> None:
    weights = np.zeros((5, 0), dtype=np.uint64)
    assert not fold_rows(weights, np.zeros((0, 3), dtype=np.uint32)).any()


@pytest.mark.parametrize("work", [0, 10**9])
def test_tasks_are_each_done_once(work: int) -> None:
    done = np.zeros(101, dtype=np.int64)

    def kernel(first: int, last: int, amount: int) -> None:
        done[first:last] += amount

    tasks.run_tasks(kernel, 101, 3, work=work)
    assert (done == 3).all()


def test_what_a_task_raises_is_raised() -> None:
    def kernel(first: int, last: int) -> None:
        if last == 5:
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        tasks.run_tasks(kernel, 5, work=10**9)
