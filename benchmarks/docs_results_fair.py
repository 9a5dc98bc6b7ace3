"""The table of trigger sets on equal terms, from the cells of ``examples/grids/fair.yaml``.

Rows are marks, the parts of the robust embedding first; called by ``docs_results``.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import mean
from typing import Any

from zkwm.evaluation.results.means import interval

Line = dict[str, Any]


def fair(lines: list[Line]) -> Iterator[str]:
    """Budget and cost of each mark, then what each attack leaves of it."""
    if not lines:
        return
    marks = list(dict.fromkeys(line["watermark"] for line in lines))
    attacks = list(dict.fromkeys(line["attack"] for line in lines))
    seeds = len({line["seed"] for line in lines})
    yield (
        f"Trigger sets of one budget, {seeds} seeds (`zkwm evaluate examples/grids/fair.yaml`; "
        "`benchmarks/results/grid_fair.jsonl`): the same triggers, epochs and, but for the first "
        "row, exposures of each trigger. Points of accuracy that embedding costs, mean with 95 % "
        "interval and worst seed; training time against the unmarked network's."
    )
    yield "\n| mark | exposures | points lost | worst | time |\n|---|---|---|---|---|"
    for mark in marks:
        yield _cost(mark, [line for line in lines if line["watermark"] == mark])
    yield (
        "\nBits before allowances that are left, by ranks: mean with 95 % interval, then the worst "
        "of the seeds in which the attack counts; in parentheses where it counts in none. The bar "
        "is a network trained from scratch on the adversary's images for as many steps."
    )
    yield f"\n| attack | {' | '.join(marks)} |\n|---|{'---|' * len(marks)}"
    for attack in attacks:
        cells = [[c for c in lines if (c["watermark"], c["attack"]) == (m, attack)] for m in marks]
        yield f"| {attack} | {' | '.join(map(_left, cells))} |"
    idle = [a for a in attacks if not any(c["counts"] for c in lines if c["attack"] == a)]
    if idle:
        yield (
            "\nFor no mark do these attacks count, so that what they leave says nothing: "
            f"{', '.join(idle)}."
        )
    yield ""


def _cost(mark: str, lines: list[Line]) -> str:
    """The row of a mark before any attack."""
    by_seed = {line["seed"]: line for line in lines if line["accuracy_before"] is not None}
    lost = [
        100 * (line["unmarked_accuracy"] - line["accuracy_before"]) for line in by_seed.values()
    ]
    times = [
        line["embed_seconds"] / line["unmarked_seconds"]
        for line in by_seed.values()
        if line["unmarked_seconds"]
    ]
    exposures = next((line["exposures"] for line in by_seed.values()), None)
    shown = "" if exposures is None else f"{exposures:.0f}"
    if not lost:
        return f"| {mark} | {shown} | – | – | – |"
    time = f"{mean(times):.2f} times" if times else "–"
    return f"| {mark} | {shown} | {_mean(lost, 2)} | {max(lost):.2f} | {time} |"


def _left(cells: list[Line]) -> str:
    """Mean and worst bits under an attack."""
    measured = [c for c in cells if c["status"] == "measured"]
    bits = [_bits(c) for c in measured]
    if not bits:
        return "–"
    counted = [_bits(c) for c in measured if c["counts"] is not False]
    worst = f"**{min(counted):.0f}**" if counted else f"({min(bits):.0f})"
    return f"{_mean(bits, 0)}; {worst}"


def _bits(cell: Line) -> float:
    return float(cell["bits"] if cell["rank_bits"] is None else cell["rank_bits"])


def _mean(values: list[float], digits: int) -> str:
    """A mean, with the half-width of its 95 % interval where there are two values."""
    if len(values) < 2:
        return f"{values[0]:.{digits}f}"
    middle, half = interval(values)
    return f"{middle:.{digits}f} ± {half:.{digits}f}"
