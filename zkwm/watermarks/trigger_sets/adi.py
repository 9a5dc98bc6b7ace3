"""Adi et al. 2018: unrelated images with random labels, trained in from scratch or afterwards.

Here the labels are derived from the commitment. The authors' own hundred images can be used with
the labels of their own file too: these are declared, and prove less (SPEC.md 5.4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from zkwm.watermarks.trigger_sets.trigger_watermark import (
    commit_generated,
    commit_images,
    marking_settings,
    require_choice,
    require_label_mode,
    train_in,
)
from zkwm.watermarks.trigger_sets.unrelated_images import (
    AUTHORS_COUNT,
    authors_images,
    authors_labels,
)
from zkwm.watermarks.watermark import DECLARED, DERIVED, Marked, Owner, Watermark
from zkwm_protocols.errors import UsageError

if TYPE_CHECKING:
    from zkwm_protocols.commitment import Commitment

AUTHORS = "authors"
FAMILIES = ("secret", "abstract", "blocks", AUTHORS)
SCRATCH, PRETRAINED = "scratch", "pretrained"


@dataclass(frozen=True)
class Adi(Watermark):
    """``triggers`` images of a family, in every batch of a training from scratch or afterwards.

    ``family`` ``secret``, ``abstract`` and ``blocks`` are drawn from the vault (``zkwm.triggers``);
    ``authors`` are the 100 images that the paper's authors published, for which ``labels`` may be
    ``declared``: those of their own file. ``start``: ``scratch``, or ``pretrained``, which goes on
    from the owner's trained model. Raises UsageError for anything else.
    """

    triggers: int = 100
    family: str = "secret"
    labels: str = DERIVED
    start: str = SCRATCH

    name: ClassVar[str] = "adi"
    paper: ClassVar[str] = "Adi et al., USENIX Security 2018"

    def __post_init__(self) -> None:
        require_choice("family", self.family, FAMILIES)
        require_choice("start", self.start, (SCRATCH, PRETRAINED))
        require_label_mode(self.labels)
        if self.family == AUTHORS and self.triggers != AUTHORS_COUNT:
            raise UsageError(
                f"the authors published {AUTHORS_COUNT} images, not {self.triggers}",
                hint="choose another family for another number",
            )
        if self.labels == DECLARED and self.family != AUTHORS:
            raise UsageError("only the authors' images come with labels that can be declared")

    @property
    def note(self) -> str:
        """That declared labels were chosen with the images; empty for derived ones."""
        if self.labels == DERIVED:
            return ""
        return (
            "The labels were chosen together with the images and are public: whoever knows them "
            "can train them in or find inputs that get them, so no number of matches is evidence."
        )

    def commit(self, owner: Owner) -> Commitment:
        """Images from the vault, or the authors'. Raises UsageError where theirs are not there."""
        if self.family != AUTHORS:
            return commit_generated(owner, self.triggers, self.family)
        declared = authors_labels() if self.labels == DECLARED else None
        return commit_images(owner, authors_images(owner.data.shape), declared)

    def embed(self, owner: Owner, commitment: Commitment) -> Marked:
        """Train the triggers in. Raises UsageError for ``pretrained`` without a trained model."""
        pretrained = self.start == PRETRAINED
        model = owner.trained_start() if pretrained else owner.untrained()
        settings = marking_settings(owner, self.triggers, pretrained=pretrained)
        return train_in(owner, model, self.trigger_set(owner, commitment), settings)
