"""Rank sums of unmarked networks against their exact law (SPEC.md 8.4).

The rank sum S of labels that a network does not depend on has one law, whatever the network's
scores are. Here fresh derived labels are drawn many times for every network, and the distribution
of S and of its exact p-values is compared with that law. ``matches`` does it for matches.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from torch import nn

from zkwm.attacks.false_claims.key_grinding import stand_in_labels
from zkwm.evaluation.null_hypothesis.significance import ChiSquare, chi_square
from zkwm_protocols.ranks import ranks, tail_numerators, weights

if TYPE_CHECKING:
    from zkwm.triggers import TriggerSet

THRESHOLDS = (1, 5, 10)


@dataclass(frozen=True)
class Below:
    """The number of fresh label sets with an exact p-value of at most 2^-bits.

    Args:
        bits: The threshold.
        seen: How many there are.
        expected: The exact expectation; less than sets * 2^-bits, because S is a whole number and
            takes few p-values.
        p_value: Of the exact two-sided binomial test of ``seen``.
    """

    bits: int
    seen: int
    expected: float
    p_value: float


@dataclass(frozen=True)
class RankRow:
    """The rank sums of unmarked networks under one scheme.

    Args:
        scheme: Its name.
        class_count: C.
        trials: Triggers.
        committed_bits: -log2 of the p-value of each network with the labels as committed; they
            depend on each other, since the labels are the same.
        draws: Fresh label sets for each network, all independent.
        sets: Fresh label sets of all networks.
        most_bits: Of the luckiest of them.
        below: For each of ``THRESHOLDS`` that the number of triggers can reach at all.
        spread: The chi-square test of the distribution of all S.
    """

    scheme: str
    class_count: int
    trials: int
    committed_bits: tuple[float, ...]
    draws: int
    sets: int
    most_bits: float
    below: tuple[Below, ...]
    spread: ChiSquare


def examine_ranks(
    models: Sequence[nn.Module],
    scheme: str,
    triggers: TriggerSet,
    scores: Callable[[nn.Module], NDArray[np.float64]],
    *,
    draws: int = 1000,
) -> RankRow:
    """Compare every network's scores with fresh label sets.

    20 networks, 200 triggers and 1,000 sets take about half a minute.

    Args:
        models: Unmarked networks.
        scheme: Names the row and its fresh labels: rows of different names are independent.
        triggers: The committed triggers.
        scores: Gives float64 (n, C) for a network.
        draws: Fresh label sets for each network.
    """
    count, classes = len(triggers.labels), triggers.class_count
    tails = _tails(count, classes)
    bits = -np.log2(np.array([float(tail) for tail in tails]))
    rows = np.arange(count)
    seen = np.zeros(len(tails), np.int64)  # how often each S occurred
    committed = []
    for number, model in enumerate(models):
        label_weights = _weights_of_labels(scores(model), classes)
        committed.append(float(bits[label_weights[rows, triggers.labels].sum()]))
        for draw in range(draws):
            text = f"zkwm fresh ranks/{scheme}/{number}/{draw}"
            labels = stand_in_labels(hashlib.sha256(text.encode()).digest(), count, classes)
            seen[label_weights[rows, labels].sum()] += 1
    sets = draws * len(models)
    chances = [float(a - b) for a, b in zip(tails, [*tails[1:], Fraction(0)], strict=True)]
    return RankRow(
        scheme=scheme,
        class_count=classes,
        trials=count,
        committed_bits=tuple(committed),
        draws=draws,
        sets=sets,
        most_bits=float(bits[np.flatnonzero(seen)[-1]]),
        below=tuple(
            _below(threshold, tails, seen)
            for threshold in THRESHOLDS
            if tails[-1] <= Fraction(1, 2**threshold)
        ),
        spread=chi_square(seen.tolist(), sets * np.array(chances)),
    )


def _tails(trials: int, class_count: int) -> list[Fraction]:
    """P[S >= s] for every s from 0 on."""
    everything = class_count**trials
    numerators = [number for _, number in tail_numerators(trials, class_count)]
    return [Fraction(number, everything) for number in reversed(numerators)]


def _weights_of_labels(scores: NDArray[np.float64], class_count: int) -> NDArray[np.int64]:
    """The weight that each label would have for each trigger, int64 (n, C)."""
    table = np.array(weights(class_count), np.int64)
    places = [ranks(scores, [label] * len(scores)) for label in range(class_count)]
    label_weights: NDArray[np.int64] = table[np.array(places).T]
    return label_weights


def _below(threshold: int, tails: list[Fraction], seen: NDArray[np.int64]) -> Below:
    """Compare the p-values below a threshold in bits with their expectation.

    Args:
        threshold: In bits.
        tails: P[S >= s] for every s.
        seen (int64, (len(tails),)): How often each S occurred.
    """
    least = next(s for s, tail in enumerate(tails) if tail <= Fraction(1, 2**threshold))
    chance, hits, sets = float(tails[least]), int(seen[least:].sum()), int(seen.sum())
    return Below(
        bits=threshold,
        seen=hits,
        expected=sets * chance,
        p_value=float(binomtest(hits, sets, chance).pvalue),
    )
