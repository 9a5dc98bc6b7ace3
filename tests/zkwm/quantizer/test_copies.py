"""Convolutions that copy bytes: free where each output has one meaning, else rounded anew."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.small_models import RAW, SHAPE, Sketch, network_of
from zkwm.quantizer import random_images
from zkwm.quantizer.calibrate import measure
from zkwm.quantizer.integers import Bytes, Part
from zkwm.quantizer.layers import Kernel, Linear, Term
from zkwm.quantizer.network_agreement import score_errors
from zkwm.quantizer.onnx_file import read_onnx
from zkwm.quantizer.real_network import real_logits
from zkwm.quantizer.simplify import simplify
from zkwm.quantizer.translate import translate
from zkwm_protocols.integer_network.evaluate import logits


def interleaved(ratio: float) -> bytes:
    """A window of 1 x 2 whose first position copies channel 1, and whose second copies channel 0.

    Channel 0 is ``ratio`` times as large as channel 1; what follows makes both count alike.
    """
    sketch = Sketch()
    weights = sketch.random.normal(size=(2, 3, 8, 8)) / 8
    weights[0] *= ratio
    sketch.add("Conv", sketch.last, sketch.constant(weights))
    sketch.add("LeakyRelu", alpha=0.1)
    copies = np.zeros((1, 2, 1, 2))
    copies[0, 1, 0, 1] = copies[0, 0, 0, 0] = 1
    sketch.add("Conv", sketch.last, sketch.constant(copies), pads=[0, 1, 0, 1])
    after = sketch.random.normal(size=(5, 1, 1, 2))
    after[..., 1] /= ratio
    sketch.add("Conv", sketch.last, sketch.constant(after))
    sketch.add("Flatten")
    return sketch.file(5)


@pytest.mark.parametrize("ratio", [1.0, 2.0**-4, 2.0**4])
def test_positions_that_copy_channels_of_other_scales(ratio: float) -> None:
    data = interleaved(ratio)
    images = random_images(SHAPE, 60, b"tests, copies")
    layers = simplify(translate(read_onnx(data), SHAPE, RAW.layout))
    whole = logits(network_of(data), images).astype(np.float64)
    errors = score_errors(real_logits(layers, images / 255.0), whole)
    assert np.median(errors) < 0.03


def test_weights_below_every_number_that_counts_are_nothing() -> None:
    random = np.random.default_rng(0)
    entries = random.integers(0, 256, (4, 1, 1, 32)).astype(np.uint8)
    before = Bytes(0, np.ones(4), np.zeros(4), entries, np.full(4, 255))
    weights = np.ones((2, 4, 1, 1))
    weights[1] = 2.0**-210
    kernel = Kernel(weights)
    layer = Linear((2, 1, 1), (Term(0, kernel),), np.array([0.0, 2.0**-600]))
    with np.errstate(all="raise", under="ignore"):
        extent = measure([Part.of(before, kernel)], layer)
    assert extent.weight[1] == 0
    assert extent.low[1] == extent.high[1] == extent.bound[1] == layer.bias[1]
