"""No attack: the suspect as it was taken. The first row of every table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from zkwm.attacks.attack import Attack, Attacked, Attacker, Target


@dataclass(frozen=True)
class NoAttack(Attack):
    """The marked model, unchanged."""

    name: ClassVar[str] = "none"
    paper: ClassVar[str] = ""

    def run(self, target: Target, attacker: Attacker) -> Attacked:
        """The target's model itself."""
        del attacker
        return Attacked(target.model)
