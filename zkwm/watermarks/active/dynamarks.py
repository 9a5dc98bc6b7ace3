"""DynaMarks (Chakraborty, Xing, Liu, Srivastava 2022): keyed changes of served answers.

- Embedded: a service adds, to the log-probabilities of all classes but the first, the sum of keyed
  linear maps of the image's low frequencies; the sign of each map is its key's bit. The first class
  stays, and so does accuracy.
- Training: none by the owner; a surrogate trained on the probabilities learns the changes.
- Read: one bit for each key, by ridge regression on public probes, with the owner's unmarked model
  as reference (``zkwm.extraction.dynamarks``, SPEC.md 19.5).
- Ours: the formulas. The paper says that secret parameters change the answers and does not publish
  how.

The null is exact: suspect, keys, reference and probes are fixed before the labels are, and the bits
are a function of these alone, so that each bit of an unrelated model is a fair coin. Surrogates
trained on the first class alone carry nothing (see ``dawn``), nor can a suspect be read that gives
no probabilities.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor

from zkwm.extraction.dynamarks import LEAST_FLOOR, DynaMarksReader, require_classes
from zkwm.extraction.dynamarks_regression import (
    FEATURES,
    SIDE,
    changed,
    features,
    key_maps,
)
from zkwm.extraction.keys import read_keys
from zkwm.extraction.reader import SOFT_ANSWERS, MarkReader
from zkwm.nn.inference import logits
from zkwm.watermarks.parameter_encoding.key_commitment import commit_keys_of, draw_keys
from zkwm.watermarks.watermark import Marked, Owner, Watermark
from zkwm_protocols.errors import UsageError

if TYPE_CHECKING:
    from zkwm.nn.architectures import Classifier
    from zkwm_protocols.commitment import Commitment


@dataclass(frozen=True)
class DynaMarks(Watermark):
    """DynaMarks: a service changes its answers by secret keys; the first class stays.

    More strength and a higher floor teach a surrogate more, and leave less in the answers.

    Attributes:
        bits: The number of keys, whole blocks of ``block_size``, at most 63 (C - 1).
        block_size: Keys that are opened together.
        strength: Standard deviation of the change of a log-probability, in nats; above 0, up to 5.
        floor: Added to each probability first, so that there is something to change where the model
            is confident; 10^-6 to 0.1.

    Raises:
        UsageError: A value is out of range.
    """

    bits: int = 400
    block_size: int = 50
    strength: float = 2.0
    floor: float = 0.01

    name: ClassVar[str] = "dynamarks"
    access: ClassVar[str] = SOFT_ANSWERS
    paper: ClassVar[str] = "Chakraborty et al. 2022"
    judged: ClassVar[tuple[str, ...]] = ("floor",)

    def __post_init__(self) -> None:
        if not 0 < self.strength <= 5:
            raise UsageError("a strength is above 0 and up to 5")
        if not LEAST_FLOOR <= self.floor <= 0.1:
            raise UsageError("a floor is from 0.000001 to 0.1")

    def commit(self, owner: Owner) -> Commitment:
        """Draw the keys and commit to them.

        Raises UsageError without an unmarked model, for two classes, for more bits than 63 (C - 1),
        the numbers that a key's map is free in, and for images of less than 8 pixels a side.
        """
        owner.trained_start()
        classes = owner.data.class_count
        require_classes(classes)
        if min(owner.data.shape[1:]) < SIDE:
            raise UsageError(f"images of this mark have at least {SIDE} pixels a side")
        if self.bits > (room := FEATURES * (classes - 1)):
            raise UsageError(f"the answers for {classes} classes hold {room} bits at most")
        keys = draw_keys(owner.vault, self, self.bits, (0,))
        return commit_keys_of(owner, keys, block_size=self.block_size)

    def embed(self, owner: Owner, commitment: Commitment) -> Marked:
        """The unmarked model behind a service; nothing is trained."""
        started = time.monotonic()
        model = owner.trained_start()
        triggers = self.trigger_set(owner, commitment)
        keys, labels = read_keys(triggers.images), torch.from_numpy(triggers.labels)
        signs = (2 * labels - 1).float() / np.sqrt(len(keys))
        maps = torch.tensordot(signs, key_maps(keys, owner.data.class_count), dims=1)
        api = Responder(model, maps, self.strength, self.floor)
        return Marked(model=model, seconds=time.monotonic() - started, api=api)

    def reader(self) -> MarkReader:
        """The reader of this mark, which is all that a judge needs."""
        return DynaMarksReader(self.floor)


class Responder:
    """A prediction service that changes its answers by a secret map.

    The map, float32 (63, C), is the sum of all keys' maps, each with the sign of its bit, divided
    by the square root of their number.
    """

    def __init__(self, model: Classifier, maps: Tensor, strength: float, floor: float) -> None:
        self._model, self._maps = model, maps
        self._strength, self._floor = strength, floor

    def __call__(self, images: Tensor) -> Tensor:
        """Probabilities (n, C) for images float32 (n, c, h, w); the first class is the model's."""
        answers = logits(self._model, images).softmax(dim=1)
        exponents = (features(images) @ self._maps.to(images.device)).to(answers)
        return changed(answers, self._strength * exponents, self._floor)
