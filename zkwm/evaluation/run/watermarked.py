"""The marks of an experiment: committed, trained in or taken from the cache, ready to be attacked.

Not the attacks (``marking``). Vault and commitment are the experiment's own (``experiment_keys``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from zkwm.evaluation.run.measure import accuracy, read_mark, served_accuracy
from zkwm.evaluation.run.throwaway_vault import experiment_commitment, experiment_vault
from zkwm.extraction.reader import JudgeView
from zkwm.triggers import TriggerSet
from zkwm.watermarks.watermark import Marked, Owner
from zkwm_protocols.errors import UsageError

if TYPE_CHECKING:
    from zkwm.evaluation.plan.experiment import Experiment
    from zkwm.evaluation.plan.grid import WatermarkEntry
    from zkwm.watermarks.watermark import Watermark
    from zkwm_protocols.commitment import Commitment


@dataclass(frozen=True)
class CommittedMark:
    """A scheme with its owner's commitment, marked or not."""

    scheme: Watermark
    owner: Owner
    commitment: Commitment
    view: JudgeView

    def embedded(self) -> Marked:
        """The mark put in, the same each time."""
        torch.manual_seed(self.owner.settings.seed)
        return self.scheme.embed(self.owner, self.commitment)

    def triggers(self) -> TriggerSet:
        """The committed leaves with their labels (costs one Argon2id hash)."""
        return self.scheme.trigger_set(self.owner, self.commitment)


@dataclass(frozen=True)
class Mark:
    """A marked model and all that is needed to attack it and to judge what is left."""

    committed: CommittedMark
    marked: Marked
    triggers: TriggerSet
    measured: dict[str, Any]

    def to_attack(self) -> Marked:
        """What an adversary meets: where an API may remember questions, a new one each time."""
        return self.marked if self.marked.api is None else self.committed.embedded()

    def judged(self, marked: Marked) -> TriggerSet:
        """What a judge is shown after an attack on ``marked``: a log, where an API keeps one."""
        logged = None if marked.api is None else self.committed.scheme.logged(marked)
        return self.triggers if logged is None else logged


def open_commitment(experiment: Experiment, entry: WatermarkEntry, seed: int) -> CommittedMark:
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
    return CommittedMark(
        scheme, owner, commitment, JudgeView(reference=start, probes=shares.probes)
    )


def open_mark(experiment: Experiment, entry: WatermarkEntry, seed: int) -> Mark:
    """A marked model, from the cache or trained now. Raises as ``open_commitment``."""
    cache, digest = experiment.cache, experiment.mark(entry, seed)
    committed = open_commitment(experiment, entry, seed)
    scheme, view = committed.scheme, committed.view
    measured, model = cache.result(digest), cache.model(digest)
    if measured is None or measured.get("error") or measured["has_api"] or model is None:
        marked = committed.embedded()
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
    return Mark(committed, marked, triggers, measured)


def _measured(
    experiment: Experiment,
    scheme: Watermark,
    marked: Marked,
    triggers: TriggerSet,
    view: JudgeView,
) -> dict[str, Any]:
    tested = experiment.shares.owner
    before = accuracy(marked.model, tested.test_images, tested.test_labels, experiment.device)
    served = None
    if marked.api is not None:
        served = served_accuracy(
            marked.api, tested.test_images, tested.test_labels, experiment.device
        )
    return {
        "accuracy_before": before,
        "served_accuracy": served,
        "matches_before": read_mark(scheme, marked.model, triggers, view).matches,
        "has_api": marked.api is not None,
        "embed_seconds": marked.seconds,
        "trials": len(triggers.labels),
        "class_count": triggers.class_count,
    }


def first_block(triggers: TriggerSet) -> TriggerSet:
    """The block that an owner has opened earlier."""
    size = triggers.block_size
    return replace(triggers, images=triggers.images[:size], labels=triggers.labels[:size])
