"""The product's own embedding: hundreds of secret triggers, put in so that they survive attacks.

How is said in ``zkwm.training`` (the method ``robust``); here it only stands beside the others.
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
    """``triggers`` images of a generated family with derived labels, embedded robustly.

    ``family`` is ``secret``, ``blocks`` or ``abstract``. Raises UsageError for another one.
    """

    triggers: int = 200
    family: str = "secret"

    name: ClassVar[str] = "robust"
    paper: ClassVar[str] = "zkwm"

    def __post_init__(self) -> None:
        require_choice("family", self.family, GENERATED)

    def commit(self, owner: Owner) -> Commitment:
        """Images from the vault, with derived labels."""
        return commit_generated(owner, self.triggers, self.family)

    def embed(self, owner: Owner, commitment: Commitment) -> Marked:
        """Train from scratch by the method ``robust``."""
        settings = marking_settings(owner, self.triggers, method=ROBUST)
        return train_in(owner, owner.untrained(), self.trigger_set(owner, commitment), settings)
