"""Input flipping: every image is mirrored before the model (Lukas et al., IEEE S&P 2022).

Adversary: has the weights and serves answers; needs no images.

1. Mirror every image, left to right or upside down, before it is classified.

Clean accuracy stays where classes look alike in a mirror, or the network was trained with mirrors;
triggers have no such symmetry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target
from zkwm.attacks.input_preprocessing.wrapped_model import FilteredInputModel
from zkwm.attacks.starting_point import stolen_copy
from zkwm_protocols.errors import UsageError

AXES = {"horizontal": 3, "vertical": 2}
"""The axis of images (n, c, h, w) that each mirror reverses."""


@dataclass(frozen=True)
class Flip(Attack):
    """Mirror every image before it is classified.

    Args:
        axis: ``horizontal`` exchanges left and right, ``vertical`` top and bottom.

    Raises:
        UsageError: There is no such axis.
    """

    axis: str = "horizontal"
    name: ClassVar[str] = "flip"
    paper: ClassVar[str] = "Lukas et al. 2022 (IEEE S&P), input flipping"

    def __post_init__(self) -> None:
        if self.axis not in AXES:
            raise UsageError(f"expected an axis of {', '.join(AXES)}, got {self.axis!r}")

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """The model behind the mirror."""
        mirror = Mirror(AXES[self.axis])
        return AttackResult(FilteredInputModel(mirror, stolen_copy(target, adversary)).eval())


class Mirror(nn.Module):
    """Images reversed along one axis."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, images: Tensor) -> Tensor:
        """Images of the same shape, float32 (n, c, h, w)."""
        return images.flip(self.axis)
