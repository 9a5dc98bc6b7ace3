"""Points of every class for each trigger, by a suspect's scores (SPEC.md 8.6).

Ranks tell which classes stand above a label, and not by how much; one large factor for each image
moves the medians that they are taken from. Here each class gets points for its place among the
scores of its image, which no increasing function of them moves, and for its distance from what is
typical of the class, in units that no factor of an image moves. Probabilities are an exception:
their logarithms are read, and where one image's times a factor no longer sum to 1, all are read as
they stand. Both parts are bounded, so that a few wild answers weigh no more than others (P. J.
Huber 1964). No label is looked at, so that given the
points a uniform label draws from its row: ``zkwm_protocols.score_tails`` has the law of the sum.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.ranks import (
    LARGEST_SCORE,
    LEAST_PROBABILITY,
    SUM_TOLERANCE,
    lower_median,
    weights,
)

MOST_TRIGGERS = 2_000
"""Those whose points one verdict holds: a reader counts their sum again in a second or two."""
MOST_POINTS = 2**20
"""Triggers times classes whose points one verdict holds."""
_LEAST_DISTANCE, _MOST_DISTANCE = -1.0, 3.0
_STEPS = 3
"""Points for a distance of 1."""


def largest_points(class_count: int) -> int:
    """The most points that a class can have: 12 for its distance, the rest for its place."""
    return _STEPS * int(_MOST_DISTANCE - _LEAST_DISTANCE) + weights(class_count)[0]


def most_triggers(class_count: int) -> int:
    """The number of triggers whose points one verdict holds."""
    return min(MOST_TRIGGERS, MOST_POINTS // class_count)


def points(scores: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The points of each class for each image, uint8 (n, C).

    Every step is one operation of IEEE 754 or a comparison, so that each implementation gets the
    same. ``scores`` (n, C) float64, finite; column y is the score of label y.
    """
    values = np.clip(scores, -LARGEST_SCORE, LARGEST_SCORE)
    if _are_probabilities(values):
        values = _logarithms(values)
    distances = np.clip(_distances(values), _LEAST_DISTANCE, _MOST_DISTANCE)
    steps = np.floor(_STEPS * distances + 0.5) - _STEPS * _LEAST_DISTANCE
    total: NDArray[np.uint8] = (steps + _of_places(values)).astype(np.uint8)
    return total


def _are_probabilities(values: NDArray[np.float64]) -> bool:
    """Whether all are within 0 to 1, and the sum of every row, rounded once, within 0.001 of 1."""
    if not len(values) or values.min() < 0 or values.max() > 1:
        return False
    return all(abs(math.fsum(row) - 1) <= SUM_TOLERANCE for row in values.tolist())


def _logarithms(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """log2 of the probabilities, linear between powers of 2 (J. N. Mitchell 1962).

    A true logarithm would differ in its last bit between libraries, and some points with it.
    """
    fraction, exponent = np.frexp(np.maximum(values, LEAST_PROBABILITY))
    result: NDArray[np.float64] = (exponent - 1.0) + (2.0 * fraction - 1.0)
    return result


def _distances(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows less their median, over their largest; then columns less theirs, over their spread."""
    rows = values - lower_median(values, axis=1)
    rows = rows / _or_one(np.abs(rows).max(axis=1, keepdims=True))
    columns = rows - lower_median(rows, axis=0)
    sizes = np.abs(columns)
    spread, widest = lower_median(sizes, axis=0), sizes.max(axis=0, keepdims=True)
    with np.errstate(over="ignore"):  # a spread next to 0: infinite, then cut
        result: NDArray[np.float64] = columns / _or_one(np.where(spread > 0, spread, widest))
    return result


def _or_one(divisors: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 instead of 0: what is divided by it is 0 too."""
    return np.where(divisors > 0, divisors, 1.0)


def _of_places(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """The weight of each class's place: of how many others have a score at least as large."""
    table = np.array(weights(values.shape[1]), np.int64)
    ordered = np.sort(values, axis=1)
    above = [
        len(row) - 1 - np.searchsorted(line, row) for line, row in zip(ordered, values, strict=True)
    ]
    return table[np.array(above, np.int64).reshape(values.shape)]
