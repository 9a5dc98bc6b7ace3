"""Measure one suspect: its accuracy, and what a watermark's reader still finds in it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from zkwm.attacks.input_preprocessing.wrapped_model import unwrap
from zkwm.evaluation.run.relearned_mark import can_relearn, ranks_when_relearned
from zkwm.extraction.reader import WHITE_BOX
from zkwm.nn.image_source import as_unit
from zkwm.nn.inference import matches as count_matches
from zkwm.watermarks.watermark import DERIVED
from zkwm_protocols.errors import UsageError
from zkwm_protocols.evidence import Evidence, assess
from zkwm_protocols.policy import Policy
from zkwm_protocols.ranks import ranks, weighted_sum
from zkwm_protocols.score_points import most_triggers, points
from zkwm_protocols.score_tails import ScoreLaw, score_sum

if TYPE_CHECKING:
    from zkwm.extraction.reader import JudgeView
    from zkwm.triggers import TriggerSet
    from zkwm.watermarks.watermark import Api, Watermark

BATCH = 500


@dataclass(frozen=True)
class MarkReading:
    """A reading of a mark; the fields are those of ``Cell`` with the same names."""

    matches: int | None = None
    trials: int | None = None
    class_count: int | None = None
    bits: float | None = None
    nominal_bits: float | None = None
    evidence: float | None = None
    rank_bits: float | None = None
    rank_evidence: float | None = None
    score_bits: float | None = None
    score_evidence: float | None = None
    relearning_bits: float | None = None
    relearning_evidence: float | None = None
    relearning_seconds: float | None = None
    void: str = ""

    def to_map(self) -> dict[str, Any]:
        """All fields by name."""
        return dict(vars(self))


def accuracy(
    model: nn.Module, images: NDArray[np.uint8], labels: NDArray[np.int64], device: str
) -> float:
    """The share of images with the right label.

    Args:
        model: Moved to the device, and left there.
        images (uint8, (n, c, h, w)): Test images.
        labels (int64, (n,)): Their labels.
        device: Where torch computes.

    Returns:
        0 to 1.
    """
    on_device = torch.tensor(images).to(device), torch.tensor(labels).to(device)
    return count_matches(model.to(device), *on_device) / len(labels)


def served_accuracy(
    api: Api, images: NDArray[np.uint8], labels: NDArray[np.int64], device: str
) -> float:
    """The share of images for which a service gives the right class.

    Args:
        api: The service.
        images (uint8, (n, c, h, w)): Test images.
        labels (int64, (n,)): Their labels.
        device: Where the images are sent.

    Returns:
        0 to 1.
    """
    right = 0
    for start in range(0, len(labels), BATCH):
        answers = api(as_unit(torch.tensor(images[start : start + BATCH]).to(device)))
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
    relearning: bool = False,
) -> MarkReading:
    """Read a mark from a suspect, on the CPU, and assess it.

    A white-box mark is read from the network inside all wrappers, as by a judge with the file. A
    scheme that cannot be read from this suspect (UsageError) is void.

    Args:
        scheme: The watermark.
        model: The suspect.
        triggers: The committed leaves with their labels.
        view: What else the judge has: reference model and probes.
        void: Why the answers are no evidence; empty where they are.
        opened_used: Leave out the first block, which the adversary knew, at the allowance for
            choosing all others.
        relearning: Whether to count relearned ranks, too, where a suspect's copies can be trained.
    """
    suspect = unwrap(model.cpu()) if scheme.access == WHITE_BOX else model.cpu()
    try:
        extracted = scheme.reader().extract(suspect, triggers.images.copy(), view)
    except UsageError as error:
        return MarkReading(void=f"void: {error.message}")
    blocks = len(triggers.labels) // triggers.block_size
    left_out = 1 if opened_used and blocks > 1 else 0
    exact = scheme.labels == DERIVED and not void
    scores = scheme.scores(suspect, triggers.images) if exact else None
    reading = count_mark(triggers, extracted, scores, exact=exact, left_out=left_out, void=void)
    if not relearning or scores is None:
        return reading
    return with_relearning(reading, suspect, triggers, scores, left_out=left_out)


def with_relearning(
    reading: MarkReading,
    suspect: nn.Module,
    triggers: TriggerSet,
    scores: NDArray[np.float64],
    *,
    left_out: int = 0,
) -> MarkReading:
    """A reading with relearned ranks, where copies of the suspect can be trained.

    Args:
        reading: By ``count_mark``, of these scores.
        suspect: On the CPU.
        triggers: The committed leaves with their labels.
        scores (float64, (n, at least C)): What the suspect answers as it is.
        left_out: Blocks at the start that are not counted.
    """
    if not can_relearn(suspect) or not np.isfinite(scores).all():
        return reading
    worked = time.process_time()
    kept = slice(left_out * triggers.block_size, None)
    places = ranks_when_relearned(
        suspect,
        triggers.images[kept],
        triggers.labels[kept].tolist(),
        scores[kept, : triggers.class_count],
    )
    rank_sum = weighted_sum(places, triggers.class_count)
    evidence = _assess(triggers, reading.matches or 0, left_out, rank_sum=rank_sum)
    return replace(
        reading,
        relearning_bits=evidence.terms[0].bits,
        relearning_evidence=evidence.total_bits,
        relearning_seconds=time.process_time() - worked,
    )


def count_mark(
    triggers: TriggerSet,
    extracted: NDArray[np.int64],
    scores: NDArray[np.float64] | None,
    *,
    exact: bool,
    left_out: int = 0,
    void: str = "",
) -> MarkReading:
    """Count what a suspect answers, by matches, ranks and points.

    Args:
        triggers: The committed leaves with their labels.
        extracted (int64, (n,)): What was extracted for each of them.
        scores (float64, (n, at least C)): Of classes; None for a mark without, and not read where
            some are not finite.
        exact: Whether labels are derived, so that bits are evidence.
        left_out: Blocks at the start that are not counted.
        void: Why the answers are no evidence; empty where they are.
    """
    kept = slice(left_out * triggers.block_size, None)
    right = (extracted == triggers.labels)[kept]
    matches = int(right.sum())
    evidence = _assess(triggers, matches, left_out)
    bits = evidence.terms[0].bits
    ranked = pointed = None
    if scores is not None and np.isfinite(scores).all():
        scores, labels = scores[kept, : triggers.class_count], triggers.labels[kept].tolist()
        ranked = _assess(triggers, matches, left_out, rank_sum=_rank_sum(scores, labels))
        if len(labels) <= most_triggers(triggers.class_count):
            pointed = _assess(triggers, matches, left_out, points_sum=_score_sum(scores, labels))
    return MarkReading(
        matches=matches,
        trials=len(right),
        class_count=triggers.class_count,
        bits=bits if exact else None,
        nominal_bits=None if exact else bits,
        evidence=evidence.total_bits if exact else None,
        rank_bits=ranked.terms[0].bits if ranked else None,
        rank_evidence=ranked.total_bits if ranked else None,
        score_bits=pointed.terms[0].bits if pointed else None,
        score_evidence=pointed.total_bits if pointed else None,
        void=f"void: {void}" if void else "",
    )


def _rank_sum(scores: NDArray[np.float64], labels: list[int]) -> int:
    """The statistic of ranks (SPEC.md 8.4) of scores (n, C)."""
    return weighted_sum(ranks(scores, labels), scores.shape[1])


def _score_sum(scores: NDArray[np.float64], labels: list[int]) -> tuple[int, ScoreLaw]:
    """The statistic of points (SPEC.md 8.6) of scores (n, C), and its law."""
    rows = [row.tobytes() for row in points(scores)]
    return score_sum(rows, labels), ScoreLaw.of(rows, scores.shape[1])


def _assess(
    triggers: TriggerSet,
    matches: int,
    left_out: int,
    *,
    rank_sum: int | None = None,
    points_sum: tuple[int, ScoreLaw] | None = None,
) -> Evidence:
    """The evidence of all blocks but ``left_out``, by matches, by ranks or by points."""
    blocks = len(triggers.labels) // triggers.block_size
    return assess(
        matches,
        rank_sum=rank_sum,
        score_sum=points_sum,
        blocks_used=blocks - left_out,
        block_count=blocks,
        block_size=triggers.block_size,
        class_count=triggers.class_count,
        policy=Policy(),
    )
