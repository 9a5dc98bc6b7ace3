"""Equality tables by halves: every way to read them gives the entries of the whole table."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkwm_protocols.field import vector
from zkwm_protocols.field.equality import Equality
from zkwm_protocols.field.scalar import Element, P
from zkwm_protocols.field.vector import Array

residues = st.one_of(st.integers(0, P - 1), st.sampled_from([0, 1, P - 1, P // 2]))
elements: st.SearchStrategy[Element] = st.tuples(*[residues] * 5)
points = st.lists(elements, max_size=9)


def product(by_row: Array, by_column: Array) -> Array:
    """The sum over k of factors by row times factors by column, one product at a time."""
    total = np.zeros((5, by_row.shape[2], by_column.shape[2]), dtype=np.uint64)
    for k in range(by_row.shape[1]):
        terms = vector.multiply(by_row[:, k, :, None], by_column[:, k, None, :])
        total = vector.add(total, terms)
    return total


@given(points, st.data())
def test_a_part_and_its_sum_are_those_of_the_table(point: list[Element], data: st.DataObject):
    table, equality = vector.equality_table(point), Equality(point)
    first = data.draw(st.integers(0, equality.length))
    count = data.draw(st.integers(0, equality.length - first))
    assert np.array_equal(equality.part(first, count), table[:, first : first + count])
    factor = data.draw(elements)
    scaled = vector.multiply(table, vector.from_element(factor).reshape(5, 1))
    assert np.array_equal(equality.part(first, count, factor), scaled[:, first : first + count])
    assert equality.sum_of(first, count) == vector.sum_all(table[:, first : first + count])


@given(points, st.data())
def test_a_block_is_a_sum_of_two_products(point: list[Element], data: st.DataObject) -> None:
    table, equality = vector.equality_table(point), Equality(point)
    width = 1 << data.draw(st.integers(0, len(point)))
    rows = data.draw(st.integers(0, equality.length // width))
    first = data.draw(st.integers(0, equality.length - rows * width))
    by_row, by_column = equality.terms(first, rows, width)
    assert by_row.shape[1] == by_column.shape[1] == (2 if first % width else 1)
    expected = table[:, first : first + rows * width].reshape(5, rows, width)
    assert np.array_equal(product(by_row, by_column), expected)


@given(points, st.data())
def test_windows_are_sums_of_products(point: list[Element], data: st.DataObject) -> None:
    table, equality = vector.equality_table(point), Equality(point)
    length = data.draw(st.integers(1, min(40, equality.length)))
    count = data.draw(st.integers(0, equality.length // length))
    first = data.draw(st.integers(0, equality.length - count * length))
    seen = []
    for numbers, factors, parts in equality.windows(first, length, count):
        assert factors.shape[2] == parts.shape[1] <= 2
        windows = product(factors.transpose(0, 2, 1), parts)
        for place, number in enumerate(numbers.tolist()):
            start = first + number * length
            assert np.array_equal(windows[:, place], table[:, start : start + length])
        seen += numbers.tolist()
    assert sorted(seen) == list(range(count))


def test_a_long_table_is_read_and_summed_in_parts() -> None:
    point: list[Element] = [(i, 1, 4, P - i, 5) for i in range(21)]
    table, equality = vector.equality_table(point), Equality(point)
    values = np.random.default_rng(1).integers(0, P, (1, (1 << 20) + 5000)).astype(np.uint32)
    first, count = 3001, values.shape[1]
    assert np.array_equal(equality.part(first, count), table[:, first : first + count])
    products = vector.multiply_base(table[:, first : first + count], values)
    assert vector.to_element(equality.combine(first, values)[:, 0]) == vector.sum_all(products)


def test_other_entries_and_widths_are_refused() -> None:
    equality = Equality([(3, 1, 4, 1, 5)] * 4)
    for first, count in ((0, 17), (16, 1), (-1, 2), (3, -1)):
        with pytest.raises(ValueError, match="not all in the table"):
            equality.part(first, count)
    for first, rows, width in ((0, 3, 3), (0, 1, 0), (1, 2, 8), (0, 1, 32), (-1, 1, 1)):
        with pytest.raises(ValueError, match="power of two"):
            equality.terms(first, rows, width)
