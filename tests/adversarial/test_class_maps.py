"""A class map or a preprocessing that the accuser chooses: SPEC.md 6.1, 7, 8.2.

A suspect has a thousand outputs and the commitment ten classes. Whoever chooses, once the labels
are known, which output stands for which label, can have any number of matches.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.support.dispute import (
    CLASSES,
    SHAPE,
    Claimant,
    TableSuspect,
    failed,
    hashed_answers,
    random_images,
    verdict_of,
)
from zkwm.judge.judge import Judge
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.errors import InvalidOpening, NotProven, UsageError
from zkwm_protocols.evidence import class_map_bits
from zkwm_protocols.policy import Policy
from zkwm_protocols.suspect_identity import Preprocessing

OUTPUTS = 1000


@pytest.fixture
def innocent() -> TableSuspect:
    """A thousand outputs, of which it uses fifty."""
    chosen = hashed_answers("a large innocent", 50)
    return TableSuspect(rule=lambda image: 7 * int(chosen(image)), outputs=OUTPUTS)


def best_map(owner: Claimant, suspect: TableSuspect) -> tuple[int, ...]:
    """The best assignment of outputs to labels for the first block, greedily."""
    votes = np.zeros((CLASSES, OUTPUTS), int)
    for index in range(owner.commitment.header.block_size):
        votes[owner.labels[index], int(suspect.rule(owner.images[index]))] += 1
    chosen: dict[int, int] = {}
    for flat in np.argsort(-votes, axis=None):
        y, output = divmod(int(flat), OUTPUTS)
        if y not in chosen and output not in chosen.values():
            chosen[y] = output
    return tuple(chosen[y] for y in range(CLASSES))


def test_a_map_that_gives_one_output_to_all_labels_is_refused(
    judge: Judge, owner: Claimant
) -> None:
    """The suspect answers 3 to everything; the accuser maps every label to 3."""
    constant = TableSuspect(rule=lambda _: 3, name="constant")
    with pytest.raises(InvalidOpening) as caught:
        judge.challenge(owner.commitment, constant, reveal=50, class_map=(3,) * CLASSES)
    assert caught.value.check == "challenge.class_map"


@pytest.mark.parametrize(
    ("class_map", "why"),
    [
        ((3, 3, *range(4, 12)), "not injective"),
        ((*range(9), OUTPUTS), "an output that is not there"),
        (tuple(range(9)), "too short"),
        (tuple(range(11)), "too long"),
    ],
)
def test_a_map_that_is_none_fails_its_check_though_the_judge_signed_it(
    judge: Judge, owner: Claimant, innocent: TableSuspect, class_map: tuple[int, ...], why: str
) -> None:
    honest = judge.challenge(owner.commitment, innocent, reveal=100)
    signed = replace(honest, class_map=class_map).signed_by(judge.key.signing)
    proof = owner.answer(signed, [0, 1])
    for form in (signed, signed.to_bytes()):
        verdict = verdict_of(
            lambda form=form: judge.verify(owner.commitment, innocent, form, proof)
        )
        assert failed(verdict) == ["challenge.class_map"], why


def test_a_map_altered_within_the_challenge_breaks_its_signature(
    judge: Judge, owner: Claimant, innocent: TableSuspect
) -> None:
    honest = judge.challenge(owner.commitment, innocent, reveal=100)
    chosen: Challenge = replace(honest, class_map=best_map(owner, innocent))
    proof = owner.answer(chosen, [0, 1])
    verdict = verdict_of(lambda: judge.verify(owner.commitment, innocent, chosen, proof))
    assert failed(verdict) == ["challenge.signature"]


def test_a_free_map_of_a_thousand_outputs_is_paid_for(judge: Judge) -> None:
    """The owner chooses the map after the labels: worth some bits, and it costs a hundred."""
    bits = class_map_bits(OUTPUTS, CLASSES)
    luck = []
    for seed in range(5):
        chosen = hashed_answers(f"innocent {seed}", 50)
        innocent = TableSuspect(rule=lambda image, f=chosen: 7 * int(f(image)), outputs=OUTPUTS)
        owner = Claimant(random_images(100, seed), block_size=100)
        challenge = judge.challenge(
            owner.commitment,
            innocent,
            reveal=100,
            class_map=best_map(owner, innocent),
        )
        with pytest.raises(NotProven) as caught:
            judge.verify(owner.commitment, innocent, challenge, owner.answer(challenge, [0]))
        terms = {term.name: term.bits for term in caught.value.verdict.evidence.terms}
        luck.append(terms["matches by chance"])
        assert terms["choice of the class map"] == -bits
        assert caught.value.verdict.evidence.total_bits < -100
    assert max(luck) > 3


def test_a_free_map_that_leaves_nothing_to_reach_is_refused(
    judge: Judge, owner: Claimant, innocent: TableSuspect
) -> None:
    with pytest.raises(UsageError) as caught:
        judge.challenge(owner.commitment, innocent, reveal=50)
    assert caught.value.check == "challenge.reachable"
    assert "100 triggers" in caught.value.hint


def test_the_bits_of_a_free_map_are_those_of_all_injective_maps() -> None:
    assert class_map_bits(1000, 10) == 100
    assert class_map_bits(10, 10) == 22
    assert class_map_bits(3, 2) == 3


def test_preprocessing_that_the_accuser_prefers_breaks_the_signature(
    judge: Judge, owner: Claimant, innocent: TableSuspect
) -> None:
    """Shifting the mean until an innocent model answers well: the judge's word counts alone."""
    honest = judge.challenge(owner.commitment, innocent, reveal=100)
    shifted = replace(honest, preprocessing=Preprocessing(mean=("0.5",), std=("0.001",)))
    verdict = verdict_of(
        lambda: judge.verify(owner.commitment, innocent, shifted, owner.answer(shifted, [0, 1]))
    )
    assert failed(verdict) == ["challenge.signature"]


def test_each_preprocessing_that_was_tried_is_paid_for(judge: Judge, owner: Claimant) -> None:
    """The judge's count of functions lowers the evidence: 2 log2 j bits, about."""
    suspect = TableSuspect()
    totals = []
    for tried in (1, 2, 1000):
        judge.forget()
        policy = Policy(threshold_bits=1, functions_tried=tried)
        challenge = judge.challenge(owner.commitment, suspect, reveal=50, policy=policy)
        with pytest.raises(NotProven) as caught:
            judge.verify(owner.commitment, suspect, challenge, owner.answer(challenge, [0]))
        totals.append(caught.value.verdict.evidence.total_bits)
    assert totals[0] - totals[1] == pytest.approx(1.58, abs=0.02)
    assert totals[0] - totals[2] == pytest.approx(18.93, abs=0.02)


def test_an_answer_outside_the_class_map_is_no_match(judge: Judge, owner: Claimant) -> None:
    """The suspect's argmax is over all its outputs, not over those that the map names."""

    def rule(image: Any) -> int:
        return OUTPUTS - 1

    suspect = TableSuspect(rule=rule, outputs=OUTPUTS, shape=SHAPE)
    challenge = judge.challenge(owner.commitment, suspect, reveal=100)
    with pytest.raises(NotProven) as caught:
        judge.verify(owner.commitment, suspect, challenge, owner.answer(challenge, [0, 1]))
    assert caught.value.verdict.evidence.matches == 0
