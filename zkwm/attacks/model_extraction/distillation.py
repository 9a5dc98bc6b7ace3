"""Distillation: a surrogate learns the stolen model's soft answers (Hinton et al. 2015).

Adversary: has the weights and images of the task, whose labels are not used.

1. Ask the stolen model for probabilities of all images: with the weights at hand answers are free
   and exact.
2. Train a network of random weights on them at a temperature.

Trigger sets and marks in weights do not pass: no mark but Le Merrer's declared labels keeps more
than 8 bits, and the surrogate ends below a network trained from scratch
(benchmarks/results/grid.jsonl, attack "distillation"). ``extraction`` has only the owner's service.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target
from zkwm.attacks.model_extraction.surrogate import train_surrogate
from zkwm.attacks.starting_point import stolen_copy
from zkwm.nn.architecture_names import ARCHITECTURES
from zkwm.nn.image_source import as_unit, evaluation_batches
from zkwm.training.fit import Fit
from zkwm_protocols.errors import UsageError


@dataclass(frozen=True)
class Distillation(Attack):
    """Train a surrogate on the softmax of the logits at a temperature.

    Temperature 3, 60 epochs and rate 0.1 are those of Lukas et al. 2022.

    Args:
        temperature: Above 0; larger ones teach more about the unlikely classes.
        architecture: A built-in one, or empty for that of the target.
        epochs: At least 1.
        rate: Learning rate, above 0; falls to zero (cosine).
        batch_size: At least 1.
        augment: Whether images are shifted and mirrored at random.

    Raises:
        UsageError: A value is out of range.
    """

    name: ClassVar[str] = "distillation"
    paper: ClassVar[str] = "Hinton et al. 2015; Lukas et al. 2022"

    temperature: float = 3.0
    architecture: str = ""
    epochs: int = 60
    rate: float = 0.1
    batch_size: int = 64
    augment: bool = False

    def __post_init__(self) -> None:
        if self.architecture and self.architecture not in ARCHITECTURES:
            raise UsageError(f"no such architecture: {self.architecture!r}")
        if not self.temperature > 0:
            raise UsageError(f"expected a temperature above 0, got {self.temperature}")
        self._plan()

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Distill. Raises UsageError for an architecture that cannot take the images."""
        teacher = stolen_copy(target, adversary)
        images = adversary.data.train_images
        pixels = torch.tensor(images)
        with torch.no_grad():
            answers = torch.cat(
                [
                    teacher(as_unit(pixels[numbers].to(adversary.device))).softmax(dim=1)
                    for numbers in evaluation_batches(len(pixels))
                ]
            )
        surrogate, used = train_surrogate(
            self.architecture or teacher.config.architecture,
            images,
            answers,
            teacher.config.class_count,
            self._plan(),
            adversary,
        )
        return AttackResult(surrogate, images=len(images), gradient_images=used)

    def _plan(self) -> Fit:
        return Fit(
            epochs=self.epochs,
            rate=self.rate,
            batch_size=self.batch_size,
            temperature=self.temperature,
            augment=self.augment,
        )
