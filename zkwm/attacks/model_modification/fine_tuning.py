"""Fine-tuning and retraining: FTLL, FTAL, RTLL, RTAL (Adi et al., USENIX Security 2018, section 5).

Adversary: has the weights and labeled images of the task.

1. FT keeps the head; RT (retrain) replaces it by a random one.
2. LL trains the last layer only; AL trains all layers.

The owner's original head is never put back: it has seen the labels of the triggers, so matches
through it would prove nothing (``transfer`` does put it back, and marks its result void).

Rate and optimizer decide. FTAL at the authors' rate of 0.001 removes nothing
(benchmarks/results/grid_shares.jsonl, attack "FTAL at 1e-3"). RTAL at twice the owner's
rate leaves 60 to 134 of 664 bits of the plain embedding and 183 to 346 of the robust one by ranks,
RTAL with AdamW at 1e-3 leaves 29 to 61 and 105 to 208 (benchmarks/results/survival.jsonl, trials
"RTAL, twice the rate" and "RTAL, AdamW 1e-3").
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
    """Train a copy further on the adversary's images.

    The defaults of rate, epochs and batch size are those of the authors' code.

    Args:
        which: FTLL, FTAL, RTLL or RTAL. With LL nothing else moves, batch-norm statistics neither.
        rate: Learning rate, above 0; 0.001 is gentle, attacks in earlier work go to 0.1.
        schedule: ``constant``, ``cosine`` (falls to zero) or ``epoch-decay`` (multiplied by
            ``decay`` after every ``decay_every`` epochs; rate 0.05 halved every 5 epochs in Gan et
            al. 2023).
        decay: Factor of ``epoch-decay``.
        decay_every: Epochs between two of its steps.
        epochs: At least 1.
        optimizer: ``sgd`` or ``adamw``.
        momentum: Of SGD.
        weight_decay: Of both optimizers.
        batch_size: At least 1.
        share: Of the adversary's images that is used, above 0 and at most 1.
        augment: Whether images are shifted and mirrored at random.

    Raises:
        UsageError: A value is out of range.
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
            raise UsageError(f"expected one of {', '.join(VARIANTS)}, got {self.which!r}")
        require_share(self.share)
        self.plan()

    def plan(self) -> Fit:
        """The training plan. Raises UsageError for an unknown optimizer or schedule."""
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
    """A network that stays in evaluation mode while its head is trained.

    Otherwise batch-norm statistics would move although no layer but the head is trained.
    """

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
