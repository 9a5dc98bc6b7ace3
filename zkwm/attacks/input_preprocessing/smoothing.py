"""Input smoothing: a median or Gaussian filter before the model (Lukas et al., IEEE S&P 2022).

Adversary: has the weights and serves answers; needs no images.

1. Convolve every image with a small filter before it is classified.

The model is not trained with the filter, so accuracy falls with its size. A median filter removes
triggers of single noisy pixels: Zhang's noise keeps 1 of 332 bits and DeepSigns black-box 12 of
305, Adi 87 of 332 (benchmarks/results/grid.jsonl, attack "smoothing").
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
    """Smooth every image before it is classified; edges are replicated.

    Args:
        filter: ``median`` or ``gaussian``.
        size: Odd side of the filter in pixels; 3 is the smallest that does anything.
        sigma: Standard deviation of the Gaussian in pixels, above 0.

    Raises:
        UsageError: A value is out of range.
    """

    filter: str = MEDIAN
    size: int = 3
    sigma: float = 1.0
    name: ClassVar[str] = "smoothing"
    paper: ClassVar[str] = "Lukas et al. 2022 (IEEE S&P), input smoothing"

    def __post_init__(self) -> None:
        if self.filter not in FILTERS:
            raise UsageError(f"expected a filter of {', '.join(FILTERS)}, got {self.filter!r}")
        if self.size < 1 or self.size % 2 == 0 or not self.sigma > 0:
            raise UsageError(
                "expected an odd filter size and sigma above 0, "
                f"got size {self.size} and sigma {self.sigma}"
            )

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """The model behind the filter."""
        model = stolen_copy(target, adversary)
        return AttackResult(FilteredInputModel(self._filter(), model).to(adversary.device).eval())

    def _filter(self) -> nn.Module:
        """The filter that the parameters name."""
        if self.filter == MEDIAN:
            return MedianFilter(self.size)
        return GaussianFilter(self.size, self.sigma)


class MedianFilter(nn.Module):
    """The median of the ``size`` x ``size`` pixels around each, channel by channel."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, images: Tensor) -> Tensor:
        """Images of the same shape, float32 (n, c, h, w)."""
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
        """Images of the same shape, float32 (n, c, h, w)."""
        channels = images.shape[1]
        padded = functional.pad(images, (self.size // 2,) * 4, mode="replicate")
        kernel = self.weights.expand(channels, 1, self.size, self.size)
        return functional.conv2d(padded, kernel, groups=channels)
