"""Ensemble: the averaged answers of two stolen networks, served or distilled into one.

Thieves who serve an ensemble of stolen networks, so that no owner's triggers get their labels, are
those of Hitaj and Mancini ("Have You Stolen My Model?", 2018, arXiv 1809.00615); to distill an
ensemble into one network is older than the word (Bucila et al., KDD 2006; Hinton et al. 2015).

Adversary: has the weights, images of the task, whose labels are not used, and the weights of a
second network of another owner, of any architecture.

1. Average the probabilities of both networks.
2. Serve them, or train a network of random weights on them.

A network is less sure of another owner's triggers than their own network is, so that the average
keeps their labels: served, two networks leave 529 of a robust mark's 664 bits by ranks, distilled
2, and both are more accurate than one (benchmarks/results/combined_attacks.jsonl). ``merging``
averages weights instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target
from zkwm.attacks.model_extraction.surrogate import epochs_as_scratch, train_surrogate
from zkwm.attacks.starting_point import require_second_theft, stolen_copy
from zkwm.nn.architecture_names import ARCHITECTURES
from zkwm.nn.image_source import as_unit, evaluation_batches
from zkwm.training.fit import Fit
from zkwm_protocols.errors import UsageError


@dataclass(frozen=True)
class Ensemble(Attack):
    """Answer by two thefts together, or by a network that learned their answers.

    Args:
        distill: Train a new network; else serve both.
        architecture: Of the new network, a built-in one; empty for the target's.
        epochs: At least 1; 0 for a training as long as that from scratch, counted in images.
        rate: Learning rate, above 0; falls to zero (cosine).
        batch_size: At least 1.
        augment: Whether images are shifted and mirrored at random.

    Raises:
        UsageError: A value is out of range.
    """

    name: ClassVar[str] = "ensemble"
    paper: ClassVar[str] = "Hitaj and Mancini 2018; Bucila et al. 2006"

    distill: bool = True
    architecture: str = ""
    epochs: int = 60
    rate: float = 0.05
    batch_size: int = 64
    augment: bool = False

    def __post_init__(self) -> None:
        if self.architecture and self.architecture not in ARCHITECTURES:
            raise UsageError(f"no such architecture: {self.architecture!r}")
        self._plan(max(self.epochs, 1) if self.epochs >= 0 else self.epochs)

    @property
    def uses_second_theft(self) -> bool:
        """Always."""
        return True

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Join, and distill on all images that the adversary has, with labels or without.

        Raises UsageError where there is no second network, or where it takes other images.
        """
        first, second = stolen_copy(target, adversary), require_second_theft(adversary)
        if (first.config.shape, first.config.class_count) != (
            second.config.shape,
            second.config.class_count,
        ):
            raise UsageError("the second network has other images or classes")
        both = AveragedAnswers(first, second).to(adversary.device).eval()
        if not self.distill:
            return AttackResult(both.cpu())
        images = adversary.data.train_images
        if adversary.unlabeled is not None:
            images = np.concatenate([images, adversary.unlabeled])
        pixels = torch.tensor(images)
        with torch.no_grad():
            answers = torch.cat(
                [
                    both(as_unit(pixels[numbers].to(adversary.device))).exp()
                    for numbers in evaluation_batches(len(pixels))
                ]
            )
        surrogate, used = train_surrogate(
            self.architecture or first.config.architecture,
            images,
            answers,
            answers.shape[1],
            self._plan(self.epochs or epochs_as_scratch(len(images), adversary)),
            adversary,
        )
        return AttackResult(surrogate, images=len(images), gradient_images=used)

    def _plan(self, epochs: int) -> Fit:
        return Fit(epochs=epochs, rate=self.rate, batch_size=self.batch_size, augment=self.augment)


class AveragedAnswers(nn.Module):
    """Two networks that answer by the mean of their probabilities."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, images: Tensor) -> Tensor:
        """The logarithms of the mean probabilities, float32 (n, C), as logits."""
        answers = [network(images).log_softmax(dim=1) for network in (self.first, self.second)]
        mean: Tensor = torch.logaddexp(answers[0], answers[1]) - np.log(2.0)
        return mean
