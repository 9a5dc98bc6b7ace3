"""Neural Dehydration: invert the model class by class, split what comes back, unlearn half of it.

Lu, Li, Zhang, Pan and Yang (Dehydra, CCS 2024, arXiv 2309.03466), who erase all of ten schemes with
a sixtieth of the training data; the constants are their repository's (LouisVann/Dehydra).
``confident_noise`` seeks any class by signed steps and splits nothing.

Adversary: has the weights; labeled images of the task, or none; knows no trigger.

1. ``class_inversion``: search images of each class in the model.
2. Split each class's into samples of the mark and normal ones.
3. Fine-tune on clean images and on as many samples of the mark, the latter labeled with the class
   that the model finds least likely for them (the paper's proxy label), or uniformly (its basic
   form, which splits nothing).

Four things differ. There is no search for a single target class, because labels derived from a
commitment have none; so there is a data-free form of step 3, whose clean images are the normal
samples with their classes, where the paper's needs that single class. The least likely class is
measured, where the repository writes it down. Networks without batch norms match the features of
the adversary's images (``class_inversion``). And a stop rule undoes what costs too much accuracy
(``held_out``); the data-free form measures it on normal samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target, adversary_generator
from zkwm.attacks.model_modification.class_inversion import (
    Inversion,
    Statistics,
    invert_class,
    mark_samples,
)
from zkwm.attacks.model_modification.held_out import (
    Labeled,
    hold_out,
    require_stop_rule,
    train_within,
)
from zkwm.attacks.starting_point import adversary_images, head_of, stolen_copy
from zkwm.nn.image_source import as_unit
from zkwm.nn.inference import logits
from zkwm.training.fit import Fit, fit
from zkwm_protocols.errors import UsageError

if TYPE_CHECKING:
    from zkwm.nn.architectures import Classifier

LEAST, UNIFORM = "least", "uniform"
LABELS = (LEAST, UNIFORM)
COMPARED_IMAGES = 500
"""How many clean images the statistics of features are measured on."""


@dataclass(frozen=True)
class Dehydra(Attack):
    """Unlearn what class-wise inversion recovers.

    Args:
        images: Inverted per class, at least 2.
        steps: Of the inversion, at least 1; the paper takes 400 for LeNet-5, 1,000 on CIFAR-10.
        statistics: Weight of the features' statistics in the inversion, at least 0; the paper's
            0.1, and 0.01 on CIFAR-100.
        labels: Of what is unlearned: ``least``, samples of the mark get their class's least likely
            class; ``uniform``, all inverted images get the uniform distribution (without images of
            the task, samples of the mark alone).
        data_free: Whether the adversary does without images of the task.
        rate: Learning rate of the fine-tuning, above 0, constant.
        epochs: Of the fine-tuning, at least 1.
        held_out: Share of the clean images that accuracy is measured on, 0 to below 1; without any
            nothing is undone.
        most_lost: How many points of accuracy below the stolen model's an adversary accepts, and a
            standard deviation of the measurement.

    Raises:
        UsageError: A value is out of range.
    """

    images: int = 250
    steps: int = 400
    statistics: float = 0.1
    labels: str = LEAST
    data_free: bool = False
    rate: float = 0.01
    epochs: int = 10
    held_out: float = 0.1
    most_lost: float = 3.0
    name: ClassVar[str] = "dehydra"
    paper: ClassVar[str] = "Lu et al. 2024 (CCS, arXiv 2309.03466)"

    def __post_init__(self) -> None:
        self._plan(1.0)
        require_stop_rule(self.held_out, self.most_lost)
        if self.labels not in LABELS:
            raise UsageError(f"expected one of {', '.join(LABELS)}, got {self.labels!r}")
        if not (self.images >= 2 and self.steps >= 1 and self.statistics >= 0):
            raise UsageError(
                "expected at least 2 images of a class, a step above 0, and a weight of at least "
                f"0, got {self.images}, {self.steps} and {self.statistics}"
            )

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Fine-tune a copy of the target. Raises UsageError for a network without a last layer."""
        model = stolen_copy(target, adversary)
        generator = adversary_generator(adversary, self.name)
        own = None if self.data_free else Labeled(*adversary_images(adversary))
        marks, normal = self._recovered(model, adversary, own, generator)
        known = normal if own is None else own
        clean, held = hold_out(known, self.held_out, generator)
        before = held.right(model)
        train = partial(self._unlearn, clean, *marks, adversary.seed)
        model, used = train_within(model, held, before, self.most_lost, train)
        inverted = self.steps * self.images * adversary.data.class_count
        return AttackResult(
            model, images=0 if own is None else len(own), gradient_images=inverted + used
        )

    def _plan(self, gentleness: float) -> Fit:
        return Fit(
            epochs=self.epochs, rate=gentleness * self.rate, schedule="constant", batch_size=256
        )

    def _recovered(
        self,
        model: Classifier,
        adversary: Adversary,
        own: Labeled | None,
        generator: torch.Generator,
    ) -> tuple[tuple[Tensor, Tensor], Labeled]:
        """Invert and split all classes.

        Returns:
            What to unlearn, in random order, float32 (n, c, h, w) with probabilities float32
            (n, C); and the normal samples.
        """
        class_count, shape = adversary.data.class_count, adversary.data.train_images.shape[1:]
        reference = None if own is None else as_unit(own.images[:COMPARED_IMAGES])
        statistics = Statistics(model, reference)
        plan = Inversion(self.images, self.steps, self.statistics)
        marks, new_labels, normal, classes = [], [], [], []
        for label in range(class_count):
            images = invert_class(model, label, tuple(shape), plan, generator, statistics)
            chosen = mark_samples(model, head_of(model), images)
            normal.append(images[~chosen])
            classes.append(torch.full((len(normal[-1]),), label, device=images.device))
            whole = self.labels == UNIFORM and not self.data_free
            marks.append(images if whole else images[chosen])
            new_labels.append(self._new_labels(model, marks[-1], class_count))
        order = torch.randperm(sum(map(len, marks)), generator=generator)
        unlearned = torch.cat(marks)[order], torch.cat(new_labels)[order]
        return unlearned, Labeled(torch.cat(normal), torch.cat(classes))

    def _new_labels(self, model: Classifier, images: Tensor, class_count: int) -> Tensor:
        """The probabilities that inverted images of one class are trained to, float32 (n, C)."""
        if self.labels == UNIFORM:
            return torch.full((len(images), class_count), 1 / class_count, device=images.device)
        unlikely = logits(model, images).log_softmax(dim=1).mean(dim=0).argmin()
        return functional.one_hot(unlikely, class_count).float().expand(len(images), -1)

    def _unlearn(
        self,
        clean: Labeled,
        marks: Tensor,
        new_labels: Tensor,
        seed: int,
        model: Classifier,
        gentleness: float,
    ) -> int:
        """Train a model in place on clean images and as many samples of the mark, repeated.

        Returns how many images' gradients were taken.
        """
        count = max(round(gentleness * len(clean)), 1)
        repeated = torch.arange(count, device=marks.device) % len(marks)
        known = functional.one_hot(clean.labels, new_labels.shape[1]).float()
        return fit(
            model,
            torch.cat([as_unit(clean.images), marks[repeated]]),
            torch.cat([known, new_labels[repeated]]),
            self._plan(gentleness),
            seed=seed,
        )
