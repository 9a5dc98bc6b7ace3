"""A convolutional network that learns small images in few operations, with a whitening first layer.

The network is that of Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU" (arXiv
2404.00498): a 2x2 convolution whose frozen filters whiten patches of the training images (from
Page 2019, "How to Train Your ResNet", part 8), three blocks of two 3x3 convolutions, of which the
first ones begin as partial identities (Jordan 2024, section 3.3), max pooling at the end, and a
head on scaled features. It differs in ReLU instead of GELU, which an argument looks up in smaller
tables, in batch norm before instead of after pooling, so that weights can be aligned as in any
built-in network (SPEC.md 19.4), and in a bias of the head.

``zkwm.training.EmbedSettings.airbench`` is the recipe that goes with it.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

WIDTHS = (128, 384, 384)
"""Channels of the three blocks, as in the source's network for 95 %."""
WHITENING_SIDE = 2
WHITENING_IMAGES = 5000
"""Training images whose patches are looked at, as in the source."""
SMALLEST_EIGENVALUE = 5e-4
"""Added to each eigenvalue, so that directions without variance are not blown up (the source's)."""
SCALE = 1 / 9
"""Of the features before the head: logits begin small, and the head learns slowly."""
NORM_MOMENTUM = 0.2
"""Of batch norms' running statistics, which at 0.1 lag behind filters that turn fast. The source
has 0.4, with batches four times as large.
"""
_IMAGES_AT_ONCE = 250


class Scale(nn.Module):
    """Multiplies by a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """The input times the factor."""
        return x * self.factor


def airbench(
    shape: tuple[int, int, int], class_count: int, widths: tuple[int, int, int] | None = None
) -> nn.Sequential:
    """The network, from normalized images to logits, with random weights.

    The weights of the first layer and of batch norms do not learn, as in the source: ``whiten``
    computes the former, and the latter stay 1.

    Args:
        shape: (channels, height, width), sides of at least 9 pixels.
        class_count: The number of logits.
        widths: Channels of the three blocks; None for ``WIDTHS``.
    """
    widths = widths or WIDTHS
    channels, *sides = shape
    filters = 2 * channels * WHITENING_SIDE**2
    first = nn.Conv2d(channels, filters, WHITENING_SIDE)
    first.weight.requires_grad_(False)
    layers: list[nn.Module] = [first, nn.ReLU()]
    inputs = filters
    for width in widths:
        layers += [*_convolution(inputs, width), nn.MaxPool2d(2), nn.ReLU()]
        layers += [*_convolution(width, width), nn.ReLU()]
        inputs = width
    last = tuple((side - 1) // 2 ** len(widths) for side in sides)
    layers += [nn.MaxPool2d(last), nn.Flatten(), Scale(SCALE), nn.Linear(inputs, class_count)]
    return nn.Sequential(*layers)


def _convolution(inputs: int, outputs: int) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """A 3x3 convolution whose first filters pass a channel on, and its batch norm."""
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    with torch.no_grad():
        nn.init.dirac_(convolution.weight[: min(inputs, outputs)])
    norm = nn.BatchNorm2d(outputs, momentum=NORM_MOMENTUM)
    norm.weight.requires_grad_(False)
    return convolution, norm


def whiten(first: nn.Conv2d, images: NDArray[np.uint8], mean: Tensor, std: Tensor) -> None:
    """Let the first layer's filters whiten patches of normalized images, in place.

    The filters are the eigenvectors of the patches' covariance over the roots of their eigenvalues,
    and the same with the other sign, which ReLU would cut off. An eigenvector's largest entry is
    positive.

    Args:
        first: Of ``airbench``; its bias becomes 0.
        images (uint8, (n, c, h, w)): Training images, of which the first 5,000 are used.
        mean (float32, (1, c, 1, 1)): Of the network's normalization.
        std (float32, (1, c, 1, 1)): Likewise.
    """
    channels = images.shape[1]
    side = WHITENING_SIDE
    size = channels * side**2
    summed, count = torch.zeros(size, size, dtype=torch.float64), 0
    used = images[:WHITENING_IMAGES]
    for start in range(0, len(used), _IMAGES_AT_ONCE):
        part = torch.tensor(used[start : start + _IMAGES_AT_ONCE]).double() / 255
        normalized = (part - mean.double().cpu()) / std.double().cpu()
        patches = nn.functional.unfold(normalized, side).transpose(0, 1).reshape(size, -1)
        summed += patches @ patches.T
        count += patches.shape[1]
    values, vectors = torch.linalg.eigh(summed / count)
    largest = vectors.gather(0, vectors.abs().argmax(dim=0, keepdim=True))
    filters = (vectors * largest.sign() / (values + SMALLEST_EIGENVALUE).sqrt()).T
    both = torch.cat([filters, -filters]).reshape(-1, channels, side, side)
    with torch.no_grad():
        first.weight.copy_(both)
        assert first.bias is not None
        first.bias.zero_()
