"""Judging by ranks (SPEC.md 8.4): stronger than matches, and what a judge must refuse."""

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
from zkwm.report import render_report, render_text
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.encoding import decode, encode
from zkwm_protocols.errors import InvalidOpening, Malformed, NotProven, SuspectUnusable
from zkwm_protocols.policy import Policy
from zkwm_protocols.ranks import Statistic, ranks, weighted_sum

pytestmark = pytest.mark.usefixtures("quick_labels")


def challenge_for(judge: Judge, owner: Claimant, suspect: TableSuspect, **terms: object):
    return judge.challenge(owner.commitment, suspect, reveal=200, **terms)


def test_ranks_prove_what_matches_do_not(
    judge: Judge, owner: Claimant, weakened: ScoredSuspect
) -> None:
    matched = challenge_for(judge, owner, weakened)
    with pytest.raises(NotProven):
        judge.verify(owner.commitment, weakened, matched, owner.answer(matched, range(4)))
    ranked = challenge_for(judge, owner, weakened, statistic=Statistic.RANKS)
    assert Challenge.from_bytes(ranked.to_bytes()) == ranked
    verdict = judge.verify(owner.commitment, weakened, ranked, owner.answer(ranked, range(4)))
    rows = [weakened.scores[image.tobytes()] for image in owner.images]
    expected = ranks(np.stack(rows), owner.labels.tolist())
    assert tuple(trigger.rank for trigger in verdict.triggers) == expected
    assert verdict.evidence is not None
    assert verdict.evidence.rank_sum is not None
    assert verdict.evidence.rank_sum.value == weighted_sum(expected, CLASSES)
    assert verdict.evidence.total_bits > 100
    assert verdict.to_json()["ranks"]["needed"] == verdict.evidence.rank_sum.needed
    assert "Weight of ranks" in render_text(verdict)
    report = render_report(verdict)
    assert "weight of ranks" in report
    first = expected.count(0)
    assert f"{first} at the first place, 20.0 by luck" in report


def test_an_innocent_model_is_not_proven(judge: Judge, owner: Claimant) -> None:
    innocent = ScoredSuspect(owner.images, marked_scores(owner.labels, 0.0))
    ranked = challenge_for(judge, owner, innocent, statistic=Statistic.RANKS)
    with pytest.raises(NotProven):
        judge.verify(owner.commitment, innocent, ranked, owner.answer(ranked, range(4)))


def test_a_trigger_left_out_is_refused(
    judge: Judge, owner: Claimant, weakened: ScoredSuspect
) -> None:
    # The owner knows labels and scores: leaving triggers out could move the median of a class.
    ranked = challenge_for(judge, owner, weakened, statistic=Statistic.RANKS)
    proof = owner.answer(ranked, [owner.block(0, t7=None), 1, 2, 3])
    verdict = verdict_of(lambda: judge.verify(owner.commitment, weakened, ranked, proof))
    assert failed(verdict) == ["opening.leaves"]
    assert verdict.outcome == "could not be checked"


def test_a_suspect_that_gives_labels_only_cannot_be_checked(judge: Judge, owner: Claimant) -> None:
    silent = TableSuspect(
        {image.tobytes(): int(y) for image, y in zip(owner.images, owner.labels, strict=True)}
    )
    ranked = challenge_for(judge, owner, silent, statistic=Statistic.RANKS)
    with refused(SuspectUnusable, "suspect.answers"):
        judge.verify(owner.commitment, silent, ranked, owner.answer(ranked, range(4)))


def test_missing_answers_weigh_nothing(
    judge: Judge, owner: Claimant, weakened: ScoredSuspect
) -> None:
    for image in owner.images[:10]:
        weakened.scores[image.tobytes()] = "timed out"
    ranked = challenge_for(judge, owner, weakened, statistic=Statistic.RANKS)
    verdict = judge.verify(owner.commitment, weakened, ranked, owner.answer(ranked, range(4)))
    assert [trigger.rank for trigger in verdict.triggers[:10]] == [None] * 10


def test_declared_labels_have_no_ranks(judge: Judge, weakened: ScoredSuspect) -> None:
    images = random_images(50, seed=9)
    declared = Claimant(images, declared_labels=np.zeros(50, np.int64))
    with refused(InvalidOpening, "challenge.commitment"):
        judge.challenge(
            declared.commitment,
            weakened,
            reveal=50,
            statistic=Statistic.RANKS,
            policy=Policy(accept_declared_labels=True),
        )


def test_too_many_outputs_have_no_ranks(judge: Judge, owner: Claimant) -> None:
    with refused(InvalidOpening, "challenge.suspect"):
        challenge_for(judge, owner, TableSuspect(outputs=1001), statistic=Statistic.RANKS)


@pytest.mark.parametrize("statistic", ["matches", "sums", 1, ""])
def test_no_other_statistic_is_read(
    judge: Judge, owner: Claimant, weakened: ScoredSuspect, statistic: object
) -> None:
    ranked = challenge_for(judge, owner, weakened, statistic=Statistic.RANKS)
    body = decode(ranked.body(), limit=10**6)
    assert isinstance(body, dict)
    from zkwm_protocols.encoding import pack

    changed = pack(
        "challenge",
        {"body": encode({**body, "statistic": statistic}), "signature": ranked.signature},
    )
    with pytest.raises(Malformed):
        Challenge.from_bytes(changed)
