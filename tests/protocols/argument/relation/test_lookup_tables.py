"""Tables: rows, numbers and tags, and weighted sums of fingerprints against the definition."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.small_networks import random_network, small_network
from zkwm_protocols.argument.relation.lookup_tables import Tables
from zkwm_protocols.argument.relation.relation import Relation
from zkwm_protocols.field.equality import Equality
from zkwm_protocols.field.scalar import P, add, constant, multiply, scale
from zkwm_protocols.field.vector import to_list
from zkwm_protocols.integer_network.bounds import argmax_bits, table_rows


@pytest.fixture(scope="module")
def tables() -> Tables:
    return Tables(small_network(), [8, 1, 3, 8])


def test_order_tags_and_numbers(tables: Tables) -> None:
    keys = ["xor", "xor12", "xor7", "carries", "positive", "network:0"]
    assert [tables.tag(key) for key in keys] == [1, 2, 3, 4, 5, 6]
    assert tables.first_row("xor12") == 65_536
    assert tables.first_row("carries") == 3 * 65_536
    assert tables.first_row("positive") == 3 * 65_536 + 1_296
    assert len(tables.columns("positive")) == 511
    assert len(tables.columns("range:3")) == 8
    assert tables.first_row("range:1") < tables.first_row("range:3") < tables.first_row("range:8")
    assert tables.total_rows == tables.first_row("range:8") + 256


def test_rows(tables: Tables) -> None:
    a, b = 0xA7, 0x3C
    row = a * 256 + b
    assert tables.columns("xor")[row].tolist() == [a, b, a ^ b]
    assert tables.columns("xor12")[row].tolist() == [a, b, (a ^ b) & 15, (a ^ b) >> 4]
    assert tables.columns("xor7")[row].tolist() == [a, b, (a ^ b) & 127, (a ^ b) >> 7]
    assert tables.columns("carries")[1].tolist() == [0, 0, 0, 0, 0, 0, 0, 1]
    assert tables.columns("carries")[-1].tolist() == [2, 2, 1, 1, 2, 2, 1, 1]
    assert tables.columns("positive")[0].tolist() == [P - 255, 0]
    assert tables.columns("positive")[300].tolist() == [45, 45]
    assert tables.columns("range:3")[:, 0].tolist() == list(range(8))


def test_no_two_rows_of_a_table_are_equal(tables: Tables) -> None:
    for key in ("xor", "xor12", "xor7", "carries", "positive", "network:0"):
        assert len(np.unique(tables.columns(key), axis=0)) == len(tables.columns(key))


@pytest.mark.slow
def test_weighted_sums_are_sums_of_fingerprints(tables: Tables) -> None:
    rng = np.random.default_rng(1)
    alpha = tuple(int(value) for value in rng.integers(0, P, 5))
    alphas = [alpha]
    while len(alphas) < 8:
        alphas.append(multiply(alphas[-1], alpha))
    fingerprints = to_list(tables.fingerprints(alphas))
    row = 65_536 + 12_345
    expected = constant(2)
    for power, value in zip(alphas, tables.columns("xor12")[12_345].tolist(), strict=False):
        expected = add(expected, scale(power, value))
    assert fingerprints[row] == expected
    first, count = 3 * 65_536 - 5, tables.total_rows - 3 * 65_536 + 5 + 7
    point = [tuple(int(v) for v in rng.integers(0, P, 5)) for _ in range(count.bit_length())]
    equality = Equality(point)
    weights = to_list(equality.part(0, count))
    total = constant(0)
    for offset, weight in enumerate(weights):
        place = min(first + offset, tables.total_rows - 1)
        total = add(total, multiply(weight, fingerprints[place]))
    assert tables.weigh(equality, first, count, alphas) == total


@pytest.mark.parametrize("seed", range(8))
def test_rows_are_counted_beforehand_as_they_are_built(seed: int) -> None:
    """``network.size`` is checked before any table exists, by other code than builds them."""
    network = random_network(seed)
    bits = argmax_bits(network.outputs, network.magnitudes[-1])
    tables = Relation(network).tables
    assert table_rows(network.tables, network.nodes, bits) == tables.total_rows
