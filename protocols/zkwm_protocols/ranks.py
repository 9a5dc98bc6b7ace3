"""Evidence from the ranks of labels among a suspect's scores: exact, and far stronger than matches.

SPEC.md section 8.4. A judge who gets scores, not only the largest, asks how high each label stands
after every class has lost its own typical score. Nothing of that looks at a label, so for a
function that does not depend on the commitment each rank is uniform on 0 to C - 1, exactly, and
independent of all others. Not how the suspect is asked, and no allowances (``evidence``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

MOST_OUTPUTS = 1000
_LEAST_PROBABILITY = 2.0**-40
_LARGEST_SCORE = 2.0**1000
_SUM_TOLERANCE = 1e-3


class Statistic(StrEnum):
    """What a judge counts: labels that match, or how high each label ranks among the scores."""

    MATCHES = "matches"
    RANKS = "ranks"


@lru_cache(maxsize=64)
def weights(class_count: int) -> tuple[int, ...]:
    """The weight of each rank 0 .. C - 1: floor(2 log2(C / (rank + 1))), from integers alone."""
    squared = class_count**2
    return tuple((squared // (rank + 1) ** 2).bit_length() - 1 for rank in range(class_count))


def centred(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores (n, C) float64, finite, without what is typical of an image and of a class.

    Probabilities (all within 0 to 1, every row with a sum within 0.001 of 1) are replaced by their
    natural logarithms, none below that of 2^-40. Then each row loses its median, then each column
    its own; the median of k numbers is the ceil(k/2)-th in ascending order. Medians, because a
    suspect may answer a few images wildly to move a mean. Before all this scores are cut to at most
    2^1000 in size: an overflow would end in NaN, beside which several labels stand first.
    """
    values = np.clip(scores, -_LARGEST_SCORE, _LARGEST_SCORE)
    unit = bool(len(values)) and values.min() >= 0 and values.max() <= 1
    if unit and np.abs(values.sum(axis=1) - 1).max() <= _SUM_TOLERANCE:
        values = np.log(np.maximum(values, _LEAST_PROBABILITY))
    values = values - _lower_median(values, axis=1)
    centred_values: NDArray[np.float64] = values - _lower_median(values, axis=0)
    return centred_values


def ranks(scores: NDArray[np.float64], labels: Sequence[int]) -> tuple[int, ...]:
    """For each image, the rank of its label among the C centred scores: 0 is the highest.

    ``scores`` (n, C) float64, finite; column y is the score of label y. A class of equal score
    stands before the label if its number is smaller, so that each row's ranks are a permutation.
    """
    values = centred(scores)
    found = []
    for row, label in zip(values, labels, strict=True):
        own = row[label]
        found.append(int((row > own).sum() + (row[:label] == own).sum()))
    return tuple(found)


def weighted_sum(found: Sequence[int | None], class_count: int) -> int:
    """The statistic: the sum of the weights of the ranks; None (a miss) weighs nothing."""
    table = weights(class_count)
    return sum(table[rank] for rank in found if rank is not None)


def tail_numerators(trials: int, class_count: int) -> Iterator[tuple[int, int]]:
    """(s, number of the C^n rank vectors whose weighted sum is s or more), from the largest s down.

    The coefficients of (sum over ranks of x^weight)^n, by the recurrence of a power of a
    polynomial: with q_i ranks that weigh i less than the largest (q_0 = 1),
    k c_k = sum over i >= 1 of (i (n + 1) - k) q_i c_(k-i).
    """
    table = weights(class_count)
    largest = table[0]
    missing = [(largest - weight) for weight in table]
    counts = np.bincount(missing, minlength=largest + 1).tolist()
    assert counts[0] == 1  # rank 1 weighs 2 less
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
            coefficients[k - largest - 1] = 0  # never needed again
        total += coefficients[k]
        yield trials * largest - k, total


def _lower_median(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    position = (values.shape[axis] - 1) // 2
    ordered = np.partition(values, position, axis=axis)
    return ordered.take([position], axis=axis)
