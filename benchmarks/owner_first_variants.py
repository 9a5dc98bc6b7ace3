"""Embeddings that prepare for the strongest attacks, as experiments: what each adds to the robust.

- ``seeking``: the owner moves decoys to where the network is sure, as a seeking adversary does
  (``zkwm.training.robust.sought_decoys``).
- ``Covers``: noisy triggers are trained to the uniform distribution, so that only exact triggers
  answer. After SEW (KDD 2026, arXiv 2602.03377), whose noise is as large as clean images bear.
- ``Rehearsal``: the look-ahead clone begins near random weights and learns the owner's soft
  answers about clean images instead of labels. After T2S (arXiv 2606.11698), which takes the loss
  of a simulated stolen model on the triggers as signal.
- ``Teaching``: a thief from random weights learns the owner's answers beside the training, and the
  answers about clean images are tilted towards those that lower the thief's loss on the triggers.
  T2S's signal by the only way on which it reaches an independent thief.
- ``Tilt``: which classes come after the first is tilted by a key, for all images of the task
  (``owner_first_tilts``).
- ``Composites``: halves of images of two classes, coupled with the task
  (``owner_first_composites``).

What has no line in benchmarks/results/owner_first.jsonl has not been run.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from owner_first_composites import Composites
from owner_first_tilts import Tilt

from zkwm.training.robust.sought_decoys import Seeking


@dataclass(frozen=True)
class Covers:
    """Noisy triggers, trained away from the mark.

    Args:
        noise: Standard deviation in units of the range of a pixel; 0 for as much as clean images
            bear, as SEW does.
        weight: In the loss.
        start: The share of the training after which they are shown.
        steps: Signed gradient steps toward a surer answer after the noise.
        size: Of such a step, in units of the range of a pixel.
    """

    noise: float = 0.0
    weight: float = 1.0
    start: float = 0.4
    steps: int = 0
    size: float = 0.06


@dataclass(frozen=True)
class Rehearsal:
    """The look-ahead clone as an extracting thief.

    Args:
        kept: The share of the owner's weights in those with which the thief begins; the rest are
            fresh ones.
        weight: Of the triggers' gradient at the clone, in units of the look-ahead's.
    """

    kept: float = 0.0
    weight: float = 1.0


@dataclass(frozen=True)
class Teaching:
    """Answers about clean images, tilted towards what teaches a thief the triggers.

    Args:
        weight: Of the tilt in the loss of an image.
        life: Steps of one thief, who then begins anew.
        rate: Their learning rate.
        start: The share of the training after which it begins.
    """

    weight: float = 0.3
    life: int = 600
    rate: float = 0.05
    start: float = 0.4


@dataclass(frozen=True)
class Variant:
    """One embedding: a method of ``EmbedSettings`` and what is added to it."""

    method: str = "robust"
    seeking: Seeking | None = None
    covers: Covers | None = None
    rehearsal: Rehearsal | None = None
    teaching: Teaching | None = None
    tilt: Tilt | None = None
    composites: Composites | None = None

    def to_map(self) -> dict[str, Any]:
        """All that is set, ready for JSON."""
        return {name: value for name, value in asdict(self).items() if value is not None}


SOUGHT = {
    "pilot": Seeking(),
    "weight 1": Seeking(weight=1.0),
    "far": Seeking(steps=8, size=0.05),
    "far, weight 1": Seeking(steps=8, size=0.05, weight=1.0),
    "far, late": Seeking(steps=8, size=0.05, start=0.7),
    "far, a third": Seeking(steps=8, size=0.05, share=1 / 3),
    "far, many": Seeking(steps=8, size=0.05, weight=1.0, clean_per_decoy=4),
    "far, all, early": Seeking(steps=8, size=0.05, start=0.0, share=1.0),
    "one step": Seeking(steps=1, size=0.2, weight=1.0, clean_per_decoy=4),
}
TILTS = {
    "a fifth": Tilt(),
    "two fifths": Tilt(share=0.4),
    "two fifths, steep": Tilt(share=0.4, strength=1.5),
    "two fifths, 40 directions": Tilt(share=0.4, directions=40),
}
VARIANTS = {
    "plain": Variant("plain"),
    "robust": Variant(),
    **{f"sought: {name}": Variant(seeking=plan) for name, plan in SOUGHT.items()},
    "covers: as SEW": Variant(covers=Covers()),
    "covers: noise 0.1": Variant(covers=Covers(noise=0.1)),
    "covers: moved": Variant(covers=Covers(noise=0.02, steps=4)),
    "rehearsal: random": Variant(rehearsal=Rehearsal()),
    "rehearsal: half kept": Variant(rehearsal=Rehearsal(kept=0.5)),
    **{f"tilt: {name}": Variant(tilt=tilt) for name, tilt in TILTS.items()},
    "composites: coupled answers": Variant("plain", composites=Composites()),
    "composites: coupled features": Variant("plain", composites=Composites(on="features")),
    "teaching": Variant(teaching=Teaching()),
    "teaching, strong": Variant(teaching=Teaching(weight=1.0)),
}
