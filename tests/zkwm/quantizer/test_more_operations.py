"""Operations beyond convolutions and ReLU: orders of axes, borders, products, further functions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from tests.support.small_models import RAW, SHAPE, Sketch, network_of, require_scores, share
from zkwm.quantizer import random_images
from zkwm.quantizer.summary import lookups
from zkwm.suspects.preprocessing import preprocess
from zkwm_protocols.integer_network.evaluate import labels, logits
from zkwm_protocols.integer_network.model import Activation, Convolution
from zkwm_protocols.suspect_identity import Preprocessing

MOSTLY = 0.95
NHWC = Preprocessing("nhwc")
CASES = Path(__file__).parent / "onnx-small"


def error(data: bytes, shape: tuple[int, int, int] = SHAPE) -> float:
    """The median over images of the relative error of all scores, up to one common factor."""
    images = random_images(shape, 100, b"tests, to compare scores")
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    real = session.run(None, {"images": preprocess(images, RAW)})[0].astype(np.float64)
    whole = logits(network_of(data, shape), images).astype(np.float64)
    a, b = (scores - scores.mean(axis=1, keepdims=True) for scores in (real, whole))
    rest = np.linalg.norm(a - (a * b).sum() / (b * b).sum() * b, axis=1)
    return float(np.median(rest / np.linalg.norm(a, axis=1)))


@pytest.mark.parametrize(
    ("operator", "attributes"),
    [
        ("Neg", {}),
        ("Abs", {}),
        ("Exp", {}),
        ("Softplus", {}),
        ("Softsign", {}),
        ("Mish", {}),
        ("Selu", {}),
        ("Celu", {"alpha": 0.5}),
        ("ThresholdedRelu", {"alpha": 0.2}),
    ],
)
def test_functions(operator: str, attributes: dict) -> None:
    sketch = Sketch(opset=22)
    sketch.convolution(3, 6)
    sketch.add(operator, **attributes)
    sketch.convolution(6, 6, pads=[1, 1, 1, 1])
    sketch.add("Relu")
    assert share(sketch.flat(216), kinds=["Activation"]) >= 0.9


def test_square_root_logarithm_and_reciprocal_of_what_is_positive() -> None:
    sketch = Sketch()
    sketch.convolution(3, 6)
    for operator in ("Sqrt", "Log", "Reciprocal"):
        sketch.add("Add", sketch.add("Relu"), sketch.constant(1.0))
        sketch.add(operator)
    sketch.add("Div", sketch.constant(2.0), sketch.add("Add", sketch.last, sketch.constant(4.0)))
    assert share(sketch.flat(216)) >= 0.9


@pytest.mark.parametrize(
    ("low", "high", "nodes"),
    [(0.0, None, 3), (None, None, 2), (-np.inf, np.inf, 2), (0.0, np.inf, 3), (None, 0.3, 3)],
)
def test_clip_with_missing_and_infinite_limits(
    low: float | None, high: float | None, nodes: int
) -> None:
    sketch = Sketch()
    x = sketch.convolution(3, 6)
    sketch.add("Clip", x, *("" if one is None else sketch.constant(one) for one in (low, high)))
    sketch.add("Flatten")
    sketch.dense(216)
    data = sketch.file()
    assert share(data) >= MOSTLY
    kinds = [type(node) for node in network_of(data).nodes]
    assert kinds.count(Activation) == 1


@pytest.mark.parametrize("sizes", [(), (6, 1, 1)])
def test_maximum_and_minimum_with_constants_and_of_tensors(sizes: tuple[int, ...]) -> None:
    sketch = Sketch()
    x = sketch.convolution(3, 6)
    bound = sketch.constant(sketch.random.normal(size=sizes) * 0.2)
    y = sketch.add("Max", x, bound)
    sketch.last = "images"
    z = sketch.add("Min", sketch.convolution(3, 6), sketch.constant(0.5))
    sketch.add("Max", y, z)
    assert share(sketch.flat(216)) >= 0.9


@pytest.mark.parametrize("slopes", [[0.25], [0.25, -0.5, 1.0, 0.0, 0.1, 2.0]])
def test_parametric_relu(slopes: list[float]) -> None:
    sketch = Sketch()
    x = sketch.convolution(3, 6)
    slope = sketch.constant(np.array(slopes).reshape(-1, 1, 1))
    sketch.add("PRelu", x, slope)
    assert share(sketch.flat(216)) >= MOSTLY


def test_sum_of_three_and_a_constant() -> None:
    sketch = Sketch()
    one, two = sketch.convolution(3, 4, pads=[1, 1, 1, 1]), sketch.add("Relu")
    three = sketch.add("Tanh", one)
    sketch.add("Sum", one, two, three, sketch.constant(np.arange(4.0).reshape(4, 1, 1)))
    assert share(sketch.flat(256)) >= MOSTLY


@pytest.mark.parametrize(
    ("kernel", "attributes", "entries"),
    [
        (3, {"pads": [1] * 4}, 64),
        (3, {"pads": [1] * 4, "strides": [2, 2]}, 16),
        (5, {"pads": [2] * 4}, 64),
        (3, {"auto_pad": "SAME_UPPER", "strides": [2, 2]}, 16),
        (3, {"strides": [2, 2], "ceil_mode": 1}, 16),
    ],
)
def test_averages_that_do_not_count_the_padding(
    kernel: int, attributes: dict, entries: int
) -> None:
    sketch = Sketch()
    sketch.convolution(3, 4, pads=[1, 1, 1, 1])
    sketch.add("Tanh")
    sketch.add("AveragePool", kernel_shape=[kernel, kernel], **attributes)
    data = sketch.flat(4 * entries)
    assert share(data) >= MOSTLY
    assert error(data) < 0.05


@pytest.mark.parametrize(
    ("operator", "old", "axes", "keep"),
    [
        ("ReduceMean", False, [2, 3], 0),
        ("ReduceMean", True, [-1, -2], 1),
        ("ReduceMax", True, [2, 3], 0),
        ("ReduceMax", False, [-2, -1], 1),
        ("ReduceSum", False, [2, 3], 0),
        ("ReduceMean", False, [3], 0),
        ("GlobalMaxPool", False, None, 1),
    ],
)
def test_reductions(operator: str, old: bool, axes: list[int] | None, keep: int) -> None:
    sketch = Sketch(opset=12 if old else 20)
    x = sketch.convolution(3, 6)
    if axes is None:
        sketch.add(operator)
    elif old:
        sketch.add(operator, x, axes=axes, keepdims=keep)
    else:
        sketch.add(operator, x, sketch.constant(axes, np.int64), keepdims=keep)
    assert share(sketch.flat(36 if axes == [3] else 6)) >= 0.9


def test_padding_goes_into_the_convolution_and_stands_alone_before_a_maximum() -> None:
    sketch = Sketch()
    pads = sketch.constant([0, 0, 1, 2, 0, 0, 0, 1], np.int64)
    sketch.add("Pad", sketch.last, pads, sketch.constant(0.0))
    sketch.convolution(3, 4)
    data_before = len(sketch.nodes)
    sketch.add("Pad", sketch.last, pads)
    sketch.add("MaxPool", kernel_shape=[2, 2])
    data = sketch.flat(4 * 7 * 11)
    assert data_before == 2
    assert share(data) >= MOSTLY
    first = network_of(data).nodes[0]
    assert isinstance(first, Convolution)
    assert first.pads == (1, 2, 0, 1)


def _shuffled(sketch: Sketch, channels: int, side: int) -> None:
    """Split in two, one half convolved, joined, and the channels shuffled as in ShuffleNet."""
    half = channels // 2
    x = sketch.last
    parts = sketch.constant([half, half], np.int64)
    sketch.add("Split", x, parts, axis=1)
    left = sketch.last
    sketch.nodes[-1].output.append(f"{left}b")
    sketch.last = f"{left}b"
    right = sketch.add("Relu", sketch.convolution(half, half, 1))
    sketch.add("Concat", left, right, axis=1)
    sketch.add("Reshape", sketch.last, sketch.constant([-1, 2, half, side, side], np.int64))
    sketch.add("Transpose", perm=[0, 2, 1, 3, 4])
    sketch.add("Reshape", sketch.last, sketch.constant([-1, channels, side, side], np.int64))


def test_channels_that_are_split_and_shuffled_cost_no_lookup() -> None:
    sketch = Sketch()
    sketch.convolution(3, 8)
    sketch.add("Relu")
    _shuffled(sketch, 8, 6)
    _shuffled(sketch, 8, 6)
    data = sketch.flat(288)
    assert share(data) >= MOSTLY
    assert sum(isinstance(node, Activation) for node in network_of(data).nodes) == 3


def test_slices_of_channels_and_pixels() -> None:
    sketch = Sketch()
    x = sketch.convolution(3, 6, pads=[1, 1, 1, 1])
    numbers = ([2, 1, -6], [6, 8, 1 << 40], [1, 2, 3], [1, 2, 1])
    sketch.add("Slice", x, *(sketch.constant(one, np.int64) for one in numbers))
    sketch.add("Relu")
    sketch.add("MaxPool", kernel_shape=[2, 2])
    data = sketch.flat(4 * 3 * 5)
    assert share(data, kinds=["Maximum"]) >= MOSTLY


@pytest.mark.parametrize("way", ["dense", "mean", "joined"])
def test_channels_last_as_keras_models_are_exported(way: str) -> None:
    """Transposes at both ends, biases and products in either order, Pad before a stride of 2."""
    sketch = Sketch((3, 8, 8), layout="nhwc")
    sketch.add("Sub", "images", sketch.constant([[[[0.4, 0.5, 0.3]]]]))
    sketch.add("Pad", sketch.last, sketch.constant([0, 0, 0, 0, 0, 1, 1, 0], np.int64))
    sketch.add("Transpose", perm=[0, 3, 1, 2])
    sketch.convolution(3, 6, strides=[2, 2])
    sketch.add("Transpose", perm=[0, 2, 3, 1])
    x = sketch.add("Relu", sketch.add("Add", sketch.last, sketch.constant(np.arange(6.0) * 0.1)))
    entries = 96
    if way == "mean":
        sketch.add("ReduceMean", x, sketch.constant([1, 2], np.int64), keepdims=0)
        entries = 6
    elif way == "joined":
        x = sketch.add("Concat", x, sketch.add("Tanh"), axis=3)
        y = sketch.add("Mul", x, sketch.constant(0.5))
        sketch.add("Add", sketch.add("Abs", x), y)
        entries = 192
    sketch.add("Reshape", sketch.last, sketch.constant([-1, entries], np.int64))
    sketch.add("MatMul", sketch.last, sketch.weights(entries, 5))
    sketch.add("Add", sketch.last, sketch.constant(np.linspace(-0.2, 0.2, 5)))
    sketch.add("Softmax")
    data = sketch.file()
    assert share(data, (3, 8, 8), NHWC) >= 0.9
    kinds = [type(node) for node in network_of(data, (3, 8, 8), NHWC).nodes]
    assert kinds.count(Activation) == (3 if way == "joined" else 1)


def _squeeze_and_excite(sketch: Sketch, channels: int) -> None:
    x = sketch.last
    sketch.add("GlobalAveragePool")
    sketch.convolution(channels, 4, 1)
    sketch.add("Relu")
    sketch.convolution(4, channels, 1)
    sketch.add("Mul", x, sketch.add("HardSigmoid"))


def test_squeeze_and_excite() -> None:
    """The product costs four lookups an entry and little precision."""
    plain, gated = Sketch(), Sketch()
    for sketch in (plain, gated):
        for channels in (3, 8, 8):
            sketch.convolution(channels, 8, pads=[1, 1, 1, 1])
            sketch.add("HardSwish")
            if sketch is gated:
                _squeeze_and_excite(sketch, 8)
    without, data = plain.flat(512), gated.flat(512)
    assert share(data) >= 0.9
    assert error(data) < 0.05
    more = lookups(network_of(data)) - lookups(network_of(without))
    assert more < 3 * (4 * 512 + 200)


def test_squeeze_and_excite_with_channels_last() -> None:
    sketch = Sketch((3, 8, 8), layout="nhwc")
    sketch.add("Transpose", perm=[0, 3, 1, 2])
    sketch.convolution(3, 6, pads=[1, 1, 1, 1])
    sketch.add("Transpose", perm=[0, 2, 3, 1])
    x = sketch.add("Relu")
    sketch.add("ReduceMean", x, sketch.constant([1, 2], np.int64), keepdims=1)
    sketch.add("Transpose", perm=[0, 3, 1, 2])
    sketch.convolution(6, 6, 1)
    sketch.add("Transpose", perm=[0, 2, 3, 1])
    sketch.add("Mul", x, sketch.add("Sigmoid"))
    assert share(sketch.flat(384), (3, 8, 8), NHWC) >= 0.9


def test_product_of_signed_tensors_of_one_size() -> None:
    sketch = Sketch()
    x = sketch.convolution(3, 6)
    sketch.last = "images"
    sketch.add("Mul", x, sketch.convolution(3, 6))
    data = sketch.flat(216)
    assert share(data) >= MOSTLY
    assert error(data) < 0.05


def test_a_keras_model_that_tf2onnx_exported() -> None:
    """Strided, depthwise, squeeze-and-excite, SAME average, concatenation, Flatten of nhwc."""
    shape = (3, 16, 16)
    data = (CASES.parent / "tf2onnx-keras.onnx").read_bytes()
    require_scores(data, shape, NHWC)
    images = random_images(shape, 200, b"tests, to compare")
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    real = session.run(None, {"images": preprocess(images, NHWC)})[0].argmax(axis=1)
    assert (labels(network_of(data, shape, NHWC), images) == real).mean() >= 0.9


def test_functions_of_like_ranges_share_a_table() -> None:
    sketch = Sketch()
    for channels in (3, 6, 6, 6, 6, 6):
        sketch.convolution(channels, 6, pads=[1, 1, 1, 1])
        sketch.add("HardSwish")
        sketch.add("Tanh")
    data = sketch.flat(384)
    network = network_of(data)
    assert sum(isinstance(node, Activation) for node in network.nodes) == 6
    assert len(network.tables) < 6


@pytest.mark.parametrize("file", sorted(CASES.glob("*.onnx")), ids=lambda file: file.stem)
def test_small_files_of_other_tools(file: Path) -> None:
    """Files of a few nodes as exporters write them, each refused once."""
    shape = (1, 8, 8)
    data = file.read_bytes()
    images = random_images(shape, 200, b"tests, to compare")
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    real = [session.run(None, {"x": image[None]})[0].argmax() for image in preprocess(images, RAW)]
    assert (labels(network_of(data, shape), images) == np.array(real)).mean() >= 0.9


def test_an_axis_more_than_images_have_and_back() -> None:
    """Seed 3178 of the random graphs: such a view was looked at without end."""
    sketch = Sketch(opset=12)
    sketch.convolution(3, 6)
    sketch.add("GlobalAveragePool")
    sketch.add("Unsqueeze", axes=[2])
    sketch.add("Squeeze", axes=[2])
    assert share(sketch.flat(6)) >= 0.9
