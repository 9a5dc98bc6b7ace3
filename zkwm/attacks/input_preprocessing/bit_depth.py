"""Feature squeezing: pixels keep a few bits (Xu, Evans and Qi, NDSS 2018, arXiv 1704.01155).

Adversary: has the weights and serves answers; needs no images.

1. Round every pixel to 2^bits levels before it is classified (input quantization in Lukas et al.,
   IEEE S&P 2022).

It was made against adversarial examples, whose changes are small. Triggers are images of their own,
and black and white ones do not change at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target
from zkwm.attacks.input_preprocessing.wrapped_model import FilteredInputModel
from zkwm.attacks.starting_point import stolen_copy
from zkwm_protocols.errors import UsageError


@dataclass(frozen=True)
class BitDepth(Attack):
    """Round every pixel to a few levels before an image is classified.

    Args:
        bits: Of each pixel, 1 to 7; 1 leaves black and white.

    Raises:
        UsageError: The number is out of range.
    """

    bits: int = 1
    name: ClassVar[str] = "bit_depth"
    paper: ClassVar[str] = "Xu, Evans, Qi 2018 (NDSS), feature squeezing"

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 7:
            raise UsageError(f"expected 1 to 7 bits of each pixel, got {self.bits}")

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """The model behind the rounding."""
        levels = Levels(2**self.bits)
        return AttackResult(FilteredInputModel(levels, stolen_copy(target, adversary)).eval())


class Levels(nn.Module):
    """Images rounded to so many levels from 0 to 1; gradients are 0."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.most = count - 1

    def forward(self, images: Tensor) -> Tensor:
        """Images of the same shape, float32 (n, c, h, w) in [0, 1]."""
        return (images * self.most).round() / self.most
