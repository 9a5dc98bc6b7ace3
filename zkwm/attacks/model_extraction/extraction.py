"""Model extraction: a surrogate learns from the owner's prediction service (Tramer et al. 2016).

USENIX Security 2016; queries with images of another kind and answers of the k largest probabilities
are those of Knockoff nets (Orekondy et al., CVPR 2019), queries with mixtures those of mixup (Zhang
et al., ICLR 2018).

Adversary: has no weights, only answers of the service, and images of the task or of another one.
Whatever the service does to its answers (DAWN, DynaMarks) is in what they learn from.

1. Ask the service about each image once (``queries``).
2. Train a network of random weights on the probabilities, the largest of them, or the largest class
   alone (``answers``).

Trigger sets with derived labels and marks in weights do not pass (benchmarks/results/grid.jsonl,
attacks "extraction, ..."). DynaMarks does where probabilities are answered: 91 to 102 bits in a
surrogate that learned from them, none in one that learned from classes
(benchmarks/results/answers.jsonl, rows "soft" and "hard"). Of a robust mark's 664 bits by ranks
mixtures leave 12, all else less than 4 (benchmarks/results/combined_attacks.jsonl). With the
weights at hand, ``distillation`` is the same attack with free answers; without images there is
``data_free``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from zkwm.attacks.attack import ANSWERS, Adversary, Attack, AttackResult, Target
from zkwm.attacks.model_extraction.answers import LABELS, RESTS, SOFT, SPREAD, surrogate_labels
from zkwm.attacks.model_extraction.queries import OWN, UNLABELED, mixtures_of, query_images
from zkwm.attacks.model_extraction.surrogate import epochs_as_scratch, train_surrogate
from zkwm.nn.architecture_names import ARCHITECTURES
from zkwm.nn.image_source import as_unit, evaluation_batches
from zkwm.training.fit import Fit
from zkwm_protocols.errors import UsageError


@dataclass(frozen=True)
class Extraction(Attack):
    """Train a surrogate on the service's answers, each image being asked about once.

    Args:
        labels: ``soft`` for the probabilities, ``hard`` for the class with the largest, ``top-k``
            for the ``k`` largest.
        k: With ``top-k``, at least 1 and at most the number of classes.
        rest: With ``top-k``: ``spread`` the rest evenly over the other classes, or ``drop`` it.
        queries: ``own`` images of the adversary, ``unlabeled`` for those and all that they have
            without labels, ``noise`` (every pixel uniform), or another data set, as
            ``zkwm.attacks.other_data`` takes it.
        budget: Number of queries before mixtures; 0 for as many as the adversary has images.
        mixtures: Number of further queries, each with a mixture of two of those images.
        mixing: Their alpha, above 0; 1 in Zhang et al. 2018 on CIFAR-10, so that weights are
            uniform.
        architecture: A built-in one; the adversary need not know the target's.
        epochs: At least 1; 0 for a training as long as that from scratch, counted in images.
        rate: Learning rate, above 0; falls to zero (cosine).
        batch_size: At least 1.
        augment: Whether images are shifted and mirrored.
        augmentation: How: ``random`` or ``alternating``, as for the owner (``EmbedSettings``).

    Raises:
        UsageError: A value is out of range.
    """

    name: ClassVar[str] = "extraction"
    paper: ClassVar[str] = "Tramer et al. 2016; Orekondy et al. 2019; Zhang et al. 2018"
    needs: ClassVar[str] = ANSWERS

    labels: str = SOFT
    k: int = 3
    rest: str = SPREAD
    queries: str = OWN
    budget: int = 0
    mixtures: int = 0
    mixing: float = 1.0
    architecture: str = "cnn3"
    epochs: int = 60
    rate: float = 0.05
    batch_size: int = 64
    augment: bool = False
    augmentation: str = "random"

    def __post_init__(self) -> None:
        for value, choices in ((self.labels, LABELS), (self.rest, RESTS)):
            if value not in choices:
                raise UsageError(f"expected one of {', '.join(choices)}, got {value!r}")
        if self.architecture not in ARCHITECTURES:
            raise UsageError(f"no such architecture: {self.architecture!r}")
        if self.budget < 0 or self.mixtures < 0:
            raise UsageError(
                f"expected at least 0 queries, got {self.budget} and {self.mixtures} mixtures"
            )
        if self.k < 1 or not self.mixing > 0:
            raise UsageError("expected at least 1 probability, and mixing above 0")
        self._plan(max(self.epochs, 1) if self.epochs >= 0 else self.epochs)

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Query and train. Raises UsageError for images that are not there."""
        images = query_images(self.queries, self.budget, adversary)
        own = len(images) if self.queries in (OWN, UNLABELED) else 0
        if self.mixtures:
            mixed = mixtures_of(images, self.mixtures, self.mixing, adversary)
            images = np.concatenate([images, mixed])
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
            surrogate_labels(answers, self.labels, self.k, self.rest),
            answers.shape[1],
            self._plan(self.epochs or epochs_as_scratch(len(images), adversary)),
            adversary,
        )
        return AttackResult(surrogate, images=own, queries=len(images), gradient_images=used)

    def _plan(self, epochs: int) -> Fit:
        return Fit(
            epochs=epochs,
            rate=self.rate,
            batch_size=self.batch_size,
            augment=self.augment,
            augmentation=self.augmentation,
        )
