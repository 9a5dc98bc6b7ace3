"""Repeat what an opening rests on: leaves, and an endpoint's record (SPEC.md 20.4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256

import numpy as np

from zkwm.case_archive.documents import CaseDocuments, in_files
from zkwm.case_archive.other_rounding import Replaying
from zkwm.case_archive.replay_answers import repeat_answers
from zkwm.case_archive.steps import ReplayState, ReplayStep
from zkwm.judge.case import OpeningCase
from zkwm.judge.results import TriggerResult, TriggerStatus
from zkwm_protocols.opened_words import opened_words
from zkwm_protocols.opening import CheckedTrigger, LeafStatus, OpenedBlock, check_leaves

_LEAVES = {
    LeafStatus.WRONG: {TriggerStatus.WRONG_LEAF},
    LeafStatus.MISSING: {TriggerStatus.MISSING_LEAF},
    LeafStatus.VALID: {TriggerStatus.MATCH, TriggerStatus.NO_MATCH, TriggerStatus.NO_ANSWER},
}


def repeat_triggers(
    documents: CaseDocuments,
    case: OpeningCase,
    opened: tuple[OpenedBlock, ...],
    location: str | None,
    replaying: Replaying,
) -> Iterator[ReplayStep]:
    """The steps "leaves" and "answers", compared with the verdict trigger by trigger.

    Args:
        documents: has the commitment and the verdict.
        case: what was answered, and what weighs the answers.
        opened: the triggers, as the judge unsealed them.
        location: of the suspect's file; None where it is not in the archive.
        replaying: how it is asked.
    """
    stated = () if documents.verdict is None else documents.verdict.triggers
    triggers = check_leaves(documents.commitment, opened)
    if different := _leaves_differ(triggers, stated):
        yield ReplayStep("leaves", ReplayState.DIFFERS, different)
        return
    valid = sum(trigger.status == LeafStatus.VALID for trigger in triggers)
    opened_as = opened_words(case.challenge.suspect.kind)
    words = (
        f"{valid} of {len(triggers)} opened {opened_as} are the committed ones, with their labels"
    )
    yield ReplayStep("leaves", ReplayState.REPEATED, words)
    if not in_files(case.challenge.suspect.kind):
        yield _recorded(documents, triggers)
    elif location is None:
        yield ReplayStep("answers", ReplayState.NOT_REPEATED, "the model is not in the archive")
    else:
        yield repeat_answers(documents, case, triggers, location, replaying)


def _leaves_differ(triggers: Sequence[CheckedTrigger], stated: Sequence[TriggerResult]) -> str:
    """How the leaves differ from the verdict's, in words; empty where they do not."""
    if [one.index for one in triggers] != [one.index for one in stated]:
        return "the archive has other triggers than the verdict lists"
    for ours, theirs in zip(triggers, stated, strict=True):
        if theirs.status not in _LEAVES[ours.status]:
            return f"trigger {ours.index} is {ours.status}, and the verdict says {theirs.status}"
        if ours.label != theirs.label:
            return f"trigger {ours.index} has the label {ours.label}, not {theirs.label}"
    return ""


def _recorded(documents: CaseDocuments, triggers: Sequence[CheckedTrigger]) -> ReplayStep:
    """The answers of an endpoint, by the verdict's record of what was sent."""
    verdict = documents.verdict
    if verdict is None:
        return ReplayStep("answers", ReplayState.NOT_REPEATED, "there is no record of the answers")
    record = {entry["image"]: entry["output"] for entry in verdict.suspect_record}
    for ours, theirs in zip(triggers, verdict.triggers, strict=True):
        if ours.pixels is None:
            continue
        image = sha256(np.ascontiguousarray(ours.pixels).tobytes()).hexdigest()
        if image in record and record[image] != theirs.answer:
            words = f"the verdict's record has another answer to trigger {ours.index}"
            return ReplayStep("answers", ReplayState.DIFFERS, words)
    words = (
        "the suspect is no file, and cannot be asked again: its answers are those of the judge's "
        "record, which fits the opened triggers"
    )
    return ReplayStep("answers", ReplayState.NOT_REPEATED, words)
