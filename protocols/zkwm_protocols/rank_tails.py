"""The tail of the rank statistic in hundredths of a bit, exact, at a small price (SPEC.md 8.4).

The exact integers of ``zkwm_protocols.ranks.tail_numerators`` have up to 100,000 bits and come one
by one: twelve seconds for 10,000 triggers. Here the distribution of S is tilted, so that the value
asked for lies in its middle (Cramér's change of measure), and its n-th convolution power is
computed in integers that are rounded down. As all probabilities are at least what was computed and
their sum is 1, what is missing from 1 bounds every error. The logarithm is then known from below
and above: where both round to the same hundredth, that is the exact result; else the exact integers
decide.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Context, Decimal
from functools import lru_cache
from math import exp, log

from zkwm_protocols.log2_bounds import hundredths_down
from zkwm_protocols.ranks import tail_numerators, weights

_BITS = 192
"""Bits of a probability behind the point."""
_TILT_BITS = 20
_LARGEST_TILT = 16.0
"""Natural logarithm of the largest tilt; beyond it nearly every trigger has rank 0."""
_CONTEXT = Context(prec=80)
_TOO_CLOSE = Decimal("1e-40")
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


@dataclass(frozen=True)
class _Tails:
    """P[S >= s] for all s of a window, bounded from below and above.

    With a tilt z = above / 2^20 >= 1, p_w = q_w z^w / M (q_w ranks of C weigh w, M their sum),

        P[S >= s] = (M / C)^n z^-s sum over t >= s of z^(s - t) p*n(t).

    Attributes:
        first: the first value of the window.
        sums: the sums over t >= s, times 2^192, rounded down.
        missing: how much larger each may be.
        scale: log2((M / C)^n).
        tilt: log2 z.
    """

    first: int
    sums: Sequence[int]
    missing: int
    scale: Decimal
    tilt: Decimal

    def hundredths(self, value: int) -> int | None:
        """-100 log2 P[S >= value] rounded down; None where the bounds do not tell."""
        place = value - self.first
        if place < 0 and not self.tilt:  # P[S >= value] is at least that of the first one
            place = 0
        if not 0 <= place < len(self.sums):
            return None
        fixed = _CONTEXT.subtract(_CONTEXT.multiply(self.tilt, Decimal(value)), self.scale)
        bounds = [
            _CONTEXT.multiply(Decimal(100), _CONTEXT.subtract(fixed, _log2_share(one)))
            for one in (self.sums[place] + self.missing, self.sums[place])
        ]
        low = _CONTEXT.subtract(bounds[0], _TOO_CLOSE)
        high = _CONTEXT.add(bounds[1], _TOO_CLOSE)
        rounded = [int(one.to_integral_value(rounding=ROUND_FLOOR)) for one in (low, high)]
        found = max(rounded[0], 0)  # no probability is above 1
        return found if found == rounded[1] else None


def _least_near(demanded: int, trials: int, class_count: int) -> int | None:
    """``least_rank_sum``, where a tilt by Chernoff's bound finds it; None where it does not."""
    bits = demanded / 100 * log(2) / trials
    low, high = 0.0, _LARGEST_TILT
    for _ in range(60):
        middle = (low + high) / 2
        exponent = _chernoff(middle, class_count)[1]
        low, high = (middle, high) if exponent < bits else (low, middle)
    tails = _tails(_rounded(low), trials, class_count)

    def reached(value: int) -> bool | None:
        """Whether a value is enough; None where the bounds do not tell."""
        found = tails.hundredths(value)
        return None if found is None else found >= demanded

    centre = min(int(_chernoff(low, class_count)[0] * trials), trials * weights(class_count)[0])
    step = 1
    enough, short = centre, centre
    while reached(enough) is False:
        enough, step = enough + step, 2 * step
    step = 1
    while reached(short):
        short, step = short - step, 2 * step
    if reached(enough) is None or reached(short) is None:
        return None
    while enough - short > 1:
        middle_value = (enough + short) // 2
        told = reached(middle_value)
        if told is None:
            return None
        enough, short = (middle_value, short) if told else (enough, middle_value)
    return enough


def _tilt(mean: float, class_count: int) -> int:
    """The tilt in units of 2^-20, at least 1, under which a trigger weighs about ``mean``."""
    low, high = 0.0, _LARGEST_TILT
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _chernoff(middle, class_count)[0] < mean else (low, middle)
    return _rounded(low)


def _rounded(logarithm: float) -> int:
    """The tilt with this natural logarithm in units of 2^-20."""
    return max(1 << _TILT_BITS, round(exp(logarithm) * (1 << _TILT_BITS)))


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
def _tails(tilt: int, trials: int, class_count: int) -> _Tails:
    """The tails under a tilt, in units of 2^-20."""
    largest, counts = weights(class_count)[0], Counter(weights(class_count))
    shares = [
        (counts[weight] * tilt**weight) << (_TILT_BITS * (largest - weight))
        for weight in range(largest + 1)
    ]
    total = sum(shares)
    single = _trimmed(0, [(share << _BITS) // total for share in shares])
    first, power = single
    for bit in bin(trials)[3:]:
        first, power = _product((first, power), (first, power))
        if bit == "1":
            first, power = _product((first, power), single)
    sums, running = [0] * len(power), 0
    for place in range(len(power) - 1, -1, -1):
        running = power[place] + (running << _TILT_BITS) // tilt
        sums[place] = running
    log2_tilt = _log2(_CONTEXT.divide(Decimal(tilt), Decimal(1 << _TILT_BITS)))
    share = _CONTEXT.divide(Decimal(total), Decimal(class_count << (_TILT_BITS * largest)))
    return _Tails(
        first,
        sums,
        # what rounding took from all probabilities together, and at most 1 in each step above
        (1 << _BITS) - sum(power) + len(power),
        _CONTEXT.multiply(Decimal(trials), _log2(share)),
        log2_tilt,
    )


def _product(one: tuple[int, list[int]], other: tuple[int, list[int]]) -> tuple[int, list[int]]:
    """The convolution of two distributions, each (first value, probabilities), rounded down.

    Two numbers hold all probabilities in slots that no sum leaves (L. Kronecker's substitution), so
    that one product of integers has all sums.
    """
    (first, left), (second, right) = one, other
    width = (2 * _BITS + min(len(left), len(right)).bit_length() + 7) // 8
    packed = [
        int.from_bytes(b"".join(value.to_bytes(width, "little") for value in values), "little")
        for values in ((left,) if left is right else (left, right))
    ]
    count = len(left) + len(right) - 1
    data = (packed[0] * packed[-1]).to_bytes(count * width + width, "little")
    sums = [
        int.from_bytes(data[place * width : (place + 1) * width], "little") >> _BITS
        for place in range(count)
    ]
    return _trimmed(first + second, sums)


def _trimmed(first: int, values: list[int]) -> tuple[int, list[int]]:
    """Without zeros at both ends, which are too improbable to count."""
    held = [place for place, value in enumerate(values) if value]
    return first + held[0], values[held[0] : held[-1] + 1]


def _log2(value: Decimal) -> Decimal:
    """The binary logarithm to about 80 digits."""
    return _CONTEXT.divide(_CONTEXT.ln(value), _CONTEXT.ln(Decimal(2)))


def _log2_share(value: int) -> Decimal:
    """log2(value / 2^192)."""
    return _CONTEXT.subtract(_log2(_CONTEXT.create_decimal(value)), Decimal(_BITS))
