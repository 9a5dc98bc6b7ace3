"""Magnitude pruning: set the smallest weights of the network to zero (Han et al., NeurIPS 2015).

Adversary: has the weights; needs labeled images only to fine-tune afterwards.

1. Zero the weights nearest to zero over all layers together; biases and batch norms stay.
2. Optionally fine-tune while they stay zero.

Unstructured: no channel disappears (``fine_pruning`` prunes channels). Up to 70 % Adi's mark keeps
322 of 332 bits or more; at 90 % 161 are left, and 434 of 664 of the robust embedding
(benchmarks/results/grid_shares.jsonl and grid.jsonl, attacks "pruning 70 %" and "pruning 90 %").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target
from zkwm.attacks.starting_point import adversary_images, stolen_copy, weight_layers
from zkwm.training.fit import Fit, fit
from zkwm_protocols.errors import UsageError


@dataclass(frozen=True)
class Pruning(Attack):
    """Prune a share of all weights by magnitude.

    Args:
        share: Of the weights that become zero, between 0 and 1.
        epochs: Of fine-tuning afterwards, 0 for none.
        rate: Its learning rate, above 0; falls to zero (cosine).
        batch_size: At least 1.

    Raises:
        UsageError: A value is out of range.
    """

    name: ClassVar[str] = "pruning"
    paper: ClassVar[str] = "Han et al. 2015"

    share: float = 0.5
    epochs: int = 0
    rate: float = 0.01
    batch_size: int = 100

    def __post_init__(self) -> None:
        if not 0.0 < self.share < 1.0:
            raise UsageError(f"expected a share of the weights between 0 and 1, got {self.share!r}")
        if self.epochs:
            self._plan()

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Prune a copy. Raises UsageError for a network without weights of layers."""
        model = stolen_copy(target, adversary)
        weights: list[Tensor] = [layer.weight for layer in weight_layers(model)]
        masks = _masks(weights, self.share)
        apply_masks(weights, masks)
        if not self.epochs:
            return AttackResult(model.cpu())
        return fine_tune_masked(model, weights, masks, adversary, self._plan())

    def _plan(self) -> Fit:
        return Fit(epochs=self.epochs, rate=self.rate, batch_size=self.batch_size)


def fine_tune_masked(
    model: nn.Module,
    weights: list[Tensor],
    masks: list[Tensor],
    adversary: Adversary,
    plan: Fit,
) -> AttackResult:
    """Train on the adversary's images while masked weights stay zero.

    Args:
        model: Trained in place.
        weights: Those of its weight tensors that have a mask.
        masks: Zeros and ones, each of its weight's shape.
        adversary: Whose images and seed.
        plan: How to train.
    """
    images, labels = adversary_images(adversary)
    used = fit(
        model,
        images,
        labels,
        plan,
        seed=adversary.seed,
        after_step=lambda: apply_masks(weights, masks),
    )
    return AttackResult(model.cpu().eval(), images=len(images), gradient_images=used)


@torch.no_grad()
def apply_masks(weights: list[Tensor], masks: list[Tensor]) -> None:
    """Multiply each weight tensor in place by its mask of zeros and ones."""
    for weight, mask in zip(weights, masks, strict=True):
        weight.mul_(mask)


@torch.no_grad()
def _masks(weights: list[Tensor], share: float) -> list[Tensor]:
    """For each tensor, 0 where a weight is among the smallest ``share`` of all, 1 elsewhere."""
    sizes = torch.cat([weight.abs().reshape(-1) for weight in weights])
    kept = torch.ones_like(sizes)
    kept[sizes.argsort(stable=True)[: round(share * len(sizes))]] = 0
    parts = torch.split(kept, [weight.numel() for weight in weights])
    return [part.reshape(weight.shape) for part, weight in zip(parts, weights, strict=True)]
