"""Low-rank tuning: train a product of two thin matrices beside each weight (Hu et al. 2022).

Hu, Shen, Wallis, Allen-Zhu, Li, Wang, Wang and Chen, "LoRA: Low-Rank Adaptation of Large Language
Models", ICLR 2022. How thieves adapt large models cheaply, so what happens to a mark by the way.

Adversary: has the weights and labeled images of the task.

1. Beside each weight W (a filter's inputs in one row) put (alpha / rank) B A, with B = 0 and A
   random; W, biases and batch norms stay.
2. Train A and B on the images.
3. Add the products to the weights, so that the network looks as before.

Low rank forgets little: Luong and Chen (arXiv 2601.06305) find that it rarely removes backdoors
from language models, because its singular values stay far below those of the weights.
``fine_tuning`` moves weights in all directions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target, adversary_generator
from zkwm.attacks.model_modification.fine_tuning import InEvaluationMode
from zkwm.attacks.starting_point import adversary_images, require_share, stolen_copy, weight_layers
from zkwm.training.fit import Fit, fit
from zkwm_protocols.errors import UsageError


@dataclass(frozen=True)
class LowRankTuning(Attack):
    """Fine-tune by updates of low rank, and merge them.

    Args:
        rank: Of each layer's update, at least 1; at most that of its weight is used.
        alpha: Strength of the updates, above 0: they are multiplied by alpha / rank.
        rate: Learning rate, above 0; falls to zero (cosine).
        optimizer: ``sgd`` or ``adamw``.
        epochs: At least 1.
        batch_size: At least 1.
        share: Of the adversary's images that is used, above 0 and at most 1.

    Raises:
        UsageError: A value is out of range.
    """

    name: ClassVar[str] = "low_rank_tuning"
    paper: ClassVar[str] = "Hu et al. 2022 (ICLR)"

    rank: int = 4
    alpha: float = 8.0
    rate: float = 0.001
    optimizer: str = "adamw"
    epochs: int = 10
    batch_size: int = 100
    share: float = 1.0

    def __post_init__(self) -> None:
        require_share(self.share)
        if self.rank < 1 or not self.alpha > 0:
            raise UsageError(
                f"expected a rank of at least 1 and alpha above 0, got {self.rank}, {self.alpha}"
            )
        self._plan()

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Tune a copy. Raises UsageError where the training diverges."""
        model, tuned = stolen_copy(target, adversary), stolen_copy(target, adversary)
        tuned.requires_grad_(False)
        images, labels = adversary_images(adversary, self.share)
        layers = weight_layers(tuned)
        factors = self._attach(layers, adversary)
        used = fit(
            InEvaluationMode(tuned), images, labels, self._plan(),
            seed=adversary.seed, parameters=factors,
        )  # fmt: skip
        with torch.no_grad():
            for plain, layer in zip(weight_layers(model), layers, strict=True):
                plain.weight.copy_(layer.weight)
        return AttackResult(model.cpu().eval(), images=len(labels), gradient_images=used)

    def _attach(
        self, layers: list[nn.Conv2d | nn.Linear], adversary: Adversary
    ) -> list[nn.Parameter]:
        """Step 1, in place; the factors of all layers."""
        random = adversary_generator(adversary, self.name)
        factors: list[nn.Parameter] = []
        for layer in layers:
            rows, columns = layer.weight.flatten(1).shape
            rank = min(self.rank, rows, columns)
            inner = torch.randn((rank, columns), generator=random) / columns**0.5
            update = _LowRankUpdate(
                torch.zeros(rows, rank, device=layer.weight.device),
                inner.to(layer.weight.device),
                self.alpha / rank,
            )
            parametrize.register_parametrization(layer, "weight", update)
            factors += [update.outer, update.inner]
        return factors

    def _plan(self) -> Fit:
        return Fit(
            epochs=self.epochs,
            rate=self.rate,
            optimizer=self.optimizer,
            batch_size=self.batch_size,
        )


class _LowRankUpdate(nn.Module):
    """A weight plus a scaled product of two factors, (rows, rank) and (rank, columns)."""

    def __init__(self, outer: Tensor, inner: Tensor, scale: float) -> None:
        super().__init__()
        self.outer, self.inner, self.scale = nn.Parameter(outer), nn.Parameter(inner), scale

    def forward(self, weight: Tensor) -> Tensor:
        """The weight with the update, of its own shape."""
        return weight + self.scale * (self.outer @ self.inner).view_as(weight)
