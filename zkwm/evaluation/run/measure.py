"""Measuring one suspect: its accuracy, and what a scheme still finds in it. Not a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from zkwm.attacks.input_preprocessing.wrapped_model import unwrap
from zkwm.extraction.reader import WHITE_BOX
from zkwm.nn.image_source import as_unit
from zkwm.nn.inference import predictions
from zkwm.watermarks.watermark import DERIVED
from zkwm_protocols.errors import UsageError
from zkwm_protocols.evidence import Policy, assess
from zkwm_protocols.ranks import ranks, weighted_sum

if TYPE_CHECKING:
    from zkwm.extraction.reader import JudgeView
    from zkwm.triggers import TriggerSet
    from zkwm.watermarks.watermark import Api, Watermark

BATCH = 500


@dataclass(frozen=True)
class MarkReading:
    """What is left of a mark; the fields are those of ``Cell`` with the same names."""

    matches: int | None = None
    trials: int | None = None
    class_count: int | None = None
    bits: float | None = None
    nominal_bits: float | None = None
    evidence: float | None = None
    rank_bits: float | None = None
    rank_evidence: float | None = None
    void: str = ""

    def to_map(self) -> dict[str, Any]:
        """All fields by name."""
        return dict(vars(self))


def accuracy(
    model: nn.Module, images: NDArray[np.uint8], labels: NDArray[np.int64], device: str
) -> float:
    """The share (0 to 1) of images uint8 (n, c, h, w) with the right label; moves the model."""
    model = model.to(device)
    right = 0
    for start in range(0, len(labels), BATCH):
        batch = torch.from_numpy(images[start : start + BATCH]).to(device)
        answers = predictions(model, batch).cpu().numpy()
        right += int((answers == labels[start : start + BATCH]).sum())
    return right / len(labels)


def served_accuracy(
    api: Api, images: NDArray[np.uint8], labels: NDArray[np.int64], device: str
) -> float:
    """The share (0 to 1) of images uint8 (n, c, h, w) that a service gives the right class for."""
    right = 0
    for start in range(0, len(labels), BATCH):
        answers = api(as_unit(torch.from_numpy(images[start : start + BATCH]).to(device)))
        classes = answers.argmax(dim=1).cpu().numpy()
        right += int((classes == labels[start : start + BATCH]).sum())
    return right / len(labels)


def read_mark(
    scheme: Watermark,
    model: nn.Module,
    triggers: TriggerSet,
    view: JudgeView,
    *,
    void: str = "",
    opened_used: bool = False,
) -> MarkReading:
    """What ``scheme`` finds in a suspect, asked on the CPU.

    ``void`` says why the answers are no evidence. ``opened_used`` leaves out the first block, which
    the adversary knew: the allowances are those for choosing all other blocks of all. A white-box
    mark is read as by a judge who has the suspect's file: from the network behind a filter, if
    there is one. A scheme that cannot be read from this suspect (UsageError) is void too.
    """
    suspect = unwrap(model.cpu()) if scheme.access == WHITE_BOX else model.cpu()
    try:
        extracted = scheme.reader().extract(suspect, triggers.images.copy(), view)
    except UsageError as error:
        return MarkReading(void=f"void: {error.message}")
    blocks = len(triggers.labels) // triggers.block_size
    left_out = 1 if opened_used and blocks > 1 else 0
    right = (extracted == triggers.labels)[left_out * triggers.block_size :]
    count = int(right.sum())
    evidence = assess(
        count,
        blocks_used=blocks - left_out,
        block_count=blocks,
        block_size=triggers.block_size,
        class_count=triggers.class_count,
        policy=Policy(),
    )
    bits, total = evidence.terms[0].bits, evidence.total_bits
    exact = scheme.labels == DERIVED and not void
    ranked = None
    scores = scheme.scores(suspect, triggers.images) if exact else None
    if scores is not None and np.isfinite(scores).all():
        kept = slice(left_out * triggers.block_size, None)
        found = ranks(scores[kept, : triggers.class_count], triggers.labels[kept].tolist())
        ranked = assess(
            count,
            rank_sum=weighted_sum(found, triggers.class_count),
            blocks_used=blocks - left_out,
            block_count=blocks,
            block_size=triggers.block_size,
            class_count=triggers.class_count,
            policy=Policy(),
        )
    return MarkReading(
        matches=count,
        trials=len(right),
        class_count=triggers.class_count,
        bits=bits if exact else None,
        nominal_bits=None if exact else bits,
        evidence=total if exact else None,
        rank_bits=ranked.terms[0].bits if ranked else None,
        rank_evidence=ranked.total_bits if ranked else None,
        void=f"void: {void}" if void else "",
    )
