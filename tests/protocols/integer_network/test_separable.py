"""Gradients as sums of products: each operation gives what it gives written out."""

from __future__ import annotations

import numpy as np
import pytest

from zkwm_protocols.field import vector
from zkwm_protocols.field.scalar import Element, P
from zkwm_protocols.field.vector import Array
from zkwm_protocols.integer_network import separable
from zkwm_protocols.integer_network.adjoint import transpose_dense
from zkwm_protocols.integer_network.nodes import Convolution
from zkwm_protocols.integer_network.separable import Separable, bias_term, transpose_convolution
from zkwm_protocols.integer_network.windows import Windows

FACTOR: Element = (5, 0, P - 1, 7, P // 2)


def gradient(shape: tuple[int, int, int], terms: int, seed: int) -> Separable:
    """Random, with 0, 1, p - 1 and the middle of the field among the residues."""
    random = np.random.default_rng(seed)
    arrays = [
        random.choice([0, 1, P - 1, P // 2, P // 2 + 1, int(random.integers(P))], size)
        for size in ((5, terms, shape[0]), (5, terms, *shape[1:]))
    ]
    return Separable(*(array.astype(np.uint64) for array in arrays))


def written_out(value: Separable) -> Array:
    """One product of two elements at a time."""
    total = np.zeros((5, *value.shape), dtype=np.uint64)
    for k in range(value.channels.shape[1]):
        factor = value.channels[:, k, :, None, None]
        total = vector.add(total, vector.multiply(factor, value.planes[:, k, None]))
    return total


@pytest.mark.parametrize("terms", [1, 3])
@pytest.mark.parametrize("shape", [(3, 2, 4), (1, 4, 4), (6, 1, 1)])
def test_arithmetic(shape: tuple[int, int, int], terms: int) -> None:
    a, b = gradient(shape, terms, 1), gradient(shape, 2, 2)
    left, right = written_out(a), written_out(b)
    assert np.array_equal(a.dense(), left)
    assert np.array_equal(Separable.of_dense(left).dense(), left)
    assert np.array_equal(a.plus(b).dense(), vector.add(left, right))
    assert np.array_equal(a.minus(b).dense(), vector.subtract_arrays(left, right))
    factor = vector.from_element(FACTOR)[:, None, None, None]
    assert np.array_equal(a.scaled(FACTOR).dense(), vector.multiply(left, factor))
    assert a.total() == vector.sum_all(left)
    assert a.inner(b) == vector.sum_all(vector.multiply(left, right))
    flat = a.reshaped((1, 1, left[0].size))
    assert np.array_equal(flat.dense().reshape(left.shape), left)
    assert a.plus(b, b, a).channels.shape[1] <= terms + 2  # of the same planes: joined
    twice = vector.add(vector.add(left, right), vector.add(left, right))
    assert np.array_equal(a.plus(b, b, a).dense(), twice)
    others = [gradient(shape, 2, seed) for seed in range(3, 20)]
    many = a.plus(*others)
    assert many.channels.shape[1] <= 4 * min(shape[0], shape[1] * shape[2])
    expected = left
    for other in others:
        expected = vector.add(expected, written_out(other))
    assert np.array_equal(many.dense(), expected)
    parts = a.split([1, shape[0] - 1][: shape[0]])
    assert np.array_equal(np.concatenate([part.dense() for part in parts], axis=1), left)


def convolution(sizes: tuple[int, int, int, int], groups: int, largest: int) -> Convolution:
    weights = np.random.default_rng(3).integers(-largest, largest + 1, sizes).astype(np.int16)
    weights[0] = largest
    bias = np.array([2**31 - 1, -(2**31)] * sizes[0], dtype=np.int32)[: sizes[0]]
    return Convolution(0, weights, bias, (1, 2), (1, 0, 1, 1), (1, 1), groups)


@pytest.mark.parametrize(
    ("sizes", "groups", "terms"),
    [
        ((4, 3, 3, 3), 1, 1),  # as terms
        ((4, 3, 3, 3), 1, 3),  # too many terms: written out
        ((6, 1, 2, 2), 3, 2),
        ((4, 6, 1, 1), 1, 2),
    ],
)
def test_transposed_convolutions(sizes: tuple[int, int, int, int], groups: int, terms: int) -> None:
    node = convolution(sizes, groups, 511)
    shape = (sizes[1] * groups, 4, 6)
    result = (sizes[0], 4 + 2 - sizes[2] + 1, (6 + 1 - sizes[3]) // 2 + 1)
    windows = Windows.of(node, shape, result)
    value = gradient(result, terms, 4)
    dense = written_out(value)
    found = transpose_convolution(node, value, windows)
    assert np.array_equal(found.dense(), transpose_dense(node, dense, windows))
    bias = vector.from_integers(node.bias)
    expected = vector.sum_all(vector.multiply_base(dense, bias[:, None, None]))
    assert bias_term(node, value) == expected


def test_large_gradients_are_written_out_as_soon_as_that_is_shorter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A suspect of many taps a channel cannot make a verifier hold four times the gradient."""
    node = Convolution(0, np.ones((8, 1, 2, 2), np.int16), np.zeros(8, np.int32), groups=8)
    windows = Windows.of(node, (8, 5, 5), (8, 4, 4))
    value = gradient((8, 4, 4), 3, 4)
    as_terms = transpose_convolution(node, value, windows)
    assert as_terms.channels.shape[1] == 12  # at most four times the channels
    joined = as_terms.plus(gradient((8, 5, 5), 3, 5))
    assert joined.channels.shape[1] == 15
    monkeypatch.setattr(separable, "_LARGE", 12 * (8 + 25) - 1)
    monkeypatch.delattr(separable, "_mix")  # not even in between
    large = transpose_convolution(node, value, windows)
    assert large.channels.shape[1] == 8
    assert np.array_equal(large.dense(), as_terms.dense())
    assert joined.short().channels.shape[1] == 8
    assert large.short() is large


def test_a_bias_by_position() -> None:
    bias = np.random.default_rng(5).integers(-(2**31), 2**31, (3, 2, 4)).astype(np.int32)
    node = Convolution(0, np.ones((3, 1, 1, 1), np.int16), bias)
    value = gradient((3, 2, 4), 2, 6)
    expected = vector.multiply_base(written_out(value), vector.from_integers(bias))
    assert bias_term(node, value) == vector.sum_all(expected)


@pytest.mark.parametrize("outputs", [16_545, 16_546])
def test_sums_that_doubles_cannot_hold_are_cut_in_halves(
    outputs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All summands have one sign and the largest size: 2^14 * 511 * p/2 is about 2^53."""
    calls: list[float] = []
    products = separable._products

    def counted(left: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        calls.append(float(np.abs(left).max()))
        return products(left, matrix)

    monkeypatch.setattr(separable, "_products", counted)
    weights = np.full((outputs, 1, 1, 1), 511, np.int16)
    channels = np.full((5, 1, outputs), P // 2, dtype=np.uint64)
    channels[1] -= np.arange(outputs, dtype=np.uint64)[None]
    mixed = separable._mix(weights, channels, 1)
    for i in range(5):
        assert int(mixed[i, 0, 0, 0]) == 511 * sum(int(x) for x in channels[i, 0]) % P
    exact = outputs * 511 * (P // 2 + 1) < 1 << 53
    assert exact == (len(calls) == 1) == (outputs == 16_545)
    assert max(calls) * 511 * outputs < 1 << 53
