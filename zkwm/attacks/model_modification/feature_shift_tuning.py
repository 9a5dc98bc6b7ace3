"""Feature shift tuning (FST): retrain away from the old head (Min et al. 2023).

Min, Qin, Shen and Cheng, "Towards Stable Backdoor Purification through Feature Shift Tuning",
NeurIPS 2023; constants of the authors' repository AISafety-HKUST/Backdoor_Safety_Tuning.

Adversary: has the weights and labeled images of the task.

1. Replace the head by a random one.
2. Train all layers; alpha <w, w0> is added to the loss, the product of the head's weights with the
   old ones, so that features have to move to where the old head would not read them.
3. After each step, scale w to the norm of w0, so that the product cannot be lowered by length.

A mark is not only weakened but turned over: labels that the old head gave to triggers become the
last classes, which statistics of first places and of high ranks count as nothing.
With ``alpha`` 0 it is RTAL of ``fine_tuning``, but for the norm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target
from zkwm.attacks.starting_point import (
    adversary_images,
    give_new_head,
    head_of,
    require_share,
    stolen_copy,
)
from zkwm.training.fit import Fit, fit
from zkwm_protocols.errors import UsageError


@dataclass(frozen=True)
class FeatureShiftTuning(Attack):
    """Retrain with a head that is pushed away from the old one.

    Args:
        alpha: Weight of the heads' product in the loss, at least 0; 0.1 in the authors' example.
        rate: Learning rate, above 0; falls to zero (cosine).
        epochs: At least 1.
        batch_size: At least 1.
        share: Of the adversary's images that is used, above 0 and at most 1.

    Raises:
        UsageError: A value is out of range.
    """

    name: ClassVar[str] = "feature_shift_tuning"
    paper: ClassVar[str] = "Min et al. 2023 (NeurIPS)"

    alpha: float = 0.1
    rate: float = 0.01
    epochs: int = 10
    batch_size: int = 128
    share: float = 1.0

    def __post_init__(self) -> None:
        require_share(self.share)
        if not self.alpha >= 0:
            raise UsageError(f"expected alpha of at least 0, got {self.alpha!r}")
        self._plan()

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Retrain a copy. Raises UsageError where there is no head, or training diverges."""
        model = stolen_copy(target, adversary)
        images, labels = adversary_images(adversary, self.share)
        old = head_of(model).weight.detach().clone()
        give_new_head(model, adversary.data.class_count, adversary)
        head = head_of(model).weight
        if head.shape != old.shape:
            raise UsageError(
                f"the stolen head has {len(old)} outputs, and the images have "
                f"{adversary.data.class_count} classes"
            )

        def product() -> Tensor:
            return self.alpha * (head * old).sum()

        @torch.no_grad()
        def keep_norm() -> None:
            head.mul_(old.norm() / head.norm())

        used = fit(
            model, images, labels, self._plan(),
            seed=adversary.seed, penalty=product, after_step=keep_norm,
        )  # fmt: skip
        return AttackResult(model.cpu().eval(), images=len(labels), gradient_images=used)

    def _plan(self) -> Fit:
        return Fit(epochs=self.epochs, rate=self.rate, batch_size=self.batch_size, weight_decay=0.0)
