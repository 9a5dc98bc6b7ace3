"""The law of a sum of points, and its tail in hundredths of a bit (SPEC.md 8.6).

Given the points of all classes, each label draws one number from its trigger's row, uniformly and
independently: the conditional distribution of a randomization test, whose counts follow row by row
(M. Pagano and D. Tritchler 1983). Rows differ from suspect to suspect, so that there is no table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import log

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.score_points import largest_points
from zkwm_protocols.tilted_tails import (
    LARGEST_TILT,
    Distribution,
    TiltedTails,
    context_of,
    log2,
    product,
    rounded_tilt,
    tails_of,
    tilted,
)

_MORE = 1 + Fraction(1, 2**60)
"""Each probability counts 1 + 2^-60 times as much, so that none is a power of 2 (61,681 divides
2^60 + 1): a finite number of digits then tells its hundredths, however many triggers there are."""
_BITS = 128
"""Bits of a probability behind the point, where they suffice."""
_MOST_BITS = 512
"""Bits up to which one tilt is tried in search of the least sum."""


@dataclass(frozen=True)
class ScoreLaw:
    """How often each number of points stands in the row of each trigger.

    Attributes:
        class_count: C.
        rows: for each trigger, how many classes have 0, 1, 2 and so on points.
    """

    class_count: int
    rows: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, rows: Sequence[bytes | None], class_count: int) -> ScoreLaw:
        """The law of rows of C points each; None (no answer) has the most points in every class.

        So a missing answer, which adds nothing to the sum, is worth less than any answer.
        """
        most = largest_points(class_count)
        silent = (*(0,) * most, class_count)
        return cls(class_count, tuple(silent if row is None else _counted(row) for row in rows))

    @property
    def largest(self) -> int:
        """The largest sum."""
        return sum(len(row) - 1 for row in self.rows)


def score_sum(rows: Sequence[bytes | None], labels: Sequence[int | None]) -> int:
    """The statistic: the sum of the points of the labels; None (no answer) adds nothing."""
    return sum(
        row[label]
        for row, label in zip(rows, labels, strict=True)
        if row is not None and label is not None
    )


def score_hundredths(value: int, law: ScoreLaw) -> int:
    """-100 log2(P[S >= value] (1 + 2^-60)), rounded down, at least 0."""
    if value <= sum(_least(row) for row in law.rows):
        return 0
    tilt, bits = rounded_tilt(_slope(_Exponents(law).means, value)), _BITS
    while True:
        found = _tails(tilt, law, bits).hundredths(value)
        if found is not None:
            return found
        bits *= 2


def least_score_sum(demanded: int, law: ScoreLaw) -> int | None:
    """The least value whose ``score_hundredths`` are at least ``demanded``; None where none is."""
    if demanded <= 0:
        return 0
    largest = law.largest
    if score_hundredths(largest, law) < demanded:
        return None
    exponents = _Exponents(law)
    slope = _slope(exponents.of, demanded / 100 * log(2))
    start, bits = min(int(exponents.means(slope)), largest), _BITS
    while bits <= _MOST_BITS:  # points can be made up so that few bits do not tell
        found = _tails(rounded_tilt(slope), law, bits).least(demanded, start)
        if found is not None:
            return found
        bits *= 2
    short, enough = 0, largest
    while enough - short > 1:
        middle = (short + enough) // 2
        reached = score_hundredths(middle, law) >= demanded
        short, enough = (short, middle) if reached else (middle, enough)
    return enough


class _Exponents:
    """Means and Chernoff's exponents of a law under a tilt, in float64: they only choose it."""

    def __init__(self, law: ScoreLaw) -> None:
        width = max(map(len, law.rows))
        kinds = Counter(law.rows)
        self._often = np.array(list(kinds.values()), np.float64)
        self._counts = np.array([(*row, *(0,) * (width - len(row))) for row in kinds], np.float64)
        self._values = np.arange(width, dtype=np.float64)
        self._largest = np.array([len(row) - 1 for row in kinds], np.float64)
        self._class_count = law.class_count

    def means(self, logarithm: float) -> float:
        """The mean of the sum under a tilt."""
        shares, totals = self._shares(logarithm)
        return float(self._often @ (shares @ self._values / totals))

    def of(self, logarithm: float) -> float:
        """Chernoff's exponent at that mean, in nats."""
        shares, totals = self._shares(logarithm)
        means = shares @ self._values / totals
        each = logarithm * (means - self._largest) - np.log(totals / self._class_count)
        return float(self._often @ each)

    def _shares(self, logarithm: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The tilted counts, largest value weighing 1, and the sum of each row."""
        exponents = logarithm * (self._values - self._largest[:, None])
        shares = self._counts * np.exp(np.minimum(exponents, 0.0))
        return shares, shares.sum(axis=1)


def _slope(function: Callable[[float], float], wanted: float) -> float:
    """Where an increasing function of the tilt's logarithm reaches a value."""
    low, high = 0.0, LARGEST_TILT
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < wanted else (low, middle)
    return low


@lru_cache(maxsize=16)
def _tails(tilt: int, law: ScoreLaw, bits: int) -> TiltedTails:
    """The tails under a tilt, in units of 2^-20."""
    context = context_of(bits)
    kinds = {row: tilted(row, tilt, bits) for row in set(law.rows)}
    scale = Decimal(0)
    for row, often in Counter(law.rows).items():
        scale = context.add(scale, context.multiply(Decimal(often), kinds[row][1]))
    parts: list[Distribution] = [kinds[row][0] for row in law.rows]
    while len(parts) > 1:
        pairs = zip(parts[::2], parts[1::2], strict=False)
        odd = parts[-1:] if len(parts) % 2 else []
        parts = [*(product(one, other, bits) for one, other in pairs), *odd]
    more = context.divide(Decimal(_MORE.numerator), Decimal(_MORE.denominator))
    return tails_of(parts[0], tilt, scale, bits=bits, more=log2(more, context))


def _counted(row: bytes) -> tuple[int, ...]:
    """How many classes have 0, 1, 2 and so on points, up to the most that one has."""
    return tuple(np.bincount(np.frombuffer(row, np.uint8)).tolist())


def _least(row: tuple[int, ...]) -> int:
    """The fewest points of a row."""
    return next(value for value, count in enumerate(row) if count)
