"""Agreement of network and model: counted over all images; refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.small_models import RAW, SHAPE, Sketch, float_labels, network_of
from zkwm.quantizer import Agreement, agreement, facts, lookups, random_images
from zkwm.suspects import open_suspect
from zkwm_protocols.errors import UsageError
from zkwm_protocols.integer_network.evaluate import labels


def test_agreement(tmp_path: Path) -> None:
    sketch = Sketch()
    sketch.convolution(3, 4)
    sketch.add("Relu")
    data = sketch.flat(144)
    network = network_of(data)
    other = Sketch()
    other.flat(192, outputs=6)
    images = random_images(SHAPE, 60, b"agreement")
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    suspect = open_suspect(path, shape=SHAPE)
    try:
        found = agreement(network, suspect, images, preprocessing=RAW)
        equal = int((labels(network, images) == float_labels(data, images)).sum())
        assert found == Agreement(equal, 60)
        assert found.share == equal / 60
        assert equal >= 55
        with pytest.raises(UsageError, match="no images"):
            agreement(network, suspect, images[:0], preprocessing=RAW)
        with pytest.raises(UsageError, match="outputs"):
            agreement(network_of(other.file()), suspect, images, preprocessing=RAW)
    finally:
        suspect.close()


def test_an_image_without_an_answer_never_agrees(tmp_path: Path) -> None:
    sketch = Sketch()
    network = network_of(sketch.flat(192))
    sketch.add("Mul", sketch.last, sketch.constant(np.nan))
    path = tmp_path / "model.onnx"
    path.write_bytes(sketch.file())
    suspect = open_suspect(path, shape=SHAPE, outputs=5)
    try:
        images = random_images(SHAPE, 8, b"agreement")
        assert agreement(network, suspect, images, preprocessing=RAW) == Agreement(0, 8)
    finally:
        suspect.close()


def test_lookups_are_counted() -> None:
    sketch = Sketch()
    sketch.convolution(3, 4)
    sketch.add("Relu")
    sketch.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    network = network_of(sketch.flat(36))
    limbs = -(-network.argmax_bits // 8)
    assert lookups(network) == 2 * 144 + 3 * 36 + 5 * (1 + 2 * limbs)
    assert facts(network)["lookups_per_image"] == lookups(network)
