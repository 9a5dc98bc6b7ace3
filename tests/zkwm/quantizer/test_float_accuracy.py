"""Reciprocals, logarithms and roots of what float32 rounds near zero are refused by name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.support.small_models import RAW, SHAPE, Sketch
from tests.zkwm.quantizer.test_differential import runtime_scores
from zkwm.quantizer.expressions import KINDS, Expression, X, apply, constant, evaluate
from zkwm.quantizer.float_accuracy import bounds
from zkwm.quantizer.onnx_file import read_onnx
from zkwm.quantizer.real_network import real_scores
from zkwm.quantizer.simplify import simplify
from zkwm.quantizer.translate import translate
from zkwm_protocols.errors import Unsupported

Build = Callable[[Sketch, str], None]


def through(*operators: str) -> Build:
    """The operators one after the other."""

    def build(sketch: Sketch, x: str) -> None:
        for operator in operators:
            sketch.add(operator)

    return build


def quotient(sketch: Sketch, x: str) -> None:
    sketch.add("Div", x, sketch.add("Sigmoid"))


def through_a_layer(sketch: Sketch, x: str) -> None:
    sketch.add("Sigmoid")
    sketch.convolution(6, 6, 1)
    sketch.add("Reciprocal")


def through_maxima(sketch: Sketch, x: str) -> None:
    sketch.add("Sigmoid")
    sketch.add("MaxPool", kernel_shape=[1, 1])
    sketch.add("Div", sketch.constant(2.0), sketch.last)


def complement(sketch: Sketch, x: str) -> None:
    sketch.add("Sub", sketch.constant(1.0), sketch.add("Tanh"))
    sketch.add("Pow", sketch.last, sketch.constant(-1.0))


REFUSED = {
    "a reciprocal": through("Sigmoid", "Reciprocal"),
    "a logarithm": through("Sigmoid", "Log"),
    "a root": through("Sigmoid", "Sqrt"),
    "of an exponential": through("Exp", "Reciprocal"),
    "of a softplus": through("Softplus", "Log"),
    "a quotient": quotient,
    "through a layer": through_a_layer,
    "through maxima": through_maxima,
    "of a difference": complement,
}


@pytest.mark.parametrize("build", REFUSED.values(), ids=REFUSED)
def test_refused_by_name(build: Build) -> None:
    sketch = Sketch()
    build(sketch, sketch.convolution(3, 6))
    with pytest.raises(Unsupported, match=r"node .* of values that float32 rounds near 0"):
        translate(read_onnx(sketch.flat(216)), SHAPE, RAW.layout)


def sigmoid_in_parts(sketch: Sketch, x: str) -> None:
    sketch.add("Exp", sketch.add("Neg"))
    sketch.add("Div", sketch.constant(1.0), sketch.add("Add", sketch.last, sketch.constant(1.0)))


def softplus_in_parts(sketch: Sketch, x: str) -> None:
    sketch.add("Log", sketch.add("Add", sketch.add("Exp"), sketch.constant(1.0)))


def softsign_in_parts(sketch: Sketch, x: str) -> None:
    sketch.add("Div", x, sketch.add("Add", sketch.add("Abs"), sketch.constant(1.0)))


def smooth_size(sketch: Sketch, x: str) -> None:
    sketch.add("Sqrt", sketch.add("Add", sketch.add("Mul", x, x), sketch.constant(1e-3)))


def kept_apart(sketch: Sketch, x: str) -> None:
    sketch.add("Log", sketch.add("Add", sketch.add("Sigmoid"), sketch.constant(0.1)))


READ = {
    "Sigmoid": sigmoid_in_parts,
    "Softplus": softplus_in_parts,
    "Softsign": softsign_in_parts,
    "the root of a square": smooth_size,
    "the root of a ReLU": through("Relu", "Sqrt"),
    "kept apart from 0": kept_apart,
}


@pytest.mark.parametrize("build", READ.values(), ids=READ)
def test_read_and_equal_to_the_runtime(build: Build) -> None:
    sketch = Sketch()
    build(sketch, sketch.convolution(3, 6))
    data = sketch.flat(216)
    images = np.random.default_rng(0).random((4, *SHAPE)).astype(np.float32)
    wanted = runtime_scores(data, images)
    assert wanted is not None
    layers = simplify(translate(read_onnx(data), SHAPE, RAW.layout))
    found = real_scores(layers, images.astype(np.float64))
    assert np.abs(found - wanted).max() <= 1e-4 * np.abs(wanted).max()


ARGUMENTS = [X, apply("abs", X), apply("sigmoid", X), apply("multiply", X, X),
             apply("add", apply("exp", X), constant(-2.0)),
             apply("multiply", apply("tanh", X), constant(-3.0))]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_bounds_hold(kind: str) -> None:
    points = np.linspace(-30, 30, 241)
    parameters = {"clip": (-0.5, 2.0), "elu": (-1.5,)}.get(kind, (0.25,) * KINDS[kind])
    for argument in ARGUMENTS:
        expression: Expression = apply(kind, argument, parameters=parameters)
        low, high = bounds(expression)
        values = evaluate(expression, points)
        values = values[np.isfinite(values)]
        assert low <= values.min()
        assert values.max() <= high
