"""Weights by halves against whole tables of eq."""

from __future__ import annotations

import random

import pytest

from zkwm_protocols.argument.logup_gkr.round_weights import (
    equality_at,
    equality_prefix,
    round_weights,
)
from zkwm_protocols.field import vector
from zkwm_protocols.field.kernels.layout import CHUNK, canonical_element
from zkwm_protocols.field.scalar import ONE, ZERO, Element, P, add, multiply


def point(length: int) -> list[Element]:
    source = random.Random(length)
    elements = [[source.randrange(P) for _ in range(5)] for _ in range(length)]
    return [(a[0], a[1], a[2], a[3], a[4]) for a in elements]


@pytest.mark.parametrize("length", [0, 1, 5, 11])
def test_weights_are_eq(length: int) -> None:
    coordinates = point(length)
    table = vector.equality_table(coordinates)
    halves = round_weights(coordinates)
    for i in range(0, 1 << length, 1 + (1 << length) // 40):
        low = canonical_element(halves.low[0, :, i % CHUNK])
        high = canonical_element(halves.high[:, i // CHUNK])
        assert multiply(low, high) == vector.to_element(table[:, i])
        assert equality_at(coordinates, i) == vector.to_element(table[:, i])
    assert equality_at(coordinates, 1 << length) == ZERO


@pytest.mark.parametrize("length", [0, 1, 4])
def test_prefixes_are_sums(length: int) -> None:
    coordinates = point(length)
    table = vector.equality_table(coordinates)
    total = ZERO
    for count in range(1 << length):
        assert equality_prefix(coordinates, count) == total
        total = add(total, vector.to_element(table[:, count]))
    assert equality_prefix(coordinates, 1 << length) == total == ONE
