"""Model extraction: a new network learns from what the owner's prediction service answers.

The adversary never has the weights, and whatever the service does to its answers (DAWN, DynaMarks)
is in what he learns from. Queries with images of another kind are those of Knockoff nets (Orekondy
et al. 2019). With the weights at hand one does ``distillation``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from zkwm.attacks.attack import ANSWERS, Adversary, Attack, AttackResult, Target
from zkwm.attacks.model_extraction.surrogate import train_surrogate
from zkwm.attacks.other_data import other_images
from zkwm.attacks.starting_point import adversary_images
from zkwm.nn.architecture_names import ARCHITECTURES
from zkwm.nn.image_source import as_unit, evaluation_batches
from zkwm.training.fit import Fit
from zkwm_protocols.errors import UsageError

SOFT, HARD, OWN = "soft", "hard", "own"


@dataclass(frozen=True)
class Extraction(Attack):
    """A network of random weights learns the service's answers, each image being asked once.

    ``labels``: ``soft`` are the probabilities, ``hard`` the class with the largest. ``queries``:
    ``own`` images of the adversary, ``noise`` (every pixel uniform), or another data set, as
    ``zkwm.attacks.other_data`` takes it. ``budget`` is the number of queries, 0 for as many as the
    adversary has images. ``architecture`` is a built-in one. The learning rate falls from ``rate``
    to zero. Raises UsageError for values out of range.
    """

    name: ClassVar[str] = "extraction"
    paper: ClassVar[str] = "Tramer et al. 2016; Orekondy et al. 2019"
    needs: ClassVar[str] = ANSWERS

    labels: str = SOFT
    queries: str = OWN
    budget: int = 0
    architecture: str = "cnn3"
    epochs: int = 60
    rate: float = 0.05
    batch_size: int = 64
    augment: bool = False

    def __post_init__(self) -> None:
        if self.labels not in (SOFT, HARD):
            raise UsageError(f"labels are {SOFT} or {HARD}, not {self.labels!r}")
        if self.architecture not in ARCHITECTURES:
            raise UsageError(f"no such architecture: {self.architecture!r}")
        if self.budget < 0:
            raise UsageError("the number of queries is not negative")
        self._plan()

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Ask, and learn. Raises UsageError for queries that are not there."""
        images = self._images(adversary)
        pixels = torch.tensor(images)
        with torch.no_grad():
            answers = torch.cat(
                [
                    target.api(as_unit(pixels[numbers].to(adversary.device))).cpu()
                    for numbers in evaluation_batches(len(pixels))
                ]
            )
        student, used = train_surrogate(
            self.architecture,
            images,
            answers.float() if self.labels == SOFT else answers.argmax(dim=1),
            answers.shape[1],
            self._plan(),
            adversary,
        )
        return AttackResult(
            student,
            images=len(images) if self.queries == OWN else 0,
            queries=len(images),
            gradient_images=used,
        )

    def _images(self, adversary: Adversary) -> NDArray[np.uint8]:
        own_count = len(adversary.data.train_images)
        budget = self.budget or own_count
        if self.queries != OWN:
            return other_images(self.queries, budget, adversary)
        order, _ = adversary_images(adversary)
        chosen: NDArray[np.uint8] = order[:budget].cpu().numpy()
        return chosen

    def _plan(self) -> Fit:
        return Fit(
            epochs=self.epochs, rate=self.rate, batch_size=self.batch_size, augment=self.augment
        )
