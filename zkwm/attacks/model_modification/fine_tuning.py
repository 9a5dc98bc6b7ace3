"""Fine-tuning and retraining: FTLL, FTAL, RTLL, RTAL (Adi et al., USENIX Security 2018, section 5).

Adversary: has the weights and labeled images of the task.

1. FT keeps the head; RT (retrain) replaces it by a random one.
2. LL trains the last layer only; AL trains all layers.

The owner's original head is never put back: it has seen the labels of the triggers, so matches
through it would prove nothing (``transfer`` does put it back, and marks its result void).

Two attacks of Lukas et al. (S&P 2022) are settings of this one: label smoothing (they smooth by 0.3
for 5 epochs), and regularization, in which a first phase with a weight decay of 0.1 (5 epochs) lets
the weights shrink before they are tuned with the usual decay.

Rate and optimizer decide. FTAL at the authors' rate of 0.001 removes nothing
(benchmarks/results/grid_shares.jsonl, attack "FTAL at 1e-3"). RTAL at twice the owner's
rate leaves 60 to 134 of 664 bits of the plain embedding and 183 to 346 of the robust one by ranks,
RTAL with AdamW at 1e-3 leaves 29 to 61 and 105 to 208 (benchmarks/results/survival.jsonl, trials
"RTAL, twice the rate" and "RTAL, AdamW 1e-3").
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from torch import Tensor, nn
from torch.nn import functional

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
        label_smoothing: Share of a label's probability that is spread evenly over all classes, at
            least 0 and below 1.
        decay_epochs: Of a first phase with ``strong_decay``, at the same rate without a schedule;
            0 for none.
        strong_decay: Weight decay of that phase, at least 0.
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
    label_smoothing: float = 0.0
    decay_epochs: int = 0
    strong_decay: float = 0.1
    batch_size: int = 100
    share: float = 1.0
    augment: bool = False

    def __post_init__(self) -> None:
        if self.which not in VARIANTS:
            raise UsageError(f"expected one of {', '.join(VARIANTS)}, got {self.which!r}")
        require_share(self.share)
        if not 0 <= self.label_smoothing < 1:
            raise UsageError(f"expected label smoothing from 0 to 1, got {self.label_smoothing!r}")
        if self.decay_epochs < 0 or not self.strong_decay >= 0:
            raise UsageError(
                "expected decay epochs and a strong decay of at least 0, got "
                f"{self.decay_epochs} and {self.strong_decay}"
            )
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

    def _phases(self) -> list[Fit]:
        """The trainings one after the other."""
        plan = self.plan()
        if not self.decay_epochs:
            return [plan]
        first = replace(
            plan,
            epochs=self.decay_epochs,
            schedule="constant",
            weight_decay=self.strong_decay,
        )
        return [first, plan]

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Fine-tune a copy. Raises UsageError where there is no head, or training diverges."""
        model = stolen_copy(target, adversary)
        images, labels = adversary_images(adversary, self.share)
        class_count = adversary.data.class_count
        if self.which.startswith("RT"):
            give_new_head(model, class_count, adversary)
        if self.label_smoothing:
            labels = smoothed(labels, class_count, self.label_smoothing)
        trained: nn.Module = model
        parameters = list(model.parameters())
        if self.which.endswith("LL"):
            model.requires_grad_(False)
            trained = InEvaluationMode(model)
            parameters = list(head_of(model).requires_grad_(True).parameters())
        used = 0
        for plan in self._phases():
            used += fit(trained, images, labels, plan, seed=adversary.seed, parameters=parameters)
        model.requires_grad_(True)
        return AttackResult(model.cpu().eval(), images=len(images), gradient_images=used)


def smoothed(labels: Tensor, class_count: int, share: float) -> Tensor:
    """Labels int64 (n,) as probabilities float32 (n, C), of which ``share`` is spread evenly."""
    return functional.one_hot(labels, class_count) * (1 - share) + share / class_count


class InEvaluationMode(nn.Module):
    """A network that stays in evaluation mode while a few of its parameters are trained.

    Otherwise batch-norm statistics would move although their layers are not trained.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def train(self, mode: bool = True) -> Self:
        """The wrapper follows; the network does not."""
        super().train(mode)
        self.model.eval()
        return self

    def forward(self, images: Tensor) -> Tensor:
        """The network's logits (n, C)."""
        logits: Tensor = self.model(images)
        return logits
