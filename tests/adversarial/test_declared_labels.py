"""Transferable adversarial images with labels that the accuser declares: SPEC.md 5.4.

The accuser first asks the innocent model (or any like it) and declares its answers as labels, so
that 50 of 50 match. Declared labels therefore earn no bits and no "proven" unless the judge's
policy accepts them, and every output says that they were declared.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.support.dispute import Claimant, TableSuspect, failed, random_images, status, verdict_of
from zkwm.judge.judge import Judge
from zkwm.report import render_report, render_text
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import Malformed, NotProven
from zkwm_protocols.opening import OpenedTrigger
from zkwm_protocols.policy import Policy

BITS = re.compile(r"\bbits?\b|2\^|\bin a (million|billion)\b", re.IGNORECASE)


@pytest.fixture
def innocent() -> TableSuspect:
    return TableSuspect(name="innocent")


@pytest.fixture
def accuser(innocent: TableSuspect) -> Claimant:
    images = random_images(100, 1)
    answers = np.array([innocent.rule(image) for image in images], dtype=np.int64)
    return Claimant(images, declared_labels=answers)


def test_adversarial_images_match_and_prove_nothing(
    judge: Judge, accuser: Claimant, innocent: TableSuspect
) -> None:
    challenge = judge.challenge(accuser.commitment, innocent, reveal=50)
    proof = accuser.answer(challenge, [0])
    with pytest.raises(NotProven) as caught:
        judge.verify(accuser.commitment, innocent, challenge, proof)
    verdict = caught.value.verdict
    assert verdict.evidence.matches == 50
    assert verdict.outcome == "not proven"
    assert failed(verdict) == ["opening.labels"]
    assert status(verdict, "evidence.threshold") != "passed"


@pytest.mark.parametrize("accepted", [False, True])
def test_no_bits_are_stated_for_declared_labels(
    judge: Judge, accuser: Claimant, innocent: TableSuspect, accepted: bool
) -> None:
    policy = Policy(accept_declared_labels=accepted)
    challenge = judge.challenge(accuser.commitment, innocent, reveal=50, policy=policy)
    proof = accuser.answer(challenge, [0])
    verdict = verdict_of(lambda: judge.verify(accuser.commitment, innocent, challenge, proof))
    assert verdict.proven == accepted
    value = verdict.to_json()
    assert value["evidence"] is None
    assert value["label_mode"] == "declared"
    assert value["declared_labels_accepted"] is accepted
    assert not BITS.search(json.dumps(value))
    text = render_text(verdict)
    assert "declared" in text.lower()
    page = re.sub(r"<style>.*?</style>|<[^>]*>", " ", render_report(verdict), flags=re.DOTALL)
    assert "declared" in page.lower()
    assert not BITS.search(text)
    assert not BITS.search(page)


def test_matches_that_miss_are_no_proof_even_where_declared_labels_are_accepted(
    judge: Judge, accuser: Claimant
) -> None:
    another = TableSuspect(name="another innocent")
    policy = Policy(accept_declared_labels=True)
    challenge = judge.challenge(accuser.commitment, another, reveal=50, policy=policy)
    with pytest.raises(NotProven) as caught:
        judge.verify(accuser.commitment, another, challenge, accuser.answer(challenge, [0]))
    assert failed(caught.value.verdict) == ["evidence.threshold"]


def test_missing_answers_cannot_change_a_verdict_on_labels_that_are_not_accepted(
    judge: Judge, accuser: Claimant
) -> None:
    """Not proven whatever the suspect says: its silence does not make it "could not be checked"."""
    silent = TableSuspect(rule=lambda _: "timed out", name="innocent")
    challenge = judge.challenge(accuser.commitment, silent, reveal=50)
    with pytest.raises(NotProven) as caught:
        judge.verify(accuser.commitment, silent, challenge, accuser.answer(challenge, [0]))
    assert failed(caught.value.verdict) == ["opening.labels"]
    accepting = Policy(accept_declared_labels=True)
    challenge = judge.challenge(accuser.commitment, silent, reveal=50, policy=accepting)
    proof = accuser.answer(challenge, [0])
    verdict = verdict_of(lambda: judge.verify(accuser.commitment, silent, challenge, proof))
    assert failed(verdict) == ["suspect.answers"]


def test_the_same_images_with_derived_labels_are_worth_what_luck_is(judge: Judge) -> None:
    """Derived labels: the accuser's images match like any others, binomial over 300 tries."""
    innocent = TableSuspect(name="innocent")
    counts = []
    for seed in range(300):
        accuser = Claimant(random_images(50, seed))
        answers = np.array([innocent.rule(image) for image in accuser.images])
        counts.append(int((answers == accuser.labels).sum()))
    # Binomial(50, 1/10): mean 5, variance 4.5; 300 of them, five standard errors.
    assert abs(np.mean(counts) - 5) < 5 * np.sqrt(4.5 / 300)
    assert max(counts) < 20


def test_a_declared_label_inside_an_opening_with_derived_labels_is_malformed(
    judge: Judge, owner: Claimant
) -> None:
    suspect = TableSuspect()
    challenge = judge.challenge(owner.commitment, suspect, reveal=50)
    chosen = replace(owner.trigger(0), label=int(suspect.rule(owner.images[0])))
    proof = owner.answer(challenge, [owner.block(0, t0=chosen)])
    with pytest.raises(Malformed) as caught:
        judge.verify(owner.commitment, suspect, challenge, proof)
    assert failed(caught.value.verdict) == ["opening.format"]


def test_another_declared_label_than_the_committed_one_is_a_miss(
    judge: Judge, accuser: Claimant
) -> None:
    """The label is hashed into the leaf: it cannot be adapted to another suspect."""
    another = TableSuspect(name="another innocent")
    policy = Policy(accept_declared_labels=True)
    challenge = judge.challenge(accuser.commitment, another, reveal=50, policy=policy)
    adapted: dict[str, OpenedTrigger | None] = {
        f"t{i}": replace(accuser.trigger(i), label=int(another.rule(accuser.images[i])))
        for i in range(50)
    }
    proof = accuser.answer(challenge, [accuser.block(0, **adapted)])
    with pytest.raises(NotProven) as caught:
        judge.verify(accuser.commitment, another, challenge, proof)
    statuses = [result.status for result in caught.value.verdict.triggers]
    assert statuses.count("wrong leaf") > 30
    assert statuses.count("match") + statuses.count("wrong leaf") == 50


@pytest.mark.parametrize("label", [None, 10, -1, True, b"3"])
def test_a_declared_label_that_is_none_is_malformed(
    judge: Judge, accuser: Claimant, innocent: TableSuspect, label: Any
) -> None:
    challenge = judge.challenge(accuser.commitment, innocent, reveal=50)
    proof = accuser.answer(
        challenge, [accuser.block(0, t7=replace(accuser.trigger(7), label=label))]
    )
    verdict = verdict_of(lambda: judge.verify(accuser.commitment, innocent, challenge, proof))
    assert failed(verdict) == ["opening.format"]


def test_leaves_with_hidden_labels_under_a_header_that_says_derived(
    judge: Judge, innocent: TableSuspect, accuser: Claimant
) -> None:
    """A leaf with a label never opens as one without: the label field is part of what is hashed."""
    header = replace(accuser.commitment.header, label_mode="derived")
    (key,) = accuser.keys
    relabeled = Claimant(accuser.images, keys=accuser.keys)
    relabeled.commitment = Commitment(
        header, accuser.commitment.leaves, (key.sign("commitment", header.digest),)
    )
    challenge = judge.challenge(relabeled.commitment, innocent, reveal=50)
    with pytest.raises(NotProven) as caught:
        judge.verify(relabeled.commitment, innocent, challenge, relabeled.answer(challenge, [0]))
    assert {result.status for result in caught.value.verdict.triggers} == {"wrong leaf"}
