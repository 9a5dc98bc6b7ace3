"""Layers in double precision give the scores of ONNX Runtime, and those of plain loops."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from tests.support.small_models import RAW, Sketch
from zkwm.quantizer import expressions, random_images
from zkwm.quantizer.expressions import Expression, X
from zkwm.quantizer.onnx_file import read_onnx
from zkwm.quantizer.real_network import FUNCTIONS, LAST, real_logits, real_scores, values_at
from zkwm.quantizer.simplify import simplify
from zkwm.quantizer.translate import translate
from zkwm.suspects.preprocessing import preprocess

SHAPE = (3, 12, 10)


def every_kind() -> Sketch:
    """A classifier with every kind of layer."""
    sketch = Sketch(SHAPE)
    one = sketch.convolution(3, 4, pads=[1, 0, 2, 1], strides=[2, 1], dilations=[1, 2])
    sketch.add("Relu")
    two = sketch.add("Tanh", one)
    sketch.add("Concat", sketch.last, two, axis=1)
    sketch.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2], pads=[1, 0, 0, 1])
    wide = sketch.convolution(8, 8, 1, group=4)
    sketch.add("Add", wide, sketch.add("Erf"))
    sketch.add("Reshape", sketch.last, sketch.constant([-1, 4, 4, 8], np.int64))
    sketch.add("GlobalAveragePool")
    return sketch


def onnx_scores(data: bytes, inputs: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return session.run(None, {"images": inputs})[0]


@pytest.mark.parametrize("ending", [(), ("Softmax",), ("LogSoftmax", "Softmax"), ("Sigmoid",)])
def test_scores_are_those_of_the_file(ending: tuple[str, ...]) -> None:
    sketch = every_kind()
    sketch.flat(4)
    for operator in ending:
        sketch.add(operator)
    data = sketch.file()
    inputs = preprocess(random_images(SHAPE, 40, b"real scores"), RAW)
    layers = translate(read_onnx(data), SHAPE, "nchw")
    assert layers.last == tuple(operator.lower() for operator in ending)
    wanted = onnx_scores(data, inputs)
    for made in (layers, simplify(layers)):
        found = real_scores(made, inputs.astype(np.float64))
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
        assert found.shape == real_logits(made, inputs.astype(np.float64)).shape == (40, 5)


def test_functions_are_those_of_the_decimals() -> None:
    points = np.array([-30.0, -4.5, -1.0, -1e-6, 0.0, 0.3, 2.0, 5.5, 30.0])
    assert set(FUNCTIONS) == set(expressions.KINDS)
    for kind in FUNCTIONS:
        parameters: tuple[float, ...] = (-0.5, 0.75)[: expressions.KINDS[kind]]
        if kind == "rounded":
            parameters = (0.25, -9.0, 12.0)
        expression = Expression(kind, parameters, (X,))
        wanted = expressions.evaluate(expression, points)
        with np.errstate(all="ignore"):
            found = values_at(expression, points)
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-13)


def test_what_is_left_out_at_the_end() -> None:
    scores = np.array([[1.0, 2.0, -800.0], [900.0, 0.0, 0.0]])
    for name, function in LAST.items():
        assert np.isfinite(function(scores)).all(), name
    np.testing.assert_allclose(LAST["softmax"](scores).sum(axis=1), 1.0)
