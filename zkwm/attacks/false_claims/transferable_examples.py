"""False claims by transferable adversarial images (Liu et al., USENIX Security 2024).

"False Claims against Model Ownership Resolution", arXiv 2304.06607.

Adversary: an accuser with models and images of the task.

1. Make images that all of the accuser's models but one misjudge alike (targeted iterative FGSM).
2. Keep those with the smallest loss on the model left out: they transfer best.
3. Commit to them with the wrong labels, and claim models of others, which misjudge them too.

It needs labels that the accuser chooses, since the wrong label must be known when the image is
made. With declared labels all 20 innocent models match 78 to 98 of 100 triggers at the paper's
budget of 16, and reach a verdict; with derived labels they match at most 11, which is chance
(benchmarks/results/null_models.jsonl, "false claims", claim "false_claim").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from zkwm.attacks.attack import Adversary, adversary_generator
from zkwm.attacks.false_claims.claim import Claim, ClaimResult
from zkwm.nn.image_source import as_unit
from zkwm_protocols.errors import UsageError

BATCH = 200


@dataclass(frozen=True)
class FalseClaim(Claim):
    """Targeted iterative FGSM on an ensemble, and a choice of what transfers best.

    The target of an image is the likeliest wrong class of the ensemble: an accuser may take what is
    easiest.

    Args:
        triggers: How many images are kept, at least 1.
        oversampling: How many times as many are made, at least 1.
        budget: By how many levels of 255 a pixel may move, at least 1 (the paper: 16 for CIFAR-10,
            32 for faces).
        steps: Of FGSM, at least 1.
        step: Size of a step, for pixels in [0, 1]; above 0 (the authors' code: 0.03).

    Raises:
        UsageError: A value is out of range.
    """

    triggers: int = 100
    oversampling: int = 4
    budget: int = 32
    steps: int = 100
    step: float = 0.03
    name: ClassVar[str] = "false_claim"
    paper: ClassVar[str] = "Liu et al. 2024 (USENIX Security)"

    def __post_init__(self) -> None:
        if min(self.triggers, self.oversampling, self.budget, self.steps) < 1 or not self.step > 0:
            raise UsageError("expected triggers, oversampling, budget, steps and step above 0")

    def run(self, accuser_models: Sequence[nn.Module], accuser: Adversary) -> ClaimResult:
        """Adversarial images from the accuser's training images, and their targets.

        Raises UsageError for fewer than two models or too few images.
        """
        if len(accuser_models) < 2:
            raise UsageError("a false claim needs two models: one to attack, one to choose by")
        images, labels = self._draw(accuser)
        for model in accuser_models:
            model.eval()
        *ensemble, chooser = accuser_models
        adversarial, targets, losses = [], [], []
        parts = (torch.split(images, BATCH), torch.split(labels, BATCH))
        for batch, classes in zip(*parts, strict=True):
            target = _likeliest_wrong(ensemble, batch, classes)
            moved = self._move(ensemble, batch, target)
            with torch.no_grad():
                losses.append(functional.cross_entropy(chooser(moved), target, reduction="none"))
            adversarial.append(moved)
            targets.append(target)
        best = torch.cat(losses).argsort(stable=True)[: self.triggers]
        pixels = (torch.cat(adversarial)[best] * 255).round().to(torch.uint8).cpu().numpy()
        target_labels: NDArray[np.int64] = torch.cat(targets)[best].cpu().numpy()
        return ClaimResult(images=pixels, target_labels=target_labels)

    def _draw(self, accuser: Adversary) -> tuple[Tensor, Tensor]:
        """The images that are moved, float32 (n, c, h, w) in [0, 1], and their labels (n,)."""
        count = self.triggers * self.oversampling
        data = accuser.data
        if len(data.train_labels) < count:
            raise UsageError(f"expected at least {count} images, got {len(data.train_labels)}")
        generator = adversary_generator(accuser, self.name)
        numbers = torch.randperm(len(data.train_labels), generator=generator)[:count]
        images = as_unit(torch.tensor(data.train_images)[numbers].to(accuser.device))
        return images, torch.tensor(data.train_labels)[numbers].to(accuser.device)

    def _move(self, ensemble: Sequence[nn.Module], images: Tensor, targets: Tensor) -> Tensor:
        """Move images within the budget to where the ensemble takes them for their targets.

        Args:
            ensemble: The models to mislead.
            images (float32, (n, c, h, w)): In [0, 1].
            targets (int64, (n,)): Wrong classes.

        Returns:
            Float32 of the same shape, whole multiples of 1/255.
        """
        limit = self.budget / 255
        current = images
        for _ in range(self.steps):
            variable = current.detach().requires_grad_()
            loss = torch.stack(
                [
                    functional.cross_entropy(model(variable), targets, reduction="sum")
                    for model in ensemble
                ]
            ).sum()
            (slope,) = torch.autograd.grad(loss, variable)
            stepped = variable.detach() - self.step * slope.sign()
            inside = torch.minimum(torch.maximum(stepped, images - limit), images + limit)
            current = inside.clamp(0, 1)
        return (current * 255).round() / 255


@torch.no_grad()
def _likeliest_wrong(ensemble: Sequence[nn.Module], images: Tensor, labels: Tensor) -> Tensor:
    """The class with the largest mean probability except the right one, int64 (n,)."""
    mean = torch.stack([model(images).softmax(dim=1) for model in ensemble]).mean(dim=0)
    return mean.scatter(1, labels[:, None], -1.0).argmax(dim=1)
