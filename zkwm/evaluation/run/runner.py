"""Running a grid: unmarked, scratch and null models first, then marks with their attacks.

What is in the folder already is not done again, so a run that was stopped goes on. Writes
``grid.json`` and ``cells.jsonl``; tables, figures and the report are made from what is returned.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zkwm.evaluation.null_hypothesis.grid import examine
from zkwm.evaluation.plan.experiment import Experiment
from zkwm.evaluation.plan.grid import Grid
from zkwm.evaluation.results.cell import Cell, Status
from zkwm.evaluation.results.outcome import Outcome
from zkwm.evaluation.run.attack_mark import blank
from zkwm.evaluation.run.executors import Executor, in_this_process
from zkwm.evaluation.run.tasks import Task, TaskKind, digest_of_task
from zkwm.files import write_atomic

GRID, CELLS = "grid.json", "cells.jsonl"
UNFINISHED = "it was not measured"


@dataclass(frozen=True)
class GridProgress:
    """How far a run is: in which ``stage``, what of ``total`` parts is there, what came last."""

    stage: str
    done: int
    total: int
    last: str
    seconds: float


Progress = Callable[[GridProgress], None]


def run_grid(
    grid: Grid,
    folder: str | Path,
    *,
    execute: Executor = in_this_process,
    progress: Progress = lambda _: None,
) -> Outcome:
    """Measure what the folder does not hold yet, and return all of it.

    Raises UsageError for data that are too few, what ``load_data`` raises, Cancelled or
    KeyboardInterrupt after an interruption (the same call then goes on). Parts that fail are
    ``errors``; another call tries them again.
    """
    started = time.monotonic()
    experiment = Experiment(grid, folder)
    _ = experiment.shares  # refuse data that are too few before anything is trained
    experiment.cache.folder.mkdir(parents=True, exist_ok=True)
    _write(experiment.cache.folder / GRID, json.dumps(grid.to_map(), indent=2) + "\n")
    first = _trainings(grid)
    _stage(experiment, "training unmarked models", first, execute, progress, started)
    marks = [
        Task(TaskKind.MARK, grid.architecture_of(entry), seed, i)
        for seed in grid.seeds
        for i, entry in enumerate(grid.watermarks)
    ]
    _stage(experiment, "marks and attacks", marks, execute, progress, started)
    examined, failed = examine(
        experiment, lambda last: progress(_standing("null models and claims", 0, 0, last, started))
    )
    cells = _cells(experiment)
    lines = (json.dumps(cell.to_map(), allow_nan=False) for cell in cells)
    _write(experiment.cache.folder / CELLS, "".join(f"{line}\n" for line in lines))
    models, errors = _models(experiment, first)
    errors += [
        f"{cell.watermark}, {cell.attack}, seed {cell.seed}: {cell.error}"
        for cell in cells
        if cell.status == Status.ERROR
    ]
    return Outcome(
        grid, cells, examined, tuple(models), (*errors, *failed), time.monotonic() - started
    )


def _trainings(grid: Grid) -> list[Task]:
    unmarked = [
        Task(TaskKind.UNMARKED, name, seed) for name in grid.architectures for seed in grid.seeds
    ]
    scratch = [
        Task(TaskKind.SCRATCH, name, seed, count)
        for name in grid.architectures
        for seed in grid.seeds
        for count in grid.attacker_counts
    ]
    null = [Task(TaskKind.NULL, grid.architecture, number) for number in range(grid.null_models)]
    return [*unmarked, *scratch, *null]


def _stage(
    experiment: Experiment,
    stage: str,
    tasks: Sequence[Task],
    execute: Executor,
    progress: Progress,
    started: float,
) -> None:
    """Do all tasks of which something is missing, and record those that broke off."""
    parts = {task: _parts(experiment, task) for task in tasks}
    waiting = {
        task.to_line(experiment): task
        for task in tasks
        if not all(map(experiment.cache.has, parts[task]))
    }
    total = sum(map(len, parts.values()))
    last = ""

    def tell(text: str) -> None:
        nonlocal last
        last = text or last
        done = sum(experiment.cache.exists(part) for found in parts.values() for part in found)
        progress(_standing(stage, done, total, last, started))

    if waiting:
        tell("")
        for line, reason in execute(list(waiting), tell).items():
            _record(experiment, waiting[line], reason)


def _standing(stage: str, done: int, total: int, last: str, started: float) -> GridProgress:
    return GridProgress(stage, done, total, last, time.monotonic() - started)


def _parts(experiment: Experiment, task: Task) -> list[str]:
    """The digests of all results of a task."""
    own = digest_of_task(experiment, task)
    if task.kind != TaskKind.MARK:
        return [own]
    entry = experiment.grid.watermarks[task.number]
    attacks = experiment.grid.attacks
    return [own, *(experiment.cell(entry, attack, task.seed) for attack in attacks)]


def _record(experiment: Experiment, task: Task, reason: str) -> None:
    """Put the error of a task that broke off wherever it left nothing."""
    cache = experiment.cache
    own = digest_of_task(experiment, task)
    if not cache.exists(own):
        cache.put(own, {"error": reason})
    if task.kind == TaskKind.MARK:
        entry = experiment.grid.watermarks[task.number]
        for attack in experiment.grid.attacks:
            cell = replace(blank(experiment, entry, attack, task.seed), error=reason)
            if not cache.exists(cell.digest):
                cache.put(cell.digest, cell.to_map())


def _cells(experiment: Experiment) -> tuple[Cell, ...]:
    """All cells of the grid, in its order, with the accuracy from scratch put in."""
    grid, cells = experiment.grid, []
    for entry in grid.watermarks:
        for attack in grid.attacks:
            for seed in grid.seeds:
                value = experiment.cache.result(experiment.cell(entry, attack, seed))
                if value is None:
                    cell = replace(blank(experiment, entry, attack, seed), error=UNFINISHED)
                else:
                    # the cache may know this cell by the labels of an earlier grid
                    cell = replace(Cell.from_map(value), watermark=entry.label, attack=attack.label)
                digest = experiment.scratch(cell.architecture, seed, cell.attacker_images)
                scratch = (experiment.cache.result(digest) or {}).get("accuracy")
                cells.append(replace(cell, scratch_accuracy=scratch))
    return tuple(cells)


def _models(
    experiment: Experiment, tasks: Sequence[Task]
) -> tuple[list[dict[str, Any]], list[str]]:
    """The accuracies of the models without a mark, and what failed."""
    models, errors = [], []
    for task in tasks:
        result = experiment.cache.result(digest_of_task(experiment, task)) or {}
        if result.get("error"):
            name = f"{task.kind} {task.architecture}, seed {task.seed}"
            errors.append(f"{name}: {result['error']}")
        models.append(
            {
                "kind": task.kind,
                "architecture": task.architecture,
                "seed": task.seed,
                "images": task.number or experiment.grid.owner_images,
                "accuracy": result.get("accuracy"),
            }
        )
    return models, errors


def _write(path: Path, text: str) -> None:
    write_atomic(path, text.encode(), overwrite=True)
