"""The product's own watermark: hundreds of secret triggers, embedded robustly.

- Embedded: secret images of a generated family with a derived label each.
- Loss: ``zkwm.training.robust.method``.
- Judged: the first largest logit for each trigger image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from zkwm.triggers import FAMILIES
from zkwm.watermarks.trigger_sets.trigger_watermark import (
    ROBUST,
    commit_generated,
    marking_settings,
    require_choice,
    train_in,
)
from zkwm.watermarks.watermark import Marked, Owner, Watermark

if TYPE_CHECKING:
    from zkwm_protocols.commitment import Commitment

GENERATED = tuple(family for family in FAMILIES if family != "mixture")


@dataclass(frozen=True)
class Robust(Watermark):
    """Triggers that survive fine-tuning (``zkwm.training.robust``).

    Attributes:
        triggers: A multiple of 50, or fewer than 50.
        family: ``secret``, ``blocks`` or ``abstract``.

    Raises:
        UsageError: The family is another one.
    """

    triggers: int = 200
    family: str = "secret"

    name: ClassVar[str] = "robust"
    paper: ClassVar[str] = "zkwm"

    def __post_init__(self) -> None:
        require_choice("family", self.family, GENERATED)

    def commit(self, owner: Owner) -> Commitment:
        """Commit to images from the vault, with derived labels."""
        return commit_generated(owner, self.triggers, self.family)

    def embed(self, owner: Owner, commitment: Commitment) -> Marked:
        """Train from scratch with the method ``robust``."""
        settings = marking_settings(owner, self.triggers, method=ROBUST)
        return train_in(owner, owner.untrained(), self.trigger_set(owner, commitment), settings)
