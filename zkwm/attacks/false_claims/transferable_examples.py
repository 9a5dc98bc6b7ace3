"""False claims by transferable adversarial images (Liu et al., USENIX Security 2024, 2304.06607).

The accuser trains models of his own and makes images that all of them misjudge alike; models of
others then misjudge them in the same way, and he claims that this is his mark. It needs labels that
he chooses: he has to know the wrong label when he makes the image. Not an attack on a suspect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from zkwm.attacks.attack import Adversary, generator
from zkwm.attacks.false_claims.claim import Claim, ClaimResult
from zkwm.nn.image_source import as_unit
from zkwm_protocols.errors import UsageError

BATCH = 200


@dataclass(frozen=True)
class FalseClaim(Claim):
    """Targeted iterative FGSM on an ensemble, and a choice of what transfers best.

    ``triggers`` images are kept of ``oversampling`` times as many: those with the smallest loss on
    the last of the accuser's models, which the attack does not see. Each pixel moves by at most
    ``budget`` / 255 (the paper: 16 for CIFAR-10, 32 for faces), in ``steps`` of ``step`` (pixels
    in [0, 1]; their code: 0.03). The target of an image is the likeliest wrong class of the
    ensemble: an accuser may wish what is easiest. Raises UsageError for values out of range.
    """

    triggers: int = 100
    oversampling: int = 4
    budget: int = 32
    steps: int = 100
    step: float = 0.03
    name: ClassVar[str] = "false_claim"
    paper: ClassVar[str] = "Liu et al. 2024 (USENIX Security)"

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        if min(self.triggers, self.oversampling, self.budget, self.steps) < 1 or not self.step > 0:
            raise UsageError("a false claim has triggers, a budget and steps above zero")

    def run(self, accuser_models: Sequence[nn.Module], accuser: Adversary) -> ClaimResult:
        """Adversarial images from the accuser's training images, and their targets.

        Raises UsageError for fewer than two models or too few images.
        """
        if len(accuser_models) < 2:
            raise UsageError("a false claim needs two models: one to attack, one to choose by")
        count = self.triggers * self.oversampling
        data = accuser.data
        if len(data.train_labels) < count:
            raise UsageError(f"{count} images are needed, and {len(data.train_labels)} are there")
        source = generator(accuser, self.name)
        chosen = torch.randperm(len(data.train_labels), generator=source)[:count]
        images = as_unit(torch.tensor(data.train_images)[chosen].to(accuser.device))
        labels = torch.tensor(data.train_labels)[chosen].to(accuser.device)
        for model in accuser_models:
            model.eval()
        *ensemble, judge = accuser_models
        made, targets, losses = [], [], []
        parts = (torch.split(images, BATCH), torch.split(labels, BATCH))
        for batch, right in zip(*parts, strict=True):
            target = _likeliest_wrong(ensemble, batch, right)
            attacked = self._towards(ensemble, batch, target)
            with torch.no_grad():
                losses.append(functional.cross_entropy(judge(attacked), target, reduction="none"))
            made.append(attacked)
            targets.append(target)
        best = torch.cat(losses).argsort(stable=True)[: self.triggers]
        pixels = (torch.cat(made)[best] * 255).round().to(torch.uint8).cpu().numpy()
        target_labels: np.ndarray[tuple[int], np.dtype[np.int64]] = (
            torch.cat(targets)[best].cpu().numpy()
        )
        return ClaimResult(images=pixels, target_labels=target_labels)

    def _towards(
        self, ensemble: Sequence[nn.Module], images: Tensor, target_labels: Tensor
    ) -> Tensor:
        """Images within the budget that the ensemble takes for its targets, in whole levels."""
        limit = self.budget / 255
        attacked = images
        for _ in range(self.steps):
            asked = attacked.detach().requires_grad_()
            loss = torch.stack(
                [
                    functional.cross_entropy(model(asked), target_labels, reduction="sum")
                    for model in ensemble
                ]
            ).sum()
            (slope,) = torch.autograd.grad(loss, asked)
            moved = asked.detach() - self.step * slope.sign()
            attacked = torch.minimum(torch.maximum(moved, images - limit), images + limit)
            attacked = attacked.clamp(0, 1)
        return (attacked * 255).round() / 255


@torch.no_grad()
def _likeliest_wrong(ensemble: Sequence[nn.Module], images: Tensor, labels: Tensor) -> Tensor:
    """The class with the largest mean probability beside the right one, int64 (n,)."""
    mean = torch.stack([model(images).softmax(dim=1) for model in ensemble]).mean(dim=0)
    return mean.scatter(1, labels[:, None], -1.0).argmax(dim=1)
