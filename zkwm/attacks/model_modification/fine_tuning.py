"""Fine-tuning, the four ways of Adi et al. 2018, section 5: FTLL, FTAL, RTLL and RTAL.

The head of a re-trained network is new, and the owner's original head is never put back for
judging: it has seen the labels, so its matches would prove nothing (``transfer`` does that, and
says that they are void).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from torch import Tensor, nn

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

VARIANTS = ("FTLL", "FTAL", "RTLL", "RTAL")


@dataclass(frozen=True)
class FineTuning(Attack):
    """Training goes on with the adversary's images.

    ``which``: FT keeps the head, RT starts with a new one; LL trains only the last layer (nothing
    else moves, batch-norm statistics neither), AL all layers. The defaults are those of the
    authors' code (learning rate 0.001, batches of 100) for 10 epochs; ``schedule`` ``cosine`` falls
    to zero, ``epoch-decay`` multiplies by ``decay`` after every ``decay_every`` epochs (rate 0.05,
    halved every 5: Gan et al. 2023). ``share`` of the adversary's images is used. Raises UsageError
    for values out of range.
    """

    name: ClassVar[str] = "fine_tuning"
    paper: ClassVar[str] = "Adi et al. 2018, section 5"

    which: str = "FTAL"
    rate: float = 0.001
    schedule: str = "constant"
    decay: float = 0.5
    decay_every: int = 5
    epochs: int = 10
    optimizer: str = "sgd"
    momentum: float = 0.9
    weight_decay: float = 5e-4
    batch_size: int = 100
    share: float = 1.0
    augment: bool = False

    def __post_init__(self) -> None:
        if self.which not in VARIANTS:
            raise UsageError(f"{self.which!r} is none of {', '.join(VARIANTS)}")
        require_share(self.share)
        self.plan()

    def plan(self) -> Fit:
        """How the network is trained. Raises UsageError for an unknown optimiser or schedule."""
        return Fit(
            epochs=self.epochs,
            rate=self.rate,
            optimizer=self.optimizer,
            schedule=self.schedule,
            decay=self.decay,
            decay_every=self.decay_every,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            batch_size=self.batch_size,
            augment=self.augment,
        )

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Fine-tune a copy. Raises UsageError where there is no head, or training diverges."""
        model = stolen_copy(target, adversary)
        images, labels = adversary_images(adversary, self.share)
        if self.which.startswith("RT"):
            give_new_head(model, adversary.data.class_count, adversary)
        if self.which.endswith("LL"):
            model.requires_grad_(False)
            head = head_of(model).requires_grad_(True)
            used = fit(
                _OnlyHead(model),
                images,
                labels,
                self.plan(),
                seed=adversary.seed,
                parameters=head.parameters(),
            )
        else:
            used = fit(model, images, labels, self.plan(), seed=adversary.seed)
        model.requires_grad_(True)
        return AttackResult(model.cpu().eval(), images=len(images), gradient_images=used)


class _OnlyHead(nn.Module):
    """A network that stays in evaluation mode while its head is trained."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        self.model.eval()
        return self

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.model(images)
        return logits
