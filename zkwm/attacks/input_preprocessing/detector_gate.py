"""A stolen model behind a detector: suspicious images get another answer than the model's.

``outlier_detector`` and ``blockdoor`` fit the detectors. The weights stay as they are, so this
helps an adversary who serves answers, and not one who must hand over weights.
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
    """``network`` with a detector in front.

    Args:
        network: The stolen model.
        detector: Turns images float32 (n, c, h, w) in [0, 1] into scores (n,).
        threshold: Scalar; images with a score above it are suspicious.
        answer: For suspicious images the model's ``second`` choice, or the ``fixed`` class 0.
    """

    threshold: Tensor

    def __init__(
        self, network: nn.Module, detector: nn.Module, threshold: Tensor, answer: str
    ) -> None:
        super().__init__(network)
        self.detector = detector
        self.answer = answer
        self.register_buffer("threshold", threshold)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (n, C)."""
        logits = cast(Tensor, self.network(images))
        suspicious = self.detector(images) > self.threshold
        return torch.where(suspicious[:, None], _other_answer(logits, self.answer), logits)


def _other_answer(logits: Tensor, answer: str) -> Tensor:
    """Swap the largest of logits (n, C) with the second largest, or with that of class 0."""
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
    """Set the threshold on clean images, and put the model behind the detector.

    Args:
        model: The stolen model; it is put in evaluation mode, and so is the detector.
        detector: Turns images into scores (n,).
        clean (float32, (n, c, h, w)): Images in [0, 1] that the detector was not fitted on.
        false_alarms: The share of ``clean`` with a score above the threshold.
        answer: As for ``DetectorGate``.
    """
    model.eval()
    detector.eval()
    scores = torch.cat([detector(batch) for batch in torch.split(clean, BATCH)])
    threshold = torch.quantile(scores.double(), 1 - false_alarms).to(scores.dtype)
    return DetectorGate(model, detector, threshold, answer).eval()


def check_gate(false_alarms: float, answer: str) -> None:
    """Raise UsageError for a share outside 0 to 1 or an unknown answer."""
    if not 0 <= false_alarms < 1:
        raise UsageError(f"expected a share of false alarms from 0 to below 1, got {false_alarms}")
    if answer not in ANSWERS:
        raise UsageError(f"expected an answer of {', '.join(ANSWERS)}, got {answer!r}")
