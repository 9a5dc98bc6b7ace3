"""Magnitude pruning: the smallest weights of the whole network become zero (Han et al. 2015).

Unstructured: no channel goes (``fine_pruning`` prunes channels). Biases and batch norms stay.
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
    """``share`` of all weights, those nearest to zero over all layers together, are set to zero.

    With ``epochs`` above zero the network is fine-tuned afterwards with the adversary's images at a
    learning rate that falls from ``rate`` to zero, and what was pruned stays zero. Raises
    UsageError for values out of range.
    """

    name: ClassVar[str] = "pruning"
    paper: ClassVar[str] = "Han et al. 2015"

    share: float = 0.5
    epochs: int = 0
    rate: float = 0.01
    batch_size: int = 100

    def __post_init__(self) -> None:
        if not 0.0 < self.share < 1.0:
            raise UsageError(f"a share of the weights is between 0 and 1, not {self.share!r}")
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
        return fine_tuned(model, weights, masks, adversary, self._plan())

    def _plan(self) -> Fit:
        return Fit(epochs=self.epochs, rate=self.rate, batch_size=self.batch_size)


def fine_tuned(
    model: nn.Module,
    weights: list[Tensor],
    masks: list[Tensor],
    adversary: Adversary,
    plan: Fit,
) -> AttackResult:
    """``model`` trained on the adversary's images while masked weights stay zero."""
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
    """Multiply each weight tensor by its mask of zeros and ones, of the same shape."""
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
