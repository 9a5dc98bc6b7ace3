"""The marked model as it was stolen: the baseline of every table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target


@dataclass(frozen=True)
class NoAttack(Attack):
    """Leaves the model unchanged, at no cost. A file of its own, whose digest the cache hashes."""

    name: ClassVar[str] = "none"
    paper: ClassVar[str] = ""

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """The target's model itself."""
        del adversary
        return AttackResult(target.model)
