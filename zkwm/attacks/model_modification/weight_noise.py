"""Gaussian noise on the weights, in proportion to their size (Bansal et al., ICML 2022).

Adversary: has the weights; needs no images.

1. Add independent Gaussian noise to each weight of convolutions and fully connected layers.

Certified watermarks are defined against such noise. At the default strength no mark of
benchmarks/results/grid.jsonl (attack "weight noise") loses more than a tenth of its bits.
``weight_shifting`` perturbs and then fine-tunes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target, adversary_generator
from zkwm.attacks.starting_point import stolen_copy, weight_layers
from zkwm_protocols.errors import UsageError


@dataclass(frozen=True)
class WeightNoise(Attack):
    """Add noise to each layer's weights; biases and batch norms stay.

    Args:
        strength: Standard deviation of the noise in units of the layer's root mean square, above 0;
            0.1 is what a network bears without fine-tuning.

    Raises:
        UsageError: The strength is not above 0.
    """

    name: ClassVar[str] = "weight_noise"
    paper: ClassVar[str] = "Bansal et al. 2022"

    strength: float = 0.1

    def __post_init__(self) -> None:
        if not self.strength > 0:
            raise UsageError(f"expected a strength above 0, got {self.strength}")

    @torch.no_grad()
    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Add noise to a copy. Raises UsageError for a network without weights of layers."""
        model = stolen_copy(target, adversary)
        generator = adversary_generator(adversary, "weight noise")
        for layer in weight_layers(model):
            noise = torch.randn(layer.weight.shape, generator=generator).to(adversary.device)
            size = layer.weight.square().mean().sqrt()
            layer.weight.add_(noise, alpha=float(self.strength * size))
        return AttackResult(model.cpu())
