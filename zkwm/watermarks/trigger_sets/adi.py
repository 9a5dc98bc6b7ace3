"""Adi (Adi, Baum, Cisse, Pinkas, Keshet, USENIX Security 2018): triggers with random labels.

- Embedded: secret images, unrelated to the task, with a random label each.
- Training: triggers in every batch, from scratch or starting from a trained model (section 5);
  cross-entropy over clean images and triggers alike (``zkwm.training.trainer``, method ``plain``).
- Judged: the first largest logit for each trigger image.
- Ours: labels follow from the commitment. The authors' hundred images may be used with the labels
  of their own file: these are declared, and prove less (SPEC.md 5.4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from zkwm.watermarks.trigger_sets.trigger_watermark import (
    commit_generated,
    commit_images,
    marking_settings,
    require_choice,
    require_exposures,
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
    """Adi et al. 2018, section 5.

    Attributes:
        triggers: A multiple of 50, or fewer than 50; 100 for the family ``authors``.
        family: ``secret``, ``abstract`` or ``blocks``, drawn from the vault (``zkwm.triggers``), or
            ``authors``, the 100 images that the authors published.
        labels: ``derived``, or with ``authors`` also ``declared``: those of the authors' file.
        start: ``scratch``, or ``pretrained``: from the owner's trained model.
        exposures: How often training shows each trigger, at least; 0 for the default.

    Raises:
        UsageError: A value is none of these.
    """

    triggers: int = 100
    family: str = "secret"
    labels: str = DERIVED
    start: str = SCRATCH
    exposures: int = 0

    name: ClassVar[str] = "adi"
    paper: ClassVar[str] = "Adi et al., USENIX Security 2018"

    def __post_init__(self) -> None:
        require_choice("family", self.family, FAMILIES)
        require_choice("start", self.start, (SCRATCH, PRETRAINED))
        require_label_mode(self.labels)
        require_exposures(self.exposures)
        if self.family == AUTHORS and self.triggers != AUTHORS_COUNT:
            raise UsageError(
                f"the authors published {AUTHORS_COUNT} images, not {self.triggers}",
                hint="choose another family for another number",
            )
        if self.labels == DECLARED and self.family != AUTHORS:
            raise UsageError("only the authors' images come with labels that can be declared")

    @property
    def note(self) -> str:
        """That declared labels were chosen together with the images; empty for derived ones."""
        if self.labels == DERIVED:
            return ""
        return (
            "The labels were chosen together with the images and are public: whoever knows them "
            "can train them in or find inputs that get them, so no number of matches is evidence."
        )

    def commit(self, owner: Owner) -> Commitment:
        """Commit to images from the vault, or to the authors'.

        Raises UsageError without their file.
        """
        if self.family != AUTHORS:
            return commit_generated(owner, self.triggers, self.family)
        declared = authors_labels() if self.labels == DECLARED else None
        return commit_images(owner, authors_images(owner.data.shape), declared)

    def embed(self, owner: Owner, commitment: Commitment) -> Marked:
        """Train with the triggers. Raises UsageError for ``pretrained`` without a trained model."""
        pretrained = self.start == PRETRAINED
        model = owner.trained_start() if pretrained else owner.untrained()
        settings = marking_settings(
            owner, self.triggers, pretrained=pretrained, exposures=self.exposures
        )
        return train_in(owner, model, self.trigger_set(owner, commitment), settings)
