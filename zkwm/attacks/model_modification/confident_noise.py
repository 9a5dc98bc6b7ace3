"""Confident-noise unlearning: move noise to where the model is confident, then unlearn it.

The strongest known attack on the robust embedding. Ours; nearest are the data-free trigger search
of DeepInspect (Chen et al., IJCAI 2019) and the unlearning of what was found in Neural Cleanse
(Wang et al., IEEE S&P 2019, section VI). Its grid name is ``seeking``. ``unlearning`` guesses fake
triggers without asking the model; ``laundering`` searches one stamp a class.

Adversary: has the weights and labeled images of the task; knows no trigger.

1. Draw noise: a third each of the families ``secret`` and ``blocks`` and of uniform pixels.
2. Move each image by signed gradient steps toward a larger probability of its likeliest class.
3. Fine-tune on all clean images and on the moved noise, the latter labeled with the uniform
   distribution over all classes.

Leaves at most 12.3 of 664 bits of the robust embedding and 22.9 of the plain one, by ranks, in five
seeds (benchmarks/results/survival.jsonl, trial "fakes that the network is sure of"). Marks in
weights survive it better: Uchida keeps all 128 bits, Tartaglione 248 of 256
(benchmarks/results/grid.jsonl, attack "seeking").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target, adversary_generator
from zkwm.attacks.fake_triggers import NOISE, fake_triggers
from zkwm.attacks.starting_point import stolen_copy
from zkwm.nn.image_source import as_unit
from zkwm.nn.inference import evaluating
from zkwm.training.fit import Fit, fit
from zkwm_protocols.errors import UsageError

STARTS = ("secret", "blocks", NOISE)
BATCH = 500


@dataclass(frozen=True)
class ConfidentNoise(Attack):
    """Search images that the model is confident of, and unlearn them.

    Args:
        images: How many images are moved; 0 for half as many as there are clean ones. More than
            there are clean ones drown them, and what is left knows the task no longer.
        steps: Gradient steps of each image, at least 1.
        size: Size of a step in units of the whole range of a pixel, above 0; 20 steps of 0.02 can
            move a pixel by 0.4.
        rate: Learning rate of the fine-tuning, above 0; falls to zero (cosine).
        epochs: Of the fine-tuning, at least 1.

    Raises:
        UsageError: A value is out of range.
    """

    images: int = 0
    steps: int = 20
    size: float = 0.02
    rate: float = 0.05
    epochs: int = 5
    name: ClassVar[str] = "seeking"
    paper: ClassVar[str] = "zkwm 2026, after Wang et al. 2019 and Chen et al. 2019"

    def __post_init__(self) -> None:
        self._plan()
        if not (self.images >= 0 and self.steps >= 1 and self.size > 0):
            raise UsageError(
                "expected at least 0 images, and steps and a step size above 0, "
                f"got {self.images}, {self.steps} and {self.size}"
            )

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Fine-tune a copy of the target on clean images and on confident noise."""
        model = stolen_copy(target, adversary)
        data = adversary.data
        generator = adversary_generator(adversary, self.name)
        random = np.random.default_rng(int(torch.randint(1 << 62, (1,), generator=generator)))
        count = self.images or max(len(data.train_images) // 2, 1)
        share = -(-count // len(STARTS))
        starts = np.concatenate(
            [fake_triggers(kind, share, data.train_images, random) for kind in STARTS]
        )[:count]
        confident = self._move(model, as_unit(torch.tensor(starts).to(adversary.device)))
        clean = functional.one_hot(torch.tensor(data.train_labels), data.class_count)
        uniform = torch.full((len(confident), data.class_count), 1 / data.class_count)
        used = fit(
            model,
            torch.cat([torch.tensor(data.train_images).to(adversary.device), confident]),
            torch.cat([clean.float(), uniform]).to(adversary.device),
            self._plan(),
            seed=adversary.seed,
        )
        searched = self.steps * len(confident)
        return AttackResult(model, images=len(clean), gradient_images=used + searched)

    def _plan(self) -> Fit:
        return Fit(epochs=self.epochs, rate=self.rate)

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
