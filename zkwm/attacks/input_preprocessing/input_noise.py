"""Input noise: Gaussian noise on every image before the model (Lukas et al., IEEE S&P 2022).

Adversary: has the weights and serves answers; needs no images.

1. Add noise to every image before it is classified, and keep values in [0, 1].

The noise follows from the image: whoever asks twice gets the same answer, and cannot average the
noise away. The model is not trained with it, so accuracy falls with its strength.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target
from zkwm.attacks.input_preprocessing.wrapped_model import FilteredInputModel
from zkwm.attacks.starting_point import stolen_copy
from zkwm.nn.seeds import derived_seed
from zkwm_protocols.errors import UsageError


@dataclass(frozen=True)
class InputNoise(Attack):
    """Add noise to every image before it is classified.

    Args:
        strength: Standard deviation of the noise, above 0 and at most 1; pixels are 0 to 1.

    Raises:
        UsageError: The strength is out of range.
    """

    strength: float = 0.1
    name: ClassVar[str] = "input_noise"
    paper: ClassVar[str] = "Lukas et al. 2022 (IEEE S&P), input noising"

    def __post_init__(self) -> None:
        if not 0.0 < self.strength <= 1.0:
            raise UsageError(f"expected a strength above 0 and at most 1, got {self.strength}")

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """The model behind the noise."""
        noise = ImageNoise(self.strength, derived_seed(adversary.seed, f"attack/{self.name}"))
        return AttackResult(FilteredInputModel(noise, stolen_copy(target, adversary)).eval())


class ImageNoise(nn.Module):
    """Gaussian noise that follows from seed and image.

    Args:
        strength: Its standard deviation.
        seed: The adversary's secret.
    """

    def __init__(self, strength: float, seed: int) -> None:
        super().__init__()
        self.strength, self.seed = strength, seed

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Images of the same shape, float32 (n, c, h, w) in [0, 1]; gradients do not pass."""
        pixels = images.detach().cpu().float().numpy()
        noisy = np.stack([image + self._noise(image.tobytes(), image.shape) for image in pixels])
        return torch.from_numpy(noisy).float().to(images.device).clamp(0, 1)

    def _noise(self, image: bytes, shape: tuple[int, ...]) -> np.ndarray:
        """The noise of one image, float64, of its shape."""
        digest = hashlib.sha256(str(self.seed).encode() + image).digest()
        return self.strength * np.random.default_rng(list(digest)).standard_normal(shape)
