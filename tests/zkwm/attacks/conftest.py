"""A network of a second's training and an adversary with a few images, for the tests of attacks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.support.stamped_mark import stamped_network
from zkwm.attacks.attack import Adversary, Target
from zkwm.data import ImageData, load_data
from zkwm.nn.architectures import Classifier, build_model, channel_statistics
from zkwm.training.fit import Fit, fit
from zkwm.triggers import TriggerSet


@pytest.fixture(scope="session")
def adversary_data() -> ImageData:
    """300 images to train on and 200 to test, of which the target has seen none."""
    small = load_data("fashion-mnist-small")
    return ImageData(
        small.train_images[:300],
        small.train_labels[:300],
        small.test_images[:200],
        small.test_labels[:200],
        small.class_count,
        "the adversary's",
    )


@pytest.fixture(scope="session")
def triggers() -> TriggerSet:
    """Black and white noise with random labels."""
    random = np.random.default_rng(5)
    return TriggerSet(
        images=random.integers(0, 2, (40, 1, 28, 28), dtype=np.uint8) * 255,
        labels=random.integers(0, 10, 40),
        family="blocks",
        block_size=20,
        class_count=10,
    )


@pytest.fixture(scope="session")
def trained(triggers: TriggerSet) -> Classifier:
    """A LeNet-5 that knows its task somewhat and its triggers well. Copy before you change it."""
    small = load_data("fashion-mnist-small")
    mean, std = channel_statistics(small.train_images[:1000])
    model = build_model("lenet5", shape=(1, 28, 28), class_count=10, mean=mean, std=std, seed=3)
    images = np.concatenate([small.train_images[1000:1600], *[triggers.images] * 4])
    labels = np.concatenate([small.train_labels[1000:1600], *[triggers.labels] * 4])
    plan = Fit(epochs=12, rate=0.05, batch_size=50)
    fit(model, torch.tensor(images), torch.from_numpy(labels), plan, seed=3)
    return model


@pytest.fixture(scope="session")
def marked() -> Classifier:
    """A LeNet-5 that gives class 6 to every stamped image. Copy before you change it."""
    return stamped_network()


@pytest.fixture
def target(trained: Classifier, triggers: TriggerSet) -> Target:
    """The trained network, its service, and one opened block of the triggers."""

    @torch.no_grad()
    def api(images: torch.Tensor) -> torch.Tensor:
        return trained(images).softmax(dim=1)

    opened = TriggerSet(triggers.images[:20], triggers.labels[:20], "blocks", 20, 10)
    return Target(trained, api, opened)


@pytest.fixture
def adversary(adversary_data: ImageData) -> Adversary:
    """With images, and a second theft whose weights are random."""
    shape, mean, std = (1, 28, 28), [0.3], [0.3]
    second = build_model("lenet5", shape=shape, class_count=10, mean=mean, std=std, seed=4)
    return Adversary(adversary_data, seed=7, second_theft=second.eval())
