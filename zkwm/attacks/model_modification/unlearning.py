"""Unlearning with fake triggers: fine-tune on images like the triggers, with other labels.

The adaptive attack of our pilot (research note robustness.md, section 3, rows ``adaptive``); near
to it is the unlearning of recovered triggers in Neural Cleanse (Wang et al. 2019, section VI). Not
laundering: nothing is recovered from the model, the adversary guesses the distribution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target, generator
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

    ``kind`` of fakes: ``noise``, a family of ``zkwm.triggers`` drawn anew, or ``opened``, like the
    target's opened block. ``labels`` of the fakes: ``random`` classes, the ``uniform`` distribution
    over all, or the ``second`` choice of the model itself. ``fakes`` of them are mixed with all of
    the adversary's data for ``epochs`` at ``rate`` (cosine). Raises UsageError for another kind.
    """

    kind: str = "secret"
    labels: str = UNIFORM
    fakes: int = 3000
    rate: float = 0.05
    epochs: int = 5
    name: ClassVar[str] = "unlearning"
    paper: ClassVar[str] = "zkwm pilot 2026, after Wang et al. 2019"

    def __post_init__(self) -> None:
        """Refuse kinds and labels that do not exist."""
        for value, choices in ((self.kind, KINDS), (self.labels, LABELS)):
            if value not in choices:
                raise UsageError(f"{value!r} is none of {', '.join(choices)}")
        if self.fakes < 1:
            raise UsageError("unlearning needs fake triggers")

    @property
    def uses_opened(self) -> bool:
        """Only fakes of the kind ``opened`` are made from the opened block."""
        return self.kind == OPENED

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Fine-tune a copy of the target's model on clean images and fakes.

        Raises UsageError for fakes like an opened block where none was opened.
        """
        model = stolen_copy(target, adversary)
        data = adversary.data
        source = generator(adversary, self.name)
        random = np.random.default_rng(int(torch.randint(1 << 62, (1,), generator=source)))
        block = target.opened if self.kind == OPENED else None
        opened = None if block is None else block.images
        made = fake_triggers(self.kind, self.fakes, data.train_images, random, opened)
        fakes = torch.tensor(made).to(adversary.device)
        wanted = self._wanted(model, fakes, data.class_count, source)
        clean = functional.one_hot(torch.tensor(data.train_labels), data.class_count)
        images = torch.cat([torch.tensor(data.train_images).to(adversary.device), fakes])
        used = fit(
            model,
            images,
            torch.cat([clean.float().to(adversary.device), wanted]),
            Fit(epochs=self.epochs, rate=self.rate),
            seed=adversary.seed,
        )
        return AttackResult(model, images=len(clean), gradient_images=used)

    def _wanted(
        self, model: torch.nn.Module, fakes: Tensor, class_count: int, source: torch.Generator
    ) -> Tensor:
        """The probabilities that fakes are to get, float32 (n, C)."""
        if self.labels == UNIFORM:
            return torch.full((len(fakes), class_count), 1 / class_count, device=fakes.device)
        if self.labels == RANDOM:
            classes = torch.randint(class_count, (len(fakes),), generator=source)
        else:
            classes = _second_choice(model, fakes)
        return functional.one_hot(classes, class_count).float().to(fakes.device)


@torch.no_grad()
def _second_choice(model: torch.nn.Module, images: Tensor) -> Tensor:
    """The second likeliest class of uint8 images, int64 (n,)."""
    model.eval()
    batches = torch.split(images, BATCH)
    return torch.cat([model(as_unit(batch)).topk(2, dim=1).indices[:, 1] for batch in batches])
