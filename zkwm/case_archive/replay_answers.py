"""Ask the suspect of an opening again, and compare its answers with a verdict's (SPEC.md 20.4).

Not every difference is a judge's lie: where an answer is missing, a machine may have been slow, and
others may be decided by rounding.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from zkwm.case_archive.documents import CaseDocuments
from zkwm.case_archive.other_rounding import Askings, NoOtherRoundingError, Replaying
from zkwm.case_archive.rounded_answers import ANOTHER_MACHINE, Results, RoundedAnswers
from zkwm.case_archive.steps import ReplayState, ReplayStep
from zkwm.judge.case import OpeningCase
from zkwm.judge.check_opening import could_decide
from zkwm.judge.counted import impossible_points
from zkwm.judge.ledger import JudgeLedger
from zkwm.judge.query import Asking, question
from zkwm.judge.results import TriggerResult, TriggerStatus
from zkwm.suspects import Progress, Suspect
from zkwm.suspects.suspect import OF_THE_MACHINE
from zkwm_protocols.errors import SuspectUnusable, ZkwmError
from zkwm_protocols.evidence import Evidence
from zkwm_protocols.opened_words import opened_words
from zkwm_protocols.opening import CheckedTrigger, LeafStatus
from zkwm_protocols.ranks import Statistic
from zkwm_protocols.suspect_identity import Preprocessing, SuspectKind

_NEAR = 2
"""How far points may differ from a verdict's."""
_LOOSE = {Statistic.SCORES: "points", Statistic.RELEARNING: "ranks"}
"""What may differ a little from machine to machine."""


_NAME = "answers"
_MORE_TIME = "give it more time for an answer (`image_seconds`), or ask on a faster machine"


def repeat_answers(
    documents: CaseDocuments,
    case: OpeningCase,
    triggers: tuple[CheckedTrigger, ...],
    location: str,
    replaying: Replaying,
) -> ReplayStep:
    """The step "answers": the suspect, asked every trigger that the verdict has an answer to."""
    stated = () if documents.verdict is None else documents.verdict.triggers
    if weigh_stated(case, stated) is None:
        words = "the verdict lists answers that no suspect gives"
        return ReplayStep(_NAME, ReplayState.DIFFERS, words)
    lacking, opened = _without_answer(stated), opened_words(case.challenge.suspect.kind)
    if could_decide(case, stated):
        words = f"the verdict has no answer to {len(lacking)} {opened}, which could decide"
        return ReplayStep(_NAME, ReplayState.NOT_REPEATED, words)
    statistic, kind = case.challenge.statistic, case.challenge.suspect.kind
    together = statistic.reads_scores or kind == SuspectKind.EXTRACTION
    askings = Askings(documents, location, replaying)
    same = partial(_same, near=int(statistic == Statistic.RELEARNING))
    try:
        unasked = frozenset[int]() if together else lacking
        here = askings.first(partial(_answers, case, triggers, stated, unasked))
        answers = RoundedAnswers(case, stated, here, same, open=_unanswered_here(here, stated))
        alone = len(answers.open) + len(lacking - _without_answer(here))
        if together and alone:
            words = f"{alone} {opened} have an answer in the verdict alone, or here alone, and all "
            words += "answers rest on each other"
            return ReplayStep(_NAME, ReplayState.NOT_REPEATED, words, _MORE_TIME)
        if words := _otherwise(answers):
            return _within_rounding(askings, triggers, answers, words)
    except ZkwmError as error:
        return ReplayStep(_NAME, ReplayState.NOT_REPEATED, error.message, error.hint)
    return _as_stated(answers, lacking)


def _as_stated(answers: RoundedAnswers, lacking: frozenset[int]) -> ReplayStep:
    """The step where each answer is the verdict's, but for those that are missing."""
    here, case = answers.here, answers.case
    matches = sum(ours.status == TriggerStatus.MATCH for ours in here)
    ours, theirs = (_weigh(case, results) for results in (here, answers.stated))
    compared = len(here) - len(lacking) - len(answers.open)
    words = f"asked again, {matches} of {compared} match, each as the verdict says"
    if lacking:
        words += f"; {len(lacking)} have no answer in the verdict, and cannot decide"
    if answers.open:
        words += f"; {_unanswered_words(answers)}"
        if ours.reached != theirs.reached or could_decide(case, here):
            words += ", and could decide"
            return ReplayStep(_NAME, ReplayState.NOT_REPEATED, words, _MORE_TIME)
        words += ", and cannot decide"
    elif ours != theirs:
        name = _LOOSE[case.challenge.statistic]
        words += f"; the {name} found here leave {ours.total_bits:.2f} bits"
    return ReplayStep(_NAME, ReplayState.REPEATED, words)


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


def _weigh(case: OpeningCase, results: Results) -> Evidence:
    """What answers are worth."""
    return case.weigh(sum(one.status == TriggerStatus.MATCH for one in results), tuple(results))


def _answers(
    case: OpeningCase,
    triggers: tuple[CheckedTrigger, ...],
    known: Results,
    unasked: frozenset[int],
    suspect: Suspect,
    preprocessing: Preprocessing,
    progress: Progress,
) -> Results:
    """What the suspect answers; the places ``unasked`` are not asked, and stay as ``known``.

    Raises what asking it raises.
    """
    challenge = replace(case.challenge, preprocessing=preprocessing)
    suspect.check_preprocessing(preprocessing)
    asked = list(triggers)
    for place in unasked:
        asked[place] = replace(asked[place], status=LeafStatus.MISSING, pixels=None, label=None)
    asking = Asking(JudgeLedger(), lambda _: bytes(32), progress=progress, compare_rates=False)
    found = question(suspect, challenge, tuple(asked), asking)[0]
    return [known[place] if place in unasked else one for place, one in enumerate(found)]


def _other_answers(
    answers: RoundedAnswers,
    triggers: tuple[CheckedTrigger, ...],
    suspect: Suspect,
    preprocessing: Preprocessing,
    progress: Progress,
) -> Results:
    """What the suspect answers with other rounding.

    Raises SuspectUnusable (``suspect.answers``) where this machine gets no answer to a trigger that
    it had one to before.
    """
    unasked = answers.open | (_without_answer(answers.here) & _without_answer(answers.stated))
    found = _answers(
        answers.case, triggers, answers.here, unasked, suspect, preprocessing, progress
    )
    if missing := _unanswered_here(found, answers.here):
        opened = opened_words(answers.case.challenge.suspect.kind)
        raise SuspectUnusable(
            f"then {len(missing)} {opened} get no answer ({found[min(missing)].problem})",
            hint=_MORE_TIME,
            check="suspect.answers",
        )
    return found


def _without_answer(results: Results) -> frozenset[int]:
    """The places of triggers that have no answer."""
    return frozenset(
        place for place, one in enumerate(results) if one.status == TriggerStatus.NO_ANSWER
    )


def _unanswered_here(here: Results, others: Results) -> frozenset[int]:
    """The places that others have an answer to, and this machine none for want of time or memory.

    An answer that is no number, or another class, is one: rounding or a judge decided it.
    """
    return frozenset(
        place
        for place, (ours, theirs) in enumerate(zip(here, others, strict=True))
        if ours.status == TriggerStatus.NO_ANSWER != theirs.status
        and ours.problem in OF_THE_MACHINE
    )


def _unanswered_words(answers: RoundedAnswers) -> str:
    """How many triggers have no answer here, and why."""
    problem = answers.here[min(answers.open)].problem
    return f"{len(answers.open)} have no answer here ({problem})"


def _otherwise(answers: RoundedAnswers) -> str:
    """How the answers differ from the verdict's, in words; empty where they do not."""
    here, stated, case = answers.here, answers.stated, answers.case
    different = [
        ours.index
        for place, (ours, theirs) in enumerate(zip(here, stated, strict=True))
        if place not in answers.open and not answers.same(ours, theirs)
    ]
    if different:
        numbers = ", ".join(map(str, different[:10]))
        opened = opened_words(case.challenge.suspect.kind)
        return f"the model answers {len(different)} {opened} otherwise here ({numbers})"
    ours, theirs = (_weigh(case, results) for results in (here, stated))
    if ours.reached == theirs.reached or answers.open:
        return ""
    # Many small changes are much evidence: those of points that the verdict has made up.
    name = _LOOSE[case.challenge.statistic]
    return f"the {name} found here leave {ours.total_bits:.2f} bits, and decide otherwise"


def _within_rounding(
    askings: Askings, triggers: tuple[CheckedTrigger, ...], answers: RoundedAnswers, words: str
) -> ReplayStep:
    """The step where answers differ: they do, unless rounding decides them."""
    try:
        rounded = askings.others(partial(_other_answers, answers, triggers))
    except NoOtherRoundingError:
        words += "; whether rounding decides them cannot be tried with such a suspect"
        return ReplayStep(_NAME, ReplayState.DIFFERS, words)
    except ZkwmError as error:
        words += f"; whether rounding decides them is not known: {error.message}"
        return ReplayStep(_NAME, ReplayState.NOT_REPEATED, words, error.hint or ANOTHER_MACHINE)
    return askings.weighed(replace(answers, rounded=rounded).step(words))
