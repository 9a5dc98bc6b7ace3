"""Tails of sums of independent whole numbers, between bounds from integers (SPEC.md 8.4, 8.6).

The exact integers of such a tail may have 100,000 bits. Here each distribution is tilted (F.
Esscher 1932, H. Cramér 1938), so that the value asked for lies in the middle of their convolution,
which is computed in integers that are rounded down. As all probabilities are at least what was
computed and their sum is 1, what is missing from 1 bounds every error. The logarithm is then known
from below and above: where both round to the same hundredth, that is the exact result. Who can
choose the summands can put it as near to a hundredth as they like: digits grow with the bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Context, Decimal
from math import exp

BITS = 192
"""Bits of a probability behind the point, where they suffice."""
TILT_BITS = 20
LARGEST_TILT = 16.0
"""Natural logarithm of the largest tilt; beyond it nearly every summand is its largest."""
CONTEXT = Context(prec=80)
"""Of logarithms beside probabilities of up to 160 bits; ``context_of`` has it for any number."""

Distribution = tuple[int, list[int]]
"""The first value, and the probabilities from it on, in units of 2^-bits, rounded down."""


@dataclass(frozen=True)
class TiltedTails:
    """P[S >= s] for all s of a window, bounded from below and above.

    With a tilt z = above / 2^20 >= 1, p_i = q_i z^i / M (M their sum) for each summand,

        P[S >= s] = (product of all M) z^-s sum over t >= s of z^(s - t) p*(t).

    Attributes:
        first: the first value of the window.
        sums: the sums over t >= s, times 2^bits, rounded down.
        missing: how much larger each may be.
        scale: log2 of the product of all M.
        tilt: log2 z.
        bits: bits of a probability behind the point.
        more: log2 of a factor by which each probability is taken too large.
    """

    first: int
    sums: Sequence[int]
    missing: int
    scale: Decimal
    tilt: Decimal
    bits: int = BITS
    more: Decimal = Decimal(0)

    def hundredths(self, value: int) -> int | None:
        """-100 log2 P[S >= value] rounded down, at least 0; None where the bounds do not tell."""
        place = value - self.first
        if place < 0 and not self.tilt:  # P[S >= value] is at least that of the first one
            place = 0
        if not 0 <= place < len(self.sums):
            return None
        if not self.sums[place]:  # between values that the tilt has driven far apart
            return None
        context = context_of(self.bits)
        too_close = Decimal(10) ** -(context.prec // 2)
        fixed = context.subtract(context.multiply(self.tilt, Decimal(value)), self.scale)
        fixed = context.subtract(fixed, self.more)
        bounds = [
            context.multiply(Decimal(100), context.subtract(fixed, self._log2_share(one)))
            for one in (self.sums[place] + self.missing, self.sums[place])
        ]
        low = context.subtract(bounds[0], too_close)
        high = context.add(bounds[1], too_close)
        # no probability is above 1
        found, same = (max(int(one.to_integral_value(ROUND_FLOOR)), 0) for one in (low, high))
        return found if found == same else None

    def least(self, demanded: int, start: int) -> int | None:
        """The least value whose ``hundredths`` are at least ``demanded``, sought from ``start``.

        None where the window or the bounds do not tell.
        """
        step, enough, short = 1, start, start
        while self._reaches(enough, demanded) is False:
            enough, step = enough + step, 2 * step
        step = 1
        while self._reaches(short, demanded):
            short, step = short - step, 2 * step
        if self._reaches(enough, demanded) is None or self._reaches(short, demanded) is None:
            return None
        while enough - short > 1:
            middle = (enough + short) // 2
            told = self._reaches(middle, demanded)
            if told is None:
                return None
            enough, short = (middle, short) if told else (enough, middle)
        return enough

    def _reaches(self, value: int, demanded: int) -> bool | None:
        """Whether a value is enough; None where the bounds do not tell."""
        found = self.hundredths(value)
        return None if found is None else found >= demanded

    def _log2_share(self, value: int) -> Decimal:
        """log2(value / 2^bits)."""
        context = context_of(self.bits)
        return context.subtract(log2(context.create_decimal(value), context), Decimal(self.bits))


def tails_of(
    power: Distribution,
    tilt: int,
    scale: Decimal,
    *,
    bits: int = BITS,
    more: Decimal = Decimal(0),
) -> TiltedTails:
    """The tails of a tilted sum.

    Args:
        power: the distribution of the sum, tilted.
        tilt: z in units of 2^-20.
        scale: log2 of the product of all M.
        bits: those of the distribution.
        more: as in ``TiltedTails``.
    """
    context = context_of(bits)
    first, chances = power
    sums, running = [0] * len(chances), 0
    for place in range(len(chances) - 1, -1, -1):
        running = chances[place] + (running << TILT_BITS) // tilt
        sums[place] = running
    return TiltedTails(
        first,
        sums,
        # what rounding took from all probabilities together, and at most 1 in each step above
        (1 << bits) - sum(chances) + len(chances),
        scale,
        log2(context.divide(Decimal(tilt), Decimal(1 << TILT_BITS)), context),
        bits,
        more,
    )


def tilted(counts: Sequence[int], tilt: int, bits: int = BITS) -> tuple[Distribution, Decimal]:
    """The tilted distribution of a number drawn from ``counts``, and log2 M.

    Args:
        counts: how many of the equally likely cases give 0, 1, 2 and so on.
        tilt: z in units of 2^-20.
        bits: those of the result.
    """
    largest = len(counts) - 1
    shares = [
        (count * tilt**value) << (TILT_BITS * (largest - value))
        for value, count in enumerate(counts)
    ]
    total = sum(shares)
    single = trimmed(0, [(share << bits) // total for share in shares])
    context = context_of(bits)
    share = context.divide(Decimal(total), Decimal(sum(counts) << (TILT_BITS * largest)))
    return single, log2(share, context)


def rounded_tilt(logarithm: float) -> int:
    """The tilt with this natural logarithm in units of 2^-20."""
    return max(1 << TILT_BITS, round(exp(logarithm) * (1 << TILT_BITS)))


def product(one: Distribution, other: Distribution, bits: int = BITS) -> Distribution:
    """The convolution of two distributions, rounded down.

    Two numbers hold all probabilities in slots that no sum leaves (L. Kronecker's substitution), so
    that one product of integers has all sums.
    """
    (first, left), (second, right) = one, other
    width = (2 * bits + min(len(left), len(right)).bit_length() + 7) // 8
    packed = [
        int.from_bytes(b"".join(value.to_bytes(width, "little") for value in values), "little")
        for values in ((left,) if left is right else (left, right))
    ]
    count = len(left) + len(right) - 1
    data = (packed[0] * packed[-1]).to_bytes(count * width + width, "little")
    sums = [
        int.from_bytes(data[place * width : (place + 1) * width], "little") >> bits
        for place in range(count)
    ]
    return trimmed(first + second, sums)


def trimmed(first: int, values: list[int]) -> Distribution:
    """Without zeros at both ends, which are too improbable to count."""
    held = [place for place, value in enumerate(values) if value]
    return first + held[0], values[held[0] : held[-1] + 1]


def context_of(bits: int) -> Context:
    """The context of logarithms beside probabilities of so many bits: more digits than these."""
    return Context(prec=max(CONTEXT.prec, bits // 2))


def log2(value: Decimal, context: Context = CONTEXT) -> Decimal:
    """The binary logarithm to about the digits of a context."""
    return context.divide(context.ln(value), context.ln(Decimal(2)))
