"""Read a mark of ``dynamarks``: keyed changes of answered probabilities (SPEC.md 19.5).

After Chakraborty, Xing, Liu and Srivastava, "DynaMarks", 2022. Embedding, by a service that changes
its answers, is in ``zkwm.watermarks.active.dynamarks``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from zkwm.extraction.dynamarks_regression import features, read_back
from zkwm.extraction.keys import read_keys
from zkwm.extraction.reader import SOFT_ANSWERS, JudgeView, MarkReader
from zkwm.nn.inference import logits
from zkwm_protocols.errors import UsageError

_BATCH = 500
_LEAST_CLASSES = 3
LEAST_FLOOR = 1e-6


@dataclass(frozen=True)
class DynaMarksReader(MarkReader):
    """Reads whether a surrogate has each key's change, or its opposite (SPEC.md 19.5).

    - Layer: 0 in every key, not read.
    - Answers: log-probabilities of suspect and reference on the judge's public probes; the suspect
      as it is, without alignment, so that a surrogate may have any architecture.
    - Row: a key's map (63, C), ``key.signs("answers", 63 * C)``: how the log-probability of each
      class changes with each low frequency of the image (``dynamarks_regression.key_maps``).
    - Bit: 1 if the coefficient of the key's change in a ridge regression over all opened keys is
      >= 0, else 0 (``dynamarks_regression.read_back``). Bits of keys that are opened together
      depend on each other.

    ``floor`` is added to every probability first. Raises UsageError for one that is not from 10^-6
    to 0.1.
    """

    floor: float = 0.01

    name: ClassVar[str] = "dynamarks"
    access: ClassVar[str] = SOFT_ANSWERS
    judged: ClassVar[tuple[str, ...]] = ("floor",)
    needs_probes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not LEAST_FLOOR <= self.floor <= 0.1:
            raise UsageError("a floor is from 0.000001 to 0.1")

    def extract(
        self, model: nn.Module, leaves: NDArray[np.uint8], view: JudgeView
    ) -> NDArray[np.int64]:
        """One bit for each key, int64 (n,): whether the suspect has its change or the opposite.

        Raises UsageError without a reference or probes, for probes of less than 8 pixels a side or
        constant ones alone, for a suspect with another number of classes than the reference, or
        with two, and where answers of suspect or reference are not finite.
        """
        if view.reference is None or not len(view.probes):
            raise UsageError(
                "this mark is read on probe images, with the owner's unmarked model as reference",
                hint="choose public images of the task; the commitment names the owner's model",
            )
        gray = view.probes.sum(axis=1, dtype=np.int64)
        if bool((gray == gray[:, :1, :1]).all()):
            raise UsageError("the probes are constant images, which no key's change depends on")
        keys = read_keys(leaves)
        suspect = _log_probabilities(model, view.probes)
        reference = _log_probabilities(view.reference, view.probes)
        if suspect.shape != reference.shape:
            raise UsageError(
                f"the suspect has {suspect.shape[1]} classes, the owner's model "
                f"{reference.shape[1]}"
            )
        require_classes(reference.shape[1])
        if not bool(torch.isfinite(suspect).all() and torch.isfinite(reference).all()):
            raise UsageError(
                "answers of the suspect or of its reference on the probes are not finite"
            )
        inputs = features(torch.tensor(view.probes).float() / 255)
        values = read_back(keys, suspect, reference, inputs, self.floor)
        bits: NDArray[np.int64] = (values >= 0).astype(np.int64)
        return bits


def require_classes(classes: int) -> None:
    """Raise UsageError for two classes: their answers hold nothing but the first class."""
    if classes < _LEAST_CLASSES:
        raise UsageError("for two classes the answers hold nothing but the first class")


def _log_probabilities(model: nn.Module, images: NDArray[np.uint8]) -> Tensor:
    """The model's log-probabilities, float64 (n, C), for images uint8 (n, c, h, w)."""
    batches = torch.split(torch.tensor(images), _BATCH)
    answers = [logits(model, batch) for batch in batches]
    return torch.cat(answers).cpu().double().log_softmax(dim=1)
