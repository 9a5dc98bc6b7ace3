"""Int8 graphs: rounding between QuantizeLinear and DequantizeLinear, as ONNX Runtime does it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from tests.support.small_models import SHAPE, Sketch, network_of
from zkwm.quantizer import random_images
from zkwm.quantizer.layers import Function, Layers
from zkwm.quantizer.network_agreement import score_errors
from zkwm.quantizer.onnx_file import read_onnx
from zkwm.quantizer.real_network import real_scores
from zkwm.quantizer.simplify import simplify
from zkwm.quantizer.translate import translate
from zkwm.suspects.onnx_worker import open_session
from zkwm_protocols.errors import Unsupported
from zkwm_protocols.integer_network.evaluate import logits, trace
from zkwm_protocols.integer_network.model import Activation


def scores_of(data: bytes, inputs: np.ndarray) -> np.ndarray:
    """The scores of a suspect's session for float32 inputs, each asked alone."""
    session = open_session(data)
    return np.concatenate([session.run(None, {"images": one[None]})[0] for one in inputs])


def layers_of(data: bytes) -> Layers:
    return simplify(translate(read_onnx(data), SHAPE, "nchw"))


def error(data: bytes, count: int = 100, *, share: float = 1.0) -> float:
    """The largest difference between ONNX Runtime and the layers read, relative to the scores.

    Of the ``share`` of images that differ least: a sum that single precision rounds to the other
    neighbor moves the scores of one image.
    """
    inputs = random_images(SHAPE, count, b"tests, rounding").astype(np.float32) / np.float32(255)
    wanted = scores_of(data, inputs)
    off = np.abs(real_scores(layers_of(data), inputs) - wanted).max(axis=1)
    return float(np.quantile(off, share, method="lower") / np.abs(wanted).max())


def rounded(
    sketch: Sketch, scale: Any, zero: int, kind: Any = np.uint8, *, dequantize: Any = None
) -> None:
    """A QuantizeLinear and a DequantizeLinear of what was made last."""
    facts = sketch.constant(scale), sketch.constant(zero, kind)
    sketch.add("QuantizeLinear", sketch.last, *facts)
    again = facts if dequantize is None else (sketch.constant(dequantize[0]), facts[1])
    sketch.add("DequantizeLinear", sketch.last, *again)


@pytest.mark.parametrize(
    ("kind", "zero"),
    [(np.uint8, 0), (np.uint8, 128), (np.int8, -128), (np.int8, 3), (np.uint16, 30_000),
     (np.int16, 0)],
)  # fmt: skip
def test_rounding_is_read_exactly(kind: Any, zero: int) -> None:
    sketch = Sketch(opset=21)
    sketch.convolution(3, 6, pads=[1, 1, 1, 1])
    rounded(sketch, 0.031 if np.dtype(kind).itemsize == 1 else 0.0003, zero, kind)
    sketch.add("Relu")
    rounded(sketch, 0.017, zero, kind)
    data = sketch.flat(6 * 64)
    assert error(data) < 1e-6
    functions = [one for one in layers_of(data).layers if isinstance(one, Function)]
    assert {one.expression.kind for one in functions} == {"rounded"}


def test_rounded_again_to_the_same_levels_is_rounded_once() -> None:
    """Maxima and reshapes of rounded entries, and a ReLU of them, are quantized again."""
    sketch = Sketch()
    sketch.convolution(3, 6, pads=[1, 1, 1, 1])
    rounded(sketch, 0.05, 3)
    sketch.add("Relu")
    rounded(sketch, 0.05, 3)
    sketch.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    rounded(sketch, 0.05, 3)
    sketch.add("Flatten")
    rounded(sketch, 0.05, 3)
    sketch.dense(96)
    data = sketch.file()
    assert error(data) < 1e-6
    (function,) = [one for one in layers_of(data).layers if isinstance(one, Function)]
    assert function.expression.parameters[1:] == (0.0, 252.0)


@pytest.mark.parametrize("between", [None, "MaxPool", "LeakyRelu"])
def test_two_scales_round_twice(between: str | None) -> None:
    """Half of the multiples of 0.05 are ties of 0.1: single precision decides, as in the file.

    ONNX Runtime's optimizer would make one rounding of the first two, and scores move by 15 %.
    """
    sketch = Sketch()
    sketch.convolution(3, 6, pads=[1, 1, 1, 1])
    rounded(sketch, 0.05, 128)
    if between:
        sketch.add(between, **({"kernel_shape": [1, 1]} if between == "MaxPool" else {}))
    rounded(sketch, 0.1, 128)
    assert error(sketch.flat(384)) < 1e-6


def test_float_weights_between_rounded_tensors_stay_floats() -> None:
    """ONNX Runtime's optimizer would quantize them by itself."""
    sketch = Sketch()
    rounded(sketch, 1 / 255, 0)
    sketch.convolution(3, 6, pads=[1, 1, 1, 1])
    rounded(sketch, 0.05, 128)
    assert error(sketch.flat(384)) < 1e-6


def test_the_file_s_levels_are_the_bytes_of_the_integer_network() -> None:
    """The pixels' own levels, and sums whose weights are whole numbers of a quarter level."""
    sketch = Sketch()
    rounded(sketch, np.float32(1 / 255), 0)
    whole = np.random.default_rng(3).integers(-96, 97, (4, 3, 3, 3))
    sketch.add("Conv", sketch.last, sketch.constant(whole / 128), pads=[1, 1, 1, 1])
    rounded(sketch, np.float32(2 / 255), 64)
    levels = sketch.last
    data = sketch.flat(4 * 64)
    images = random_images(SHAPE, 50, b"tests, levels")
    graph = onnx.load_model_from_string(data)
    graph.graph.output.append(onnx.helper.make_tensor_value_info(levels, 1, None))
    session = open_session(graph.SerializeToString())
    inputs = images.astype(np.float32) / np.float32(255)
    wanted = np.rint(session.run([levels], {"images": inputs})[0] / np.float32(2 / 255)) + 64
    network = network_of(data)
    values = trace(network, images)
    last = max(n for n, node in enumerate(network.nodes, 1) if isinstance(node, Activation))
    off = np.abs(values[last].transpose(3, 0, 1, 2).astype(np.int64) - wanted)
    assert (off == 0).mean() > 0.99


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("kind", ["QUInt8", "QInt8"])
def test_static_quantization_by_onnx_runtime(tmp_path: Path, per_channel: bool, kind: str) -> None:
    """Float weights, then ``quantize_static``: read exactly, and the integer network keeps it."""
    sketch = Sketch()
    sketch.convolution(3, 8, pads=[1, 1, 1, 1])
    sketch.add("Relu")
    sketch.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    sketch.convolution(8, 16, pads=[1, 1, 1, 1])
    sketch.add("Relu")
    (tmp_path / "float.onnx").write_bytes(sketch.flat(256))
    images = random_images(SHAPE, 120, b"tests, static")
    inputs = images.astype(np.float32) / np.float32(255)

    class Reader(CalibrationDataReader):
        rows: Iterator[dict[str, np.ndarray]] = iter([{"images": one[None]} for one in inputs[:40]])

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.rows, None)

    quantize_static(
        str(tmp_path / "float.onnx"), str(tmp_path / "int8.onnx"), Reader(),
        quant_format=QuantFormat.QDQ, activation_type=getattr(QuantType, kind),
        weight_type=QuantType.QInt8, per_channel=per_channel,
    )  # fmt: skip
    data = (tmp_path / "int8.onnx").read_bytes()
    assert error(data) < 1e-3
    real = real_scores(layers_of(data), inputs)
    errors = score_errors(real, logits(network_of(data), images).astype(np.float64))
    assert np.quantile(errors, 0.95) < 0.15


@pytest.mark.parametrize("axis", [None, 0])
def test_weights_that_the_file_rounds_itself(axis: int | None) -> None:
    """Fake-quantized exports keep float weights and round them in the graph, by channel too."""
    sketch = Sketch()
    weights = sketch.weights(6, 3, 3, 3)
    per = 1 if axis is None else 6
    scales = np.linspace(0.01, 0.02, per, dtype=np.float32)
    facts = (
        sketch.constant(scales[0] if axis is None else scales),
        sketch.constant(np.zeros(per, np.int8)[0] if axis is None else np.zeros(per), np.int8),
    )
    options = {} if axis is None else {"axis": axis}
    sketch.add("QuantizeLinear", weights, *facts, **options)
    kernel = sketch.add("DequantizeLinear", sketch.last, *facts, **options)
    sketch.add("Conv", "images", kernel, pads=[1, 1, 1, 1])
    assert error(sketch.flat(6 * 64)) < 1e-6


def stored_weights(opset: int, axis: int | None) -> bytes:
    """Weights and bias as integers of 8 and 32 bits, activations rounded, as exporters do."""
    sketch = Sketch(opset=opset)
    rounded(sketch, 1 / 255, 0)
    random = np.random.default_rng(0)
    per = 1 if axis is None else 6
    scales = np.linspace(0.0113, 0.0197, per, dtype=np.float32)
    facts = (
        sketch.constant(scales[0] if axis is None else scales),
        sketch.constant(np.zeros(per, np.int8)[0] if axis is None else np.zeros(per), np.int8),
    )
    options = {} if axis is None else {"axis": axis}
    image = sketch.last
    levels = sketch.constant(random.integers(-127, 128, (6, 3, 3, 3)), np.int8)
    kernel = sketch.add("DequantizeLinear", levels, *facts, **options)
    numbers = sketch.constant(random.integers(-900, 900, 6), np.int32)
    bias = sketch.add("DequantizeLinear", numbers, sketch.constant(scales[0] / 255))
    sketch.add("Conv", image, kernel, bias, pads=[1, 1, 1, 1])
    rounded(sketch, 0.0317, 128)
    return sketch.flat(6 * 64)


@pytest.mark.parametrize("opset", [10, 12, 13, 17, 18, 19, 21, 23])
def test_stored_integers_are_read_in_every_opset(opset: int) -> None:
    """Onnx's own reference knows DequantizeLinear from opset 19 only; exporters use 10 to 18."""
    assert error(stored_weights(opset, None), share=0.9) < 1e-6
    if opset >= 13:
        assert error(stored_weights(opset, 0), share=0.9) < 1e-6
        return
    with pytest.raises(Unsupported):
        layers_of(stored_weights(opset, 0))


def test_a_reciprocal_of_rounded_entries_needs_bounds_away_from_zero() -> None:
    for offset, is_read in ((0.0, False), (1.0, True)):
        sketch = Sketch()
        sketch.add("Relu")
        rounded(sketch, 0.01, 0)
        sketch.add("Add", sketch.last, sketch.constant(offset))
        sketch.add("Reciprocal")
        data = sketch.flat(192)
        if is_read:
            assert error(data) < 1e-5
            continue
        with pytest.raises(Unsupported):
            layers_of(data)


def read_by_another(sketch: Sketch) -> None:
    facts = sketch.constant(0.1), sketch.constant(0, np.uint8)
    sketch.add("QuantizeLinear", sketch.last, *facts)
    sketch.add("Flatten", sketch.last, name="culprit")


def at_the_end(sketch: Sketch) -> None:
    sketch.add("Flatten")
    sketch.dense(192)
    facts = sketch.constant(0.1), sketch.constant(0, np.uint8)
    sketch.add("QuantizeLinear", sketch.last, *facts, name="culprit")


@pytest.mark.parametrize(
    "build",
    [
        read_by_another,
        at_the_end,
        lambda s: rounded(s, 0.1, 0, dequantize=(0.2,)),
        lambda s: rounded(s, [0.1, 0.2, 0.3], 0),
        lambda s: rounded(s, -0.1, 0),
        lambda s: rounded(s, np.float64(0.1), 0, np.int32),
    ],
    ids=["another reader", "at the end", "other scale", "by channel", "negative", "int32"],
)
def test_other_forms_are_refused_by_name(build: Callable[[Sketch], None]) -> None:
    sketch = Sketch()
    build(sketch)
    data = sketch.file() if build is at_the_end else sketch.flat(192)
    with pytest.raises(Unsupported):
        layers_of(data)
