"""A classifier of suspicious images before the stolen model, after BlockDoor (arXiv 2412.12194).

BlockDoor blocks triggers of three kinds: adversarial images, images of other distributions, and
in-distribution images with wrong labels. Ours is one network that learns to tell clean images from
such as the adversary makes of the first two kinds and from perturbed ones; nothing can tell a clean
image that merely has a wrong label, and the owner's triggers are not known to it. Only the abstract
of the paper was at hand: the network, what it learns from and all numbers are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target, generator
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

    The detector is a built-in ``architecture`` with two classes, trained for ``epochs`` at ``rate``
    on 80 % of the adversary's images against as many of his making: adversarial ones (one signed
    step of ``budget`` / 255 on the stolen model), noisy and stamped ones, and fake triggers of the
    public families and of freshly drawn secret ones. On his other images the share
    ``false_alarms`` is above the threshold. ``answer``: the model's ``second`` choice or the
    ``fixed`` class 0. Raises UsageError for values that do not exist.
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
        """Refuse values out of range."""
        if not 1 <= self.budget <= 255:
            raise UsageError("an adversarial step is 1 to 255 levels")
        check_gate(self.false_alarms, self.answer)

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """The model behind the detector. Raises UsageError for images the detector cannot take."""
        model = stolen_copy(target, adversary)
        data = adversary.data
        source = generator(adversary, self.name)
        pixels, labels = adversary_images(adversary, purpose=f"{self.name} images")
        images = as_unit(pixels)
        count = max(1, len(images) * 4 // 5)
        clean, held = images[:count], images[count:] if len(images) > count else images
        mean, std = channel_statistics(data.train_images)
        network = build_model(
            self.architecture,
            shape=data.shape,
            class_count=2,
            mean=mean,
            std=std,
            seed=int(torch.randint(1 << 31, (1,), generator=source)),
        ).to(adversary.device)
        made = self._suspicious(model, clean, labels[:count], data.train_images, source)
        kinds = torch.cat([torch.zeros(len(clean)), torch.ones(len(made))]).long()
        used = fit(
            network,
            torch.cat([clean, made]),
            kinds.to(adversary.device),
            Fit(epochs=self.epochs, rate=self.rate),
            seed=adversary.seed,
        )
        guarded = fit_gate(model, _Suspicion(network), held, self.false_alarms, self.answer)
        return AttackResult(guarded, images=len(images), gradient_images=used + count // 4)

    def _suspicious(
        self,
        model: nn.Module,
        clean: Tensor,
        labels: Tensor,
        data: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
        source: torch.Generator,
    ) -> Tensor:
        """About as many images as ``clean`` (n, c, h, w): a fourth adversarial, a fourth perturbed.

        The rest are fakes of the families, as many of each.
        """
        quarter = max(1, len(clean) // 4)
        random = np.random.default_rng(int(torch.randint(1 << 62, (1,), generator=source)))
        share = max(1, 2 * quarter // len(FAKES))
        fakes = np.concatenate([fake_triggers(kind, share, data, random) for kind in FAKES])
        return torch.cat(
            [
                adversarial(model, clean[:quarter], labels[:quarter], self.budget),
                perturbed(clean[quarter : 2 * quarter], source),
                as_unit(torch.tensor(fakes).to(clean.device)),
            ]
        )


class _Suspicion(nn.Module):
    """How much more a network of two classes takes an image for the second."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Scores (n,)."""
        logits = self.network(images)
        return cast(Tensor, logits[:, 1] - logits[:, 0])


def adversarial(model: nn.Module, images: Tensor, labels: Tensor, budget: int) -> Tensor:
    """Images one signed gradient step away from their labels (FGSM, Goodfellow et al. 2015).

    ``images`` float32 (n, c, h, w) in [0, 1], ``budget`` in levels of 255.
    """
    made = []
    with evaluating(model):
        parts = (torch.split(images, BATCH), torch.split(labels, BATCH))
        for batch, right in zip(*parts, strict=True):
            asked = batch.clone().requires_grad_()
            loss = functional.cross_entropy(model(asked), right, reduction="sum")
            (slope,) = torch.autograd.grad(loss, asked)
            made.append((batch + budget / 255 * slope.sign()).clamp(0, 1))
    return torch.cat(made)


def perturbed(images: Tensor, source: torch.Generator) -> Tensor:
    """Every other image with Gaussian noise of deviation 0.3, the others with a random stamp.

    A stamp is a square of a fifth of the side with independent black and white pixels.
    """
    count, _, height, width = images.shape
    noise = torch.randn(images.shape, generator=source).to(images.device)
    made = (images + 0.3 * noise).clamp(0, 1)
    side = max(2, min(height, width) // 5)
    for number in range(0, count, 2):
        top = int(torch.randint(height - side + 1, (1,), generator=source))
        left = int(torch.randint(width - side + 1, (1,), generator=source))
        made[number] = images[number]
        place = (slice(None), slice(top, top + side), slice(left, left + side))
        made[number][place] = (noise[number][place] > 0).float()
    return made
