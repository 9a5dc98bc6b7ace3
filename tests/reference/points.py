"""SPEC.md section 8.6 in plain Python: lists, floats, and every distribution by counting."""

from __future__ import annotations

import math
from fractions import Fraction

from tests.reference.evidence import hundredths_below
from tests.reference.ranks import median, weight

SILENT = None
"""A row of a trigger without an answer."""


def most(class_count: int) -> int:
    """The most points of a class."""
    return 12 + weight(0, class_count)


def logarithm(probability: float) -> float:
    """log2, linear between powers of 2, not below -40."""
    fraction, exponent = math.frexp(max(probability, 2.0**-40))
    return (exponent - 1) + (2 * fraction - 1)


def points(scores: list[list[float]]) -> list[list[int]]:
    """The points of each class for each image."""
    values = [[min(max(value, -(2.0**1000)), 2.0**1000) for value in row] for row in scores]
    within = all(0 <= value <= 1 for row in values for value in row)
    if within and all(abs(math.fsum(row) - 1) <= 1e-3 for row in values):
        values = [[logarithm(value) for value in row] for row in values]
    near = []
    for row in values:
        less = [value - median(row) for value in row]
        largest = max(abs(value) for value in less)
        near.append([value / largest for value in less] if largest else less)
    columns = []
    for column in zip(*near, strict=True):
        less = [value - median(list(column)) for value in column]
        sizes = [abs(value) for value in less]
        spread = median(sizes) or max(sizes)
        columns.append([value / spread for value in less] if spread else less)
    found = []
    for number, row in enumerate(values):
        line = []
        for label, value in enumerate(row):
            distance = min(max(columns[label][number], -1.0), 3.0)
            place = sum(other >= value for other in row) - 1
            line.append(math.floor(3 * distance + 0.5) + 3 + weight(place, len(row)))
        found.append(line)
    return found


def total(rows: list[list[int] | None], labels: list[int]) -> int:
    """The sum of the points of the labels; no answer adds nothing."""
    return sum(row[label] for row, label in zip(rows, labels, strict=True) if row is not SILENT)


def tail(rows: list[list[int] | None], class_count: int, value: int) -> Fraction:
    """The chance that labels drawn from each row have together ``value`` points or more."""
    ways = {0: 1}
    for row in rows:
        line = [most(class_count)] * class_count if row is SILENT else row
        more: dict[int, int] = {}
        for reached, count in ways.items():
            for drawn in line:
                more[reached + drawn] = more.get(reached + drawn, 0) + count
        ways = more
    good = sum(count for reached, count in ways.items() if reached >= value)
    return Fraction(good, class_count ** len(rows))


def term(chance: Fraction) -> int:
    """The first term of the sum in hundredths of a bit."""
    return max(hundredths_below(1 / (chance * (1 + Fraction(1, 2**60)))), 0)
