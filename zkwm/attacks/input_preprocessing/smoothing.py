"""Input smoothing: a filter before the stolen model (Lukas et al., IEEE S&P 2022, the SoK).

Changes no weights, so it helps only a thief who serves answers. Not trained with the filter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target
from zkwm.attacks.input_preprocessing.wrapped_model import FilteredInputModel
from zkwm.attacks.starting_point import stolen_copy
from zkwm_protocols.errors import UsageError

GAUSSIAN, MEDIAN = "gaussian", "median"
FILTERS = (GAUSSIAN, MEDIAN)


@dataclass(frozen=True)
class Smoothing(Attack):
    """Smooth every image before it is classified.

    ``filter`` is ``median`` or ``gaussian`` of ``size`` x ``size`` pixels (odd); ``sigma``, in
    pixels, is the width of the Gaussian. Edges are continued. Raises UsageError for others.
    """

    filter: str = MEDIAN
    size: int = 3
    sigma: float = 1.0
    name: ClassVar[str] = "smoothing"
    paper: ClassVar[str] = "Lukas et al. 2022 (IEEE S&P), input smoothing"

    def __post_init__(self) -> None:
        """Refuse filters that do not exist."""
        if self.filter not in FILTERS:
            raise UsageError(f"{self.filter!r} is none of {', '.join(FILTERS)}")
        if self.size < 1 or self.size % 2 == 0 or not self.sigma > 0:
            raise UsageError("a filter has an odd number of pixels, and sigma above zero")

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """The model behind the filter."""
        model = stolen_copy(target, adversary)
        return AttackResult(FilteredInputModel(self._filter(), model).to(adversary.device).eval())

    def _filter(self) -> nn.Module:
        if self.filter == MEDIAN:
            return MedianFilter(self.size)
        return GaussianFilter(self.size, self.sigma)


class MedianFilter(nn.Module):
    """The median of the ``size`` x ``size`` pixels around each, channel by channel."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, images: Tensor) -> Tensor:
        """Images of the same shape."""
        padded = functional.pad(images, (self.size // 2,) * 4, mode="replicate")
        windows = padded.unfold(2, self.size, 1).unfold(3, self.size, 1).flatten(4)
        return windows.median(dim=4).values


class GaussianFilter(nn.Module):
    """The weighted mean of the ``size`` x ``size`` pixels around each, channel by channel."""

    weights: Tensor

    def __init__(self, size: int, sigma: float) -> None:
        super().__init__()
        self.size = size
        steps = range(-(size // 2), size // 2 + 1)
        line = torch.tensor([math.exp(-0.5 * (step / sigma) ** 2) for step in steps])
        self.register_buffer("weights", torch.outer(line, line) / line.sum() ** 2)

    def forward(self, images: Tensor) -> Tensor:
        """Images of the same shape."""
        channels = images.shape[1]
        padded = functional.pad(images, (self.size // 2,) * 4, mode="replicate")
        kernel = self.weights.expand(channels, 1, self.size, self.size)
        return functional.conv2d(padded, kernel, groups=channels)
