"""One mark under all attacks: commit, train it in, attack it, measure each time.

A mark and its attacks are one task, since a scheme may answer through an API that lives in this
process. Each cell is in the cache as soon as it is measured; a marked model without an API is taken
from the cache. Vault and commitment of the mark are the experiment's own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch

from zkwm.attacks.attack import Attacked, Attacker, Target
from zkwm.evaluation.cache import package_versions
from zkwm.evaluation.cell import Cell
from zkwm.evaluation.experiment_keys import experiment_commitment, experiment_vault
from zkwm.evaluation.measuring import accuracy, find
from zkwm.triggers import TriggerSet
from zkwm.watermarks.watermark import JudgeView, Marked, Owner
from zkwm_protocols.errors import Cancelled, UsageError, ZkwmError

if TYPE_CHECKING:
    from zkwm.evaluation.experiment import Experiment
    from zkwm.evaluation.grid import AttackEntry, WatermarkEntry
    from zkwm.watermarks.watermark import Watermark
    from zkwm_protocols.commitment import Commitment

ATTACKER_SEED = 50_000


@dataclass(frozen=True)
class Mark:
    """A marked model and all that is needed to attack it and to judge what is left."""

    scheme: Watermark
    marked: Marked
    triggers: TriggerSet
    view: JudgeView
    measured: dict[str, Any]


def measure_mark(
    experiment: Experiment,
    entry: WatermarkEntry,
    seed: int,
    report: Callable[[str], None] = lambda _: None,
) -> None:
    """Measure every cell of a mark that the cache does not have.

    What fails is recorded as an error in its cell, and the others go on. Raises Cancelled.
    """
    cache, grid = experiment.cache, experiment.grid
    missing = [a for a in grid.attacks if not cache.has(experiment.cell(entry, a, seed))]
    if not missing and cache.has(experiment.mark(entry, seed)):
        return
    try:
        mark = open_mark(experiment, entry, seed)
    except Cancelled:
        raise
    except Exception as error:
        message = f"the mark could not be put in: {told(error)}"
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


@dataclass(frozen=True)
class Committed:
    """A scheme with its owner's commitment, marked or not."""

    scheme: Watermark
    owner: Owner
    commitment: Commitment
    view: JudgeView

    def triggers(self) -> TriggerSet:
        """The committed leaves with their labels (costs one Argon2id hash)."""
        return self.scheme.trigger_set(self.owner, self.commitment)


def open_committed(experiment: Experiment, entry: WatermarkEntry, seed: int) -> Committed:
    """The commitment of a mark, made where there is none. Raises what the scheme raises.

    UsageError where the unmarked model of this seed could not be trained.
    """
    cache, shares, grid = experiment.cache, experiment.shares, experiment.grid
    architecture = grid.architecture_of(entry)
    start = cache.model(experiment.unmarked(architecture, seed))
    if start is None:
        raise UsageError("the unmarked model of this seed could not be trained")
    scheme = experiment.scheme(entry)
    folder = cache.secrets(experiment.mark(entry, seed))
    owner = Owner(
        vault=experiment_vault(folder),
        data=shares.owner,
        architecture=architecture,
        settings=grid.settings(seed),
        start=start,
    )
    commitment = experiment_commitment(folder, lambda: scheme.commit(owner))
    return Committed(scheme, owner, commitment, JudgeView(reference=start, probes=shares.probes))


def open_mark(experiment: Experiment, entry: WatermarkEntry, seed: int) -> Mark:
    """A marked model, from the cache or trained now. Raises as ``open_committed``."""
    cache, digest = experiment.cache, experiment.mark(entry, seed)
    committed = open_committed(experiment, entry, seed)
    scheme, view = committed.scheme, committed.view
    measured, model = cache.result(digest), cache.model(digest)
    if measured is None or measured.get("error") or measured["has_api"] or model is None:
        torch.manual_seed(seed)
        marked = scheme.embed(committed.owner, committed.commitment)
        measured = None
    else:
        marked = Marked(model=model, seconds=measured["embed_seconds"])
    triggers = committed.triggers()
    if measured is None:
        measured = _measured(experiment, scheme, marked, triggers, view)
        architecture = experiment.grid.architecture_of(entry)
        unmarked = cache.result(experiment.unmarked(architecture, seed)) or {}
        measured["unmarked_accuracy"] = unmarked.get("accuracy")
        cache.put_model(digest, marked.model)
        cache.put(digest, measured)
    return Mark(scheme, marked, triggers, view, measured)


def _measured(
    experiment: Experiment,
    scheme: Watermark,
    marked: Marked,
    triggers: TriggerSet,
    view: JudgeView,
) -> dict[str, Any]:
    tested = experiment.shares.owner
    before = accuracy(marked.model, tested.test_images, tested.test_labels, experiment.device)
    return {
        "accuracy_before": before,
        "matches_before": find(scheme, marked.model, triggers, view).matches,
        "has_api": marked.api is not None,
        "embed_seconds": marked.seconds,
        "trials": len(triggers.labels),
        "class_count": triggers.class_count,
    }


def blank(experiment: Experiment, entry: WatermarkEntry, attack: AttackEntry, seed: int) -> Cell:
    """The cell of an attack before anything was measured."""
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
    """The cell after the attack, whatever came of it."""
    known = {
        name: mark.measured[name]
        for name in ("accuracy_before", "matches_before", "embed_seconds", "unmarked_accuracy")
    }
    cell = replace(cell, **known)
    attacker = Attacker(
        data=experiment.shares.attacker(cell.attacker_images),
        seed=ATTACKER_SEED + cell.seed,
        training_rate=experiment.grid.settings(cell.seed).learning_rate,
        device=experiment.device,
    )
    target = WatchedTarget(
        model=mark.marked.model.cpu(),
        api=mark.marked.answers(),
        opened=first_block(mark.triggers) if experiment.grid.opened_block else None,
    )
    torch.manual_seed(attacker.seed)
    started = time.monotonic()
    try:
        attacked = experiment.attack(entry).run(target, attacker)
    except UsageError as error:
        return replace(cell, refused=error.message, seconds=time.monotonic() - started)
    except Cancelled:
        raise
    except Exception as error:
        return replace(cell, error=told(error), seconds=time.monotonic() - started)
    seconds = time.monotonic() - started
    try:
        return _judged(experiment, mark, cell, attacked, seconds, target.looked)
    except Cancelled:
        raise
    except Exception as error:
        return replace(cell, error=f"measuring failed: {told(error)}", seconds=seconds)


def _judged(
    experiment: Experiment, mark: Mark, cell: Cell, attacked: Attacked, seconds: float, looked: bool
) -> Cell:
    tested = experiment.shares.owner
    after = accuracy(attacked.model, tested.test_images, tested.test_labels, experiment.device)
    found = find(
        mark.scheme,
        attacked.model,
        mark.triggers,
        mark.view,
        void=attacked.void,
        opened_used=looked,
    )
    return replace(
        cell,
        **found.to_map(),
        accuracy_after=after,
        opened_used=looked,
        images=attacked.images,
        queries=attacked.queries,
        gradient_images=attacked.gradient_images,
        seconds=seconds,
    )


@dataclass(frozen=True)
class WatchedTarget(Target):
    """A target that notices whether an attack looks at the opened block."""

    looks: list[bool] = field(default_factory=list)

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401
        value = super().__getattribute__(name)
        if name == "opened" and value is not None:
            self.looks.append(True)
        return value

    @property
    def looked(self) -> bool:
        """Whether the opened block was read."""
        return bool(self.looks)


def first_block(triggers: TriggerSet) -> TriggerSet:
    """The block that an owner has opened earlier."""
    size = triggers.block_size
    return replace(triggers, images=triggers.images[:size], labels=triggers.labels[:size])


def told(error: BaseException) -> str:
    """An error in one line, for a result."""
    return error.message if isinstance(error, ZkwmError) else f"{type(error).__name__}: {error}"
