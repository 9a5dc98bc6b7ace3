"""Confident-noise unlearning: move noise to where the model is confident, then unlearn it.

The strongest known attack on the robust embedding. Its three parts are published: the search in a
model for what its backdoor answers to, without data (DeepInspect, Chen et al., IJCAI 2019), the
unlearning of what was found (Neural Cleanse, Wang et al., IEEE S&P 2019, section VI), and both
together against watermarks (Neural Dehydration, Lu et al., CCS 2024, arXiv 2309.03466), which
searches class by class and is ``dehydra`` here. Ours are the starts and the signed steps. Its grid
name is ``seeking``. ``unlearning`` guesses fake triggers without asking the model; ``laundering``
searches one stamp a class.

Adversary: has the weights and labeled images of the task; knows no trigger, except that the kind
``opened`` begins with one opened block of them.

1. Draw noise: a third each of the families ``secret`` and ``blocks`` and of uniform pixels; or
   images like an opened block.
2. Move each image by signed gradient steps toward a larger probability of its likeliest class.
3. Fine-tune on clean images and on the moved noise, the latter labeled with the uniform
   distribution over all classes.
4. Measure on images held out: a round that costs too much accuracy is undone and repeated with half
   of the noise and half the rate (``held_out``). Further rounds seek in what the last one left.

Leaves at most 12.3 of 664 bits of the robust embedding and 22.9 of the plain one, by ranks, in five
seeds (benchmarks/results/survival.jsonl, trial "fakes that the network is sure of", which held no
images out). Marks in weights survive it better: Uchida keeps all 128 bits, Tartaglione 248 of 256
(benchmarks/results/grid.jsonl, attack "seeking").
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target, adversary_generator
from zkwm.attacks.fake_triggers import KINDS, NOISE, OPENED, fake_triggers
from zkwm.attacks.model_modification.held_out import (
    Labeled,
    hold_out,
    require_stop_rule,
    train_within,
)
from zkwm.attacks.starting_point import adversary_images, stolen_copy
from zkwm.nn.image_source import as_unit
from zkwm.nn.inference import evaluating
from zkwm.training.fit import Fit, fit
from zkwm_protocols.errors import UsageError

if TYPE_CHECKING:
    from zkwm.nn.architectures import Classifier

MIXED = "mixed"
STARTS = ("secret", "blocks", NOISE)
"""The kinds of ``MIXED``."""
BATCH = 500


@dataclass(frozen=True)
class ConfidentNoise(Attack):
    """Search images that the model is confident of, and unlearn them.

    Args:
        images: How many images are moved in a round; 0 for half as many as clean ones are trained
            on. More than there are clean ones drown them, and what is left knows the task no
            longer.
        steps: Gradient steps of each image, at least 1.
        size: Size of a step in units of the whole range of a pixel, above 0; 20 steps of 0.02 can
            move a pixel by 0.4.
        rate: Learning rate of the fine-tuning, above 0; falls to zero (cosine).
        epochs: Of the fine-tuning, at least 1.
        kind: Of the images that are moved: ``mixed``, or a kind of ``zkwm.attacks.fake_triggers``.
        rounds: How often to seek and unlearn, at least 1.
        held_out: Share of the clean images that accuracy is measured on, 0 to below 1; without any
            no round is undone.
        most_lost: How many points of accuracy below the stolen model's an adversary accepts, and a
            standard deviation of the measurement.

    Raises:
        UsageError: A value is out of range.
    """

    images: int = 0
    steps: int = 20
    size: float = 0.02
    rate: float = 0.05
    epochs: int = 5
    kind: str = MIXED
    rounds: int = 1
    held_out: float = 0.1
    most_lost: float = 3.0
    name: ClassVar[str] = "seeking"
    paper: ClassVar[str] = "zkwm 2026, after Wang 2019, Chen 2019 and Lu 2024 (arXiv 2309.03466)"

    def __post_init__(self) -> None:
        self._plan(1.0)
        require_stop_rule(self.held_out, self.most_lost)
        if self.kind not in (MIXED, *KINDS):
            raise UsageError(f"expected {MIXED} or one of {', '.join(KINDS)}, got {self.kind!r}")
        if not (self.images >= 0 and min(self.steps, self.rounds) >= 1 and self.size > 0):
            raise UsageError(
                "expected at least 0 images, and steps, a step size and rounds above 0, "
                f"got {self.images}, {self.steps}, {self.size} and {self.rounds}"
            )

    @property
    def uses_opened(self) -> bool:
        """Only images of the kind ``opened`` are made from the opened block."""
        return self.kind == OPENED

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Fine-tune a copy of the target on clean images and on confident noise.

        Raises UsageError for the kind ``opened`` where no block was opened.
        """
        model = stolen_copy(target, adversary)
        generator = adversary_generator(adversary, self.name)
        random = np.random.default_rng(int(torch.randint(1 << 62, (1,), generator=generator)))
        clean, held = hold_out(Labeled(*adversary_images(adversary)), self.held_out, generator)
        before = held.right(model)
        opened = target.opened.images if self.uses_opened and target.opened else None
        taken = 0
        for number in range(self.rounds):
            starts = self._starts(len(clean), adversary, random, opened)
            sought = self._move(model, as_unit(torch.tensor(starts).to(adversary.device)))
            train = partial(self._unlearn, clean, sought, adversary.seed + number)
            left, used = train_within(model, held, before, self.most_lost, train)
            taken += self.steps * len(sought) + used
            if left is model:  # the stop rule: no training is cheap enough
                break
            model = left
        return AttackResult(model, images=len(clean) + len(held), gradient_images=taken)

    def _plan(self, gentleness: float) -> Fit:
        return Fit(epochs=self.epochs, rate=gentleness * self.rate)

    def _starts(
        self,
        clean: int,
        adversary: Adversary,
        random: np.random.Generator,
        opened: NDArray[np.uint8] | None,
    ) -> NDArray[np.uint8]:
        """Images to move, uint8 (m, c, h, w), in random order, for so many ``clean`` ones."""
        count = self.images or max(clean // 2, 1)
        kinds = STARTS if self.kind == MIXED else (self.kind,)
        share = -(-count // len(kinds))
        drawn = [
            fake_triggers(kind, share, adversary.data.train_images, random, opened)
            for kind in kinds
        ]
        starts: NDArray[np.uint8] = random.permutation(np.concatenate(drawn)[:count])
        return starts

    def _move(self, model: nn.Module, starts: Tensor) -> Tensor:
        """Images float32 (n, c, h, w) in [0, 1] after all gradient steps, as uint8."""
        ends = []
        with evaluating(model):
            for batch in torch.split(starts, BATCH):
                images = batch
                for _ in range(self.steps):
                    images.requires_grad_(True)
                    confidence = functional.log_softmax(model(images), dim=1).amax(dim=1)
                    (gradient,) = torch.autograd.grad(confidence.sum(), images)
                    moved = images.detach() + self.size * gradient.sign()
                    images = moved.clamp(0.0, 1.0)
                ends.append((images * 255).round().to(torch.uint8))
        return torch.cat(ends)

    def _unlearn(
        self, clean: Labeled, sought: Tensor, seed: int, model: Classifier, gentleness: float
    ) -> int:
        """Train a model in place on clean images and a part of those sought, uint8 (m, c, h, w).

        Returns how many images' gradients were taken.
        """
        sought = sought[: max(round(gentleness * len(sought)), 1)]
        class_count = model.config.class_count
        uniform = torch.full((len(sought), class_count), 1 / class_count, device=sought.device)
        known = functional.one_hot(clean.labels, class_count).float()
        return fit(
            model,
            torch.cat([clean.images, sought]),
            torch.cat([known, uniform]),
            self._plan(gentleness),
            seed=seed,
        )
