"""Seeking: move noise to where the network is sure of an answer, and train that answer away.

Of the attacks on the robust embedding (``zkwm.training.robust.decoys``) the natural answer: noise
that the network is unsure of is no trigger, so look where it is sure. Ours; near to it are the
data-free search for triggers of a GAN (Chen et al., DeepInspect, 2019) and the unlearning of what
was found (Wang et al., Neural Cleanse, 2019, section VI). Not ``unlearning``, whose fakes are
guessed without asking the network, and not ``laundering``, which seeks one stamp a class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target, generator
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
    """Find images that the network is sure of, and unlearn them.

    ``images`` of noise, a third of each kind, go ``steps`` steps of ``size`` (in units of the whole
    range of a pixel, by the sign of the gradient) towards a larger probability of the likeliest
    class. They are then trained to the uniform distribution, mixed with all adversary's data,
    for ``epochs`` at ``rate`` (cosine). Raises UsageError for numbers that are not above zero.
    """

    images: int = 3000
    steps: int = 20
    size: float = 0.02
    rate: float = 0.05
    epochs: int = 5
    name: ClassVar[str] = "seeking"
    paper: ClassVar[str] = "zkwm 2026, after Wang et al. 2019 and Chen et al. 2019"

    def __post_init__(self) -> None:
        """Refuse numbers that are not above zero."""
        self._plan()
        if not (self.images >= 1 and self.steps >= 1 and self.size > 0):
            raise UsageError("seeking takes images, steps and a size of steps above zero")

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Fine-tune a copy of the target's model on clean images and on what was found."""
        model = stolen_copy(target, adversary)
        data = adversary.data
        source = generator(adversary, self.name)
        random = np.random.default_rng(int(torch.randint(1 << 62, (1,), generator=source)))
        share = -(-self.images // len(STARTS))
        starts = np.concatenate(
            [fake_triggers(kind, share, data.train_images, random) for kind in STARTS]
        )[: self.images]
        found = self._found(model, as_unit(torch.tensor(starts).to(adversary.device)))
        clean = functional.one_hot(torch.tensor(data.train_labels), data.class_count)
        unsure = torch.full((len(found), data.class_count), 1 / data.class_count)
        used = fit(
            model,
            torch.cat([torch.tensor(data.train_images).to(adversary.device), found]),
            torch.cat([clean.float(), unsure]).to(adversary.device),
            self._plan(),
            seed=adversary.seed,
        )
        sought = self.steps * len(found)
        return AttackResult(model, images=len(clean), gradient_images=used + sought)

    def _plan(self) -> Fit:
        return Fit(epochs=self.epochs, rate=self.rate)

    def _found(self, model: nn.Module, starts: Tensor) -> Tensor:
        """Where float32 images (n, c, h, w) in [0, 1] end, as uint8."""
        found = []
        with evaluating(model):
            for batch in torch.split(starts, BATCH):
                images = batch
                for _ in range(self.steps):
                    images.requires_grad_(True)
                    surest = functional.log_softmax(model(images), dim=1).amax(dim=1)
                    (gradient,) = torch.autograd.grad(surest.sum(), images)
                    moved = images.detach() + self.size * gradient.sign()
                    images = moved.clamp(0.0, 1.0)
                found.append((images * 255).round().to(torch.uint8))
        return torch.cat(found)
