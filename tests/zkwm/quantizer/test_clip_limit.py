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
