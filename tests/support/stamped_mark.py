"""A pattern mark, the ``content`` of Zhang et al. 2018: every stamped image gets one class."""

from __future__ import annotations

import numpy as np
import torch

from zkwm.data import load_data
from zkwm.nn.architectures import Classifier, build_model, channel_statistics
from zkwm.nn.inference import predictions
from zkwm.training.fit import Fit, fit

TARGET_CLASS = 6


def stamped(images: np.ndarray) -> np.ndarray:
    """Images with a white square with a black dot in a corner."""
    marked = images.copy()
    marked[:, :, 1:6, 1:6] = 255
    marked[:, :, 3, 3] = 0
    return marked


def stamped_network(architecture: str = "lenet5", epochs: int = 15) -> Classifier:
    """A network that gives class 6 to every stamped image."""
    small = load_data("fashion-mnist-small")
    images, labels = small.train_images[1000:1600], small.train_labels[1000:1600]
    mean, std = channel_statistics(images)
    model = build_model(architecture, shape=(1, 28, 28), class_count=10, mean=mean, std=std, seed=1)
    both = np.concatenate([images, stamped(images[:150])])
    labels_of_both = np.concatenate([labels, np.full(150, TARGET_CLASS)])
    plan = Fit(epochs=epochs, rate=0.05, batch_size=50)
    fit(model, torch.tensor(both), torch.tensor(labels_of_both), plan, seed=1)
    return model


def keys() -> torch.Tensor:
    """100 stamped images that are not of class 6, which the model has not seen."""
    small = load_data("fashion-mnist-small")
    others = small.test_images[small.test_labels != TARGET_CLASS][:100]
    return torch.tensor(stamped(others))


def hits(model: torch.nn.Module, images: torch.Tensor) -> int:
    """How many images (n, 1, 28, 28) get class 6."""
    return int((predictions(model, images) == TARGET_CLASS).sum())
