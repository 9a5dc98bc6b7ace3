"""Sums of points of labels that a suspect cannot know, against their exact law (SPEC.md 8.6).

The law is of the suspect's own points, so that each table of scores has another one. Fresh uniform
labels are drawn many times for each; how many sums reach 2^-bits is compared with what the law
says. ``ranks`` does it for rank sums, ``matches`` for matches.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.score_points import points
from zkwm_protocols.score_tails import ScoreLaw, least_score_sum, score_hundredths

THRESHOLDS = (1, 3, 5, 10)


@dataclass(frozen=True)
class Reached:
    """How many fresh label sets reach a number of bits.

    Args:
        bits: The threshold.
        seen: How many there are.
        expected: How many the exact laws expect.
        at_most: How many there may be on average: sets * 2^-bits.
        deviations: ``seen`` less ``expected`` in standard deviations.
    """

    bits: int
    seen: int
    expected: float
    at_most: float
    deviations: float


@dataclass(frozen=True)
class PointClaims:
    """Simulated claims on one kind of scores.

    Args:
        kind: Of scores.
        tables: How many tables of scores there were.
        sets: Fresh label sets of all of them.
        reached: For each of ``THRESHOLDS``.
    """

    kind: str
    tables: int
    sets: int
    reached: tuple[Reached, ...]


def examine_points(
    kind: str,
    tables: Iterable[NDArray[np.float64]],
    *,
    draws: int = 250,
    unanswered: int = 0,
) -> PointClaims:
    """Compare sums of fresh labels with the laws of their tables.

    Args:
        kind: Names the scores, and the fresh labels.
        tables: Scores float64 (n, C), finite, of suspects that know nothing.
        draws: Fresh label sets for each table.
        unanswered: The first triggers of each table that got no answer.
    """
    seen = np.zeros(len(THRESHOLDS), np.int64)
    expected, variance = np.zeros(len(THRESHOLDS)), np.zeros(len(THRESHOLDS))
    count = 0
    for number, scores in enumerate(tables):
        count += 1
        chosen, least = _laws(scores, unanswered)
        chances = np.array([chance for _, chance in least])
        labels = fresh_labels(f"{kind}/{number}", draws, *scores.shape)
        sums = chosen[np.arange(len(chosen)), labels].sum(axis=1)
        seen += [int((sums >= value).sum()) for value, _ in least]
        expected += draws * chances
        variance += draws * chances * (1 - chances)
    sets = count * draws
    return PointClaims(
        kind,
        count,
        sets,
        tuple(
            Reached(
                bits,
                int(seen[place]),
                round(float(expected[place]), 1),
                round(sets * 2.0**-bits, 1),
                round(float(seen[place] - expected[place]) / max(sqrt(variance[place]), 1e-9), 2),
            )
            for place, bits in enumerate(THRESHOLDS)
        ),
    )


def _laws(
    scores: NDArray[np.float64], unanswered: int
) -> tuple[NDArray[np.int64], list[tuple[float, float]]]:
    """The points (n, C), and for each threshold the least sum with its chance; 0 where none is."""
    table = points(scores[unanswered:])
    silent: list[bytes | None] = [None] * unanswered
    law = ScoreLaw.of([*silent, *(row.tobytes() for row in table)], scores.shape[1])
    least = []
    for bits in THRESHOLDS:
        value = least_score_sum(100 * bits, law)
        if value is None:
            least.append((float("inf"), 0.0))
        else:  # the chance to a hundredth of a bit: exact enough for an expectation
            least.append((float(value), 2.0 ** (-score_hundredths(value, law) / 100)))
    nothing = np.zeros((unanswered, scores.shape[1]), np.int64)
    return np.concatenate([nothing, table.astype(np.int64)]), least


def fresh_labels(text: str, draws: int, count: int, class_count: int) -> NDArray[np.int64]:
    """Label sets that nobody chose, int64 (draws, n), uniform and independent."""
    seed = hashlib.sha256(f"zkwm fresh points/{text}".encode()).digest()
    random = np.random.default_rng(list(seed))
    return random.integers(class_count, size=(draws, count))
