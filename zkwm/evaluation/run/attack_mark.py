"""One mark under all attacks of a grid: commit, embed, attack, and measure each time.

A mark and its attacks are one task, because a service of the owner lives in this process. Each cell
is in the cache as soon as it is measured. ``watermarked`` has the marks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import torch

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target
from zkwm.evaluation.results.cell import Cell
from zkwm.evaluation.run.cache import package_versions
from zkwm.evaluation.run.measure import accuracy, read_mark
from zkwm.evaluation.run.watermarked import Mark, first_block, open_mark
from zkwm.triggers import TriggerSet
from zkwm_protocols.errors import Cancelled, UsageError, ZkwmError

if TYPE_CHECKING:
    from zkwm.evaluation.plan.experiment import Experiment
    from zkwm.evaluation.plan.grid import AttackEntry, WatermarkEntry

ADVERSARY_SEED = 50_000
"""Added to the grid's seed, so that no adversary shares the owner's randomness."""

BEFORE = (
    "accuracy_before",
    "served_accuracy",
    "matches_before",
    "embed_seconds",
    "embed_processor_seconds",
    "unmarked_accuracy",
    "unmarked_seconds",
    "unmarked_processor_seconds",
    "exposures",
)
"""Fields of a cell that are measured once for a mark."""


def measure_mark(
    experiment: Experiment,
    entry: WatermarkEntry,
    seed: int,
    report: Callable[[str], None] = lambda _: None,
) -> None:
    """Measure every cell of a mark that the cache does not have.

    A failure is recorded as an error in its cell, and the others continue.

    Args:
        experiment: Grid and cache.
        entry: The watermark.
        seed: The owner's.
        report: Called with one line for each cell.

    Raises:
        Cancelled: The run was interrupted.
    """
    cache, grid = experiment.cache, experiment.grid
    asked = grid.attacks_on(entry, seed)
    missing = [a for a in asked if not cache.has(experiment.cell(entry, a, seed))]
    if not missing and cache.has(experiment.mark(entry, seed)):
        return
    try:
        mark = open_mark(experiment, entry, seed)
    except Cancelled:
        raise
    except Exception as error:
        message = f"the mark could not be embedded: {error_line(error)}"
        cache.put(experiment.mark(entry, seed), {"error": message})
        for attack in missing:
            cell = replace(blank(experiment, entry, attack, seed), error=message)
            cache.put(cell.digest, cell.to_map())
        return
    report(f"{entry.label}, seed {seed}: marked")
    for attack in missing:
        cell = _attack(experiment, mark, blank(experiment, entry, attack, seed), attack)
        cache.put(cell.digest, cell.to_map())
        report(f"{entry.label}, seed {seed}: {attack.label}")


def blank(experiment: Experiment, entry: WatermarkEntry, attack: AttackEntry, seed: int) -> Cell:
    """The cell of an attack before anything was measured.

    Args:
        experiment: Grid and digests.
        entry: The watermark.
        attack: The attack.
        seed: The grid's.
    """
    grid, scheme = experiment.grid, experiment.scheme(entry)
    return Cell(
        digest=experiment.cell(entry, attack, seed),
        watermark=entry.label,
        scheme=entry.name,
        parameters=asdict(scheme),
        attack=attack.label,
        attack_name=attack.name,
        attack_parameters=asdict(experiment.attack(attack)),
        seed=seed,
        architecture=grid.architecture_of(entry),
        attacker_images=grid.images_of(attack),
        access=scheme.access,
        labels=scheme.labels,
        note=scheme.note,
        versions=package_versions(),
    )


def _attack(experiment: Experiment, mark: Mark, cell: Cell, entry: AttackEntry) -> Cell:
    """The cell after the attack, whatever came of it. Raises Cancelled."""
    before: dict[str, Any] = {name: mark.measured.get(name) for name in BEFORE}
    cell = replace(cell, **before)
    attack = experiment.attack(entry)
    adversary = _adversary(experiment, cell, attack)
    if attack.uses_second_theft and adversary.second_theft is None:
        # an error, which the next run tries again, and no attack that cannot be used
        return replace(cell, error="the network of the second owner could not be trained")
    torch.manual_seed(adversary.seed)
    # only an attack that declares it gets the block, so none can use it unnoticed
    gets_block = experiment.grid.opened_block and attack.uses_opened
    opened = first_block(mark.triggers) if gets_block else None
    started, worked = time.monotonic(), time.process_time()
    try:
        marked = mark.to_attack()
        target = Target(
            model=marked.model.to(experiment.device), api=marked.answers(), opened=opened
        )
        result = attack.run(target, adversary)
    except UsageError as error:
        return replace(cell, refused=error.message, seconds=time.monotonic() - started)
    except Cancelled:
        raise
    except Exception as error:
        return replace(cell, error=error_line(error), seconds=time.monotonic() - started)
    seconds = time.monotonic() - started
    try:
        cell = replace(cell, opened_used=opened is not None, seconds=seconds)
        cell = _judged(experiment, mark, mark.judged(marked), cell, result)
        spent = time.process_time() - worked - (cell.relearning_seconds or 0.0)
        return replace(cell, processor_seconds=spent)
    except Cancelled:
        raise
    except Exception as error:
        return replace(cell, error=f"measuring failed: {error_line(error)}", seconds=seconds)


def _adversary(experiment: Experiment, cell: Cell, attack: Attack) -> Adversary:
    """The adversary of a cell, with a second theft if the attack says that it uses one."""
    second = None
    if attack.uses_second_theft:
        digest = experiment.second_theft(cell.architecture, cell.seed)
        second = experiment.cache.model(digest)
    return Adversary(
        data=experiment.shares.adversary(cell.attacker_images),
        seed=ADVERSARY_SEED + cell.seed,
        device=experiment.device,
        unlabeled=experiment.shares.unlabeled,
        scratch_images=experiment.scratch_epochs(cell.attacker_images) * cell.attacker_images,
        second_theft=second,
    )


def _judged(
    experiment: Experiment, mark: Mark, triggers: TriggerSet, cell: Cell, result: AttackResult
) -> Cell:
    """The cell with what is left of accuracy and mark.

    Args:
        experiment: For test images and device.
        mark: For scheme and view.
        triggers: The leaves that a judge asks about.
        cell: As it was before.
        result: Of the attack.
    """
    tested = experiment.shares.owner
    after = accuracy(result.model, tested.test_images, tested.test_labels, experiment.device)
    reading = read_mark(
        mark.committed.scheme,
        result.model,
        triggers,
        mark.committed.view,
        void=result.void,
        opened_used=cell.opened_used,
        relearning=experiment.grid.relearning,
    )
    return replace(
        cell,
        **reading.to_map(),
        accuracy_after=after,
        images=result.images,
        queries=result.queries,
        gradient_images=result.gradient_images,
    )


def error_line(error: BaseException) -> str:
    """An error as a result records it: the message of ours, else with its type."""
    return error.message if isinstance(error, ZkwmError) else f"{type(error).__name__}: {error}"
