"""Model extraction: a surrogate learns from the owner's prediction service (Tramer et al. 2016).

USENIX Security 2016; queries with images of another kind are those of Knockoff nets (Orekondy et
al., CVPR 2019).

Adversary: has no weights, only answers of the service, and images of the task or of another one.
Whatever the service does to its answers (DAWN, DynaMarks) is in what they learn from.

1. Ask the service about each image once.
2. Train a network of random weights on the probabilities, or on the largest class alone.

Trigger sets with derived labels and marks in weights do not pass (benchmarks/results/grid.jsonl,
attacks "extraction, ..."). DynaMarks does where probabilities are answered: 91 to 102 bits in a
surrogate that learned from them, none in one that learned from classes
(benchmarks/results/answers.jsonl, rows "soft" and "hard"). With the weights at hand,
``distillation`` is the same attack with free answers.
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

SOFT, HARD, OWN, UNLABELED = "soft", "hard", "own", "unlabeled"


@dataclass(frozen=True)
class Extraction(Attack):
    """Train a surrogate on the service's answers, each image being asked about once.

    Args:
        labels: ``soft`` for the probabilities, ``hard`` for the class with the largest.
        queries: ``own`` images of the adversary, ``unlabeled`` for those and all that they have
            without labels, ``noise`` (every pixel uniform), or another data set, as
            ``zkwm.attacks.other_data`` takes it.
        budget: Number of queries; 0 for as many as the adversary has images.
        architecture: A built-in one; the adversary need not know the target's.
        epochs: At least 1; 0 for a training as long as that from scratch, counted in images.
        rate: Learning rate, above 0; falls to zero (cosine).
        batch_size: At least 1.
        augment: Whether images are shifted and mirrored at random.

    Raises:
        UsageError: A value is out of range.
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
            raise UsageError(f"expected labels {SOFT} or {HARD}, got {self.labels!r}")
        if self.architecture not in ARCHITECTURES:
            raise UsageError(f"no such architecture: {self.architecture!r}")
        if self.budget < 0:
            raise UsageError(f"expected at least 0 queries, got {self.budget}")
        self._plan(max(self.epochs, 1) if self.epochs >= 0 else self.epochs)

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Query and train. Raises UsageError for images that are not there."""
        images = self._images(adversary)
        pixels = torch.tensor(images)
        with torch.no_grad():
            answers = torch.cat(
                [
                    target.api(as_unit(pixels[numbers].to(adversary.device))).cpu()
                    for numbers in evaluation_batches(len(pixels))
                ]
            )
        surrogate, used = train_surrogate(
            self.architecture,
            images,
            answers.float() if self.labels == SOFT else answers.argmax(dim=1),
            answers.shape[1],
            self._plan(self._epochs(len(images), adversary)),
            adversary,
        )
        return AttackResult(
            surrogate,
            images=len(images) if self.queries in (OWN, UNLABELED) else 0,
            queries=len(images),
            gradient_images=used,
        )

    def _images(self, adversary: Adversary) -> NDArray[np.uint8]:
        """The images that are asked about, uint8 (n, c, h, w)."""
        shuffled, _ = adversary_images(adversary)
        images: NDArray[np.uint8] = shuffled.cpu().numpy()
        if self.queries == UNLABELED:
            if adversary.unlabeled is None:
                raise UsageError(
                    "this adversary has no images without labels",
                    hint="set unlabeled_images in the grid, or choose other queries",
                )
            images = np.concatenate([images, adversary.unlabeled])
            return images[: self.budget or None]
        if self.queries != OWN:
            return other_images(self.queries, self.budget or len(images), adversary)
        return images[: self.budget or None]

    def _epochs(self, count: int, adversary: Adversary) -> int:
        """Epochs over ``count`` images. Raises UsageError where scratch is unknown but needed."""
        if self.epochs:
            return self.epochs
        if not adversary.scratch_images:
            raise UsageError(
                "how long the training from scratch takes is not known here", hint="give epochs"
            )
        return max(-(-adversary.scratch_images // count), 1)

    def _plan(self, epochs: int) -> Fit:
        return Fit(epochs=epochs, rate=self.rate, batch_size=self.batch_size, augment=self.augment)
