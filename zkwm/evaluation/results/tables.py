"""The tables of an outcome as rows of texts, and from them Markdown and CSV.

``report`` lays them out in HTML.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from statistics import mean
from typing import TYPE_CHECKING

from zkwm.evaluation.results.aggregate import NOTES, Square, Squares, percent, points, squares
from zkwm.evaluation.results.cell import Cell, CountedBy
from zkwm.evaluation.results.outcome import Table

if TYPE_CHECKING:
    from zkwm.evaluation.plan.grid import AttackEntry, Grid, WatermarkEntry
    from zkwm.evaluation.results.outcome import GridResult

COLUMNS = 6


def grid_tables(outcome: GridResult, counted: CountedBy = CountedBy.MATCHES) -> tuple[Table, ...]:
    """Schemes by attacks, at most ``COLUMNS`` attacks in each table.

    By ranks or points, of the schemes that have classes, for a judge who gets scores; by relearning
    where the grid asked for it, for a judge who gets the weights.
    """
    by_key, grid = squares(outcome.cells, counted), outcome.grid
    attacks = [entry.label for entry in grid.attacks]
    rows = [
        entry.label
        for entry in grid.watermarks
        if counted == CountedBy.MATCHES
        or any(by_key[entry.label, attack].shown for attack in attacks)
    ]
    parts = [attacks[i : i + COLUMNS] for i in range(0, len(attacks) if rows else 0, COLUMNS)]
    signs = "; ".join(f"{sign} {meaning}" for sign, meaning in NOTES)
    return tuple(
        Table(
            title=f"What is left {counted.way}"
            + (f", part {number} of {len(parts)}" if len(parts) > 1 else ""),
            meaning="bits of evidence left after the judge's allowances / points of accuracy lost, "
            f"of {_worst(len(grid.seeds))}; {signs}"
            + (f"; {counted.note}" if counted.note else "")
            + _no_attacks(by_key, rows, part),
            head=("watermark", *(_headed(grid, attack) for attack in part)),
            rows=tuple((label, *(by_key[label, attack].text for attack in part)) for label in rows),
            counted=counted,
            attacks=tuple(part),
        )
        for number, part in enumerate(parts, 1)
    )


def _no_attacks(by_key: Squares, rows: list[str], part: list[str]) -> str:
    """Which of these attacks count for no mark; empty where each counts for some."""
    never = [
        attack
        for attack in part
        if (measured := [by_key[row, attack] for row in rows if by_key[row, attack].measured])
        and not any(square.attacked for square in measured)
    ]
    return f"; for no mark do these count: {', '.join(never)}" if never else ""


def _headed(grid: Grid, label: str) -> str:
    """The head of an attack's column, with the number of seeds where it has fewer."""
    entry = next(entry for entry in grid.attacks if entry.label == label)
    count = len(grid.seeds_of(entry))
    if count == len(grid.seeds):
        return label
    return f"{label} ({count} seed{'' if count == 1 else 's'})"


def _worst(seeds: int) -> str:
    """Which seed a number is of."""
    if seeds == 1:
        return "the only seed"
    return f"the worst of {seeds} seeds, or of those in which the attack counts"


def scheme_table(outcome: GridResult) -> Table:
    """Each scheme: network, access, labels, what it costs, and how many leaves are embedded."""
    return Table(
        title="The marks before any attack",
        meaning="accuracies in percent, mean over the seeds; points lost by the mark, mean and "
        "worst; matches of the worst seed; exposures: how often training showed each trigger; "
        "processor seconds of training with the mark (elapsed ones in cells of earlier versions), "
        "and times training without it "
        f"({_budget(outcome)})",
        head=("watermark", "network", "access", "labels", "unmarked", "marked", "lost",
              "lost, worst", "matches", "exposures", "seconds", "times"),
        rows=tuple(_scheme_row(outcome, entry) for entry in outcome.grid.watermarks),
    )  # fmt: skip


def _scheme_row(outcome: GridResult, entry: WatermarkEntry) -> tuple[str, ...]:
    """The texts of one scheme."""
    cells = _one_per_seed(c for c in outcome.cells if c.watermark == entry.label)
    first = cells[0] if cells else None
    marked = [c for c in cells if c.accuracy_before is not None]
    cost = [
        100 * (c.unmarked_accuracy - c.deployed_accuracy)
        for c in marked
        if c.unmarked_accuracy is not None and c.deployed_accuracy is not None
    ]
    before = [c.matches_before for c in marked if c.matches_before is not None]
    trials = next(
        (
            c.trials
            for c in outcome.cells
            if c.watermark == entry.label and c.trials and not c.opened_used
        ),
        None,
    )
    return (
        entry.label,
        outcome.grid.architecture_of(entry),
        first.access if first else "",
        first.labels if first else "",
        _mean_percent(c.unmarked_accuracy for c in marked),
        _mean_percent(c.deployed_accuracy for c in marked),
        points(mean(cost)) if cost else "",
        points(max(cost)) if cost else "",
        f"{min(before)}" + (f" of {trials}" if trials else "") if before else "",
        f"{exposures:.0f}" if (exposures := first.exposures if first else None) else "",
        f"{mean(c.embed_processor_seconds or c.embed_seconds for c in marked):.0f}"
        if marked
        else "",
        _times(marked),
    )


def _times(marked: Sequence[Cell]) -> str:
    """Training with a mark over training without, mean over the seeds; empty if unknown."""
    known = [times for c in marked if (times := c.training_times) is not None]
    return f"{mean(known):.1f}" if known else ""


def _budget(outcome: GridResult) -> str:
    """What all trainings of the grid share."""
    training = outcome.grid.settings(outcome.grid.seeds[0])
    return f"{training.epochs} epochs in batches of {training.batch_size}, unless a mark says other"


def attack_table(outcome: GridResult) -> Table:
    """Each attack: what the adversary has and spends, what it costs, and how often it counts."""
    return Table(
        title="What the attacks cost",
        meaning="labeled images that the adversary has, and has used; queries to the owner's "
        "service; images in gradients; processor seconds, and points of accuracy lost, mean over "
        "schemes and seeds; accuracy of a network trained from scratch on the adversary's images "
        "(percent); in how many cells the attack ends at least one point above that, without which "
        "an attack is no attack",
        head=("attack", "images had", "images used", "queries", "gradient images", "seconds",
              "lost", "scratch", "counts"),
        rows=tuple(_attack_row(outcome, entry) for entry in outcome.grid.attacks),
    )  # fmt: skip


def _attack_row(outcome: GridResult, entry: AttackEntry) -> tuple[str, ...]:
    """The texts of one attack."""
    cells = [c for c in outcome.cells if c.attack == entry.label]
    done = [c for c in cells if c.accuracy_after is not None]
    lost = [c.accuracy_lost for c in done if c.accuracy_lost is not None]
    counted = [c for c in done if c.counts is not None]
    return (
        entry.label,
        f"{outcome.grid.images_of(entry):,}",
        _most(c.images for c in done),
        _most(c.queries for c in done),
        _most(c.gradient_images for c in done),
        f"{mean(c.processor_seconds or c.seconds for c in done):.1f}" if done else "",
        points(mean(lost)) if lost else "",
        _mean_percent(c.scratch_accuracy for c in done),
        f"{sum(c.counts is True for c in counted)} of {len(counted)}" if counted else "",
    )


def markdown(tables: Iterable[Table]) -> str:
    """Tables as Markdown, the first column to the left and the others to the right."""
    parts = []
    for table in tables:
        rule = ("---", *("---:" for _ in table.head[1:]))
        lines = [_line(row) for row in (table.head, rule, *table.rows)]
        parts.append("\n".join((f"## {table.title}", "", f"{table.meaning}.", "", *lines, "")))
    return "\n".join(parts)


def csv_text(table: Table) -> str:
    """A table as CSV with a head."""
    return _csv([table.head, *table.rows])


def bits_csv(outcome: GridResult, counted: CountedBy = CountedBy.MATCHES) -> str:
    """Schemes by attacks: bits left after allowances, negative where they take more than all.

    Empty for declared labels and where there is no number.
    """

    def text(square: Square) -> str:
        shown = square.shown
        evidence = None if shown is None else square.evidence(shown)
        return "" if evidence is None else f"{evidence:.2f}"

    return _scheme_by_attack_csv(outcome, text, counted)


def lost_csv(outcome: GridResult) -> str:
    """Schemes by attacks: points of accuracy lost in the seed that the bits are of."""
    return _scheme_by_attack_csv(outcome, lambda s: s.lost.replace("−", "-"))


def cells_csv(cells: Sequence[Cell]) -> str:
    """Every cell with every number."""
    rows = [cell.to_map() | {"accuracy_lost": cell.accuracy_lost} for cell in cells]
    names = [name for name in (rows[0] if rows else {}) if name not in ("versions", "digest")]
    return _csv([names, *([_plain(row[name]) for name in names] for row in rows)])


def _scheme_by_attack_csv(
    outcome: GridResult,
    text: Callable[[Square], str],
    counted: CountedBy = CountedBy.MATCHES,
) -> str:
    """A CSV of one text a square."""
    by_key, grid = squares(outcome.cells, counted), outcome.grid
    attacks = [entry.label for entry in grid.attacks]
    rows = (
        [entry.label, *(text(by_key[entry.label, attack]) for attack in attacks)]
        for entry in grid.watermarks
    )
    return _csv([["watermark", *attacks], *rows])


def _csv(rows: Iterable[Iterable[str]]) -> str:
    """Rows of texts as CSV."""
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(rows)
    return written.getvalue()


def _plain(value: object) -> str:
    """A value as CSV has it; maps as name=value."""
    if isinstance(value, dict):
        return " ".join(f"{name}={part}" for name, part in value.items())
    return "" if value is None else str(value)


def _line(row: Sequence[str]) -> str:
    """A row of a Markdown table."""
    return "| " + " | ".join(text.replace("|", "\\|") for text in row) + " |"


def _one_per_seed(cells: Iterable[Cell]) -> list[Cell]:
    """For each seed a cell with the accuracy of the marked model, where there is one."""
    by_seed: dict[int, Cell] = {}
    for cell in cells:
        if cell.seed not in by_seed or by_seed[cell.seed].accuracy_before is None:
            by_seed[cell.seed] = cell
    return list(by_seed.values())


def _mean_percent(shares: Iterable[float | None]) -> str:
    """The mean of the shares that are known, in percent; empty without any."""
    numbers = [share for share in shares if share is not None]
    return percent(mean(numbers)) if numbers else ""


def _most(counts: Iterable[int]) -> str:
    """The largest count."""
    return f"{max(counts, default=0):,}"
