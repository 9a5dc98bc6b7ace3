"""Tests of whether counts follow a law, for experiments over many models and keys.

Probabilities are double precision, good to about nine digits, so that millions of trials can be
tested. The evidence of a verdict is computed in whole numbers, in ``zkwm_protocols.evidence``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

LEAST_EXPECTED = 5.0
"""Fewest expected observations of a group, by the usual rule for Pearson's test."""

_TIES = 1e-7
"""Relative difference below which two probabilities count as equal."""


@dataclass(frozen=True)
class ChiSquare:
    """Pearson's test: the statistic, its degrees of freedom, and the chance of one as large."""

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
    """The exact two-sided binomial test: the chance of a count at most as likely as this."""
    probabilities = binomial_probabilities(trials, class_count)
    rare = probabilities <= probabilities[matches] * (1 + _TIES)
    return min(1.0, float(probabilities[rare].sum()))


def chi_square(counts: Sequence[int], expected: NDArray[np.float64]) -> ChiSquare:
    """Whether counts are as expected.

    Neighbors are grouped until at least 5 are expected. With fewer than two groups nothing is
    tested, and p is 1.

    Args:
        counts: How often each outcome 0, 1, ... was observed.
        expected (float64, (n,)): How often it is expected; the same sum.
    """
    groups: list[tuple[float, float]] = []
    group_count, group_expected = 0.0, 0.0
    for count, value in zip(counts, expected, strict=True):
        group_count, group_expected = group_count + count, group_expected + float(value)
        if group_expected >= LEAST_EXPECTED:
            groups.append((group_count, group_expected))
            group_count, group_expected = 0.0, 0.0
    if groups:
        # what is left at the end is too little for a group of its own
        last = groups.pop()
        groups.append((last[0] + group_count, last[1] + group_expected))
    statistic = sum((count - value) ** 2 / value for count, value in groups)
    return _chi_square(statistic, max(len(groups) - 1, 0))


def together(tests: Sequence[ChiSquare]) -> ChiSquare:
    """One test of several independent ones: the sum of statistics and of degrees of freedom."""
    return _chi_square(sum(test.statistic for test in tests), sum(test.degrees for test in tests))


def _chi_square(statistic: float, degrees: int) -> ChiSquare:
    """The test of a statistic; p is 1 without degrees of freedom."""
    if degrees == 0:
        return ChiSquare(0.0, 0, 1.0)
    half = torch.tensor([degrees / 2, statistic / 2], dtype=torch.float64)
    return ChiSquare(statistic, degrees, float(torch.special.gammaincc(half[0], half[1])))
