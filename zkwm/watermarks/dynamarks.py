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
from numpy.typing import NDArray
from torch import Tensor, nn

from zkwm.watermarks.keyed_answers import FEATURES, SIDE, changed, features, key_maps, read_back
from zkwm.watermarks.keys import commit_keys, draw_keys, owner_digest, read_keys
from zkwm.watermarks.watermark import (
    SOFT_ANSWERS,
    JudgeView,
    Marked,
    Owner,
    Watermark,
    logits,
)
from zkwm_protocols.errors import UsageError

if TYPE_CHECKING:
    from zkwm.embed.architectures import Classifier
    from zkwm_protocols.commitment import Commitment

_BATCH = 500
_LEAST_CLASSES = 3
_LEAST_FLOOR = 1e-6


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
    needs_probes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 < self.strength <= 5:
            raise UsageError("a strength is above 0 and up to 5")
        if not _LEAST_FLOOR <= self.floor <= 0.1:
            raise UsageError("a floor is from 0.000001 to 0.1")

    def commit(self, owner: Owner) -> Commitment:
        """Draw the keys and commit to them.

        Raises UsageError without an unmarked model, for two classes, for more bits than 63 (C - 1),
        the numbers that a key's map is free in, and for images of less than 8 pixels a side.
        """
        owner.trained_start()
        classes = owner.data.class_count
        _require_classes(classes)
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

    def extract(
        self, model: nn.Module, leaves: NDArray[np.uint8], view: JudgeView
    ) -> NDArray[np.int64]:
        """One bit for each key, int64 (n,): whether the suspect has its change or the opposite.

        All 0 where answers of suspect or reference are not finite. Raises UsageError without a
        reference or probes, for probes of less than 8 pixels a side or constant ones alone, and for
        a suspect with another number of classes than the reference, or with two.
        """
        if view.reference is None or not len(view.probes):
            raise UsageError(
                "this mark is read on probe images, with the owner's unmarked model beside it",
                hint="choose public images of the task; the commitment names the owner's model",
            )
        grey = view.probes.sum(axis=1, dtype=np.int64)
        if bool((grey == grey[:, :1, :1]).all()):
            raise UsageError("the probes are constant images, which no key's change depends on")
        keys = read_keys(leaves)
        suspect = _log_probabilities(model, view.probes)
        reference = _log_probabilities(view.reference, view.probes)
        if suspect.shape != reference.shape:
            raise UsageError(
                f"the suspect has {suspect.shape[1]} classes, the owner's model "
                f"{reference.shape[1]}"
            )
        _require_classes(reference.shape[1])
        if not bool(torch.isfinite(suspect).all() and torch.isfinite(reference).all()):
            return np.zeros(len(keys), np.int64)
        inputs = features(torch.tensor(view.probes).float() / 255)
        values = read_back(keys, suspect, reference, inputs, self.floor)
        bits: NDArray[np.int64] = (values >= 0).astype(np.int64)
        return bits


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


def _require_classes(classes: int) -> None:
    if classes < _LEAST_CLASSES:
        raise UsageError("for two classes the answers hold nothing but the first class")


def _log_probabilities(model: nn.Module, images: NDArray[np.uint8]) -> Tensor:
    batches = torch.split(torch.tensor(images), _BATCH)
    found = [logits(model, batch) for batch in batches]
    return torch.cat(found).cpu().double().log_softmax(dim=1)
