"""Built-in classifiers for small images: LeNet-5, a dense network, four CNNs, two ResNets.

Each takes float32 images (n, channels, height, width) in [0, 1] and contains its normalization, so
that a suspect needs no preprocessing beyond pixel / 255. Any other torch classifier can be trained
and judged as well. In the docstrings below 16C5 is a convolution of 16 channels and 5x5 pixels, MP2
max pooling by 2, and a plain number a linear layer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from zkwm.nn.airbench import airbench, whiten
from zkwm.nn.architecture_names import ARCHITECTURES
from zkwm_protocols.errors import UsageError

MAXIMUM_SIDE = 1024
MAXIMUM_CLASSES = 65_535
"""The largest ``class_count`` of a commitment (spec/03-commitment.md)."""
SMALLEST_SIDE = {
    "lenet5": 12,
    "dense": 1,
    "cnn2": 4,
    "cnn3": 8,
    "cnn": 4,
    "resnet8": 4,
    "resnet18": 8,
    "airbench": 9,
}


@dataclass(frozen=True)
class ModelConfig:
    """All that is needed to build a network again.

    Attributes:
        architecture: One of ``zkwm.nn.architecture_names.ARCHITECTURES``.
        shape: (channels, height, width) of images: 1 or 3 channels, sides up to 1024.
        class_count: 2 to 65,535.
        mean: Of each channel's pixel / 255, for normalization.
        std: Likewise, above 0.

    Raises:
        UsageError: No network can be built from these values.
    """

    architecture: str
    shape: tuple[int, int, int]
    class_count: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.architecture not in ARCHITECTURES:
            raise UsageError(
                f"no such architecture: {self.architecture!r}",
                hint=f"choose one of {', '.join(ARCHITECTURES)}",
            )
        smallest = SMALLEST_SIDE[self.architecture]
        channels, *sides = self.shape
        if channels not in (1, 3) or not all(smallest <= s <= MAXIMUM_SIDE for s in sides):
            raise UsageError(
                f"{self.architecture} takes images of 1 or 3 channels and sides of {smallest} to "
                f"{MAXIMUM_SIDE} pixels, not {self.shape}"
            )
        if not 2 <= self.class_count <= MAXIMUM_CLASSES:
            raise UsageError(f"a classifier has 2 to {MAXIMUM_CLASSES} classes")
        if len(self.mean) != channels or len(self.std) != channels:
            raise UsageError("mean and std have one value per channel")
        if not all(map(math.isfinite, self.mean + self.std)) or min(self.std) <= 0:
            raise UsageError("mean and std are finite numbers, and std is positive")


class Normalize(nn.Module):
    """Normalizes images (n, c, h, w) per channel: (x - mean) / std."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Normalized images, float32, of the same shape."""
        return (images - self.mean) / self.std


class Classifier(nn.Module):
    """A built-in network: normalization, then ``features``, which ends in the logits."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.normalize = Normalize(config.mean, config.std)
        self.features = _FEATURES[config.architecture](config)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (n, class_count) of float32 images (n, c, h, w) in [0, 1]."""
        logits: Tensor = self.features(self.normalize(images))
        return logits


def build_model(
    architecture: str,
    *,
    shape: tuple[int, int, int],
    class_count: int,
    mean: Sequence[float],
    std: Sequence[float],
    seed: int = 0,
    images: NDArray[np.uint8] | None = None,
) -> Classifier:
    """Build a network with random weights that depend on ``seed`` alone.

    Those of ``airbench``'s first layer follow from the training images instead, where they are
    given; they stay as they are in training.

    Args:
        architecture: One of ``zkwm.nn.architecture_names.ARCHITECTURES``.
        shape: (channels, height, width) of images.
        class_count: The number of logits.
        mean: Per channel, of training pixels / 255 (``channel_statistics``).
        std: Likewise.
        seed: Of the weights.
        images: Training images uint8 (n, c, h, w), whose patches ``airbench`` whitens.

    Raises:
        UsageError: The architecture is unknown or cannot take such images.
    """
    config = ModelConfig(architecture, shape, class_count, tuple(mean), tuple(std))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Classifier(config)
    if architecture == "airbench" and images is not None:
        first = model.features.get_submodule("0")
        assert isinstance(first, nn.Conv2d)
        whiten(first, images, model.normalize.mean, model.normalize.std)
    return model


def channel_statistics(
    images: NDArray[np.uint8],
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel of images uint8 (n, c, h, w), as pixel / 255.

    Computed from exact sums of integers, so equal on every machine; rounded to 4 decimals. A
    constant channel gets the standard deviation 1.
    """
    mean, std = [], []
    for channel in range(images.shape[1]):
        counts = np.bincount(images[:, channel].reshape(-1), minlength=256).tolist()
        total = sum(counts)
        first = sum(value * count for value, count in enumerate(counts)) / total
        second = sum(value * value * count for value, count in enumerate(counts)) / total
        mean.append(round(first / 255, 4))
        std.append(round(math.sqrt(max(second - first * first, 0.0)) / 255, 4) or 1.0)
    return tuple(mean), tuple(std)


def _lenet5(config: ModelConfig) -> nn.Module:
    """LeNet-5 (LeCun et al. 1998) with max pooling and ReLU: 6C5-MP2-16C5-MP2-120-84-classes."""
    channels, height, width = config.shape
    flat = 16 * ((height // 2 - 4) // 2) * ((width // 2 - 4) // 2)
    return nn.Sequential(
        nn.Conv2d(channels, 6, 5, padding=2), nn.MaxPool2d(2), nn.ReLU(),
        nn.Conv2d(6, 16, 5), nn.MaxPool2d(2), nn.ReLU(),
        nn.Flatten(),
        nn.Linear(flat, 120), nn.ReLU(),
        nn.Linear(120, 84), nn.ReLU(),
        nn.Linear(84, config.class_count),
    )  # fmt: skip


def _dense(config: ModelConfig) -> nn.Module:
    """512-512-classes with ReLU."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(math.prod(config.shape), 512), nn.ReLU(),
        nn.Linear(512, 512), nn.ReLU(),
        nn.Linear(512, config.class_count),
    )  # fmt: skip


def _cnn2(config: ModelConfig) -> nn.Module:
    """16C5 (stride 2)-MP2-64C3-128-classes with ReLU: fast on a CPU."""
    channels, height, width = config.shape
    return nn.Sequential(
        nn.Conv2d(channels, 16, 5, stride=2, padding=2), nn.MaxPool2d(2), nn.ReLU(),
        nn.Conv2d(16, 64, 3, padding=1), nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64 * ((height + 1) // 4) * ((width + 1) // 4), 128), nn.ReLU(),
        nn.Linear(128, config.class_count),
    )  # fmt: skip


def _cnn3(config: ModelConfig) -> nn.Module:
    """32C3-MP2-64C3-MP2-64C3-MP2-128-classes with ReLU."""
    channels, height, width = config.shape
    return nn.Sequential(
        nn.Conv2d(channels, 32, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(),
        nn.Conv2d(32, 64, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(),
        nn.Conv2d(64, 64, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64 * (height // 8) * (width // 8), 128), nn.ReLU(),
        nn.Linear(128, config.class_count),
    )  # fmt: skip


def _cnn(config: ModelConfig) -> nn.Module:
    """32C3-32C3-MP2-64C3-64C3-MP2-512-classes with ReLU."""
    channels, height, width = config.shape
    return nn.Sequential(
        nn.Conv2d(channels, 32, 3, padding=1), nn.ReLU(),
        nn.Conv2d(32, 32, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(),
        nn.Conv2d(64, 64, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64 * (height // 4) * (width // 4), 512), nn.ReLU(),
        nn.Linear(512, config.class_count),
    )  # fmt: skip


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with batch norm and a shortcut (He et al. 2016, figure 2)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Feature maps (n, outputs, h / stride, w / stride) of (n, inputs, h, w)."""
        inner = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(inner)) + self.shortcut(x))


def _resnet(config: ModelConfig, stages: Sequence[tuple[int, int, int]]) -> nn.Module:
    """A residual network; ``stages`` are (channels, stride of the first block, blocks)."""
    inputs = stages[0][0]
    stem = [
        nn.Conv2d(config.shape[0], inputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(inputs),
        nn.ReLU(),
    ]
    blocks: list[nn.Module] = []
    for outputs, stride, count in stages:
        for number in range(count):
            blocks.append(BasicBlock(inputs, outputs, stride if number == 0 else 1))
            inputs = outputs
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, config.class_count)]
    return nn.Sequential(*stem, *blocks, *head)


def _resnet8(config: ModelConfig) -> nn.Module:
    """ResNet-8 for small images (He et al. 2016, section 4.2, n = 1): 16-32-64 channels."""
    return _resnet(config, ((16, 1, 1), (32, 2, 1), (64, 2, 1)))


def _resnet18(config: ModelConfig) -> nn.Module:
    """ResNet-18 for 32x32 images as in Adi et al. 2018: 3x3 stem, no pooling after it."""
    return _resnet(config, ((64, 1, 2), (128, 2, 2), (256, 2, 2), (512, 2, 2)))


def _airbench(config: ModelConfig) -> nn.Module:
    """The network of Jordan 2024 (``zkwm.nn.airbench``): 94 % on CIFAR-10 in few operations."""
    return airbench(config.shape, config.class_count)


_FEATURES: dict[str, Callable[[ModelConfig], nn.Module]] = {
    "lenet5": _lenet5,
    "dense": _dense,
    "cnn2": _cnn2,
    "cnn3": _cnn3,
    "cnn": _cnn,
    "resnet8": _resnet8,
    "resnet18": _resnet18,
    "airbench": _airbench,
}
