"""Parts of the quantizer against slow, obvious versions: functions, products, biases, folding."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from tests.support.small_models import RAW, SHAPE, Sketch, lookup_kinds, network_of
from zkwm.quantizer.expressions import (
    Expression,
    X,
    apply,
    constant,
    evaluate,
    is_monotone,
    split_affine,
)
from zkwm.quantizer.integers import Bytes, Part, limits, products, whole_bias
from zkwm.quantizer.layers import Kernel, Maxima
from zkwm.quantizer.node_writer import NodeWriter
from zkwm.quantizer.onnx_file import read_onnx
from zkwm.quantizer.scales import Curve
from zkwm.quantizer.simplify import simplify
from zkwm.quantizer.translate import translate
from zkwm_protocols.errors import Unsupported
from zkwm_protocols.integer_network.evaluate import trace
from zkwm_protocols.integer_network.model import Activation, Maximum, Reshape

POINTS = np.array([-40.0, -7.5, -6.9, -2.0, -0.5, -1e-9, 0.0, 0.25, 1.0, 3.0, 6.99, 40.0])


@pytest.mark.parametrize(
    ("kind", "parameters", "expected"),
    [
        ("sigmoid", (), lambda x: 1 / (1 + math.exp(-x))),
        ("tanh", (), math.tanh),
        ("erf", (), math.erf),
        ("gelu", (), lambda x: x / 2 * math.erfc(-x / math.sqrt(2))),
        ("relu", (), lambda x: max(x, 0.0)),
        ("leaky", (0.3,), lambda x: x if x > 0 else 0.3 * x),
        ("elu", (0.5,), lambda x: x if x > 0 else 0.5 * math.expm1(x)),
        ("clip", (-1.0, 2.5), lambda x: min(max(x, -1.0), 2.5)),
        (
            "gelu_tanh",
            (),
            lambda x: x / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
        ),
    ],
)
def test_functions(kind: str, parameters: tuple[float, ...], expected: object) -> None:
    found = evaluate(apply(kind, X, parameters=parameters), POINTS)
    wanted = [expected(x) for x in POINTS.tolist()]
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-15)


def test_affine_parts_are_found() -> None:
    line = apply("add", apply("multiply", constant(2.0), X), constant(1.0))
    assert split_affine(apply("multiply", line, constant(-3.0))) == (-6.0, -3.0, X)
    assert split_affine(apply("add", line, line)) == (4.0, 2.0, X)
    curve = apply("relu", line)
    assert split_affine(apply("add", curve, constant(4.0))) == (1.0, 4.0, curve)
    assert split_affine(apply("multiply", curve, X))[2].kind == "multiply"
    assert split_affine(constant(5.0)) == (0.0, 5.0, X)


def test_what_rises() -> None:
    assert is_monotone(apply("tanh", apply("relu", X)))
    assert not is_monotone(apply("gelu", X))
    assert not is_monotone(apply("leaky", X, parameters=(-0.1,)))
    assert not is_monotone(apply("relu", apply("multiply", X, X)))


def test_tables() -> None:
    assert Curve().table(-3, 258).values.tolist() == [0] * 3 + list(range(256)) + [255] * 3
    table = Curve(Expression("tanh", (), (X,)), 0.5, 2 / 255, 128, reach=3).table(-2, 3)
    wanted = [np.clip(round(math.tanh(q / 2) / (2 / 255)) + 128, 0, 255) for q in range(-2, 4)]
    assert table.values.tolist() == wanted


def slow_sum(part: Part, weights: np.ndarray, bias: float, position: tuple[int, int, int]) -> int:
    """round(bias - zeros) plus products for one entry of the result and image 0, in fractions."""
    output, row, column = position
    kernel, inputs = part.kernel, part.input
    total, exact = 0, Fraction(round(bias * 65536), 65536)
    for i in range(weights.shape[1]):
        channel = output // (weights.shape[0] // kernel.groups) * weights.shape[1] + i
        zero = Fraction(round(float(inputs.zero[channel]) * 65536), 65536)
        for a in range(kernel.sides[0]):
            for b in range(kernel.sides[1]):
                y = row * kernel.stride[0] + a * kernel.dilation[0] - kernel.pads[0]
                x = column * kernel.stride[1] + b * kernel.dilation[1] - kernel.pads[1]
                if 0 <= y < inputs.shape[1] and 0 <= x < inputs.shape[2]:
                    weight = int(weights[output, i, a, b])
                    total += weight * int(inputs.images[channel, y, x, 0])
                    exact -= weight * zero
    return total + math.floor(exact + Fraction(1, 2))


@pytest.mark.parametrize("pads", [(0, 0, 0, 0), (1, 0, 2, 1)])
@pytest.mark.parametrize("groups", [1, 2])
def test_sums_with_zeros_and_padding(pads: tuple[int, int, int, int], groups: int) -> None:
    random = np.random.default_rng(3)
    inputs = Bytes(
        0,
        random.uniform(0.1, 2, 4),
        random.normal(size=4) * 300,
        random.integers(0, 256, (4, 6, 7, 2), dtype=np.uint8),
        np.array([255, 255, 4095, 255]),
    )
    kernel = Kernel(random.normal(size=(6, 4 // groups, 3, 2)), (2, 1), pads, (1, 2), groups)
    part = Part.of(inputs, kernel)
    weights = np.rint(part.weights * 1000)
    shape = (6, (6 + pads[0] + pads[2] - 3) // 2 + 1, 7 + pads[1] + pads[3] - 2)
    bias = random.normal(size=6) * 1e5
    whole = whole_bias(bias, [(part, weights)], shape)
    assert whole.ndim == (3 if any(pads) else 1)
    found = products(part, weights, shape)[..., 0] + whole.reshape(6, *(whole.shape[1:] or (1, 1)))
    wanted = [slow_sum(part, weights, bias[p[0]], p) for p in np.ndindex(shape)]
    assert found.ravel().astype(int).tolist() == wanted
    lower, upper = limits(whole, [(part, weights)])
    assert (lower <= found.min(axis=(1, 2))).all()
    assert (upper >= found.max(axis=(1, 2))).all()


def test_a_bias_out_of_all_proportion() -> None:
    with pytest.raises(Unsupported, match="proportion"):
        whole_bias(np.array([1e15]), [], (1, 1, 1))
    with pytest.raises(Unsupported, match="proportion"):
        whole_bias(np.array([math.nan]), [], (1, 1, 1))


def test_simplified_layers_are_few() -> None:
    sketch = Sketch()
    sketch.convolution(3, 4)
    sketch.norm(4)
    sketch.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    sketch.norm(4)
    sketch.add("Relu")
    sketch.add("AveragePool", kernel_shape=[3, 3], strides=[3, 3])
    graph = simplify(translate(read_onnx(sketch.flat(4)), SHAPE, RAW.layout))
    assert graph.layers[graph.output].shape == (5, 1, 1)
    # batch normalization, and the order of maximum and relu, leave no trace (norms are positive)
    assert lookup_kinds(network_of(sketch.file())) == [Activation, Maximum]


@pytest.mark.parametrize(
    ("layer", "kernels"),
    [
        (Maxima((3, 4, 4), 0, (2, 2), (2, 2), (0, 0, 0, 0)), [(2, 2)]),
        (Maxima((3, 4, 4), 0, (3, 3), (2, 2), (1, 1, 1, 1)), [(1, 3), (3, 1)]),
        (Maxima((3, 8, 8), 0, (3, 3), (1, 1), (1, 1, 1, 1)), [(1, 3), (3, 1)]),
        (Maxima((3, 8, 4), 0, (3, 3), (1, 2), (2, 0, 0, 1)), [(1, 3), (3, 1)]),
        (Maxima((3, 4, 8), 0, (3, 3), (2, 1), (1, 2, 0, 0)), [(3, 1), (1, 3)]),
        (Maxima((3, 1, 1), 0, (8, 8), (1, 1), (0, 0, 0, 0)), [(8, 8)]),
        (Maxima((3, 3, 3), 0, (2, 2), (3, 3), (0, 0, 0, 0)), [(2, 2)]),
    ],
)
def test_maxima_in_two_steps_are_the_same(layer: Maxima, kernels: list[tuple[int, int]]) -> None:
    shape, entries = (3, 8, 8), math.prod(layer.shape)
    writer, whole = NodeWriter(), NodeWriter()
    value = writer.maxima(0, shape, layer)
    whole.add(Maximum(0, layer.kernel, layer.stride, layer.pads))
    images = np.random.default_rng(4).integers(0, 256, (5, *shape), dtype=np.uint8)
    found = []
    for one, last in ((writer, value), (whole, 1)):
        one.add(Reshape(last, (entries, 1, 1)))
        found.append(one.network(shape))
    assert [node.kernel for node in found[0].nodes if isinstance(node, Maximum)] == kernels
    assert (trace(found[0], images)[-1] == trace(found[1], images)[-1]).all()
