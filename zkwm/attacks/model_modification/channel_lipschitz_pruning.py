"""Channel Lipschitzness pruning (CLP): prune the channels that amplify most (Zheng et al. 2022).

Zheng, Tang, Li and Liu, "Data-free Backdoor Removal based on Channel Lipschitzness", ECCV 2022.

Adversary: has the weights; needs no image.

1. Bound the Lipschitz constant of each channel: the largest singular value of its filter, one row
   for each input channel, times the batch norm's |scale| / deviation.
2. In each layer, silence the channels whose bound exceeds the mean by ``threshold`` deviations.

The authors prune convolutions that a batch norm follows. Here a convolution without batch norm has
its filter's bound alone, and the neurons of fully connected layers before the head, which the
authors' networks do not have, count as channels with filters of one row.
A channel among n is at most (n - 1) / sqrt(n) deviations above their mean, so that a threshold of 3
prunes nothing in layers of fewer than 11 channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target
from zkwm.attacks.model_modification.channels import ChannelLayer, channel_layers
from zkwm.attacks.starting_point import stolen_copy
from zkwm_protocols.errors import UsageError


@dataclass(frozen=True)
class ChannelLipschitzPruning(Attack):
    """Prune channels by their weights alone.

    Args:
        threshold: How many standard deviations above the layer's mean a bound is pruned, above 0;
            3 is the authors' u for CIFAR-10.

    Raises:
        UsageError: The threshold is out of range.
    """

    name: ClassVar[str] = "channel_lipschitz_pruning"
    paper: ClassVar[str] = "Zheng et al. 2022 (ECCV)"

    threshold: float = 3.0

    def __post_init__(self) -> None:
        if not self.threshold > 0:
            raise UsageError(f"expected a threshold above 0, got {self.threshold!r}")

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Prune a copy. Raises UsageError for a network without channels before a head."""
        model = stolen_copy(target, adversary)
        for layer in channel_layers(model):
            layer.silence(self._outliers(lipschitz_bounds(layer)))
        return AttackResult(model.cpu())

    def _outliers(self, bounds: Tensor) -> Tensor:
        """Which bounds, float32 (n,), exceed the threshold: bool (n,)."""
        if len(bounds) < 2:
            return torch.zeros(len(bounds), dtype=torch.bool, device=bounds.device)
        return bounds > bounds.mean() + self.threshold * bounds.std()


@torch.no_grad()
def lipschitz_bounds(layer: ChannelLayer) -> Tensor:
    """For each channel, an upper bound of its Lipschitz constant, float32 (channels,)."""
    weight = layer.layer.weight
    filters = weight.flatten(2) if weight.ndim > 2 else weight[:, None]
    bounds: Tensor = torch.linalg.matrix_norm(filters, ord=2)
    if layer.norm is None:
        return bounds
    variance = layer.norm.running_var
    if variance is None:  # it always normalizes with the batch's own
        raise UsageError("batch norm without running statistics has no bound that needs no images")
    scaled: Tensor = bounds * layer.norm.weight.abs() / (variance + layer.norm.eps).sqrt()
    return scaled
