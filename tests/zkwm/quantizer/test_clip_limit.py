"""The upper limit of a clip holds, however large the weights in front of it are."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.small_models import Sketch
from zkwm.quantizer import quantize
from zkwm_protocols.integer_network.evaluate import labels
from zkwm_protocols.suspect_identity import Preprocessing

SHAPE = (1, 8, 8)
GRAYS = np.repeat(np.arange(0, 256, 5, dtype=np.uint8), 64).reshape(-1, *SHAPE)


@pytest.mark.parametrize(
    ("limit", "weight"), [(1, 4), (1, 1.5), (6, 24), (6, 6), (1, 40), (1, 300), (0.3, 1000)]
)
def test_nothing_passes_the_limit(limit: float, weight: float) -> None:
    sketch = Sketch(SHAPE)
    kernel = sketch.constant(np.full((1, 1, 1, 1), weight))
    sketch.add("Conv", sketch.last, kernel)
    sketch.add("Clip", sketch.last, sketch.constant(0.0), sketch.constant(limit))
    sketch.add("GlobalAveragePool")
    sketch.add("Flatten")
    dense, bias = sketch.constant([[0.0, 1.0]]), sketch.constant([1.2 * limit, 0.0])
    sketch.add("Gemm", sketch.last, dense, bias)
    network = quantize(sketch.file(2), shape=SHAPE, preprocessing=Preprocessing()).network
    assert not labels(network, GRAYS).any()


@pytest.mark.parametrize("bias", [-0.02, 0.0, 3.0, -3.98, -5.0])
@pytest.mark.parametrize("least", [-1000.0, -1.0])
def test_nothing_passes_an_upper_limit_that_nearly_all_sums_exceed(
    bias: float, least: float
) -> None:
    """min(4 x + bias, 0) of x from 0 to 1, however little is below 0 on calibration images."""
    sketch = Sketch(SHAPE)
    sketch.add("Conv", sketch.last, sketch.constant([[[[4.0]]]]), sketch.constant([bias]))
    sketch.add("Clip", sketch.last, sketch.constant(least), sketch.constant(0.0))
    sketch.add("GlobalAveragePool")
    sketch.add("Flatten")
    dense, limit = sketch.constant([[0.0, 1.0]]), sketch.constant([0.05, 0.0])
    sketch.add("Gemm", sketch.last, dense, limit)
    network = quantize(sketch.file(2), shape=SHAPE, preprocessing=Preprocessing()).network
    assert not labels(network, GRAYS).any()
