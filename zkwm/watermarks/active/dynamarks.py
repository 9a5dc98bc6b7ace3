"""DynaMarks (Chakraborty, Xing, Liu, Srivastava 2022): a mark in the answers, for surrogates.

What the paper says and is kept: training is untouched, the prediction service changes its answers
by secret parameters, accuracy is preserved, and a model trained on the answers carries the mark.
Its formulas are not public to us. Ours: committed keys, each a map that changes the probabilities
of all classes but the first by the image's low frequencies (``keyed_answers``); its direction
is the bit that derives from the commitment; the judge reads the bits from a suspect's answers on
public probes, with the owner's unmarked model, whose digest is in the commitment, as reference.

The null is exact: a suspect, the keys, the reference and the probes are fixed before the labels are
(the probes by the judge, who does not choose them by labels), and extraction is a function of these
alone, so that each bit of an unrelated model is a fair coin.

Not for surrogates trained on the first class alone: that carries nothing of what is changed here
(``dawn``). And not for suspects that give no probabilities.
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
from zkwm.watermarks.parameter_encoding.key_commitment import commit_keys, draw_keys, owner_digest
from zkwm.watermarks.watermark import Marked, Owner, Watermark
from zkwm_protocols.errors import UsageError

if TYPE_CHECKING:
    from zkwm.nn.architectures import Classifier
    from zkwm_protocols.commitment import Commitment


@dataclass(frozen=True)
class DynaMarks(Watermark):
    """A responder with ``bits`` keys, whole blocks of ``block_size``.

    ``strength`` is the standard deviation of the change of a log-probability, in nats; ``floor``
    what is added to each probability first, so that there is something to change where the model
    is sure: the more of both, the more a surrogate learns, and the less the answers say. Raises
    UsageError for a strength that is not above 0 and up to 5, or a floor not from 10^-6 to 0.1.
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
        return commit_keys(
            owner.vault, keys, block_size=self.block_size, owner_model=owner_digest(owner)
        )

    def embed(self, owner: Owner, commitment: Commitment) -> Marked:
        """The unmarked model behind the responder: nothing is trained."""
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
    """An owner's service: images float32 (n, c, h, w) in [0, 1] to changed probabilities (n, C).

    ``maps`` float32 (63, C) are the sum of all keys' maps, each with the sign of its bit,
    divided by the root of their number: the secret of this service.
    """

    def __init__(self, model: Classifier, maps: Tensor, strength: float, floor: float) -> None:
        self._model, self._maps = model, maps
        self._strength, self._floor = strength, floor

    def __call__(self, images: Tensor) -> Tensor:
        """The answers; the first class is the model's own."""
        answers = logits(self._model, images).softmax(dim=1)
        exponents = (features(images) @ self._maps.to(images.device)).to(answers)
        return changed(answers, self._strength * exponents, self._floor)
