"""Tests of whether counts of matches are binomial: for experiments over many models and keys.

Not the evidence of a verdict (``zkwm_protocols.evidence``, in whole numbers): here probabilities
are double precision, good to about nine digits, so that millions of trials can be tested.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

LEAST_EXPECTED = 5.0
_TIES = 1e-7


@dataclass(frozen=True)
class ChiSquare:
    """Pearson's test: the statistic, its degrees of freedom, and the chance of one so large."""

    statistic: float
    degrees: int
    p_value: float


def binomial_probabilities(trials: int, class_count: int) -> NDArray[np.float64]:
    """P[Binomial(trials, 1/class_count) = k] for k from 0 to ``trials``, float64 (trials + 1,)."""
    k = torch.arange(trials + 1, dtype=torch.float64)
    ways = torch.lgamma(torch.tensor(trials + 1.0, dtype=torch.float64))
    ways = ways - torch.lgamma(k + 1) - torch.lgamma(trials - k + 1)
    hit = -np.log(class_count)
    miss = np.log1p(-1 / class_count)
    probabilities: NDArray[np.float64] = (ways + k * hit + (trials - k) * miss).exp().numpy()
    return probabilities


def two_sided(matches: int, trials: int, class_count: int) -> float:
    """The exact two-sided binomial test: how often a count at most as likely as this comes."""
    probabilities = binomial_probabilities(trials, class_count)
    rare = probabilities <= probabilities[matches] * (1 + _TIES)
    return min(1.0, float(probabilities[rare].sum()))


def chi_square(counts: Sequence[int], expected: NDArray[np.float64]) -> ChiSquare:
    """Whether ``counts`` (how often 0, 1, ... matches came) are as ``expected``, one for each.

    Neighbouring numbers of matches are put together until at least 5 are expected. Both sum up to
    the number of observations. With fewer than two such groups nothing is tested and p is 1.
    """
    groups: list[tuple[float, float]] = []
    seen, hoped = 0.0, 0.0
    for count, value in zip(counts, expected, strict=True):
        seen, hoped = seen + count, hoped + float(value)
        if hoped >= LEAST_EXPECTED:
            groups.append((seen, hoped))
            seen, hoped = 0.0, 0.0
    if groups:
        last = groups.pop()
        groups.append((last[0] + seen, last[1] + hoped))
    statistic = sum((count - value) ** 2 / value for count, value in groups)
    return _chi_square(statistic, max(len(groups) - 1, 0))


def together(tests: Sequence[ChiSquare]) -> ChiSquare:
    """One test of several independent ones: the sum of their statistics and of their degrees."""
    return _chi_square(sum(test.statistic for test in tests), sum(test.degrees for test in tests))


def _chi_square(statistic: float, degrees: int) -> ChiSquare:
    if degrees == 0:
        return ChiSquare(0.0, 0, 1.0)
    half = torch.tensor([degrees / 2, statistic / 2], dtype=torch.float64)
    return ChiSquare(statistic, degrees, float(torch.special.gammaincc(half[0], half[1])))
