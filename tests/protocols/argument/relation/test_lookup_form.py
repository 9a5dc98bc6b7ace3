"""The verifier's form of all lookups is the prover's gradient, whatever the network."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.network_case import NetworkCase
from tests.support.small_networks import (
    NetworkBuilder,
    constant_network,
    random_network,
    small_network,
    two_class_network,
)
from zkwm_protocols.argument.relation.lookup_form import LookupForm, gradient_form, lookup_form
from zkwm_protocols.argument.relation.lookup_weights import EqualityWeights
from zkwm_protocols.argument.relation.network_form import network_form
from zkwm_protocols.argument.relation.relation import Relation
from zkwm_protocols.field.equality import Equality
from zkwm_protocols.field.polynomial import evaluate_extension
from zkwm_protocols.field.scalar import Element, P, add, scale
from zkwm_protocols.integer_network.model import Convolution, IntegerNetwork, Maximum

NETWORKS = [
    *(small_network(seed) for seed in range(3)),
    *(random_network(seed) for seed in range(16)),
    two_class_network(),
    constant_network(3, 3),
]


def elements(random: np.random.Generator, count: int) -> list[Element]:
    drawn = random.integers(0, P, (count, 5)).tolist()
    return [(a[0], a[1], a[2], a[3], a[4]) for a in drawn]


def require_network_form(network: IntegerNetwork, seed: int, first_lookup: int) -> None:
    """Constant and value at a random point, against the gradient of all cells."""
    case, random = NetworkCase(network, pixel_cell=seed % 4), np.random.default_rng(seed)
    lookups, gadget = case.gadget.lookup_count, case.gadget
    columns = Equality(elements(random, (first_lookup + lookups).bit_length()))
    point = elements(random, case.cell_count.bit_length())
    alphas = elements(random, 8)
    logits = random.integers(0, P, (5, network.outputs)).astype(np.uint64)
    gradient = np.zeros((5, case.cell_count), dtype=np.uint64)
    weights = EqualityWeights(columns, alphas)
    constant = gadget.pull_back(weights, first_lookup, gradient, logits)
    form = network_form(gadget, columns, first_lookup, alphas, logits, most=1 << 30)
    assert form is not None
    assert form.constant == constant
    assert form.evaluate(Equality(point)) == evaluate_extension(gradient, point)


def residual_network(seed: int) -> IntegerNetwork:
    """3x8x8, all sides powers of two: skips, strides, groups, a pooling, linear chains."""
    builder = NetworkBuilder((3, 8, 8), seed)
    first = builder.convolution(0, 4, (3, 3), pads=(1, 1, 1, 1), bias_by_position=True)
    left = builder.activation(first, 4)
    inner = builder.convolution(left, 4, (3, 3), pads=(1, 1, 1, 1))
    again = builder.convolution(inner, 4, groups=4)
    joined = builder.activation(builder.sum(again, left, inner), 5)
    pooled = builder.maximum(joined, (3, 3), (2, 2), (1, 1, 0, 0))
    both = builder.concatenation(pooled, builder.convolution(left, 2, stride=(2, 2)))
    mean = builder.convolution(both, 6, (4, 4), groups=6)
    plain = builder.activation(mean, 3)
    builder.convolution(builder.flatten(plain), 3)
    return builder.build()


@pytest.mark.parametrize("index", range(len(NETWORKS)))
def test_the_networks_form_is_its_gradient(index: int) -> None:
    require_network_form(NETWORKS[index], index, first_lookup=3 * index)


@pytest.mark.parametrize("seed", range(4))
def test_terms_multiply_and_are_written_out(seed: int) -> None:
    require_network_form(residual_network(seed), seed, first_lookup=seed)


def test_windows_that_lie_outside_read_nothing() -> None:
    weights, bias = np.ones((2, 1, 1, 1), np.int16), np.zeros(2, np.int32)
    last = Convolution(1, np.ones((2, 2, 1, 1), np.int16), bias)
    for node in (
        Convolution(0, weights, bias, stride=(1, 1), pads=(3, 0, 0, 0)),
        Maximum(0, (1, 1), (9, 9), (3, 0, 0, 0)),
    ):
        if isinstance(node, Convolution):
            node = Convolution(0, weights, bias, stride=(9, 9), pads=(3, 0, 0, 0))
            network = IntegerNetwork((1, 2, 2), (), (node, last))
        else:
            after = Convolution(1, np.ones((2, 1, 1, 1), np.int16), bias)
            network = IntegerNetwork((1, 2, 2), (), (node, after))
        require_network_form(network, 5, first_lookup=0)


@pytest.mark.parametrize("network", [residual_network(9), small_network(4)])
def test_the_whole_form_is_the_gradient(network: IntegerNetwork) -> None:
    relation, random = Relation(network), np.random.default_rng(1)
    columns = Equality(elements(random, relation.lookup_count.bit_length()))
    point = elements(random, relation.cell_count.bit_length())
    alphas = elements(random, 8)
    gradient, public, constant = relation.pull_back(EqualityWeights(columns, alphas))
    starts = np.cumsum([0, *(group.count for group in relation.groups)])
    for start, group in zip(starts.tolist(), relation.groups, strict=False):
        weight = columns.sum_of(start, group.count)
        constant = add(constant, scale(weight, relation.tables.tag(group.table)))
    form, written = (make(relation, columns, alphas) for make in (lookup_form, gradient_form))
    # of sides that are no powers of two all is written out
    assert isinstance(form, LookupForm) == (network.shape == (3, 8, 8))
    assert form.constant == written.constant == constant
    assert np.array_equal(form.public, public)
    assert np.array_equal(written.gradient, gradient)
    assert form.evaluate(point) == written.evaluate(point) == evaluate_extension(gradient, point)
