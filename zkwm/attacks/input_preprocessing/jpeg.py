"""JPEG compression of every image before the model (Lukas et al., IEEE S&P 2022).

Adversary: has the weights and serves answers; needs no images.

1. Compress every image and decompress it again before it is classified.

Gradients do not pass. At quality 50 no mark of benchmarks/results/grid.jsonl (attack "JPEG") loses
more than a tenth of its bits.
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
    """Compress every image before it is classified.

    Args:
        quality: Of the JPEG file as Pillow counts, 1 to 95; 50 is visible on small images.

    Raises:
        UsageError: The quality is out of range.
    """

    quality: int = 50
    name: ClassVar[str] = "jpeg"
    paper: ClassVar[str] = "Lukas et al. 2022 (IEEE S&P), JPEG compression"

    def __post_init__(self) -> None:
        if not 1 <= self.quality <= 95:
            raise UsageError(f"expected a JPEG quality of 1 to 95, got {self.quality}")

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
        decompressed = np.stack([self._compressed(image) for image in pixels])
        return torch.from_numpy(decompressed).to(images.device).float() / 255

    def _compressed(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """One image uint8 (c, h, w) through JPEG."""
        gray = image.shape[0] == 1
        file = io.BytesIO()
        picture = Image.fromarray(image[0] if gray else image.transpose(1, 2, 0))
        picture.save(file, "JPEG", quality=self.quality)
        pixels = np.asarray(Image.open(file))
        return pixels[None] if gray else pixels.transpose(2, 0, 1)
