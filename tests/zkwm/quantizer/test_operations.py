"""Each ONNX operation: the integer network nearly always gives ONNX Runtime's label."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.small_models import SHAPE, Sketch, lookup_kinds, network_of, share
from zkwm_protocols.integer_network.model import (
    Activation,
    Concatenation,
    Convolution,
    Maximum,
)
from zkwm_protocols.suspect_identity import Preprocessing

MOSTLY = 0.95


@pytest.mark.parametrize(
    ("attributes", "side", "entries"),
    [
        ({}, 3, 36),
        ({"pads": [1, 1, 1, 1]}, 3, 64),
        ({"pads": [0, 1, 2, 0], "strides": [2, 1]}, 3, 28),
        ({"auto_pad": "SAME_UPPER", "strides": [2, 2]}, 3, 16),
        ({"auto_pad": "SAME_LOWER", "strides": [2, 2]}, 3, 16),
        ({"auto_pad": "VALID"}, 5, 16),
        ({"dilations": [2, 1], "pads": [1, 1, 1, 1]}, 3, 48),
        ({"group": 3, "pads": [1, 1, 1, 1]}, 3, 64),
    ],
)
def test_convolution(attributes: dict, side: int, entries: int) -> None:
    sketch = Sketch()
    sketch.convolution(3, 6, side, **attributes)
    sketch.add("Relu")
    assert share(sketch.flat(6 * entries)) >= MOSTLY


def test_dense_as_matmul_and_add() -> None:
    sketch = Sketch()
    sketch.add("Flatten")
    sketch.add("MatMul", sketch.last, sketch.weights(192, 20))
    sketch.add("Add", sketch.constant(np.linspace(-0.2, 0.2, 20)), sketch.last)
    sketch.add("Relu")
    sketch.dense(20)
    sketch.add("Softmax", axis=-1)
    data = sketch.file()
    assert share(data) >= MOSTLY
    assert lookup_kinds(network_of(data)) == [Activation]


@pytest.mark.parametrize("before", [True, False])
def test_batch_normalization_leaves_no_node(before: bool) -> None:
    sketch = Sketch()
    if before:
        sketch.norm(3)
    sketch.convolution(3, 4, pads=[1, 1, 1, 1])
    if not before:
        sketch.norm(4)
    sketch.add("Relu")
    data = sketch.flat(256)
    assert share(data) >= MOSTLY
    assert lookup_kinds(network_of(data)) == [Activation]


def test_batch_normalization_between_activation_and_padded_convolution() -> None:
    sketch = Sketch()
    sketch.convolution(3, 4)
    sketch.add("Relu")
    sketch.norm(4)
    sketch.convolution(4, 4, pads=[1, 1, 1, 1])
    sketch.add("Relu")
    data = sketch.flat(144)
    assert share(data) >= MOSTLY
    network = network_of(data)
    assert lookup_kinds(network) == [Activation, Activation]
    biases = [node.bias.shape for node in network.nodes if isinstance(node, Convolution)]
    assert (4, 6, 6) in biases


@pytest.mark.parametrize(
    ("operator", "attributes"),
    [
        ("Relu", {}),
        ("LeakyRelu", {"alpha": 0.2}),
        ("LeakyRelu", {}),
        ("Sigmoid", {}),
        ("Tanh", {}),
        ("Elu", {"alpha": 0.7}),
        ("HardSigmoid", {}),
        ("HardSwish", {}),
        ("Gelu", {}),
        ("Gelu", {"approximate": "tanh"}),
        ("Erf", {}),
    ],
)
def test_functions(operator: str, attributes: dict) -> None:
    sketch = Sketch()
    sketch.convolution(3, 6)
    sketch.add(operator, **attributes)
    sketch.convolution(6, 6, pads=[1, 1, 1, 1])
    sketch.add(operator, **attributes)
    assert share(sketch.flat(216), kinds=["Activation"]) >= MOSTLY


@pytest.mark.parametrize("limits", [(0.0, 6.0), (0.0, 0.5), (-1.0, 1.0), (0.1, 0.9)])
def test_clip_is_the_plain_table(limits: tuple[float, float]) -> None:
    sketch = Sketch()
    sketch.convolution(3, 6)
    sketch.add("Clip", sketch.last, *(sketch.constant(limit) for limit in limits))
    data = sketch.flat(216)
    assert share(data) >= MOSTLY
    tables = network_of(data).tables
    arguments = np.arange(tables[0].first, tables[0].last + 1)
    entries = tables[0].values.astype(int)
    if len(tables) > 1:  # the digits of fine values
        entries = 16 * entries + tables[1].values
    assert np.array_equal(entries, np.clip(arguments, 0, entries.max()))
    assert entries.max() in (255, 1023, 4095)


def test_functions_in_parts_become_one_table() -> None:
    """SiLU, hard swish and GELU as exporters write them."""
    sketch = Sketch()
    x = sketch.convolution(3, 6)
    sketch.add("Mul", x, sketch.add("Sigmoid"))
    y = sketch.convolution(6, 6)
    three, six = sketch.constant(3.0), sketch.constant(6.0)
    sketch.add("Clip", sketch.add("Add", y, three), sketch.constant(0.0), six)
    sketch.add("Div", sketch.add("Mul", y, sketch.last), six)
    z = sketch.convolution(6, 6)
    sketch.add("Erf", sketch.add("Div", z, sketch.constant(np.sqrt(2))))
    sketch.add("Mul", z, sketch.add("Add", sketch.last, sketch.constant(1.0)))
    sketch.add("Mul", sketch.last, sketch.constant(0.5))
    data = sketch.flat(24)
    assert share(data) >= MOSTLY
    network = network_of(data)
    assert sum(isinstance(node, Activation) for node in network.nodes) == 3
    assert len(network.tables) == 3


@pytest.mark.parametrize("after", [True, False])
def test_maximum_pool_is_of_bytes(after: bool) -> None:
    sketch = Sketch()
    sketch.convolution(3, 4, pads=[1, 1, 1, 1])
    steps = ["Relu", "MaxPool"] if after else ["MaxPool", "Relu"]
    for step in steps:
        pool = {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 1, 0]}
        sketch.add(step, **(pool if step == "MaxPool" else {}))
    data = sketch.flat(64)
    assert share(data) >= MOSTLY
    # across, then down: 64 lookups of an image instead of 80
    assert lookup_kinds(network_of(data)) == [Activation, Maximum, Maximum]


def test_maximum_pool_of_what_is_not_bytes_and_of_a_falling_scale() -> None:
    sketch = Sketch()
    sketch.convolution(3, 4)
    sketch.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    sketch.add("Mul", sketch.last, sketch.constant(np.array([1, -1, 2, -2]).reshape(4, 1, 1)))
    sketch.add("MaxPool", kernel_shape=[2, 2])
    assert share(sketch.flat(16), kinds=["Maximum"]) >= 0.9


def test_maximum_pool_with_ceil_mode() -> None:
    sketch = Sketch((1, 7, 7))
    sketch.convolution(1, 4, pads=[1, 1, 1, 1])
    sketch.add("Relu")
    sketch.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    assert share(sketch.flat(64), (1, 7, 7)) >= MOSTLY


@pytest.mark.parametrize(
    ("operator", "attributes", "entries"),
    [
        ("AveragePool", {"kernel_shape": [2, 2], "strides": [2, 2]}, 16),
        ("AveragePool", {"kernel_shape": [3, 3], "strides": [2, 2]}, 9),
        ("AveragePool", {"kernel_shape": [3, 3], "pads": [1] * 4, "count_include_pad": 1}, 64),
        ("GlobalAveragePool", {}, 1),
    ],
)
def test_averages(operator: str, attributes: dict, entries: int) -> None:
    sketch = Sketch()
    sketch.convolution(3, 6, pads=[1, 1, 1, 1])
    sketch.add("Tanh")
    sketch.add(operator, **attributes)
    assert share(sketch.flat(6 * entries)) >= MOSTLY


def test_an_average_before_a_convolution_costs_no_look_up() -> None:
    sketch = Sketch((1, 13, 13))
    sketch.convolution(1, 4)
    sketch.add("Sigmoid")
    sketch.add("AveragePool", kernel_shape=[2, 2], strides=[2, 2])
    sketch.convolution(4, 4, dilations=[2, 1])
    sketch.add("Relu")
    sketch.add("ReduceMean", sketch.last, sketch.constant([2, 3], np.int64), keepdims=0)
    sketch.dense(4)
    data = sketch.file()
    assert share(data, (1, 13, 13)) >= 0.9
    assert lookup_kinds(network_of(data, (1, 13, 13))) == [Activation, Activation]


@pytest.mark.parametrize("projected", [True, False])
def test_residual_sums(projected: bool) -> None:
    sketch = Sketch()
    sketch.convolution(3, 4, pads=[1, 1, 1, 1])
    x = sketch.add("Relu")
    sketch.convolution(4, 4, pads=[1, 1, 1, 1])
    branch = sketch.norm(4)
    if projected:
        sketch.last = x
        x = sketch.convolution(4, 4, 1)
    sketch.add("Add", branch, x)
    sketch.add("Relu")
    data = sketch.flat(256)
    assert share(data, kinds=["Sum"]) >= MOSTLY
    assert lookup_kinds(network_of(data)) == [Activation, Activation]


def test_sums_of_linear_bottlenecks() -> None:
    sketch = Sketch()
    x = sketch.convolution(3, 4, pads=[1, 1, 1, 1])
    sketch.convolution(4, 8, 1)
    sketch.add("Relu")
    sketch.add("Sub", x, sketch.convolution(8, 4, 1))
    sketch.add("Relu")
    assert share(sketch.flat(256), kinds=["Sum"]) >= 0.9


def test_concatenation() -> None:
    sketch = Sketch()
    one = sketch.convolution(3, 3)
    relu = sketch.add("Relu")
    sketch.last = "images"
    two = sketch.convolution(3, 3)
    sketch.add("Concat", relu, sketch.add("Tanh", two), one, axis=1)
    data = sketch.flat(9 * 36)
    assert share(data) >= MOSTLY
    assert any(isinstance(node, Concatenation) for node in network_of(data).nodes)


@pytest.mark.parametrize("way", ["Reshape", "Squeeze", "shapes", "old"])
def test_ways_to_flatten(way: str) -> None:
    sketch = Sketch(opset=12 if way == "old" else 20)
    sketch.convolution(3, 6, 8 if way in ("Squeeze", "old") else 3)
    flat = sketch.add("Relu")
    entries = 6 if way in ("Squeeze", "old") else 216
    if way == "Reshape":
        sketch.add("Reshape", flat, sketch.constant([-1, entries], np.int64))
    elif way == "Squeeze":
        sketch.add("Squeeze", flat, sketch.constant([2, 3], np.int64))
    elif way == "old":
        sketch.add("Squeeze", flat, axes=[-1, -2])
    else:
        shape = sketch.add("Shape", flat)
        first = sketch.add("Gather", shape, sketch.constant(0, np.int64), axis=0)
        axes = sketch.constant([0], np.int64)
        both = sketch.add("Concat", sketch.add("Unsqueeze", first, axes),
                          sketch.constant([-1], np.int64), axis=0)  # fmt: skip
        sketch.add("Reshape", flat, both)
    sketch.add("Dropout")
    sketch.add("Identity")
    sketch.dense(entries)
    assert share(sketch.file()) >= MOSTLY


def test_channels_last_and_normalization_outside() -> None:
    outside = Preprocessing("nhwc", "unit", ("0.4", "0.5", "0.3"), ("0.2", "0.25", "0.3"))
    sketch = Sketch((3, 8, 8), layout="nhwc")
    sketch.add("Mul", "images", sketch.constant([0.5, 1.0, 2.0]))
    sketch.add("Transpose", perm=[0, 3, 1, 2])
    sketch.convolution(3, 6, pads=[1, 1, 1, 1])
    sketch.add("Relu")
    assert share(sketch.flat(384), (3, 8, 8), outside) >= MOSTLY


def test_raw_pixels_normalized_inside() -> None:
    raw = Preprocessing(scale="raw")
    sketch = Sketch()
    sketch.add("Div", "images", sketch.constant(255.0))
    sketch.add("Sub", sketch.last, sketch.constant(np.array([0.3, 0.6, 0.5]).reshape(1, 3, 1, 1)))
    sketch.add("Div", sketch.last, sketch.constant(np.array([0.3, 0.2, 0.1]).reshape(1, 3, 1, 1)))
    sketch.convolution(3, 6, pads=[1, 1, 1, 1])
    sketch.add("Relu")
    data = sketch.flat(384)
    assert share(data, SHAPE, raw) >= MOSTLY
    assert lookup_kinds(network_of(data, SHAPE, raw)) == [Activation]


def test_a_channel_that_never_fires_does_no_harm() -> None:
    sketch = Sketch()
    weights = sketch.random.normal(size=(6, 3, 3, 3)) * 0.4
    bias = np.array([0.0, 0.1, -100.0, 0.0, 0.0, 0.0])
    weights[3] = 0
    sketch.add("Conv", sketch.last, sketch.constant(weights), sketch.constant(bias))
    sketch.add("Relu")
    assert share(sketch.flat(216)) >= MOSTLY
