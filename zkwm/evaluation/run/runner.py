"""Run a grid: unmarked, scratch and null models first, then marks with their attacks.

Results that the folder already holds are not made again, so an interrupted run resumes. Writes
``grid.json`` and ``cells.jsonl``; ``zkwm.evaluation.results.report`` makes tables, figures and the
page from what is returned.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zkwm.evaluation.null_hypothesis.grid_stage import null_tables
from zkwm.evaluation.plan.experiment import Experiment
from zkwm.evaluation.plan.grid import Grid
from zkwm.evaluation.results.cell import Cell, Status
from zkwm.evaluation.results.outcome import GridResult
from zkwm.evaluation.run.attack_mark import blank
from zkwm.evaluation.run.executors import Executor, in_this_process
from zkwm.evaluation.run.tasks import Task, TaskKind, digest_of_task
from zkwm.files import write_atomic

GRID, CELLS = "grid.json", "cells.jsonl"
UNFINISHED = "it was not measured"


@dataclass(frozen=True)
class GridProgress:
    """The progress of a run.

    Args:
        stage: What is being done.
        done: Results of the stage that are there.
        total: All results of the stage; 0 where they are not counted.
        last: The latest result.
        seconds: Since the start.
    """

    stage: str
    done: int
    total: int
    last: str
    seconds: float


ReportProgress = Callable[[GridProgress], None]


def run_grid(
    grid: Grid,
    folder: str | Path,
    *,
    execute: Executor = in_this_process,
    progress: ReportProgress = lambda _: None,
) -> GridResult:
    """Measure what the folder does not hold yet, and return all of it.

    Parts that fail are ``GridResult.errors``; another call tries them again.

    Args:
        grid: What is measured.
        folder: Of the experiment; made where there is none.
        execute: Where tasks are done.
        progress: Called after each result.

    Raises:
        UsageError: The data are too few for the grid, or cannot be loaded.
        Cancelled, KeyboardInterrupt: The run was interrupted; the same call resumes it.
    """
    run = _Run(Experiment(grid, folder), execute, progress, time.monotonic())
    experiment = run.experiment
    _ = experiment.shares  # refuse data that are too few before anything is trained
    experiment.cache.folder.mkdir(parents=True, exist_ok=True)
    _write(experiment.cache.folder / GRID, json.dumps(grid.to_map(), indent=2) + "\n")
    without = trainings(experiment)
    run.stage("training unmarked models", without)
    run.stage("marks and attacks", _marks(grid))
    tables, null_errors = null_tables(
        experiment, lambda last: run.report("null models and claims", 0, 0, last)
    )
    cells = _cells(experiment)
    lines = (json.dumps(cell.to_map(), allow_nan=False) for cell in cells)
    _write(experiment.cache.folder / CELLS, "".join(f"{line}\n" for line in lines))
    models, errors = _models(experiment, without)
    errors += [
        f"{cell.watermark}, {cell.attack}, seed {cell.seed}: {cell.error}"
        for cell in cells
        if cell.status == Status.ERROR
    ]
    return GridResult(grid, cells, tables, tuple(models), (*errors, *null_errors), run.seconds())


@dataclass(frozen=True)
class _Run:
    """One call of ``run_grid``: where it works, and how it reports."""

    experiment: Experiment
    execute: Executor
    progress: ReportProgress
    started: float

    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    def report(self, stage: str, done: int, total: int, last: str) -> None:
        """Tell the caller of ``run_grid`` how far the run is."""
        self.progress(GridProgress(stage, done, total, last, self.seconds()))

    def stage(self, stage: str, tasks: Sequence[Task]) -> None:
        """Do all tasks of which a result is missing, and record those that broke off."""
        experiment = self.experiment
        results = {task: _results(experiment, task) for task in tasks}
        waiting = {
            task.to_line(experiment): task
            for task in tasks
            if not all(map(experiment.cache.has, results[task]))
        }
        total = sum(map(len, results.values()))
        last = ""

        def update(text: str) -> None:
            nonlocal last
            last = text or last
            digests = (digest for parts in results.values() for digest in parts)
            done = sum(map(experiment.cache.exists, digests))
            self.report(stage, done, total, last)

        if waiting:
            update("")
            for line, reason in self.execute(list(waiting), update).items():
                _record(experiment, waiting[line], reason)


def trainings(experiment: Experiment) -> list[Task]:
    """The models without a mark: owners' unmarked, adversaries' from scratch, others'."""
    grid = experiment.grid
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
    stolen = {
        (grid.architecture_of(entry), seed): None
        for entry in grid.watermarks
        for seed in grid.seeds
        for attack in grid.attacks_on(entry, seed)
        if experiment.attack(attack).uses_second_theft
    }
    second = [Task(TaskKind.SECOND_THEFT, name, seed) for name, seed in stolen]
    return [*unmarked, *scratch, *null, *second]


def _marks(grid: Grid) -> list[Task]:
    """One task for each watermark and seed."""
    return [
        Task(TaskKind.MARK, grid.architecture_of(entry), seed, i)
        for seed in grid.seeds
        for i, entry in enumerate(grid.watermarks)
        if seed in grid.seeds_of(entry)
    ]


def _results(experiment: Experiment, task: Task) -> list[str]:
    """The digests of all results of a task."""
    digest = digest_of_task(experiment, task)
    if task.kind != TaskKind.MARK:
        return [digest]
    entry = experiment.grid.watermarks[task.number]
    attacks = experiment.grid.attacks_on(entry, task.seed)
    return [digest, *(experiment.cell(entry, attack, task.seed) for attack in attacks)]


def _record(experiment: Experiment, task: Task, reason: str) -> None:
    """Record why a task broke off wherever it left no result."""
    cache = experiment.cache
    digest = digest_of_task(experiment, task)
    if not cache.exists(digest):
        cache.put(digest, {"error": reason})
    if task.kind == TaskKind.MARK:
        entry = experiment.grid.watermarks[task.number]
        for attack in experiment.grid.attacks_on(entry, task.seed):
            cell = replace(blank(experiment, entry, attack, task.seed), error=reason)
            if not cache.exists(cell.digest):
                cache.put(cell.digest, cell.to_map())


def _cells(experiment: Experiment) -> tuple[Cell, ...]:
    """All cells of the grid, in its order, with the accuracy from scratch added."""
    grid, cells = experiment.grid, []
    for entry in grid.watermarks:
        for attack in grid.attacks:
            for seed in grid.seeds:
                if attack not in grid.attacks_on(entry, seed):
                    continue
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
    experiment: Experiment, trainings: Sequence[Task]
) -> tuple[list[dict[str, Any]], list[str]]:
    """The accuracies of the models without a mark, and what failed."""
    models, errors = [], []
    for task in trainings:
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
    """Write a text file, whole or not at all."""
    write_atomic(path, text.encode(), overwrite=True)
