"""The price of a grid: what a folder lacks of it, and about how many processor hours that takes.

Nothing is trained. Each line costs what its results in the folder have cost, seed by seed, so the
first seed prices the others, and an attack whose cells lack relearning is priced by these.
``zkwm evaluate --dry-run`` prints it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import mean
from typing import TYPE_CHECKING, Any

from zkwm.evaluation.run.runner import trainings
from zkwm.evaluation.run.tasks import digest_of_task

if TYPE_CHECKING:
    from zkwm.evaluation.plan.experiment import Experiment
    from zkwm.evaluation.plan.grid import AttackEntry, Grid, WatermarkEntry

Result = Mapping[str, Any]


@dataclass(frozen=True)
class PriceLine:
    """A line of a grid: its networks without a mark, a watermark, an attack, or all relearning.

    Args:
        kind: training, watermark, attack or relearning.
        label: The network, or the grid's label.
        done: Results that the folder has.
        missing: Results that it lacks.
        seconds: Of the processor, for one of them, mean of those that are there; None where none
            is.
    """

    kind: str
    label: str
    done: int
    missing: int
    seconds: float | None

    @property
    def left(self) -> float | None:
        """Processor seconds of what is missing; None where that is unknown."""
        if not self.missing:
            return 0.0
        return None if self.seconds is None else self.missing * self.seconds

    def to_map(self) -> dict[str, Any]:
        """All fields, and ``left``, as JSON can hold them."""
        return {**vars(self), "left": self.left}


def price(experiment: Experiment) -> tuple[PriceLine, ...]:
    """The lines of a grid: networks without a mark, watermarks, attacks, and relearning.

    Raises UsageError where the data are too few for the grid, or cannot be loaded.
    """
    grid, cache = experiment.grid, experiment.cache
    lines = [
        PriceLine("training", label, *_counted(map(cache.result, digests), ""))
        for label, digests in _trainings(experiment).items()
    ]
    marks = {(e.label, s): cache.result(experiment.mark(e, s))
             for e in grid.watermarks for s in grid.seeds_of(e)}  # fmt: skip
    for entry in grid.watermarks:
        found = (value for (label, _), value in marks.items() if label == entry.label)
        lines.append(PriceLine("watermark", entry.label, *_counted(found, "embed_")))
    relearned = list[Result | None]()
    for attack in grid.attacks:
        cells, older = list[Result | None](), list[Result | None]()
        for entry, seed in _cells(grid, attack):
            cell = cache.result(experiment.cell(entry, attack, seed))
            cells.append(cell)
            if experiment.relearns(entry):
                plain = experiment.cell(entry, attack, seed, without_relearning=True)
                older += [cache.result(plain)] if cell is None else []
                relearned.append(cell)
        done, missing, seconds = _counted(cells, "")
        if seconds is None:
            seconds = _counted(older, "")[2]
        lines.append(PriceLine("attack", attack.label, done, missing, seconds))
    if relearned:
        done, missing, _ = _counted(relearned, "")
        spent = [cell.get("relearning_seconds") or 0.0 for cell in relearned
                 if cell and not cell.get("error")]  # fmt: skip
        each = mean(spent) if spent else None
        lines.append(PriceLine("relearning", "copies of suspects", done, missing, each))
    return tuple(lines)


def total(lines: Iterable[PriceLine]) -> tuple[float, int]:
    """Processor seconds of all that is missing, and how many lines are not in it, being unknown."""
    left = [line.left for line in lines]
    return sum(part for part in left if part is not None), left.count(None)


def _cells(grid: Grid, attack: AttackEntry) -> Iterator[tuple[WatermarkEntry, int]]:
    """The watermarks and seeds that an attack is run against."""
    for entry in grid.watermarks:
        yield from ((entry, s) for s in grid.seeds if attack in grid.attacks_on(entry, s))


def _trainings(experiment: Experiment) -> dict[str, list[str]]:
    """The digests of the networks without a mark, by their kind, architecture and images."""
    groups: dict[str, list[str]] = {}
    for task in trainings(experiment):
        images = f", {task.number:,} images" if task.number else ""
        label = f"{task.kind} {task.architecture}{images}"
        groups.setdefault(label, []).append(digest_of_task(experiment, task))
    return groups


def _counted(results: Iterable[Result | None], before: str) -> tuple[int, int, float | None]:
    """How many results are there, how many are not, and the mean seconds of the former."""
    done, missing, seconds = 0, 0, list[float]()
    for result in results:
        if result is None or result.get("error"):
            missing += 1
            continue
        done += 1
        spent = result.get(f"{before}processor_seconds") or result.get(f"{before}seconds")
        seconds += [spent] if spent is not None else []
    return done, missing, mean(seconds) if seconds else None
