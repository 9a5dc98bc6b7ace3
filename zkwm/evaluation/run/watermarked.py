"""The marks of an experiment: commit, embed or load from the cache, ready to be attacked.

``attack_mark`` attacks them. Vault and commitment are throwaway ones (``throwaway_vault``).
"""

from __future__ import annotations

import time
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
    """A scheme with its owner's commitment, embedded or not.

    Args:
        scheme: The watermark.
        owner: Vault, data, training and unmarked model.
        commitment: Of the owner.
        view: What the judge has: the unmarked model as reference, and the probes.
    """

    scheme: Watermark
    owner: Owner
    commitment: Commitment
    view: JudgeView

    def embedded(self) -> Marked:
        """Embed the mark; the same result each time."""
        torch.manual_seed(self.owner.settings.seed)
        return self.scheme.embed(self.owner, self.commitment)

    def triggers(self) -> TriggerSet:
        """The committed leaves with their labels (costs one Argon2id hash)."""
        return self.scheme.trigger_set(self.owner, self.commitment)


@dataclass(frozen=True)
class Mark:
    """A marked model, with everything needed to attack and to judge it.

    Args:
        committed: Its scheme and commitment.
        marked: The marked model, and its service where the mark is in the answers.
        triggers: The committed leaves with their labels.
        measured: What the cache keeps of it before any attack.
    """

    committed: CommittedMark
    marked: Marked
    triggers: TriggerSet
    measured: dict[str, Any]

    def to_attack(self) -> Marked:
        """The marked model for one attack; a service that remembers queries is a new one."""
        return self.marked if self.marked.api is None else self.committed.embedded()

    def judged(self, marked: Marked) -> TriggerSet:
        """The leaves that a judge asks about: a service's log after an attack, if it keeps one."""
        logged = None if marked.api is None else self.committed.scheme.logged(marked)
        return self.triggers if logged is None else logged


def open_commitment(experiment: Experiment, entry: WatermarkEntry, seed: int) -> CommittedMark:
    """The commitment of a mark, made where there is none.

    Raises:
        UsageError: The unmarked model of this seed could not be trained, or the scheme cannot be
            used on it.
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
    view = JudgeView(reference=start, probes=shares.probes)
    return CommittedMark(scheme, owner, commitment, view)


def open_mark(experiment: Experiment, entry: WatermarkEntry, seed: int) -> Mark:
    """A marked model, from the cache or embedded now. Raises as ``open_commitment``."""
    cache, digest = experiment.cache, experiment.mark(entry, seed)
    trained = 0.0
    committed = open_commitment(experiment, entry, seed)
    measured, model = cache.result(digest), cache.model(digest)
    # a service lives in this process, so a mark with one cannot be loaded
    if measured is None or measured.get("error") or measured["has_api"] or model is None:
        before = time.process_time()
        marked = committed.embedded()
        trained = time.process_time() - before
        measured = None
    else:
        marked = Marked(model=model, seconds=measured["embed_seconds"])
    triggers = committed.triggers()
    if measured is None:
        measured = _measure(experiment, committed, marked, triggers)
        architecture = experiment.grid.architecture_of(entry)
        unmarked = cache.result(experiment.unmarked(architecture, seed)) or {}
        measured["unmarked_accuracy"] = unmarked.get("accuracy")
        measured["unmarked_seconds"] = unmarked.get("seconds")
        measured["unmarked_processor_seconds"] = unmarked.get("processor_seconds")
        measured["embed_processor_seconds"] = trained
        cache.put_model(digest, marked.model)
        cache.put(digest, measured)
    return Mark(committed, marked, triggers, measured)


def _measure(
    experiment: Experiment, committed: CommittedMark, marked: Marked, triggers: TriggerSet
) -> dict[str, Any]:
    """Measure a marked model before any attack, as the cache keeps it."""
    tested = experiment.shares.owner
    before = accuracy(marked.model, tested.test_images, tested.test_labels, experiment.device)
    served = None
    if marked.api is not None:
        served = served_accuracy(
            marked.api, tested.test_images, tested.test_labels, experiment.device
        )
    reading = read_mark(committed.scheme, marked.model, triggers, committed.view)
    return {
        "accuracy_before": before,
        "served_accuracy": served,
        "matches_before": reading.matches,
        "has_api": marked.api is not None,
        "embed_seconds": marked.seconds,
        "exposures": marked.exposures,
        "trials": len(triggers.labels),
        "class_count": triggers.class_count,
    }


def first_block(triggers: TriggerSet) -> TriggerSet:
    """The block that an owner has opened in an earlier case."""
    size = triggers.block_size
    return replace(triggers, images=triggers.images[:size], labels=triggers.labels[:size])
