"""Repeat what an opening rests on: leaves, the suspect's answers, matches (SPEC.md 20.4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from hashlib import sha256

import numpy as np

from zkwm.case_archive.asked_again import suspect_again
from zkwm.case_archive.documents import CaseDocuments, in_files
from zkwm.case_archive.other_rounding import (
    Results,
    RoundedAnswers,
    Same,
    ask_here,
    rounded_cases,
)
from zkwm.case_archive.steps import ReplayState, ReplayStep
from zkwm.judge.case import OpeningCase
from zkwm.judge.counted import impossible_points
from zkwm.judge.results import TriggerResult, TriggerStatus
from zkwm.suspects import Suspect
from zkwm_protocols.errors import ZkwmError
from zkwm_protocols.evidence import Evidence
from zkwm_protocols.opening import CheckedTrigger, LeafStatus, OpenedBlock, check_leaves
from zkwm_protocols.ranks import Statistic

_LEAVES = {
    LeafStatus.WRONG: {TriggerStatus.WRONG_LEAF},
    LeafStatus.MISSING: {TriggerStatus.MISSING_LEAF},
    LeafStatus.VALID: {TriggerStatus.MATCH, TriggerStatus.NO_MATCH, TriggerStatus.NO_ANSWER},
}
_NEAR = 2
"""How far points may differ from a verdict's."""
_LOOSE = {Statistic.SCORES: "points", Statistic.RELEARNING: "ranks"}
"""What may differ a little from machine to machine."""


def repeat_triggers(
    documents: CaseDocuments,
    case: OpeningCase,
    opened: tuple[OpenedBlock, ...],
    location: str | None,
) -> Iterator[ReplayStep]:
    """The steps "leaves" and "answers", compared with the verdict trigger by trigger.

    Args:
        documents: has the commitment and the verdict.
        case: what was answered, and what weighs the answers.
        opened: the triggers, as the judge unsealed them.
        location: of the suspect's file; None where it is not in the archive.
    """
    stated = () if documents.verdict is None else documents.verdict.triggers
    triggers = check_leaves(documents.commitment, opened)
    if different := _leaves_differ(triggers, stated):
        yield ReplayStep("leaves", ReplayState.DIFFERS, different)
        return
    valid = sum(trigger.status == LeafStatus.VALID for trigger in triggers)
    words = f"{valid} of {len(triggers)} opened triggers are the committed ones, with their labels"
    yield ReplayStep("leaves", ReplayState.REPEATED, words)
    if not in_files(case.challenge.suspect.kind):
        yield _recorded(documents, triggers)
    elif location is None:
        yield ReplayStep("answers", ReplayState.NOT_REPEATED, "the model is not in the archive")
    else:
        yield _asked(documents, case, triggers, location)


def weigh_stated(case: OpeningCase, stated: Results) -> Evidence | None:
    """What answers that a verdict lists are worth; None where no suspect gives such answers.

    A verdict without evidence was never recounted (SPEC.md 10.4).
    """
    matches = sum(one.status == TriggerStatus.MATCH for one in stated)
    count = case.commitment.header.class_count
    impossible = impossible_points(stated, case.challenge.statistic, count)
    if impossible or any(one.rank is not None and one.rank >= count for one in stated):
        return None
    try:
        return case.weigh(matches, stated)
    except (ZkwmError, ValueError, TypeError, IndexError):
        return None


def _same(ours: TriggerResult, theirs: TriggerResult, *, near: int) -> bool:
    """Whether two answers are the same.

    Points may differ by 2, and ranks by ``near``: scores of two machines differ in their last bits,
    and two classes whose scores nearly agree change places.
    """
    known = [
        (one.status, one.answer, one.expected_output, one.rank is None, one.points is None)
        for one in (ours, theirs)
    ]
    if ours.rank is not None and theirs.rank is not None and abs(ours.rank - theirs.rank) > near:
        return False
    if known[0] != known[1] or ours.points is None or theirs.points is None:
        return known[0] == known[1]
    return len(ours.points) == len(theirs.points) and all(
        abs(one - other) <= _NEAR for one, other in zip(ours.points, theirs.points, strict=True)
    )


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


def _asked(
    documents: CaseDocuments,
    case: OpeningCase,
    triggers: tuple[CheckedTrigger, ...],
    location: str,
) -> ReplayStep:
    """The suspect, asked every trigger again."""
    stated = () if documents.verdict is None else documents.verdict.triggers
    statistic = case.challenge.statistic
    if weigh_stated(case, stated) is None:
        words = "the verdict lists answers that no suspect gives"
        return ReplayStep("answers", ReplayState.DIFFERS, words)
    same = partial(_same, near=int(statistic == Statistic.RELEARNING))
    try:
        with suspect_again(documents, location) as suspect:
            here = ask_here(suspect, case, triggers)
            if words := _otherwise(case, here, stated, same):
                return _within_rounding(
                    suspect, triggers, RoundedAnswers(case, stated, here, same), words
                )
    except ZkwmError as error:
        return ReplayStep("answers", ReplayState.NOT_REPEATED, error.message)
    matches = sum(ours.status == TriggerStatus.MATCH for ours in here)
    ours, theirs = (case.weigh(matches, triggers) for triggers in (here, stated))
    left = ""
    if ours != theirs:
        left = f"; the {_LOOSE[statistic]} found here leave {ours.total_bits:.2f} bits"
    words = f"asked again, {matches} of {len(here)} match, each as the verdict says{left}"
    return ReplayStep("answers", ReplayState.REPEATED, words)


def _otherwise(case: OpeningCase, here: Results, stated: Results, same: Same) -> str:
    """How the answers differ from the verdict's, in words; empty where they do not."""
    pairs = list(zip(here, stated, strict=True))
    different = [ours.index for ours, theirs in pairs if not same(ours, theirs)]
    if different:
        numbers = ", ".join(map(str, different[:10]))
        return f"the model answers {len(different)} triggers otherwise here ({numbers})"
    matches = sum(ours.status == TriggerStatus.MATCH for ours in here)
    ours, theirs = (case.weigh(matches, triggers) for triggers in (here, stated))
    if ours.reached == theirs.reached:
        return ""
    # Many small changes are much evidence: those of points that the verdict has made up.
    name = _LOOSE[case.challenge.statistic]
    return f"the {name} found here leave {ours.total_bits:.2f} bits, and decide otherwise"


def _within_rounding(
    suspect: Suspect, triggers: tuple[CheckedTrigger, ...], answers: RoundedAnswers, words: str
) -> ReplayStep:
    """The step where answers differ: they do, unless the last bits of pixels decide them."""
    try:
        cases = rounded_cases(suspect, answers.case)
    except ZkwmError:
        words += "; whether rounding decides them cannot be tried with such an input"
        return ReplayStep("answers", ReplayState.DIFFERS, words)
    try:
        rounded = [ask_here(suspect, one, triggers) for one in cases]
    except ZkwmError as error:
        words += f"; whether rounding decides them is not known: {error.message}"
        return ReplayStep("answers", ReplayState.NOT_REPEATED, words)
    return replace(answers, rounded=rounded).step(words)


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
