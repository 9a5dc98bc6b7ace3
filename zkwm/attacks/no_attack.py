"""No attack: the suspect as it was taken. The first row of every table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target


@dataclass(frozen=True)
class NoAttack(Attack):
    """The marked model, unchanged."""

    name: ClassVar[str] = "none"
    paper: ClassVar[str] = ""

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """The target's model itself."""
        del adversary
        return AttackResult(target.model)
