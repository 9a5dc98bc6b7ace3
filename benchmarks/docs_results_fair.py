"""Tables of grids in which marks have one budget: ``zkwm evaluate``'s cells as Markdown.

Rows are marks, then attacks; ``docs_results`` calls it for each data set, and
``docs_results_cifar10`` for attacks on the CIFAR-10 networks. All bits are before the judge's
allowances.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import log2
from statistics import mean
from typing import Any

import fair_figure
from docs_results_grids import GRIDS, FairGrid
from docs_results_strength import strengths

from zkwm.evaluation.results.cell import Cell, CountedBy
from zkwm.evaluation.results.means import interval
from zkwm.evaluation.results.published import published_rows

Line = dict[str, Any]

LEAST_SEEDS = 3
"""Before README quotes the grid."""
EMBEDDED, NOT_EMBEDDED = 0.9, "†"
"""The share of triggers that a mark has before any attack, and the sign of a mark with fewer."""
AFTERWARDS = ("deepsigns_black_box", "le_merrer")
"""Schemes that are embedded into the trained unmarked network."""


def fair(lines: list[Line], grid: FairGrid = GRIDS[0]) -> Iterator[str]:
    """Budget and cost of each mark, then what each attack leaves of it."""
    if not lines:
        return
    marks, seeds = _distinct(lines, "watermark"), len(_distinct(lines, "seed"))
    yield (
        f"{grid.what}, {seeds} seed{'s' * (seeds > 1)} (`zkwm evaluate "
        f"examples/grids/{grid.name}.yaml`; `benchmarks/results/{grid.file}`): {grid.budget}. "
        "Triggers: matches before any attack, in the worst seed. Points of accuracy that embedding "
        "costs, mean with 95 % interval and worst seed; processor time of training against the "
        "unmarked network's."
    )
    yield from cost_table(marks, lines)
    yield from attack_table(marks, lines)
    yield from strengths(lines)
    shown = [mark for mark in grid.counted if mark in marks]
    if shown:
        yield f"![bits left by each attack, {grid.what}](../benchmarks/results/{grid.figure})\n"
    yield from counted_table(shown, lines)
    yield from published(lines)


def figures(lines: dict[str, list[Line]]) -> Iterator[tuple[str, str]]:
    """The file and the SVG of each grid with cells, given by the grids' names."""
    for grid in GRIDS:
        marks = [m for m in grid.counted if m in _distinct(lines.get(grid.name, []), "watermark")]
        if marks:
            yield grid.figure, fair_figure.figure(lines[grid.name], marks, grid.what)


def in_short(lines: list[Line]) -> list[tuple[str, str, str]]:
    """Three rows of README on the robust mark; none where the grid has fewer than three seeds."""
    rows = [line for line in lines if line["watermark"] == "robust (zkwm)"]
    seeds = len(_distinct(rows, "seed"))
    if seeds < LEAST_SEEDS:
        return []
    counting = [line for line in rows if line["counts"] and line["attack_name"] != "none"]
    worst = min(counting, key=_bits)
    tuned = [line for line in counting if line["attack"] == "FTAL at twice the rate"]
    before = {line["seed"]: line for line in rows}.values()
    lost = [100 * (line["unmarked_accuracy"] - line["accuracy_before"]) for line in before]
    cost = f"{mean(lost):.2f} points of accuracy on average, {max(lost):.2f} at worst"
    left = (
        f"bits left of 664, before allowances, worst of those of {seeds} seeds in which the attack "
        "counts, after"
    )
    return [
        ("accuracy that the mark costs (LeNet-5, Fashion-MNIST)", cost, "grid_fair"),
        (f"{left} fine-tuning at twice the rate",
         f"{min(map(_bits, tuned)):.0f}" if tuned else "–", "grid_fair"),
        (f"{left} the strongest attack of the grid ({worst['attack']})",
         f"{_bits(worst):.0f}", "grid_fair"),
    ]  # fmt: skip


def cost_table(marks: list[Any], lines: list[Line]) -> Iterator[str]:
    """What each mark costs before any attack."""
    yield (
        "\n| mark | exposures | triggers | points lost | worst | time |\n|---|---|---|---|---|---|"
    )
    for mark in marks:
        yield _cost(mark, [line for line in lines if line["watermark"] == mark])
    later = [mark for mark in marks if _begins_with_unmarked(mark, lines)]
    if later:
        yield (
            f"\n{', '.join(later)}: the training begins with the unmarked network, whose epochs "
            "and time come on top of what the row says."
        )
    if served := [mark for mark in marks if _is_in_answers(mark, lines)]:
        yield (
            f"\n{', '.join(served)}: in the answers of the owner's service alone, which cost the "
            "points; the network behind it has no mark, and what is extracted from it is to have."
        )
    if failed := [mark for mark in marks if _is_not_embedded(mark, lines)]:
        yield (
            f"\n{NOT_EMBEDDED} {', '.join(failed)}: not embedded with this budget, as the triggers "
            "say; what attacks leave of it says nothing of the method."
        )


def attack_table(marks: list[Any], lines: list[Line]) -> Iterator[str]:
    """Mean and worst bits of each mark under each attack, and the attacks that count for none."""
    seeds = len(_distinct(lines, "seed"))
    yield f"\n{_caption(lines, seeds)}"
    heads = [f"{mark} {NOT_EMBEDDED}" * _is_not_embedded(mark, lines) or mark for mark in marks]
    yield f"\n| attack | accuracy | {' | '.join(heads)} |\n|---|---|{'---|' * len(marks)}"
    for attack in _distinct(lines, "attack"):
        rows = [line for line in lines if line["attack"] == attack]
        cells = [[line for line in rows if line["watermark"] == mark] for mark in marks]
        fewer = len(_distinct(rows, "seed"))
        label = attack if fewer == seeds else f"{attack} ({fewer} seed{'s' * (fewer > 1)})"
        yield f"| {label} | {_accuracy(rows)} | {' | '.join(map(_left, cells))} |"
    idle = [
        attack
        for attack in _distinct(lines, "attack")
        if not any(line["counts"] for line in lines if line["attack"] == attack)
    ]
    if idle:
        yield (
            "\nFor no mark do these attacks count, so that what they leave says nothing: "
            f"{', '.join(idle)}."
        )
    yield ""


def _caption(lines: list[Line], seeds: int) -> str:
    """What the numbers of the attacks' table are."""
    images = " or ".join(f"{count:,}" for count in sorted(_distinct(lines, "attacker_images")))
    shown = sorted({round(line["exposures"]) for line in lines if line["exposures"]})
    exposures = f" Exposures of each trigger: {' or '.join(map(str, shown))}." if shown else ""
    bars = [line["scratch_accuracy"] for line in lines if line["scratch_accuracy"] is not None]
    averaged = f"mean of {seeds} seeds with 95 % interval (Student's t)" if seeds > 1 else "1 seed"
    bar = f" ({100 * min(bars):.1f} to {100 * max(bars):.1f} %)" if bars else ""
    return (
        "Bits before allowances that are left, by ranks (by matches where a mark has no classes): "
        f"{averaged}, then the worst "
        "of the seeds in which the attack counts, and in how many where not in all; in parentheses "
        "where it counts in none. So the worst may be above the mean, which is over all seeds. An "
        "attack counts where it ends at least a point above the bar: a network trained from "
        f"scratch on the adversary's {images} labeled images for as many steps as the owner's{bar}."
        f" Accuracy: mean over marks and seeds.{_most_bits(lines)} Italics: matches of declared "
        f"labels, in the worst seed, which are no evidence.{exposures}"
    )


def _most_bits(lines: list[Line]) -> str:
    """How many bits there can be, with all triggers and without an opened block."""
    most = {
        opened: max(
            (
                line["trials"] * log2(line["class_count"])
                for line in lines
                if line["bits"] is not None and line["opened_used"] is opened
            ),
            default=0.0,
        )
        for opened in (False, True)
    }
    if not most[False]:
        return ""
    without = f", {most[True]:.0f} where a block was opened, which is left out"
    return f" At most {most[False]:.0f} bits are possible{without if most[True] else ''}."


def counted_table(marks: list[Any], lines: list[Line]) -> Iterator[str]:
    """Mean bits by matches, ranks, points and relearning for some marks; none without points."""
    known = [line for line in lines if line.get("score_bits") is not None]
    if not known or not marks:
        return
    ways = [
        counted
        for counted in CountedBy
        if any(Cell.from_map(line).bits_by(counted) is not None for line in known)
    ]
    heads = " | ".join(f"{mark}, {counted}" for mark in marks for counted in ways)
    yield "The same by each statistic, mean bits before allowances over all seeds."
    yield f"\n| attack | {heads} |\n|---|{'---|' * len(marks) * len(ways)}"
    for attack in _distinct(known, "attack"):
        texts = []
        for mark in marks:
            cells = [
                Cell.from_map(line)
                for line in known
                if (line["attack"], line["watermark"]) == (attack, mark)
            ]
            for counted in ways:
                bits = [value for cell in cells if (value := cell.bits_by(counted)) is not None]
                texts.append(f"{mean(bits):.0f}" if bits else "–")
        yield f"| {attack} | {' | '.join(texts)} |"
    yield ""


def published(lines: list[Line]) -> Iterator[str]:
    """Published figures beside ours, where cells correspond."""
    rows = published_rows(tuple(Cell.from_map(line) for line in lines))
    if not rows:
        return
    yield (
        "Published figures beside ours: triggers that keep their label, and accuracy after the "
        "attack, in percent; ours from the worst to the best cell. Settings differ, as the last "
        "column says: shapes compare, digits do not."
    )
    yield "\n| source | what | kept | accuracy | ours kept | ours accuracy | differs |"
    yield "|---|---|---|---|---|---|---|"
    for study, what, kept, accurate, ours, our_accuracy, _, difference in rows:
        texts = (study, what, kept or "–", accurate or "–", ours, our_accuracy, difference)
        yield f"| {' | '.join(texts)} |"
    yield ""


def _before(mark: str, lines: list[Line]) -> list[Line]:
    """For each seed a line of a mark that tells how many triggers matched before any attack."""
    rows = (line for line in lines if line["watermark"] == mark)
    known = (line for line in rows if line["matches_before"] is not None)
    return list({line["seed"]: line for line in known if not line["opened_used"]}.values())


def _is_not_embedded(mark: str, lines: list[Line]) -> bool:
    """Whether fewer than ``EMBEDDED`` of a mark's triggers matched before any attack."""
    return not _is_in_answers(mark, lines) and any(
        line["matches_before"] < EMBEDDED * line["trials"]
        for line in _before(mark, lines)
        if line["trials"]
    )


def _is_in_answers(mark: str, lines: list[Line]) -> bool:
    """Whether a mark is in the answers of the owner's service, and in no network before it."""
    return any(line["served_accuracy"] is not None for line in lines if line["watermark"] == mark)


def _begins_with_unmarked(mark: str, lines: list[Line]) -> bool:
    """Whether a mark is embedded into the trained unmarked network."""
    line = next(line for line in lines if line["watermark"] == mark)
    return line["scheme"] in AFTERWARDS or line["parameters"].get("start") == "pretrained"


def _cost(mark: str, lines: list[Line]) -> str:
    """The row of a mark before any attack."""
    matched = min(_before(mark, lines), key=lambda line: line["matches_before"], default=None)
    triggers = f"{matched['matches_before']} of {matched['trials']}" if matched else ""
    if _is_in_answers(mark, lines):
        triggers = "in answers"
    by_seed = {line["seed"]: line for line in lines if line["accuracy_before"] is not None}
    cells = [Cell.from_map(line) for line in by_seed.values()]
    lost = [
        100 * (cell.unmarked_accuracy - cell.deployed_accuracy)
        for cell in cells
        if cell.unmarked_accuracy is not None and cell.deployed_accuracy is not None
    ]
    known = [cell.training_times for cell in cells]
    times = [one for one in known if one is not None]
    exposures = next((line["exposures"] for line in by_seed.values()), None)
    shown = "" if exposures is None else f"{exposures:.0f}"
    if not lost:
        return f"| {mark} | {shown} | {triggers} | – | – | – |"
    time = f"{mean(times):.2f} times" if times else "–"
    return f"| {mark} | {shown} | {triggers} | {_mean(lost, 2)} | {max(lost):.2f} | {time} |"


def _accuracy(lines: list[Line]) -> str:
    """The mean accuracy after an attack, over all marks and seeds."""
    after = [line["accuracy_after"] for line in lines if line["accuracy_after"] is not None]
    return f"{100 * mean(after):.1f} %" if after else "–"


def _left(cells: list[Line]) -> str:
    """Mean and worst bits under an attack, or the worst count of declared labels."""
    measured = [cell for cell in cells if cell["status"] == "measured"]
    if not measured:
        return "–"
    counted = [cell for cell in measured if cell["counts"] is not False]
    shown = counted or measured
    if any(cell["labels"] == "declared" for cell in measured):
        worst = min(shown, key=lambda cell: cell["matches"])
        text = f"*{worst['matches']} of {worst['trials']}*"
        return text if counted else f"({text})"
    least = f"{min(map(_bits, shown)):.0f}"
    part = f" in {len(counted)}" if len(counted) < len(measured) else ""
    return f"{_mean(list(map(_bits, measured)), 0)}; " + (
        f"**{least}**{part}" if counted else f"({least})"
    )


def _bits(cell: Line) -> float:
    return float(cell["bits"] if cell["rank_bits"] is None else cell["rank_bits"])


def _mean(values: list[float], digits: int) -> str:
    """A mean, with the half-width of its 95 % interval where there are two values."""
    if len(values) < 2:
        return f"{values[0]:.{digits}f}"
    middle, half = interval(values)
    return f"{middle:.{digits}f} ± {half:.{digits}f}"


def _distinct(lines: list[Line], name: str) -> list[Any]:
    """The values of a field, each once, in order."""
    return list(dict.fromkeys(line[name] for line in lines))
