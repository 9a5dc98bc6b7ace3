"""Distillation (Hinton et al. 2015): a new network learns the stolen one's soft answers.

The adversary has the weights, so answers cost nothing and are exact. An adversary who has only the
owner's service does ``extraction``.
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
    """A network of random weights learns the softmax of the logits at ``temperature``.

    On the adversary's images, whose own labels are not used. ``architecture`` is a built-in one, or
    empty for that of the target. Temperature 3, 60 epochs and learning rate 0.1 are those of Lukas
    et al. 2022; the rate falls to zero. Raises UsageError for values out of range.
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
            raise UsageError("a temperature is above zero")
        self._plan()

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Distil. Raises UsageError for an architecture that cannot take the images."""
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
        student, used = train_surrogate(
            self.architecture or teacher.config.architecture,
            images,
            answers,
            teacher.config.class_count,
            self._plan(),
            adversary,
        )
        return AttackResult(student, images=len(images), gradient_images=used)

    def _plan(self) -> Fit:
        return Fit(
            epochs=self.epochs,
            rate=self.rate,
            batch_size=self.batch_size,
            temperature=self.temperature,
            augment=self.augment,
        )
