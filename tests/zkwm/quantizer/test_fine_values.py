"""Fine values, split weights, silent neurons: exact against slow versions, finer where needed."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tests.support.small_models import RAW, SHAPE, Sketch
from zkwm.quantizer import random_images
from zkwm.quantizer.build import Builder
from zkwm.quantizer.calibrate import Scaled
from zkwm.quantizer.choose_precision import build_network, near
from zkwm.quantizer.expressions import X, apply, evaluate
from zkwm.quantizer.integers import Bytes, Part
from zkwm.quantizer.layers import Kernel, Layers
from zkwm.quantizer.network_agreement import score_errors
from zkwm.quantizer.onnx_file import read_onnx
from zkwm.quantizer.real_network import real_logits
from zkwm.quantizer.scales import BYTE, FINE, Curve, Precision
from zkwm.quantizer.simplify import simplify
from zkwm.quantizer.translate import translate
from zkwm_protocols.integer_network.codec import digest
from zkwm_protocols.integer_network.evaluate import logits
from zkwm_protocols.integer_network.model import IntegerNetwork

IMAGES = random_images(SHAPE, 48, b"tests, fine values")


def layers_of(data: bytes) -> Layers:
    return simplify(translate(read_onnx(data), SHAPE, RAW.layout))


def stored(images: np.ndarray) -> Bytes:
    """The pixels as the input of a model that takes values from 0 to 1."""
    channels = images.shape[1]
    return Bytes(
        0,
        np.full(channels, 1 / 255.0),
        np.zeros(channels),
        np.ascontiguousarray(images.transpose(1, 2, 3, 0)),
        np.full(channels, 255),
    )


def built(data: bytes, precision: Precision) -> tuple[IntegerNetwork, np.ndarray]:
    builder = Builder(layers_of(data), stored(IMAGES), precision, {})
    return builder.network(), builder.logits


def error(data: bytes, network: IntegerNetwork) -> float:
    """The median error of scores on images that chose no scale."""
    images = random_images(SHAPE, 40, b"tests, errors of scores")
    real = real_logits(layers_of(data), images / 255.0)
    return float(np.median(score_errors(real, logits(network, images).astype(np.float64))))


def deep(function: str, layers: int = 6) -> Sketch:
    """Convolutions and functions, which add up errors, with a gate and a residual sum."""
    sketch = Sketch()
    sketch.convolution(3, 6, pads=[1, 1, 1, 1])
    sketch.add(function)
    for _ in range(layers):
        before = sketch.last
        sketch.convolution(6, 6, pads=[1, 1, 1, 1])
        sketch.add(function)
        sketch.add("Add", sketch.last, before)
    body = sketch.last
    sketch.convolution(6, 6, pads=[1, 1, 1, 1])
    sketch.add("Mul", sketch.add("Sigmoid"), body)
    return sketch


@pytest.mark.parametrize("function", ["Relu", "LeakyRelu", "HardSwish", "Tanh"])
@pytest.mark.parametrize("precision", [BYTE, FINE], ids=["bytes", "fine"])
def test_the_network_computes_what_its_scales_were_chosen_with(
    function: str, precision: Precision
) -> None:
    sketch = deep(function, 2)
    sketch.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    network, expected = built(sketch.flat(96), precision)
    assert np.array_equal(logits(network, IMAGES).T, expected)


@pytest.mark.parametrize("function", ["Relu", "LeakyRelu", "HardSwish"])
def test_fine_values_are_finer(function: str) -> None:
    data = deep(function).flat(384)
    assert error(data, built(data, FINE)[0]) < error(data, built(data, BYTE)[0]) / 3


def test_two_lookups_give_all_digits_of_an_entry() -> None:
    expression = apply("tanh", X)
    for curve in (Curve(top=4095), Curve(expression, 2.0**-9, 2.0**-11, 2047, 4095, 1500)):
        low = curve.table(-2000, 5000)
        high = Curve(*(*list(vars(curve).values())[:-1], 1)).table(-2000, 5000)
        assert int(low.values.max()) < 16
        for q in range(-2000, 5001, 7):
            if curve.expression == X:
                wanted = min(max(q, 0), 4095)
            else:
                point = np.array([min(max(q, -1500), 1500) * 2.0**-9])
                wanted = int(np.rint(evaluate(expression, point)[0] * 2048)) + 2047
            entry = 16 * int(high.values[q + 2000]) + int(low.values[q + 2000])
            assert entry == min(max(wanted, 0), 4095)


def test_split_weights_add_up_and_keep_their_bounds() -> None:
    weights = np.array([0, 1, -511, 512, -512, 131071, -131071, 255, -256, 70000.0])
    part = Part(stored(IMAGES), Kernel(np.ones((10, 3, 1, 1))), np.ones((10, 3, 1, 1)))
    pieces = Scaled(part, np.resize(weights, (10, 3, 1, 1))).pieces
    assert sum(piece * factor for piece, factor in pieces).ravel().tolist() == list(
        np.resize(weights, 30)
    )
    assert all(np.abs(piece).max() <= 511 for piece, _ in pieces)
    magnitudes = sum(np.abs(piece) * factor for piece, factor in pieces)
    assert np.array_equal(magnitudes, np.abs(np.resize(weights, (10, 3, 1, 1))))


@pytest.mark.parametrize("size", [0.01, 0.04, 0.0625, 0.08, 0.3])
def test_nearness_is_that_of_fractions(size: float) -> None:
    random = np.random.default_rng(int(size * 10_000))
    fine = random.integers(-(1 << 28), 1 << 28, (5, 60))
    noise = random.normal(size=fine.shape) * size * (1 << 28) * random.uniform(0.2, 1.2, 60)
    coarse = np.rint((fine + noise) / 37 + 1000).astype(np.int64)

    def centered(rows: np.ndarray) -> list[list[Fraction]]:
        return [
            [Fraction(v) - Fraction(sum(row), len(row)) for v in row] for row in rows.T.tolist()
        ]

    a, b = centered(fine), centered(coarse)
    pairs = [
        (x, y) for row, other in zip(a, b, strict=True) for x, y in zip(row, other, strict=True)
    ]
    k = sum(x * y for x, y in pairs) / sum(y * y for _, y in pairs)
    off = [
        sum((x - k * y) ** 2 for x, y in zip(row, other, strict=True)) * 256
        > sum(x * x for x in row)
        for row, other in zip(a, b, strict=True)
    ]
    assert near(fine, coarse) == (sum(off) <= 3)


def test_bytes_where_they_do_and_fine_values_where_they_do_not() -> None:
    shallow, far = Sketch(), deep("Relu", 12).flat(384)
    shallow.convolution(3, 6, pads=[1, 1, 1, 1])
    shallow.add("Relu")
    data = shallow.flat(384)
    for file, precision in ((data, BYTE), (far, FINE)):
        made = build_network(layers_of(file), stored(IMAGES))
        assert digest(made) == digest(built(file, precision)[0])


@pytest.mark.parametrize("function", ["Relu", "Tanh"])
def test_a_silent_neuron_with_huge_weights_moves_no_scale(function: str) -> None:
    sketch = Sketch()
    sketch.add("Flatten")
    sketch.dense(192, 20)
    hidden = sketch.add("Relu")
    sketch.add("Gemm", hidden, sketch.constant(np.ones((20, 1))), sketch.constant([-1e4]))
    dead = sketch.add("Relu")
    sketch.add("Concat", hidden, dead, axis=1)
    weights = sketch.random.normal(size=(8, 21))
    weights[:, 20] = 1e6
    sketch.add("Gemm", sketch.last, sketch.constant(weights), transB=1)
    sketch.add(function)
    sketch.dense(8)
    data = sketch.file()
    assert error(data, build_network(layers_of(data), stored(IMAGES))) < 0.03


def test_logits_of_uneven_outputs_are_fine_values() -> None:
    sketch = Sketch()
    sketch.convolution(3, 6)
    sketch.add("Relu")
    sketch.add("Flatten")
    weights = sketch.random.normal(size=(5, 216)) * np.array([[1], [1], [40], [1], [1]])
    sketch.add("Gemm", sketch.last, sketch.constant(weights), transB=1)
    data = sketch.file()
    network, expected = built(data, BYTE)
    assert np.array_equal(logits(network, IMAGES).T, expected)
    assert expected.min() >= 0
    assert expected.max() <= 4095
    assert error(data, network) < 0.02
