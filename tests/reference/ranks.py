"""SPEC.md section 8.4 in plain Python: lists, fractions, and every distribution by counting."""

from __future__ import annotations

import math
from fractions import Fraction


def weight(rank: int, class_count: int) -> int:
    """floor(2 log2(C / (rank + 1))): the largest w with 2^w (rank + 1)^2 <= C^2."""
    found = 0
    while 2 ** (found + 1) * (rank + 1) ** 2 <= class_count**2:
        found += 1
    return found


def median(values: list[float]) -> float:
    """The ceil(k/2)-th of k numbers in ascending order."""
    return sorted(values)[-(-len(values) // 2) - 1]


def ranks(scores: list[list[float]], labels: list[int]) -> list[int]:
    """The rank of each label among its row of centered scores."""
    scores = [[min(max(value, -(2.0**1000)), 2.0**1000) for value in row] for row in scores]
    flat = [value for row in scores for value in row]
    unit = all(0 <= value <= 1 for value in flat)
    if unit and all(abs(math.fsum(row) - 1) <= 1e-3 for row in scores):
        scores = [[math.log(max(value, 2.0**-40)) for value in row] for row in scores]
    scores = [[value - median(row) for value in row] for row in scores]
    typical = [median([row[c] for row in scores]) for c in range(len(scores[0]))]
    scores = [[value - typical[c] for c, value in enumerate(row)] for row in scores]
    found = []
    for row, label in zip(scores, labels, strict=True):
        order = sorted(range(len(row)), key=lambda c: (-row[c], c))
        found.append(order.index(label))
    return found


def tail(trials: int, class_count: int, value: int) -> Fraction:
    """The chance that the weights of ``trials`` uniform ranks add up to ``value`` or more."""
    ways = {0: 1}
    for _ in range(trials):
        more: dict[int, int] = {}
        for total, count in ways.items():
            for rank in range(class_count):
                reached = total + weight(rank, class_count)
                more[reached] = more.get(reached, 0) + count
        ways = more
    good = sum(count for total, count in ways.items() if total >= value)
    return Fraction(good, class_count**trials)
