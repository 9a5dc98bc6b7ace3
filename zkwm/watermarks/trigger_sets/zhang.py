"""Zhang (Zhang, Gu, Jang, Wu, Stoecklin, Huang, Molloy, AsiaCCS 2018): one label for all triggers.

- Embedded: training images with a mark (``content``) or a noise pattern (``noise``), or
  images that have nothing to do with the task (``unrelated``, ``digits``), all with one label.
- Training: from scratch with triggers in every batch; cross-entropy.
- Judged: the first largest logit for each trigger image.

The paper's single label is declared, and its null is weak: an unmarked network that prefers that
class gives it to all triggers, and an adversary can recover from one trigger what all of them show.
With derived labels every image has its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from zkwm.triggers.keystream import KeyStream
from zkwm.watermarks.trigger_sets.trigger_watermark import (
    commit_images,
    draw,
    marking_settings,
    require_choice,
    require_exposures,
    require_label_mode,
    train_in,
    usable,
)
from zkwm.watermarks.trigger_sets.unrelated_images import digits, draw_strokes
from zkwm.watermarks.watermark import DECLARED, DERIVED, Marked, Owner, Watermark
from zkwm_protocols.errors import UsageError

if TYPE_CHECKING:
    from zkwm_protocols.commitment import Commitment

CONTENT, NOISE, UNRELATED, DIGITS = "content", "noise", "unrelated", "digits"
KINDS = (CONTENT, NOISE, UNRELATED, DIGITS)
NOISE_STD = 0.4
"""Of the noise pattern, in units of pixel / 255."""
_PARTS = 4


@dataclass(frozen=True)
class Zhang(Watermark):
    """Zhang et al., AsiaCCS 2018.

    Attributes:
        kind: ``content``: training images with one mark from the key, a quarter of the height and
            width, of black and white pixels. ``noise``: training images plus one Gaussian pattern
            from the key, of standard deviation 0.4 (pixel / 255). ``unrelated``: drawings from the
            key.
            ``digits``: MNIST, which needs its file.
        triggers: A multiple of 50, or fewer than 50.
        labels: ``declared``: all ``target``, and no training image of that class becomes a trigger;
            or ``derived``.
        target: A class.
        exposures: How often training shows each trigger, at least; 0 for the default.

    Raises:
        UsageError: A value is none of these.
    """

    kind: str = CONTENT
    triggers: int = 100
    labels: str = DECLARED
    target: int = 0
    exposures: int = 0

    name: ClassVar[str] = "zhang"
    paper: ClassVar[str] = "Zhang et al., AsiaCCS 2018"

    def __post_init__(self) -> None:
        require_choice("kind", self.kind, KINDS)
        require_label_mode(self.labels)
        require_exposures(self.exposures)

    @property
    def note(self) -> str:
        """Why a single label makes the null inexact; empty for derived labels."""
        if self.labels == DERIVED:
            return ""
        return (
            "All triggers have one label that the owner chose: a network without any mark that "
            "prefers this class for such images matches all of them at once, so matches do not "
            "count as independent, and no number of them is evidence. The pattern generalizes: "
            "it can be found in the model and unlearned."
        )

    def commit(self, owner: Owner) -> Commitment:
        """Commit to images from the vault's key, and from the owner's data or MNIST.

        Raises UsageError for fewer images than triggers, a target that is no class, and digits
        without their file.
        """
        images = self._images(owner, draw(owner, "zhang-2018"))
        if self.labels == DERIVED:
            return commit_images(owner, images)
        return commit_images(owner, images, np.full(self.triggers, self.target, np.int64))

    def embed(self, owner: Owner, commitment: Commitment) -> Marked:
        """Train from scratch with the triggers in every batch."""
        settings = marking_settings(owner, self.triggers, exposures=self.exposures)
        return train_in(owner, owner.untrained(), self.trigger_set(owner, commitment), settings)

    def _images(self, owner: Owner, stream: KeyStream) -> NDArray[np.uint8]:
        shape = owner.data.shape
        if self.kind == UNRELATED:
            return draw_strokes(stream, self.triggers, shape)
        if self.kind == DIGITS:
            return _chosen(digits(shape), stream, self.triggers)
        images = owner.data.train_images
        if self.labels == DECLARED:
            images = images[owner.data.train_labels != self.target]
        change = mark_content if self.kind == CONTENT else add_noise
        return change(_chosen(images, stream, self.triggers), stream)


def mark_content(images: NDArray[np.uint8], stream: KeyStream) -> NDArray[np.uint8]:
    """Images uint8 (n, c, h, w) with one mark at one place, both from the key."""
    channels, height, width = images.shape[1:]
    tall, wide = max(height // _PARTS, 1), max(width // _PARTS, 1)
    mark = stream.bits(channels, tall, wide) * np.uint8(255)
    top, left = stream.below(height - tall + 1), stream.below(width - wide + 1)
    marked = images.copy()
    marked[:, :, top : top + tall, left : left + wide] = mark
    return marked


def add_noise(images: NDArray[np.uint8], stream: KeyStream) -> NDArray[np.uint8]:
    """Images uint8 (n, c, h, w) plus one Gaussian pattern from the key, clipped to 0..255."""
    # Box-Muller: two uniform numbers in (0, 1] give a normal one
    first, second = (1 - np.abs(stream.signed(*images.shape[1:])) for _ in range(2))
    radius = np.sqrt(-2 * np.log(np.maximum(first, 1e-9)))
    pattern = 255 * NOISE_STD * radius * np.cos(np.pi * second)
    noisy: NDArray[np.uint8] = np.rint(np.clip(images + pattern, 0, 255)).astype(np.uint8)
    return noisy


def _chosen(images: NDArray[np.uint8], stream: KeyStream, count: int) -> NDArray[np.uint8]:
    """``count`` different images, of uint8 (n, c, h, w), in an order from the key."""
    chosen = images[stream.permutation(len(images))[: 2 * count]]
    chosen = chosen[usable(chosen)][:count]
    if len(chosen) < count:
        raise UsageError(f"{len(images)} images are too few to make {count} triggers of")
    return chosen
