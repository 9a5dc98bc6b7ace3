"""The price of a grid: what a folder lacks of it, and about how many processor hours that takes.

Nothing is trained. Each line costs what its results in the folder have cost, seed by seed, so the
first seed prices the others. ``zkwm evaluate --dry-run`` prints it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import mean
from typing import TYPE_CHECKING, Any

from zkwm.evaluation.run.runner import trainings
from zkwm.evaluation.run.tasks import digest_of_task

if TYPE_CHECKING:
    from zkwm.evaluation.plan.experiment import Experiment


@dataclass(frozen=True)
class PriceLine:
    """A line of a grid: its networks without a mark, a watermark, or an attack.

    Args:
        kind: training, watermark or attack.
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
    """The lines of a grid: networks without a mark, watermarks, attacks.

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
    for attack in grid.attacks:
        cells = (
            cache.result(experiment.cell(entry, attack, seed))
            for entry in grid.watermarks
            for seed in grid.seeds
            if attack in grid.attacks_on(entry, seed)
        )
        lines.append(PriceLine("attack", attack.label, *_counted(cells, "")))
    return tuple(lines)


def total(lines: Iterable[PriceLine]) -> tuple[float, int]:
    """Processor seconds of all that is missing, and how many lines are not in it, being unknown."""
    left = [line.left for line in lines]
    return sum(part for part in left if part is not None), left.count(None)


def _trainings(experiment: Experiment) -> dict[str, list[str]]:
    """The digests of the networks without a mark, by their kind, architecture and images."""
    groups: dict[str, list[str]] = {}
    for task in trainings(experiment):
        images = f", {task.number:,} images" if task.number else ""
        label = f"{task.kind} {task.architecture}{images}"
        groups.setdefault(label, []).append(digest_of_task(experiment, task))
    return groups


def _counted(
    results: Iterable[Mapping[str, Any] | None], before: str
) -> tuple[int, int, float | None]:
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
