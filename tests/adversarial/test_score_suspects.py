"""Adversaries against points (SPEC.md 8.6): thieves who rewrite scores, claimants who choose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import comb

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.dispute import CLASSES, Claimant, failed, new_judge, random_images, verdict_of
from tests.support.scored_suspect import ScoredSuspect, marked_scores
from zkwm_protocols.log2_bounds import hundredths_down
from zkwm_protocols.rank_tails import rank_hundredths
from zkwm_protocols.ranks import Statistic, ranks, weighted_sum
from zkwm_protocols.score_points import largest_points, points
from zkwm_protocols.score_tails import ScoreLaw, least_score_sum, score_hundredths, score_sum

pytestmark = pytest.mark.usefixtures("quick_labels")
Scores = NDArray[np.float64]
COUNT = 200
RANDOM = np.random.default_rng(15)
LABELS = RANDOM.integers(CLASSES, size=COUNT)


def by_points(scores: Scores, labels: NDArray[np.int64] = LABELS) -> float:
    """The first term in bits."""
    rows = [row.tobytes() for row in points(scores)]
    law = ScoreLaw.of(rows, CLASSES)
    return score_hundredths(score_sum(rows, labels.tolist()), law) / 100


def by_ranks(scores: Scores) -> float:
    """The first term in bits, where ranks are counted."""
    value = weighted_sum(ranks(scores, LABELS.tolist()), CLASSES)
    return rank_hundredths(value, len(scores), CLASSES) / 100


def factors(scores: Scores) -> Scores:
    return scores * np.exp(3 * np.random.default_rng(1).normal(size=(len(scores), 1)))


def order_of(scores: Scores) -> NDArray[np.int64]:
    """The place of each class in its row, 0 the highest."""
    return np.argsort(np.argsort(-scores, axis=1), axis=1)


def near_ties(scores: Scores) -> Scores:
    place = order_of(scores)
    return np.where(place < 4, 1 - 1e-9 * place, -1.0 * place)


def one_far_off(scores: Scores) -> Scores:
    return np.where(order_of(scores) == CLASSES - 1, -1e9, scores)


def powers_of_ten(scores: Scores) -> Scores:
    return 10.0 ** -order_of(scores)


def steps(scores: Scores) -> Scores:
    return -1.0 * order_of(scores)


KEEP_THE_ORDER: tuple[Callable[[Scores], Scores], ...] = (
    near_ties, one_far_off, powers_of_ten, steps,
)  # fmt: skip


def test_a_factor_for_each_row_costs_ranks_their_evidence_and_points_nothing() -> None:
    scores = marked_scores(LABELS, 2.5)
    assert by_points(scores) > 100
    assert by_ranks(factors(scores)) < 0.6 * by_ranks(scores)
    assert by_points(factors(scores)) == pytest.approx(by_points(scores), abs=1)


@pytest.mark.parametrize("rewrite", KEEP_THE_ORDER)
def test_rewritten_rows_in_their_order_leave_the_places(
    rewrite: Callable[[Scores], Scores],
) -> None:
    """A thief who would keep all answers, and their order, for their customers."""
    scores = marked_scores(LABELS, 6.0)
    assert by_points(rewrite(scores)) > 0.5 * by_points(scores)


def test_wild_rows_weigh_no_more_than_others() -> None:
    scores = marked_scores(LABELS, 2.5)
    wild = scores.copy()
    wild[:3] *= 1e6
    wild[3:6] = [[1e300, *[0.0] * (CLASSES - 1)]]
    assert by_points(wild) > 0.9 * by_points(scores)
    calm, moved = points(scores).astype(int), points(wild).astype(int)
    assert np.abs(calm[6:] - moved[6:]).max() <= 4  # only through medians


def test_rows_of_equal_scores_tell_nothing() -> None:
    scores = marked_scores(LABELS, 2.5)
    silent = np.concatenate([scores, np.full((100, CLASSES), 3.0)])
    more = np.concatenate([LABELS, RANDOM.integers(CLASSES, size=100)])
    assert by_points(silent, more) < by_points(scores) + 5
    assert by_points(np.full((COUNT, CLASSES), 3.0)) == 0


@pytest.mark.parametrize("habit", [0.0, 8.0])
def test_a_claim_by_chance_is_as_rare_as_its_bits_say(habit: float) -> None:
    """1,000 fresh label sets on nasty scores; benchmarks/null_scores.py has 100,000."""
    random = np.random.default_rng(3)
    scores = random.standard_cauchy(size=(50, CLASSES))
    scores[:, 3] += habit
    scores[:5] *= 1e9
    scores[5:10] = 0
    rows = [row.tobytes() for row in points(scores)]
    law = ScoreLaw.of(rows, CLASSES)
    sums = [score_sum(rows, random.integers(CLASSES, size=50).tolist()) for _ in range(1000)]
    for threshold in (1, 3, 5):
        least, law_says = least_score_sum(100 * threshold, law), 1000 * 2.0**-threshold
        assert least is not None
        assert (np.array(sums) >= least).sum() < law_says + 4 * law_says**0.5


def test_points_do_not_depend_on_labels() -> None:
    """Two commitments to the same images, with other salts: other labels, the same points."""
    judge, images = new_judge(), random_images(100)
    suspect = ScoredSuspect(images, marked_scores(RANDOM.integers(CLASSES, size=100), 2.5))
    tables, labels = [], []
    for owner in (Claimant(images), Claimant(images, salt_seed=1)):
        challenge = judge.challenge(
            owner.commitment, suspect, reveal=100, statistic=Statistic.SCORES
        )
        proof = owner.answer(challenge, range(2))
        verdict = verdict_of(
            lambda o=owner, c=challenge, p=proof: judge.verify(o.commitment, suspect, c, p)
        )
        tables.append([trigger.points for trigger in verdict.triggers])
        labels.append(owner.labels.tolist())
    assert labels[0] != labels[1]
    assert tables[0] == tables[1]
    assert max(max(row) for row in tables[0] if row) <= largest_points(CLASSES)


def test_a_claimant_who_has_every_statistic_counted_pays_for_each() -> None:
    """Whichever of the three is largest: the second is function 2, the third function 3."""
    of_answers = Statistic.MATCHES, Statistic.RANKS, Statistic.SCORES
    judge, owner = new_judge(), Claimant(random_images(200))
    suspect = ScoredSuspect(owner.images, marked_scores(owner.labels, 2.5))
    deducted = []
    for statistic in of_answers:
        challenge = judge.challenge(owner.commitment, suspect, reveal=200, statistic=statistic)
        proof = owner.answer(challenge, range(4))
        verdict = verdict_of(
            lambda c=challenge, p=proof: judge.verify(owner.commitment, suspect, c, p)
        )
        assert verdict.evidence is not None
        deducted += [
            term.hundredths for term in verdict.evidence.terms if term.name == "functions tried"
        ]
    assert deducted == [-100, -259, -359]


def test_a_claimant_who_chooses_the_largest_of_three_pays_two_bits() -> None:
    """They look in private, and ask for what is largest: `owner_choice_bits` is 2 then."""
    random = np.random.default_rng(4)
    scores = random.normal(size=(30, 4))
    table = [row.tobytes() for row in points(scores)]
    law, answers = ScoreLaw.of(table, 4), scores.argmax(axis=1)
    best = []
    for labels in random.integers(4, size=(400, 30)):
        matched = int((labels == answers).sum())
        ways = 4**30, sum(comb(30, k) * 3 ** (30 - k) for k in range(matched, 31))
        by_rank = weighted_sum(ranks(scores, labels.tolist()), 4)
        best.append(
            max(
                hundredths_down(*ways),
                rank_hundredths(by_rank, 30, 4),
                score_hundredths(score_sum(table, labels.tolist()), law),
            )
        )
    for threshold in (1, 2, 3):
        paid = (np.array(best) - 200 >= 100 * threshold).sum()
        assert paid <= 400 * 2.0**-threshold
    assert (np.array(best) >= 100).sum() > 200  # unpaid it would be more than the law allows


def test_a_statistic_exchanged_after_the_answer_is_another_challenge() -> None:
    judge, owner = new_judge(), Claimant(random_images(200))
    suspect = ScoredSuspect(owner.images, marked_scores(owner.labels, 2.5))
    challenge = judge.challenge(owner.commitment, suspect, reveal=200, statistic="ranks")
    proof = owner.answer(challenge, range(4))
    exchanged = replace(challenge, statistic=Statistic.SCORES)
    verdict = verdict_of(lambda: judge.verify(owner.commitment, suspect, exchanged, proof))
    assert failed(verdict) == ["challenge.signature"]
