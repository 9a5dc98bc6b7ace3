"""Weight quantization: symmetric, one scale for each output channel, simulated (Nagel et al. 2021).

"A White Paper on Neural Network Quantization", section 2. Its grid name is ``quantisation``.

Adversary: has the weights; needs no images.

1. Divide the weights of each output channel by the channel's scale.
2. Round to whole multiples, and multiply back.

The weights stay float32 and answer as integer kernels with exact activations would; activations and
biases are not quantized. The integer networks that an argument is about are ``zkwm.quantizer``'s.
At 4 bits no mark of benchmarks/results/grid.jsonl (attack "4 bits") loses more than an eighth of
its bits.
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
    """Round weights to multiples, -(2^(bits-1) - 1) to 2^(bits-1) - 1, of a scale.

    The scale of an output channel makes its largest weight the largest multiple.

    Args:
        bits: Of a weight, 2 to 16; 8 is usual in deployment, 4 the least that is.

    Raises:
        UsageError: The number of bits is out of range.
    """

    name: ClassVar[str] = "quantisation"
    paper: ClassVar[str] = "Nagel et al. 2021, section 2"

    bits: int = 8

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= 16:
            raise UsageError(f"expected weights of 2 to 16 bits, got {self.bits}")

    @torch.no_grad()
    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Round the weights of a copy. Raises UsageError for a network without any."""
        model = stolen_copy(target, adversary)
        largest = 2 ** (self.bits - 1) - 1
        for layer in weight_layers(model):
            across = tuple(range(1, layer.weight.ndim))
            scale = layer.weight.abs().amax(dim=across, keepdim=True) / largest
            # a channel of zeros has no scale, and stays zero with any
            scale = torch.where(scale > 0, scale, 1.0)
            layer.weight.copy_((layer.weight / scale).round() * scale)
        return AttackResult(model.cpu())
