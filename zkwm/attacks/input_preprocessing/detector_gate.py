"""A stolen model behind a detector: what is suspicious gets another answer than the model's.

Not a detector: ``outlier_detector`` and ``blockdoor`` fit theirs. The model's weights stay as they
are, so this helps a thief who serves answers, and not one who must hand the weights over.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from zkwm.attacks.input_preprocessing.wrapped_model import WrappedModel
from zkwm_protocols.errors import UsageError

SECOND, FIXED = "second", "fixed"
ANSWERS = (SECOND, FIXED)
BATCH = 500


class DetectorGate(WrappedModel):
    """A model, ``network``, with a detector in front.

    ``detector`` turns images float32 (n, c, h, w) in [0, 1] into scores (n,); where a score is
    above ``threshold``, the answer is the model's ``second`` choice, or the ``fixed`` class 0.
    """

    threshold: Tensor

    def __init__(
        self, model: nn.Module, detector: nn.Module, threshold: Tensor, answer: str
    ) -> None:
        super().__init__(model)
        self.detector = detector
        self.answer = answer
        self.register_buffer("threshold", threshold)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (n, C)."""
        logits = cast(Tensor, self.network(images))
        suspicious = self.detector(images) > self.threshold
        return torch.where(suspicious[:, None], _other(logits, self.answer), logits)


def _other(logits: Tensor, answer: str) -> Tensor:
    """The logits with the two largest exchanged, or with the largest moved to class 0."""
    first, second = logits.topk(2, dim=1).indices.unbind(dim=1)
    place = second if answer == SECOND else torch.zeros_like(first)
    rows = torch.arange(len(logits), device=logits.device)
    changed = logits.clone()
    changed[rows, first] = logits[rows, place]
    changed[rows, place] = logits[rows, first]
    return changed


@torch.no_grad()
def fit_gate(
    model: nn.Module, detector: nn.Module, clean: Tensor, false_alarms: float, answer: str
) -> DetectorGate:
    """The model behind the detector, in evaluation mode.

    The threshold is that at which the share ``false_alarms`` of ``clean`` (float32 (n, c, h, w),
    images that the detector was not fitted on) is taken for triggers.
    """
    model.eval()
    detector.eval()
    scores = torch.cat([detector(batch) for batch in torch.split(clean, BATCH)])
    threshold = torch.quantile(scores.double(), 1 - false_alarms).to(scores.dtype)
    return DetectorGate(model, detector, threshold, answer).eval()


def check_gate(false_alarms: float, answer: str) -> None:
    """Raise UsageError for a share outside 0 to 1 or an answer that does not exist."""
    if not 0 <= false_alarms < 1:
        raise UsageError("false alarms are a share from 0 to below 1")
    if answer not in ANSWERS:
        raise UsageError(f"{answer!r} is none of {', '.join(ANSWERS)}")
