"""JPEG compression before the stolen model (Lukas et al., IEEE S&P 2022, the SoK).

Changes no weights, so it helps only a thief who serves answers. Gradients do not pass.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target
from zkwm.attacks.input_preprocessing.wrapped_model import FilteredInputModel
from zkwm.attacks.starting_point import stolen_copy
from zkwm_protocols.errors import UsageError


@dataclass(frozen=True)
class Jpeg(Attack):
    """Compress every image at ``quality`` (1 to 95, as Pillow counts) before it is classified.

    Raises UsageError for another quality.
    """

    quality: int = 50
    name: ClassVar[str] = "jpeg"
    paper: ClassVar[str] = "Lukas et al. 2022 (IEEE S&P), JPEG compression"

    def __post_init__(self) -> None:
        """Refuse qualities that Pillow does not have."""
        if not 1 <= self.quality <= 95:
            raise UsageError("the quality of a JPEG file is 1 to 95")

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """The model behind the compression."""
        model = stolen_copy(target, adversary)
        return AttackResult(FilteredInputModel(Compression(self.quality), model).eval())


class Compression(nn.Module):
    """Images to JPEG and back, one at a time on the CPU."""

    def __init__(self, quality: int) -> None:
        super().__init__()
        self.quality = quality

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Float32 (n, c, h, w) in [0, 1], the same shape; c is 1 or 3."""
        pixels = (images.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
        through = np.stack([self._compressed(image) for image in pixels])
        return torch.from_numpy(through).to(images.device).float() / 255

    def _compressed(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        grey = image.shape[0] == 1
        file = io.BytesIO()
        picture = Image.fromarray(image[0] if grey else image.transpose(1, 2, 0))
        picture.save(file, "JPEG", quality=self.quality)
        found = np.asarray(Image.open(file))
        return found[None] if grey else found.transpose(2, 0, 1)
