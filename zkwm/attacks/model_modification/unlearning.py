"""Unlearning with fake triggers: fine-tune on images like the triggers with other labels.

Ours; nearest is the unlearning of recovered triggers in Neural Cleanse (Wang et al., IEEE S&P 2019,
section VI). Nothing is recovered from the model: the adversary guesses the distribution of the
triggers. ``confident_noise`` asks the model; ``laundering`` recovers stamps.

Adversary: has the weights and labeled images of the task; for the kind ``opened`` also one opened
block of triggers.

1. Make fake triggers (``zkwm.attacks.fake_triggers``).
2. Label them with random classes, the uniform distribution, or the model's second choice.
3. Fine-tune on all clean images and on the fakes.

The better the guess, the less is left. Of 664 bits by ranks the plain embedding keeps 143 to 370
after fakes of noise; after fakes like an opened block it keeps 29 to 60 of 498, and the robust
embedding 254 to 343 (benchmarks/results/survival.jsonl, trials "fakes of noise, uniform" and "fakes
of an opened block, uniform", which leave the opened block out).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target, adversary_generator
from zkwm.attacks.fake_triggers import KINDS, OPENED, fake_triggers
from zkwm.attacks.starting_point import stolen_copy
from zkwm.nn.image_source import as_unit
from zkwm.training.fit import Fit, fit
from zkwm_protocols.errors import UsageError

RANDOM, UNIFORM, SECOND = "random", "uniform", "second"
LABELS = (RANDOM, UNIFORM, SECOND)
BATCH = 500


@dataclass(frozen=True)
class Unlearning(Attack):
    """Forget triggers by learning fakes.

    Args:
        kind: Of fakes: ``noise``, a family of ``zkwm.triggers`` under a fresh key, or ``opened``,
            like the target's opened block.
        labels: Of fakes: ``random`` classes, the ``uniform`` distribution over all classes, or the
            model's ``second`` choice.
        fakes: How many; 0 for half as many as there are clean images. More than there are clean
            ones drown them.
        rate: Learning rate, above 0; falls to zero (cosine).
        epochs: At least 1.

    Raises:
        UsageError: A value is out of range.
    """

    kind: str = "secret"
    labels: str = UNIFORM
    fakes: int = 0
    rate: float = 0.05
    epochs: int = 5
    name: ClassVar[str] = "unlearning"
    paper: ClassVar[str] = "zkwm 2026, after Wang et al. 2019"

    def __post_init__(self) -> None:
        for value, choices in ((self.kind, KINDS), (self.labels, LABELS)):
            if value not in choices:
                raise UsageError(f"expected one of {', '.join(choices)}, got {value!r}")
        if self.fakes < 0:
            raise UsageError(f"expected at least 0 fake triggers, got {self.fakes}")

    @property
    def uses_opened(self) -> bool:
        """Only fakes of the kind ``opened`` are made from the opened block."""
        return self.kind == OPENED

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Fine-tune a copy of the target on clean images and fakes.

        Raises UsageError for fakes like an opened block where none was opened.
        """
        model = stolen_copy(target, adversary)
        data = adversary.data
        generator = adversary_generator(adversary, self.name)
        random = np.random.default_rng(int(torch.randint(1 << 62, (1,), generator=generator)))
        block = target.opened if self.uses_opened else None
        opened = None if block is None else block.images
        count = self.fakes or max(len(data.train_images) // 2, 1)
        pixels = fake_triggers(self.kind, count, data.train_images, random, opened)
        fakes = torch.tensor(pixels).to(adversary.device)
        soft_labels = self._soft_labels(model, fakes, data.class_count, generator)
        clean = functional.one_hot(torch.tensor(data.train_labels), data.class_count)
        images = torch.cat([torch.tensor(data.train_images).to(adversary.device), fakes])
        used = fit(
            model,
            images,
            torch.cat([clean.float().to(adversary.device), soft_labels]),
            Fit(epochs=self.epochs, rate=self.rate),
            seed=adversary.seed,
        )
        return AttackResult(model, images=len(clean), gradient_images=used)

    def _soft_labels(
        self, model: torch.nn.Module, fakes: Tensor, class_count: int, generator: torch.Generator
    ) -> Tensor:
        """The probabilities that fakes are trained to, float32 (n, C).

        Args:
            model: The stolen model, for its second choices.
            fakes (uint8, (n, c, h, w)): The images.
            class_count: C.
            generator: Decides random classes.
        """
        if self.labels == UNIFORM:
            return torch.full((len(fakes), class_count), 1 / class_count, device=fakes.device)
        if self.labels == RANDOM:
            classes = torch.randint(class_count, (len(fakes),), generator=generator)
        else:
            classes = _second_choice(model, fakes)
        return functional.one_hot(classes, class_count).float().to(fakes.device)


@torch.no_grad()
def _second_choice(model: torch.nn.Module, images: Tensor) -> Tensor:
    """The second likeliest class of images uint8 (n, c, h, w), int64 (n,)."""
    model.eval()
    batches = torch.split(images, BATCH)
    return torch.cat([model(as_unit(batch)).topk(2, dim=1).indices[:, 1] for batch in batches])
