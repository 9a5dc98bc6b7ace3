"""The attacks on the CIFAR-10 networks, the cheap ones first, and what each costs.

Rates, shares and schedules are those of the published rows of
``zkwm.evaluation.results.published`` where there are any.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Trial:
    """One attack.

    Args:
        label: In tables.
        name: Of the attack in ``zkwm.attacks``.
        parameters: Of the attack.
        times: How often each of the adversary's images is in a gradient; None for as often as in
            the training from scratch.
    """

    label: str
    name: str
    parameters: dict[str, Any]
    times: float | None = 0.0

    def passes(self, scratch_epochs: int) -> float:
        """How often each of the adversary's images is in a gradient."""
        return scratch_epochs if self.times is None else self.times


def _tuned(label: str, which: str, rate: float, epochs: int = 10, **more: object) -> Trial:
    """Fine-tuning or retraining of all layers."""
    parameters = {"which": which, "rate": rate, "epochs": epochs, "schedule": "cosine", **more}
    return Trial(label, "fine_tuning", parameters, epochs)


def _extracted(label: str, labels: str, **more: object) -> Trial:
    """A surrogate that learns as long as the network from scratch."""
    parameters = {"labels": labels, "architecture": "airbench", "epochs": 0, "batch_size": 100}
    return Trial(label, "extraction", {**parameters, **more}, None)


ATTACKS = (
    Trial("no attack", "none", {}),
    Trial("pruning 70 %", "pruning", {"share": 0.7}),
    Trial("pruning 80 %", "pruning", {"share": 0.8}),
    Trial("pruning 90 %", "pruning", {"share": 0.9}),
    Trial("pruning 80 %, fine-tuned", "pruning", {"share": 0.8, "epochs": 2, "rate": 0.01}, 2),
    _tuned("FTAL at 1e-2", "FTAL", 0.01),
    _tuned("RTAL at 1e-2", "RTAL", 0.01),
    _tuned("RTAL at 0.05", "RTAL", 0.05),
    _tuned("RTAL with AdamW 1e-3", "RTAL", 0.001, optimizer="adamw"),
    Trial("fine-pruning 50 %", "fine_pruning", {"share": 0.5}, 10),
    # ten epochs over clean and stamped images, and 10 images a class in each step of the search
    Trial("laundering", "laundering", {}, 20),
    # half as many moved images: 20 steps of each, then five epochs of all
    Trial("seeking", "seeking", {}, 0.5 * 20 + 1.5 * 5),
    _tuned("FTAL at 0.05, halved every 5", "FTAL", 0.05, 30, schedule="epoch-decay", augment=True),
    _extracted("extraction, soft", "soft", augment=True),
    _extracted("extraction, hard", "hard", augment=True),
)
