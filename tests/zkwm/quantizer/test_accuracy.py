"""A marked LeNet-5: its integer network is as accurate and keeps every trigger's label."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.small_models import RAW, float_labels
from zkwm.data import load_data
from zkwm.nn.architectures import build_model, channel_statistics
from zkwm.nn.onnx_export import to_onnx
from zkwm.quantizer import quantize, random_images
from zkwm.training import default_settings, embed
from zkwm.triggers import TriggerSet
from zkwm_protocols.integer_network.evaluate import labels

SHAPE = (1, 28, 28)


@pytest.mark.slow
@pytest.mark.data
def test_lenet5_on_all_of_fashion_mnist(data_folder: Path) -> None:
    full = load_data(data_folder / "fashion-mnist.npz")
    triggers = TriggerSet(
        images=random_images(SHAPE, 100, b"triggers"),
        labels=np.random.default_rng(1).integers(0, 10, 100),
        family="blocks",
        block_size=50,
        class_count=10,
    )
    mean, std = channel_statistics(full.train_images)
    model = build_model("lenet5", shape=SHAPE, class_count=10, mean=mean, std=std)
    settings = default_settings(
        "lenet5", images=60_000, triggers=100, epochs=2, device="cpu", method="plain"
    )
    trained = embed(model, full, triggers, settings=settings)
    data = to_onnx(trained.model, SHAPE)
    network = quantize(data, shape=SHAPE, preprocessing=RAW).network
    found = labels(network, full.test_images)
    accuracy = float((found == full.test_labels).mean())
    assert abs(accuracy - trained.test_accuracy) <= 0.005
    assert float((found == float_labels(data, full.test_images)).mean()) >= 0.99
    kept = int((labels(network, triggers.images) == triggers.labels).sum())
    assert trained.trigger_matches is not None
    assert kept >= trained.trigger_matches - 1
    assert kept >= 80
