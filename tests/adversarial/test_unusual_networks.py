"""A suspect's network within all limits, of a shape that no architecture has.

Who chooses the network must not choose whether an honest proof about it can be verified: an error
in the verifier is no verdict, and an owner could never have one.
"""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from zkwm_protocols.argument.relation import lookup_form as forms
from zkwm_protocols.argument.relation.lookup_form import GradientForm, LookupForm, lookup_form
from zkwm_protocols.argument.relation.relation import Relation
from zkwm_protocols.field.equality import Equality
from zkwm_protocols.field.scalar import Element, P
from zkwm_protocols.integer_network.model import (
    Activation,
    Convolution,
    IntegerNetwork,
    Node,
    Reshape,
    Table,
)


def elements(random: np.random.Generator, count: int) -> list[Element]:
    drawn = random.integers(0, P, (count, 5)).tolist()
    return [(a[0], a[1], a[2], a[3], a[4]) for a in drawn]


def one_plane(height: int, width: int) -> IntegerNetwork:
    """Four pixels, padded to a plane of bytes."""
    one, zero = np.ones((1, 1, 1, 1), np.int16), np.zeros(1, np.int32)
    down, across = height // 2 - 1, width // 2 - 1
    plane = Convolution(0, one, zero, pads=(down, across, down, across))
    halves = (height // 2, width // 2)
    few = Convolution(2, np.ones((2, 1, 1, 1), np.int16), np.zeros(2, np.int32), halves)
    return IntegerNetwork(
        (1, 2, 2),
        (Table(0, np.arange(256, dtype=np.uint8)),),
        (plane, Activation(1, 0, 0), few, Reshape(3, (8, 1, 1))),
    )


def many_planes(side: int, layers: int) -> IntegerNetwork:
    """One channel, again and again: as many lookups as positions."""
    sums, none = np.ones((1, 1, 3, 3), np.int16), np.zeros(1, np.int32)
    nodes: list[Node] = []
    for _ in range(layers):
        nodes.append(Convolution(len(nodes), sums, none, pads=(1, 1, 1, 1)))
        nodes.append(Activation(len(nodes), 0, 0))
    halves, ends = (side // 2, side // 2), np.ones((2, 1, 1, 1), np.int16)
    nodes.append(Convolution(len(nodes), ends, np.zeros(2, np.int32), halves))
    nodes.append(Reshape(len(nodes), (8, 1, 1)))
    table = Table(0, (np.arange(9 * 255 + 1) % 256).astype(np.uint8))
    return IntegerNetwork((1, side, side), (table,), tuple(nodes))


@pytest.mark.parametrize("network", [one_plane(128, 256), many_planes(64, 8)])
def test_long_channels_are_written_out(
    network: IntegerNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And give the same form as sums of products, which would hold gigabytes of longer ones."""
    relation, random = Relation(network), np.random.default_rng(1)
    columns = Equality(elements(random, relation.lookup_count.bit_length()))
    point, alphas = elements(random, relation.cell_count.bit_length()), elements(random, 8)
    products = lookup_form(relation, columns, alphas)
    assert isinstance(products, LookupForm)
    monkeypatch.setattr(forms, "MOST_POSITIONS", 8 * 64 * 64 - 1)
    written = lookup_form(relation, columns, alphas)
    assert isinstance(written, GradientForm)
    assert products.constant == written.constant
    assert np.array_equal(products.public, written.public)
    assert products.evaluate(point) == written.evaluate(point)


def wide_kernels(side: int, channels: int, layers: int) -> IntegerNetwork:
    """Each channel by itself, with a kernel as wide as the image: more taps than positions."""
    kernel = np.zeros((channels, 1, side, side - 1), np.int16)
    kernel[:, 0, 0, 0] = 1
    down, across = side - 1, side - 2
    pads = (down // 2, across // 2, down - down // 2, across - across // 2)
    none, nodes = np.zeros(channels, np.int32), list[Node]()
    nodes += [Convolution(0, np.ones((channels, 1, 1, 1), np.int16), none), Activation(1, 0, 0)]
    for _ in range(layers):
        nodes.append(Convolution(len(nodes), kernel, none, pads=pads, groups=channels))
        nodes.append(Activation(len(nodes), 0, 0))
    ends = np.zeros((2, channels, 1, 1), np.int16)
    ends[:, 0] = 1
    nodes.append(Convolution(len(nodes), ends, np.zeros(2, np.int32), (side, side)))
    nodes.append(Reshape(len(nodes), (2, 1, 1)))
    table = Table(0, np.arange(256, dtype=np.uint8))
    return IntegerNetwork((1, side, side), (table,), tuple(nodes))


def test_products_of_wide_kernels_take_no_more_memory_than_the_gradient(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Products of six layers would hold nine times as much; both forms are the same."""
    relation, random = Relation(wide_kernels(16, 256, 6)), np.random.default_rng(1)
    columns = Equality(elements(random, relation.lookup_count.bit_length()))
    point, alphas = elements(random, relation.cell_count.bit_length()), elements(random, 8)
    products = lookup_form(relation, columns, alphas)
    assert isinstance(products, LookupForm)
    monkeypatch.setattr(forms, "MOST_ENTRIES", 0)
    tracemalloc.start()
    try:
        written = lookup_form(relation, columns, alphas)
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert isinstance(written, GradientForm)
    assert held < 1.5 * 20 * relation.cell_count
    assert products.constant == written.constant
    assert np.array_equal(products.public, written.public)
    assert products.evaluate(point) == written.evaluate(point)


@pytest.mark.slow
def test_the_widest_pads_take_little_memory_to_verify() -> None:
    """2^22 entries of one channel, an eighth of the lookups that are allowed: pads of 1,023."""
    relation, random = Relation(one_plane(2048, 2048)), np.random.default_rng(1)
    columns = Equality(elements(random, relation.lookup_count.bit_length()))
    point, alphas = elements(random, relation.cell_count.bit_length()), elements(random, 8)
    tracemalloc.start()
    try:
        lookup_form(relation, columns, alphas).evaluate(point)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 0.8 * 2**30, peak
