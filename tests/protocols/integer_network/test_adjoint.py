"""Transposed linear nodes against their evaluation: <E, A x + b> = <A^T E, x> + <E, b> over K."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.small_networks import NetworkBuilder, random_network, small_network
from zkwm_protocols.field.scalar import DEGREE, P, add, constant
from zkwm_protocols.field.vector import Array, from_integers, multiply_base, sum_all
from zkwm_protocols.integer_network import adjoint, correlation, evaluate
from zkwm_protocols.integer_network.model import (
    Activation,
    Convolution,
    IntegerNetwork,
    Maximum,
    Sum,
    inputs_of,
)


def random_gradient(network: IntegerNetwork, number: int, seed: int) -> Array:
    random = np.random.default_rng(seed)
    gradient = random.integers(0, P, (DEGREE, *network.shapes[number])).astype(np.uint64)
    gradient.reshape(-1)[:6] = [0, 1, P - 1, P // 2, P // 2 + 1, P - 2]
    return gradient


def require_transposed(network: IntegerNetwork, seed: int = 0) -> None:
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (1, *network.shape)).astype(np.uint8)
    values = [from_integers(value[..., 0]) for value in evaluate.trace(network, images)]
    for number, node in enumerate(network.nodes, start=1):
        if isinstance(node, Activation | Maximum):
            continue
        gradient = random_gradient(network, number, seed)
        pieces, result = adjoint.transpose(network, number, gradient)
        for place, piece in zip(inputs_of(node), pieces, strict=True):
            assert piece.shape == (DEGREE, *network.shapes[place])
            assert piece.max() < P
            result = add(result, sum_all(multiply_base(piece, values[place])))
        assert result == sum_all(multiply_base(gradient, values[number])), number


@pytest.mark.parametrize("seed", range(4))
def test_every_linear_node(seed: int) -> None:
    require_transposed(small_network(seed), seed)


@pytest.mark.parametrize("seed", range(20))
def test_random_networks(seed: int) -> None:
    require_transposed(random_network(seed), seed)


@pytest.mark.parametrize("seed", range(20))
def test_tap_by_tap(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correlation, "UNFOLDED_ENTRIES", 0)
    require_transposed(random_network(seed), seed)
    require_transposed(small_network(seed), seed)


@pytest.mark.parametrize("groups", [1, 2])
def test_where_sums_pass_two_to_53_halves_are_taken(groups: int) -> None:
    builder = NetworkBuilder((1, 1, 1))
    wide = builder.convolution(0, 2)
    big = np.full((34_000, 2 // groups, 1, 1), 511, np.int16)
    big[::7] = 510
    many = builder.add(Convolution(wide, big, np.zeros(34_000, np.int32), groups=groups), 1)
    builder.convolution(many, 2, weight_limit=0, bias_limit=5)
    network = builder.build()
    weights = np.abs(big.astype(np.float64))
    assert correlation.splits(weights, P // 2 + 1, transposed=True, groups=groups)
    assert not correlation.splits(weights, P // 2 + 1)
    require_transposed(network)
    gradient = np.full((DEGREE, *network.shapes[2]), P // 2 - 1, dtype=np.uint64)
    (piece,), _ = adjoint.transpose(network, 2, gradient)
    per_group = big.astype(object).reshape(groups, -1, 2 // groups).sum(axis=1).reshape(-1)
    expected = [int(total) * (P // 2 - 1) % P for total in per_group]
    assert piece[0, :, 0, 0].tolist() == expected


def test_a_bias_by_position_and_one_by_channel_agree() -> None:
    builder = NetworkBuilder((3, 2, 2))
    node = Convolution(0, np.ones((2, 3, 1, 1), np.int16), np.array([-7, 9], np.int32))
    whole = np.repeat(node.bias, 4).reshape(2, 2, 2)
    builder.add(node, 1)
    builder.add(Convolution(0, node.weights, whole), 1)
    builder.add(Sum((1, 2)), 1)
    builder.convolution(builder.flatten(3), 2)
    network = builder.build()
    gradient = random_gradient(network, 1, 5)
    _, by_channel = adjoint.transpose(network, 1, gradient)
    _, by_position = adjoint.transpose(network, 2, gradient)
    assert by_channel == by_position != constant(0)


def test_other_nodes_are_not_linear() -> None:
    network = small_network()
    with pytest.raises(ValueError, match="not linear"):
        adjoint.transpose(network, 2, random_gradient(network, 2, 0))
