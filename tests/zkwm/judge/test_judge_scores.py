"""Judging by points (SPEC.md 8.6): stronger than matches, and what a judge must refuse."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.dispute import (
    CLASSES,
    Claimant,
    TableSuspect,
    failed,
    random_images,
    refused,
    verdict_of,
)
from tests.support.scored_suspect import ScoredSuspect, marked_scores
from zkwm.judge.judge import Judge
from zkwm.judge.verdict import Verdict
from zkwm.report import render_report, render_text
from zkwm_protocols.challenge import Challenge, OpeningChallenge
from zkwm_protocols.errors import InvalidOpening, NotProven, SuspectUnusable, UsageError
from zkwm_protocols.policy import Policy
from zkwm_protocols.ranks import Statistic
from zkwm_protocols.score_points import points
from zkwm_protocols.score_tails import ScoreLaw, score_hundredths, score_sum
from zkwm_protocols.statistic_rules import require_room

pytestmark = pytest.mark.usefixtures("quick_labels")


def asked(judge: Judge, owner: Claimant, suspect: TableSuspect) -> OpeningChallenge:
    return judge.challenge(owner.commitment, suspect, reveal=200, statistic=Statistic.SCORES)


def judged(judge: Judge, owner: Claimant, suspect: TableSuspect) -> Verdict:
    challenge = asked(judge, owner, suspect)
    proof = owner.answer(challenge, range(4))
    return verdict_of(lambda: judge.verify(owner.commitment, suspect, challenge, proof))


def test_points_prove_what_matches_do_not(
    judge: Judge, owner: Claimant, weakened: ScoredSuspect
) -> None:
    matched = judge.challenge(owner.commitment, weakened, reveal=200)
    with pytest.raises(NotProven):
        judge.verify(owner.commitment, weakened, matched, owner.answer(matched, range(4)))
    challenge = asked(judge, owner, weakened)
    assert Challenge.from_bytes(challenge.to_bytes()) == challenge
    assert challenge.policy.functions_tried == 2  # matches were counted before
    verdict = judge.verify(owner.commitment, weakened, challenge, owner.answer(challenge, range(4)))
    table = points(marked_scores(owner.labels, 2.5))
    rows = [row.tobytes() for row in table]
    assert [trigger.points for trigger in verdict.triggers] == rows
    value = score_sum(rows, owner.labels.tolist())
    assert verdict.evidence is not None
    total = verdict.evidence.score_sum
    assert total is not None
    assert (total.value, total.largest) == (value, ScoreLaw.of(rows, CLASSES).largest)
    assert verdict.evidence.total_bits > 100
    assert verdict.to_json()["points"]["needed"] == total.needed
    assert verdict.to_json()["triggers"][0]["points"] == table[0, owner.labels[0]]
    assert (
        Verdict.from_bytes(judge.sign_verdict(verdict), judge.public).evidence == verdict.evidence
    )
    assert f"{value:,} of {total.largest:,}" in render_text(verdict)
    report = render_report(verdict)
    assert "points of labels" in report
    assert f"{value / 200:.1f} on average" in report


def test_an_innocent_model_is_not_proven(judge: Judge, owner: Claimant) -> None:
    innocent = ScoredSuspect(owner.images, marked_scores(owner.labels, 0.0))
    assert judged(judge, owner, innocent).outcome == "not proven"


def test_a_trigger_left_out_is_refused(
    judge: Judge, owner: Claimant, weakened: ScoredSuspect
) -> None:
    challenge = asked(judge, owner, weakened)
    proof = owner.answer(challenge, [owner.block(0, t7=None), 1, 2, 3])
    verdict = verdict_of(lambda: judge.verify(owner.commitment, weakened, challenge, proof))
    assert failed(verdict) == ["opening.leaves"]
    assert verdict.outcome == "could not be checked"


def test_a_suspect_that_gives_labels_only_cannot_be_checked(judge: Judge, owner: Claimant) -> None:
    """Its verdict can be signed and read: an answer without scores is none."""
    silent = TableSuspect(
        {image.tobytes(): int(y) for image, y in zip(owner.images, owner.labels, strict=True)}
    )
    verdict = judged(judge, owner, silent)
    assert failed(verdict) == ["suspect.answers"]
    again = Verdict.from_bytes(judge.sign_verdict(verdict), judge.public)
    assert {trigger.points for trigger in again.triggers} == {None}


def test_a_missing_answer_is_a_loss(judge: Judge, owner: Claimant, weakened: ScoredSuspect) -> None:
    rows = [row.tobytes() for row in points(marked_scores(owner.labels, 2.5))]
    value = score_sum(rows, owner.labels.tolist())
    whole = score_hundredths(value, ScoreLaw.of(rows, CLASSES))
    for image in owner.images[:10]:
        weakened.scores[image.tobytes()] = "timed out"
    verdict = judged(judge, owner, weakened)
    assert [trigger.points for trigger in verdict.triggers[:10]] == [None] * 10
    assert verdict.evidence is not None
    assert verdict.evidence.terms[0].hundredths < whole - 1000


def test_missing_answers_that_could_change_the_verdict(judge: Judge, owner: Claimant) -> None:
    """Half of the answers fail: what is left proves nothing, and all might."""
    suspect = ScoredSuspect(owner.images, marked_scores(owner.labels, 1.6))
    for image in owner.images[:100]:
        suspect.scores[image.tobytes()] = "timed out"
    challenge = asked(judge, owner, suspect)
    with refused(SuspectUnusable, "suspect.answers"):
        judge.verify(owner.commitment, suspect, challenge, owner.answer(challenge, range(4)))


def test_declared_labels_have_no_points(judge: Judge) -> None:
    images = random_images(50, seed=9)
    declared = Claimant(images, declared_labels=np.zeros(50, np.int64))
    suspect = ScoredSuspect(images, marked_scores(declared.labels, 2.5))
    with refused(InvalidOpening, "challenge.commitment"):
        judge.challenge(
            declared.commitment,
            suspect,
            reveal=50,
            statistic="scores",
            policy=Policy(accept_declared_labels=True),
        )


def test_more_points_than_a_verdict_holds_are_refused(owner: Claimant) -> None:
    header = owner.commitment.header
    require_room(Statistic.SCORES, header, 40)
    for statistic in (Statistic.RANKS, Statistic.MATCHES):
        require_room(statistic, header, 10**5)
    with refused(UsageError, "challenge.reachable"):
        require_room(Statistic.SCORES, header, 41)
