"""The checks of a selective opening: unseal, check every leaf, ask the suspect, count matches.

SPEC.md sections 6.3, 7 and 9.2. ``zkwm.judge.case`` has the checks that both ways share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from zkwm.judge.case import (
    Findings,
    OpeningCase,
    Request,
    pinned_suspect,
    record_labels,
    require_labels,
)
from zkwm.judge.checks import Checks
from zkwm.judge.counted import at_best
from zkwm.judge.date_demands import require_older
from zkwm.judge.head_start import await_label_seed
from zkwm.judge.key_file import JudgeKey
from zkwm.judge.ledger import JudgeLedger
from zkwm.judge.query import Asking, question
from zkwm.judge.results import Asked, CheckStatus, TriggerResult, TriggerStatus
from zkwm.suspects import Suspect
from zkwm_protocols.errors import InvalidOpening, NotProven, SuspectUnusable
from zkwm_protocols.evidence import Evidence
from zkwm_protocols.opened_words import opened_words
from zkwm_protocols.opening import (
    CheckedTrigger,
    LeafStatus,
    OpenedBlock,
    check_leaves,
    open_sealed,
)
from zkwm_protocols.suspect_identity import Preprocessing, SuspectKind


def examine_opening(
    checks: Checks,
    case: OpeningCase,
    request: Request,
    findings: Findings,
    key: JudgeKey,
    ledger: JudgeLedger,
) -> Iterator[Findings]:
    """The checks from ``opening.sealed`` to ``evidence.threshold``; yields what each step finds.

    Args:
        checks: records the result of each check.
        case: the files, which fit each other.
        request: has the suspect and the judge's natural images.
        findings: what is known before.
        key: the judge's, to which the openings are sealed, and from which decoys follow.
        ledger: the judge's, which keeps what was opened, and the suspect's first answers.

    Raises:
        NotProven: all is valid, and the evidence stays under the threshold.
        CouldNotCheck: everything else that fails.
    """
    with checks.group("opening.sealed", "opening.format"):
        blocks = open_sealed(case.commitment, case.challenge, case.response, key.box)
    challenge = case.challenge
    ledger.record_opening(challenge, case.response.blocks)
    triggers = _check_leaves(checks, case, blocks)
    record_labels(checks, "opening.labels", case)
    with pinned_suspect(checks, case, request) as suspect:
        findings = replace(findings, suspect_files=suspect.files)
        yield findings
        asking = Asking(
            ledger,
            lambda before: key.decoy_key(challenge.digest, before),
            request.decoys,
            request.progress,
        )
        with checks.group("suspect.answers"):
            results, asked = question(suspect, challenge, triggers, asking)
            case = _counted(case, asked, ledger)
            findings = replace(
                findings,
                triggers=results,
                suspect_record=_record_of(suspect, challenge.preprocessing),
                asked=asked,
                functions_tried=case.functions_tried,
            )
            yield findings
            matches = sum(result.status == TriggerStatus.MATCH for result in results)
            evidence = case.weigh(matches, results)
            summary = case.summary(evidence)
            yield replace(findings, evidence=evidence, summary=summary)
            answered = _require_answers(case, results, evidence)
        checks.set("suspect.answers", CheckStatus.PASSED, answered)
    require_labels(checks, "opening.labels", case, evidence)
    with checks.group("evidence.threshold"):
        if not evidence.reached:
            raise NotProven(summary, check="evidence.threshold")
    checks.set("evidence.threshold", CheckStatus.PASSED, summary)
    require_older(checks, challenge, findings.dating, summary)


def _check_leaves(
    checks: Checks, case: OpeningCase, blocks: tuple[OpenedBlock, ...]
) -> tuple[CheckedTrigger, ...]:
    """Check ``opening.leaves``: a bad leaf is a miss, or fatal where answers depend on others."""
    kind = case.challenge.suspect.kind
    extracted = kind == SuspectKind.EXTRACTION
    with checks.group("opening.leaves"):
        await_label_seed(case.commitment)
        triggers = check_leaves(case.commitment, blocks)
        bad = sum(trigger.status != LeafStatus.VALID for trigger in triggers)
        if bad and (extracted or case.challenge.statistic.reads_scores):
            counted = f"{case.challenge.statistic} are counted"
            raise InvalidOpening(
                f"{bad} of {len(triggers)} {opened_words(kind)} are missing or wrong, and all are "
                f"needed where {'a mark is extracted' if extracted else counted}",
                hint="an owner who knows the labels could change the answers to some of them by "
                "leaving out others",
                check="opening.leaves",
            )
    checks.set(
        "opening.leaves",
        CheckStatus.FAILED if bad else CheckStatus.PASSED,
        f"{bad} of {len(triggers)} missing or wrong, each counted as a miss"
        if bad
        else f"{len(triggers)} of {len(triggers)}",
    )
    return triggers


def _counted(case: OpeningCase, asked: Asked, ledger: JudgeLedger) -> OpeningCase:
    """The case with j as it stands after the suspect was asked.

    Where scores are read, answers that came later move medians, and with them every rank and all
    points: each repetition that asked is another function (SPEC.md 8.4). Matches only grow towards
    what all first answers together would give, so that a repetition gains nothing there.
    """
    if not case.challenge.statistic.reads_scores or not asked.earlier:
        return case
    number = ledger.count_function(case.challenge, asked.earlier)
    return replace(case, functions_tried=max(case.functions_tried, number))


def _require_answers(
    case: OpeningCase, results: tuple[TriggerResult, ...], evidence: Evidence
) -> str:
    """How many triggers were answered, in words.

    Raises SuspectUnusable (``suspect.answers``) where missing answers could change the verdict.
    """
    unanswered = [result for result in results if result.status == TriggerStatus.NO_ANSWER]
    if could_decide(case, results, evidence):
        ranks, points = evidence.rank_sum, evidence.score_sum
        state = f"{evidence.matches} match, {evidence.needed_matches} are needed"
        if ranks is not None:
            state = f"ranks weigh {ranks.value}, {ranks.needed} is needed"
        if points is not None:
            state = f"labels have {points.value} points, and a missing answer counts as the worst"
        raise SuspectUnusable(
            f"{len(unanswered)} {opened_words(case.challenge.suspect.kind)} got no answer "
            f"({_why(unanswered)}), and they "
            f"could change the verdict: {state}",
            hint="make the suspect answer, then verify again with the same challenge and proof: "
            "answers that it gave are kept, and only the others are asked for",
            check="suspect.answers",
        )
    return f"{len(results) - len(unanswered)} of {len(results)} answered"


def could_decide(
    case: OpeningCase, results: Sequence[TriggerResult], evidence: Evidence | None = None
) -> bool:
    """Whether missing answers could change the verdict (SPEC.md 7).

    That is, whether the threshold is not reached, and would be if each were the best one.
    ``evidence`` is what the results are worth, and weighed where it is not given.
    """
    unanswered = sum(one.status == TriggerStatus.NO_ANSWER for one in results)
    if not unanswered or not case.labels_count:
        return False
    if evidence is None:
        matches = sum(one.status == TriggerStatus.MATCH for one in results)
        evidence = case.weigh(matches, tuple(results))
    if evidence.reached:
        return False
    if evidence.score_sum is not None:
        best = at_best(results, evidence.class_count)
        return case.weigh(evidence.matches, best).reached
    needed, count, each = evidence.needed_matches, evidence.matches, 1
    if evidence.rank_sum is not None:
        needed, count = evidence.rank_sum.needed, evidence.rank_sum.value
        each = evidence.rank_sum.largest // evidence.trials
    return needed is not None and count + each * unanswered >= needed


def _record_of(suspect: Suspect, preprocessing: Preprocessing) -> tuple[dict[str, Any], ...]:
    """What a remote suspect was asked so and answered, decoys included, as JSON values."""
    return tuple(
        {
            "image": record.image_digest.hex(),
            "output": record.answer.output,
            "problem": record.answer.problem,
            "attempts": record.attempts,
            "seconds": round(record.seconds, 3),
        }
        for record in suspect.records
        if record.preprocessing == preprocessing
    )


def _why(unanswered: list[TriggerResult]) -> str:
    """Why the first of them that was asked got no answer."""
    problems = [
        result.problem for result in unanswered if not result.problem.startswith("not asked")
    ]
    return (problems or [unanswered[0].problem])[0]
