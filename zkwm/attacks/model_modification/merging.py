"""Merging: the weights of two stolen networks are averaged, after their neurons are aligned.

Averages of networks that share a start are "model soups" (Wortsman et al., ICML 2022); networks
trained apart are first brought to one order of neurons (Ainsworth et al., "Git Re-Basin", ICLR
2023), here by the judge's own alignment (``zkwm.extraction.alignment``), which sets scales, too.

Adversary: has the weights, labeled images of the task, and the weights of a second network of
another owner, of the same architecture.

1. Align the second network with the first.
2. Average all weights.
3. Fine-tune: small networks that were trained apart do not meet in one valley, so their average is
   worth little by itself. Statistics of batch norm are averaged, too, and right only afterwards.

Of a robust mark's 664 bits by ranks 36 are left by equal shares, and 1 where seven tenths are the
second network's (benchmarks/results/combined_attacks.jsonl). But the second owner was unmarked
there: the larger their share, the more of a mark of theirs is left. ``ensemble`` averages answers
instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target
from zkwm.attacks.starting_point import adversary_images, require_second_theft, stolen_copy
from zkwm.extraction.alignment import align
from zkwm.nn.architectures import Classifier
from zkwm.training.fit import Fit, fit
from zkwm_protocols.errors import UsageError


@dataclass(frozen=True)
class Merging(Attack):
    """Average the weights of two thefts, and fine-tune.

    Args:
        share: Of the second network in the average, above 0 and below 1.
        epochs: Of the fine-tuning; 0 for none.
        rate: Its learning rate, above 0; falls to zero (cosine).
        batch_size: At least 1.

    Raises:
        UsageError: A value is out of range.
    """

    name: ClassVar[str] = "merging"
    paper: ClassVar[str] = "Wortsman et al. 2022; Ainsworth et al. 2023"

    share: float = 0.5
    epochs: int = 10
    rate: float = 0.02
    batch_size: int = 100

    def __post_init__(self) -> None:
        if not 0.0 < self.share < 1.0:
            raise UsageError(f"expected a share above 0 and below 1, got {self.share}")
        self._plan(max(self.epochs, 1) if self.epochs >= 0 else self.epochs)

    @property
    def uses_second_theft(self) -> bool:
        """Always."""
        return True

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Average and fine-tune.

        Raises UsageError where there is no second network, or where it is of another architecture.
        """
        model = stolen_copy(target, adversary)
        average(model, align(require_second_theft(adversary), target.model), self.share)
        if not self.epochs:
            return AttackResult(model.cpu().eval())
        images, labels = adversary_images(adversary)
        used = fit(model, images, labels, self._plan(self.epochs), seed=adversary.seed)
        return AttackResult(model.cpu().eval(), images=len(images), gradient_images=used)

    def _plan(self, epochs: int) -> Fit:
        return Fit(epochs=epochs, rate=self.rate, batch_size=self.batch_size)


@torch.no_grad()
def average(model: Classifier, other: Classifier, share: float) -> None:
    """Move all weights and statistics of ``model`` by ``share`` towards those of ``other``."""
    theirs = other.state_dict()
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            value.lerp_(theirs[name].to(value), share)
