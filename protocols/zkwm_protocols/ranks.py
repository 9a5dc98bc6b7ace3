"""Ranks of labels among a suspect's scores: a statistic stronger than matches (SPEC.md 8.4).

With scores instead of labels alone, a judge can ask how high each label ranks once the typical
score of every class is removed. Nothing in that looks at a label, so for a function that does not
depend on the commitment each rank is exactly uniform on 0 to C - 1, and independent of all others.
``zkwm_protocols.evidence`` subtracts the allowances.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

MOST_OUTPUTS = 1000
LEAST_PROBABILITY = 2.0**-40
LARGEST_SCORE = 2.0**1000
SUM_TOLERANCE = 1e-3


class Statistic(StrEnum):
    """The statistic that decides: matching labels, ranks of labels among scores, or points.

    Relearning counts ranks as well, among scores of learners that relearn the labels before.
    """

    MATCHES = "matches"
    RANKS = "ranks"
    SCORES = "scores"
    RELEARNING = "relearning"

    @property
    def reads_scores(self) -> bool:
        """Whether it needs all scores of a suspect (SPEC.md 8.4, 8.6, 8.7)."""
        return self != Statistic.MATCHES

    @property
    def counts_ranks(self) -> bool:
        """Whether it adds up weights of the labels' ranks (SPEC.md 8.4, 8.7)."""
        return self in (Statistic.RANKS, Statistic.RELEARNING)


@lru_cache(maxsize=64)
def weights(class_count: int) -> tuple[int, ...]:
    """The weight of each rank 0 to C - 1: floor(2 log2(C / (rank + 1))), computed in integers."""
    squared = class_count**2
    return tuple((squared // (rank + 1) ** 2).bit_length() - 1 for rank in range(class_count))


def centered(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores (n, C), float64 and finite, minus the median of each image and then of each class.

    Probabilities (all within 0 to 1, every row with a sum within 0.001 of 1) are first replaced by
    their natural logarithms, none below that of 2^-40. The median of k numbers is the ceil(k/2)-th
    in ascending order; a mean could be moved by a suspect that answers a few images wildly.
    """
    # An overflow below would end in NaN, against which several labels would rank first.
    values = np.clip(scores, -LARGEST_SCORE, LARGEST_SCORE)
    unit = bool(len(values)) and values.min() >= 0 and values.max() <= 1
    if unit and np.abs(values.sum(axis=1) - 1).max() <= SUM_TOLERANCE:
        values = np.log(np.maximum(values, LEAST_PROBABILITY))
    values = values - lower_median(values, axis=1)
    centered_values: NDArray[np.float64] = values - lower_median(values, axis=0)
    return centered_values


def ranks(scores: NDArray[np.float64], labels: Sequence[int]) -> tuple[int, ...]:
    """For each image, the rank of its label among the C centered scores: 0 is the highest.

    ``scores`` (n, C) float64, finite; column y is the score of label y. Among equal scores the
    smaller class number ranks first, so that each row's ranks are a permutation.
    """
    values = centered(scores)
    result = []
    for row, label in zip(values, labels, strict=True):
        score = row[label]
        result.append(int((row > score).sum() + (row[:label] == score).sum()))
    return tuple(result)


def weighted_sum(label_ranks: Sequence[int | None], class_count: int) -> int:
    """The statistic: the sum of the weights of the ranks; None (a miss) weighs nothing."""
    table = weights(class_count)
    return sum(table[rank] for rank in label_ranks if rank is not None)


def tail_numerators(trials: int, class_count: int) -> Iterator[tuple[int, int]]:
    """(s, number of the C^n rank vectors whose weighted sum is s or more), from the largest s down.

    These are sums of the coefficients of (sum over ranks of x^weight)^n, by the recurrence of a
    power of a polynomial: with q_i ranks that weigh i less than the largest (q_0 = 1),
    k c_k = sum over i >= 1 of (i (n + 1) - k) q_i c_(k-i).
    """
    table = weights(class_count)
    largest = table[0]
    missing = [(largest - weight) for weight in table]
    counts = np.bincount(missing, minlength=largest + 1).tolist()
    # counts[0] is 1, as the recurrence needs: rank 1 weighs 2 less than rank 0.
    terms = [(i, count) for i, count in enumerate(counts) if i and count]
    coefficients = [1]
    total = 1
    yield trials * largest, total
    for k in range(1, trials * largest + 1):
        above = sum(
            (i * (trials + 1) - k) * count * coefficients[k - i] for i, count in terms if i <= k
        )
        coefficients.append(above // k)
        if k > largest:
            coefficients[k - largest - 1] = 0  # no later step reads it: a large integer freed
        total += coefficients[k]
        yield trials * largest - k, total


def lower_median(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """The median along an axis, which is kept with size 1; the lower one of two."""
    position = (values.shape[axis] - 1) // 2
    ordered = np.partition(values, position, axis=axis)
    return ordered.take([position], axis=axis)
