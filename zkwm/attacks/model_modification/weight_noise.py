"""Gaussian noise on the weights, in proportion to their size.

Not fine-tuning: no images are needed (``weight_shifting`` perturbs and then fine-tunes).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target, generator
from zkwm.attacks.starting_point import stolen_copy, weight_layers
from zkwm_protocols.errors import UsageError


@dataclass(frozen=True)
class WeightNoise(Attack):
    """Each layer's weights get noise of ``strength`` times the root mean square of that layer.

    Biases and batch norms stay. Raises UsageError for a strength that is not above zero.
    """

    name: ClassVar[str] = "weight_noise"
    paper: ClassVar[str] = "Bansal et al. 2022"

    strength: float = 0.1

    def __post_init__(self) -> None:
        if not self.strength > 0:
            raise UsageError("the noise has a strength above zero")

    @torch.no_grad()
    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Add noise to a copy. Raises UsageError for a network without weights of layers."""
        model = stolen_copy(target, adversary)
        source = generator(adversary, "weight noise")
        for layer in weight_layers(model):
            noise = torch.randn(layer.weight.shape, generator=source).to(adversary.device)
            size = layer.weight.square().mean().sqrt()
            layer.weight.add_(noise, alpha=float(self.strength * size))
        return AttackResult(model.cpu())
