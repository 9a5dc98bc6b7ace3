"""Quantisation of the weights: symmetric, with a scale for each output channel, simulated.

The weights are rounded to few levels and stay float32, which answers as integer kernels with exact
activations would. Activations and biases are not quantised. Not the integer networks that a proof
is about (``zkwm.quantizer``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target
from zkwm.attacks.starting_point import stolen_copy, weight_layers
from zkwm_protocols.errors import UsageError


@dataclass(frozen=True)
class Quantization(Attack):
    """Weights of ``bits`` bits: whole multiples, -(2^(bits-1) - 1) to 2^(bits-1) - 1, of a scale.

    The scale of an output channel makes its largest weight the largest multiple. Raises UsageError
    for fewer than 2 or more than 16 bits.
    """

    name: ClassVar[str] = "quantisation"
    paper: ClassVar[str] = "Nagel et al. 2021, section 2"

    bits: int = 8

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= 16:
            raise UsageError(f"weights have 2 to 16 bits, not {self.bits}")

    @torch.no_grad()
    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Round the weights of a copy. Raises UsageError for a network without any."""
        model = stolen_copy(target, adversary)
        largest = 2 ** (self.bits - 1) - 1
        for layer in weight_layers(model):
            across = tuple(range(1, layer.weight.ndim))
            scale = layer.weight.abs().amax(dim=across, keepdim=True) / largest
            scale = torch.where(scale > 0, scale, 1.0)
            layer.weight.copy_((layer.weight / scale).round() * scale)
        return AttackResult(model.cpu())
