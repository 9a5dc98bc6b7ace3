"""The product's own watermark: hundreds of secret triggers, embedded robustly.

- Embedded: secret images of a generated family with a derived label each.
- Loss: ``zkwm.training.robust.method``.
- Judged: the first largest logit for each trigger image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from zkwm.training.settings import ABLATIONS, PERTURBED, SOUGHT
from zkwm.triggers import FAMILIES
from zkwm.watermarks.trigger_sets.trigger_watermark import (
    ROBUST,
    commit_generated,
    marking_settings,
    require_choice,
    require_exposures,
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
        exposures: How often training shows each trigger, at least; 0 for the default.
        method: ``robust``, or a part of it for comparisons: ``frozen head`` without decoys and
            look-ahead, ``frozen head and decoys`` without look-ahead; ``sought decoys``, which adds
            a search for confident noise; or ``perturbed weights``, in place of the look-ahead.

    Raises:
        UsageError: A value is none of these.
    """

    triggers: int = 200
    family: str = "secret"
    exposures: int = 0
    method: str = ROBUST

    name: ClassVar[str] = "robust"
    paper: ClassVar[str] = "zkwm"

    def __post_init__(self) -> None:
        require_choice("family", self.family, GENERATED)
        require_exposures(self.exposures)
        require_choice("method", self.method, (ROBUST, *ABLATIONS, SOUGHT, PERTURBED))

    def commit(self, owner: Owner) -> Commitment:
        """Commit to images from the vault, with derived labels."""
        return commit_generated(owner, self.triggers, self.family)

    def embed(self, owner: Owner, commitment: Commitment) -> Marked:
        """Train from scratch with the method."""
        settings = marking_settings(
            owner, self.triggers, method=self.method, exposures=self.exposures
        )
        return train_in(owner, owner.untrained(), self.trigger_set(owner, commitment), settings)
