"""Tasks: the parts of a grid that one worker does alone.

A task trains one model, or embeds one mark and attacks it. It is a line of JSON, its results go to
the cache at once, and one that is there is not made again: any number of processes, here or on
other machines, can work on one folder. ``runner`` orders the tasks.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, cast

import torch

from zkwm.evaluation.plan.experiment import Experiment
from zkwm.evaluation.plan.grid import Grid
from zkwm.evaluation.run.attack_mark import error_line, measure_mark
from zkwm.nn.architectures import Classifier, build_model, channel_statistics
from zkwm.nn.digests import model_digest
from zkwm.training import embed
from zkwm_protocols.errors import Cancelled, UsageError

NULL_SEED = 1_000_000
"""Added to the number of an innocent model, so that none shares an owner's randomness."""

SECOND_THEFT_SEED = 2_000_000
"""Likewise added to the seed of the other owner whose network is stolen, too."""

Report = Callable[[str], None]


class TaskKind(StrEnum):
    """The kind of a task; the values are those in task lines and in ``Outcome.models``."""

    UNMARKED = "unmarked"
    SCRATCH = "scratch"
    NULL = "null"
    SECOND_THEFT = "second theft"
    MARK = "mark"


@dataclass(frozen=True)
class Task:
    """A part of a grid.

    Args:
        kind: What is made.
        architecture: Of the network.
        seed: Of the training; for an innocent model its number; for a second theft that of the
            adversary who has it.
        number: Of the adversary's images (scratch), or of the watermark in its list (mark).
    """

    kind: TaskKind
    architecture: str
    seed: int
    number: int = 0

    def to_line(self, experiment: Experiment) -> str:
        """Everything that a worker needs, as one line of JSON."""
        return json.dumps(
            {
                "task": asdict(self),
                "grid": experiment.grid.to_map(),
                "folder": str(experiment.cache.folder.resolve()),
                "input_digests": experiment.input_digests,
            }
        )


def run_task(line: str, report: Report = lambda _: None) -> None:
    """Do a task that ``to_line`` described, on one thread.

    A failure is recorded as an error in the cache.

    Args:
        line: The task.
        report: Called with a line of text for each result.

    Raises:
        Cancelled: The run was interrupted.
    """
    values = json.loads(line)
    grid = Grid.from_map(values["grid"])
    experiment = Experiment(grid, values["folder"], values["input_digests"])
    task = values["task"]
    do_task(experiment, Task(**task | {"kind": TaskKind(task["kind"])}), report)


def do_task(experiment: Experiment, task: Task, report: Report = lambda _: None) -> None:
    """As ``run_task``, for an experiment that is open already."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        if task.kind == TaskKind.MARK:
            entry = experiment.grid.watermarks[task.number]
            measure_mark(experiment, entry, task.seed, report)
        else:
            _train(experiment, task)
            report(f"{task.kind} {task.architecture} {task.seed}")
    finally:
        torch.set_num_threads(threads)


def digest_of_task(experiment: Experiment, task: Task) -> str:
    """The digest by which the cache keeps what a task trains."""
    if task.kind == TaskKind.UNMARKED:
        return experiment.unmarked(task.architecture, task.seed)
    if task.kind == TaskKind.SCRATCH:
        return experiment.scratch(task.architecture, task.seed, task.number)
    if task.kind == TaskKind.NULL:
        return experiment.null(task.architecture, task.seed)
    if task.kind == TaskKind.SECOND_THEFT:
        return experiment.second_theft(task.architecture, task.seed)
    return experiment.mark(experiment.grid.watermarks[task.number], task.seed)


def _train(experiment: Experiment, task: Task) -> None:
    """Train a model without a mark, unless the cache has it."""
    digest = digest_of_task(experiment, task)
    if experiment.cache.has(digest):
        return
    try:
        result = _train_unmarked(experiment, task, digest)
    except Cancelled:
        raise
    except Exception as error:
        result = {"error": error_line(error)}
    experiment.cache.put(digest, result)


def _train_unmarked(experiment: Experiment, task: Task, digest: str) -> dict[str, Any]:
    """Train the model of a task; store it, unless it is from scratch; return its result."""
    shares, grid = experiment.shares, experiment.grid
    settings = grid.settings(task.seed)
    data = shares.owner
    if task.kind == TaskKind.SCRATCH:
        if task.number < settings.batch_size:
            raise UsageError("the adversary has less than a batch of images")
        data = shares.adversary(task.number)
        changes = {"epochs": experiment.scratch_epochs(task.number)}
        settings = type(settings)(**{**settings.to_map(), **changes})
    elif task.kind == TaskKind.NULL:
        data = shares.bystander(grid.owner_images, task.seed)
        settings = grid.settings(NULL_SEED + task.seed)
    elif task.kind == TaskKind.SECOND_THEFT:
        settings = grid.settings(SECOND_THEFT_SEED + task.seed)
        data = shares.bystander(grid.owner_images, settings.seed)
    mean, std = channel_statistics(data.train_images)
    model = build_model(
        task.architecture,
        shape=data.shape,
        class_count=data.class_count,
        mean=mean,
        std=std,
        seed=settings.seed,
        images=data.train_images,
    )
    worked = time.process_time()
    trained = embed(model, data, None, settings=settings)
    if task.kind != TaskKind.SCRATCH:
        experiment.cache.put_model(digest, cast("Classifier", trained.model))
    return {
        "accuracy": trained.test_accuracy,
        "seconds": trained.seconds,
        "processor_seconds": time.process_time() - worked,
        "model": model_digest(trained.model).hex(),
    }
