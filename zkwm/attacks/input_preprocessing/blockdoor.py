"""Reject suspicious images with a trained classifier, after BlockDoor (arXiv 2412.12194, 2024).

Adversary: has the weights, labeled clean images, and serves answers; knows no trigger.
BlockDoor blocks adversarial images, images of other distributions, and clean images with wrong
labels. This version follows its abstract: one network learns the first two kinds; nothing can tell
a clean image that merely has a wrong label. The network, its data and all numbers are our choice.

1. Make suspicious images: adversarial ones (FGSM), noisy and stamped ones, and fake triggers.
2. Train a network with two classes on 80 % of the clean images against as many suspicious ones.
3. Set its threshold on the other clean images, and answer suspicious ones otherwise.

Removes marks of noise-like triggers: Adi and the robust embedding keep 0 bits, Zhang's content
triggers 322 of 332 (benchmarks/results/grid.jsonl, attack "BlockDoor").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target, adversary_generator
from zkwm.attacks.fake_triggers import fake_triggers
from zkwm.attacks.input_preprocessing.detector_gate import SECOND, check_gate, fit_gate
from zkwm.attacks.starting_point import adversary_images, stolen_copy
from zkwm.nn.architectures import build_model, channel_statistics
from zkwm.nn.image_source import as_unit
from zkwm.nn.inference import evaluating
from zkwm.training.fit import Fit, fit
from zkwm_protocols.errors import UsageError

BATCH = 500
FAKES = ("noise", "blocks", "abstract", "secret")


@dataclass(frozen=True)
class BlockDoor(Attack):
    """Answer otherwise where a trained detector takes an image for a trigger.

    Args:
        architecture: A built-in network for the detector, with two classes.
        epochs: Of the detector's training, at least 1.
        rate: Its learning rate, above 0; falls to zero (cosine).
        budget: Size of the adversarial step in pixel levels, 1 to 255; 16 as in most work on
            adversarial images.
        false_alarms: Share of clean images above the threshold, from 0 to below 1.
        answer: The model's ``second`` choice, or the ``fixed`` class 0.

    Raises:
        UsageError: A value is out of range.
    """

    architecture: str = "lenet5"
    epochs: int = 5
    rate: float = 0.02
    budget: int = 16
    false_alarms: float = 0.01
    answer: str = SECOND
    name: ClassVar[str] = "blockdoor"
    paper: ClassVar[str] = "BlockDoor 2024 (arXiv 2412.12194)"

    def __post_init__(self) -> None:
        if not 1 <= self.budget <= 255:
            raise UsageError(f"expected an adversarial step of 1 to 255 levels, got {self.budget}")
        check_gate(self.false_alarms, self.answer)

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """The model behind the detector.

        Raises UsageError for images that the detector's architecture cannot take.
        """
        model = stolen_copy(target, adversary)
        data = adversary.data
        generator = adversary_generator(adversary, self.name)
        pixels, labels = adversary_images(adversary, purpose=f"{self.name} images")
        images = as_unit(pixels)
        count = max(1, len(images) * 4 // 5)
        clean, fresh = images[:count], images[count:] if len(images) > count else images
        mean, std = channel_statistics(data.train_images)
        network = build_model(
            self.architecture,
            shape=data.shape,
            class_count=2,
            mean=mean,
            std=std,
            seed=int(torch.randint(1 << 31, (1,), generator=generator)),
        ).to(adversary.device)
        suspicious = self._suspicious(model, clean, labels[:count], data.train_images, generator)
        kinds = torch.cat([torch.zeros(len(clean)), torch.ones(len(suspicious))]).long()
        used = fit(
            network,
            torch.cat([clean, suspicious]),
            kinds.to(adversary.device),
            Fit(epochs=self.epochs, rate=self.rate),
            seed=adversary.seed,
        )
        gate = fit_gate(model, _Suspicion(network), fresh, self.false_alarms, self.answer)
        return AttackResult(gate, images=len(images), gradient_images=used + count // 4)

    def _suspicious(
        self,
        model: nn.Module,
        clean: Tensor,
        labels: Tensor,
        data: NDArray[np.uint8],
        generator: torch.Generator,
    ) -> Tensor:
        """About as many suspicious images as clean ones.

        Args:
            model: The stolen model, for adversarial images.
            clean (float32, (n, c, h, w)): Images in [0, 1].
            labels (int64, (n,)): Their labels.
            data (uint8, (m, c, h, w)): All images of the adversary, for the shape of fakes.
            generator: Decides what is random.

        Returns:
            Float32 (about n, c, h, w): a quarter adversarial, a quarter perturbed, and the rest
            fake triggers, as many of each of ``FAKES``.
        """
        quarter = max(1, len(clean) // 4)
        random = np.random.default_rng(int(torch.randint(1 << 62, (1,), generator=generator)))
        share = max(1, 2 * quarter // len(FAKES))
        fakes = np.concatenate([fake_triggers(kind, share, data, random) for kind in FAKES])
        return torch.cat(
            [
                adversarial(model, clean[:quarter], labels[:quarter], self.budget),
                perturbed(clean[quarter : 2 * quarter], generator),
                as_unit(torch.tensor(fakes).to(clean.device)),
            ]
        )


class _Suspicion(nn.Module):
    """Scores images by the logit of the suspicious class less that of the clean one."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Scores (n,)."""
        logits = self.network(images)
        return cast(Tensor, logits[:, 1] - logits[:, 0])


def adversarial(model: nn.Module, images: Tensor, labels: Tensor, budget: int) -> Tensor:
    """Move images one signed gradient step from their labels (FGSM, Goodfellow et al. 2015).

    Args:
        model: The model to mislead.
        images (float32, (n, c, h, w)): Images in [0, 1].
        labels (int64, (n,)): Their right classes.
        budget: Size of the step in levels of 255.
    """
    moved = []
    with evaluating(model):
        parts = (torch.split(images, BATCH), torch.split(labels, BATCH))
        for batch, classes in zip(*parts, strict=True):
            variable = batch.clone().requires_grad_()
            loss = functional.cross_entropy(model(variable), classes, reduction="sum")
            (slope,) = torch.autograd.grad(loss, variable)
            moved.append((batch + budget / 255 * slope.sign()).clamp(0, 1))
    return torch.cat(moved)


def perturbed(images: Tensor, generator: torch.Generator) -> Tensor:
    """Add Gaussian noise (deviation 0.3) to every other image, a random stamp to the rest.

    A stamp is a square of a fifth of the side with independent black and white pixels. ``images``
    float32 (n, c, h, w) in [0, 1].
    """
    count, _, height, width = images.shape
    noise = torch.randn(images.shape, generator=generator).to(images.device)
    changed = (images + 0.3 * noise).clamp(0, 1)
    side = max(2, min(height, width) // 5)
    for number in range(0, count, 2):
        top = int(torch.randint(height - side + 1, (1,), generator=generator))
        left = int(torch.randint(width - side + 1, (1,), generator=generator))
        changed[number] = images[number]
        place = (slice(None), slice(top, top + side), slice(left, left + side))
        changed[number][place] = (noise[number][place] > 0).float()
    return changed
