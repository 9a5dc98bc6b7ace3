"""Means over seeds with their intervals, beside the tables of the worst seed.

A worst seed says what an owner can count on; whether one mark is better than another needs the
spread. Not made for a grid of one seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, stdev
from typing import TYPE_CHECKING

from zkwm.evaluation.results.aggregate import NO_ATTACK, Square, squares
from zkwm.evaluation.results.cell import CountedBy
from zkwm.evaluation.results.outcome import Table
from zkwm.evaluation.results.tables import COLUMNS

if TYPE_CHECKING:
    from zkwm.evaluation.results.outcome import GridResult

_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""The 97.5 % point of Student's t for 1 to 10 degrees of freedom; the last serves for more."""


def mean_tables(outcome: GridResult, counted: CountedBy = CountedBy.MATCHES) -> tuple[Table, ...]:
    """Schemes by attacks: mean bits over all seeds with 95 % intervals; none for one seed."""
    grid = outcome.grid
    if len(grid.seeds) < 2:
        return ()
    by_key = squares(outcome.cells, counted)
    attacks = [entry.label for entry in grid.attacks]
    rows = [
        entry.label
        for entry in grid.watermarks
        if any(by_key[entry.label, attack].has_evidence for attack in attacks)
    ]
    parts = [attacks[i : i + COLUMNS] for i in range(0, len(attacks) if rows else 0, COLUMNS)]
    return tuple(
        Table(
            title=f"Means {counted.way}"
            + (f", part {number} of {len(parts)}" if len(parts) > 1 else ""),
            meaning="bits of evidence left after the judge's allowances, mean over all seeds in "
            "which something was measured, and the half-width of its 95 % interval by Student's t; "
            f"{NO_ATTACK} in some seeds the attack does not count",
            head=("watermark", *part),
            rows=tuple((row, *(_text(by_key[row, attack]) for attack in part)) for row in rows),
        )
        for number, part in enumerate(parts, 1)
    )


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The mean of at least two values and the half-width of its 95 % interval."""
    wide = _T[min(len(values) - 1, len(_T)) - 1]
    return mean(values), float(wide * stdev(values) / len(values) ** 0.5)


def _text(square: Square) -> str:
    """One square: the mean and its half-width; empty for no evidence or a single seed."""
    bits = [value for cell in square.measured if (value := square.evidence(cell)) is not None]
    if len(bits) < 2:
        return "–"
    middle, half = interval(bits)
    idle = any(cell.counts is False for cell in square.measured)
    return f"{middle:.0f} ± {half:.0f}".replace("-", "−") + (f" {NO_ATTACK}" if idle else "")
