"""The tail of the rank statistic in hundredths of a bit, exact, at a small price (SPEC.md 8.4).

The exact integers of ``zkwm_protocols.ranks.tail_numerators`` have up to 100,000 bits and come one
by one: twelve seconds for 10,000 triggers. Here ``zkwm_protocols.tilted_tails`` bounds the
logarithm from below and above: where both round to the same hundredth, that is the exact result;
else the exact integers decide.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from math import exp, log

from zkwm_protocols.log2_bounds import hundredths_down
from zkwm_protocols.ranks import tail_numerators, weights
from zkwm_protocols.tilted_tails import (
    CONTEXT,
    LARGEST_TILT,
    TiltedTails,
    product,
    rounded_tilt,
    tails_of,
    tilted,
)

_EXACT_STEPS = 2_000
"""Triggers times the weight of rank 0 up to which the exact integers are quicker."""


@lru_cache(maxsize=256)
def rank_hundredths(value: int, trials: int, class_count: int) -> int:
    """-100 log2 P[S >= value], rounded down; S is the sum of w over ``trials`` uniform ranks.

    Args:
        value: 0 to ``trials`` times the weight of rank 0.
        trials: at most 10,000.
        class_count: C, 2 to 1,000.
    """
    largest = weights(class_count)[0]
    if trials * largest > _EXACT_STEPS:
        near = _tails(_tilt(value / trials, class_count), trials, class_count).hundredths(value)
        if near is not None:
            return near
    exact = tail_numerators(trials, class_count)
    tail = next(tail for reached, tail in exact if reached == value)
    return hundredths_down(class_count**trials, tail)


def least_rank_sum(demanded: int, trials: int, class_count: int) -> int | None:
    """The least value whose ``rank_hundredths`` are at least ``demanded``; None where none is."""
    largest = trials * weights(class_count)[0]
    if demanded <= 0:
        return 0
    if hundredths_down(class_count**trials, 1) < demanded:
        return None
    if largest > _EXACT_STEPS:
        near = _least_near(demanded, trials, class_count)
        if near is not None:
            return near
    everything, least = class_count**trials, largest
    for value, tail in tail_numerators(trials, class_count):
        coarse = 100 * (everything.bit_length() - tail.bit_length())
        if coarse < demanded + 200 and hundredths_down(everything, tail) < demanded:
            break
        least = value
    return least


def _least_near(demanded: int, trials: int, class_count: int) -> int | None:
    """``least_rank_sum``, where a tilt by Chernoff's bound finds it; None where it does not."""
    bits = demanded / 100 * log(2) / trials
    low, high = 0.0, LARGEST_TILT
    for _ in range(60):
        middle = (low + high) / 2
        exponent = _chernoff(middle, class_count)[1]
        low, high = (middle, high) if exponent < bits else (low, middle)
    tails = _tails(rounded_tilt(low), trials, class_count)
    centre = min(int(_chernoff(low, class_count)[0] * trials), trials * weights(class_count)[0])
    return tails.least(demanded, centre)


def _tilt(mean: float, class_count: int) -> int:
    """The tilt in units of 2^-20, at least 1, under which a trigger weighs about ``mean``."""
    low, high = 0.0, LARGEST_TILT
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _chernoff(middle, class_count)[0] < mean else (low, middle)
    return rounded_tilt(low)


def _chernoff(logarithm: float, class_count: int) -> tuple[float, float]:
    """Mean weight under a tilt, and Chernoff's exponent of a trigger there, in nats."""
    largest, counts = weights(class_count)[0], Counter(weights(class_count))
    shares = {
        weight: count * exp(logarithm * (weight - largest)) for weight, count in counts.items()
    }
    total = sum(shares.values())
    mean = sum(weight * share for weight, share in shares.items()) / total
    return mean, logarithm * (mean - largest) - log(total / class_count)


@lru_cache(maxsize=16)
def _tails(tilt: int, trials: int, class_count: int) -> TiltedTails:
    """The tails under a tilt, in units of 2^-20."""
    counts = Counter(weights(class_count))
    single, scale = tilted([counts[weight] for weight in range(max(counts) + 1)], tilt)
    power = single
    for bit in bin(trials)[3:]:
        power = product(power, power)
        if bit == "1":
            power = product(power, single)
    return tails_of(power, tilt, CONTEXT.multiply(CONTEXT.create_decimal(trials), scale))
