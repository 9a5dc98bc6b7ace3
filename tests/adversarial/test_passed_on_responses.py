"""A response that answered one challenge, presented for another: SPEC.md 6.1, 6.3, 9.2.

A response convinces only the judge whose challenge it answers, about that suspect, for that
purpose, under that policy, once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.support.dispute import (
    Claimant,
    TableSuspect,
    failed,
    marked,
    new_judge,
    random_images,
    seal_to,
    verdict_of,
)
from zkwm.judge.judge import Judge
from zkwm.judge.key_file import JudgeKey
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.errors import InvalidOpening, InvalidSignature
from zkwm_protocols.keys import JudgePublic, SigningKey
from zkwm_protocols.policy import Policy
from zkwm_protocols.suspect_identity import Preprocessing, SuspectIdentity


@pytest.fixture
def suspect(stolen_model: TableSuspect) -> Any:
    return stolen_model


def key_of(judge: Judge) -> JudgeKey:
    """A dishonest judge's keys."""
    return judge.key


def test_the_response_convinces_the_judge_it_was_made_for(
    judge: Judge, owner: Claimant, suspect: Any
) -> None:
    challenge = judge.challenge(owner.commitment, suspect, reveal=50)
    verdict = judge.verify(
        owner.commitment, suspect, challenge, owner.answer(challenge, [0]).to_bytes()
    )
    assert verdict.proven
    assert failed(verdict) == []


def test_another_judge_presents_challenge_and_response_as_theirs(
    judge: Judge, other_judge: Judge, owner: Claimant, suspect: Any
) -> None:
    challenge = judge.challenge(owner.commitment, suspect, reveal=50)
    proof = owner.answer(challenge, [0])
    with pytest.raises(InvalidOpening) as caught:
        other_judge.verify(owner.commitment, suspect, challenge, proof)
    assert failed(caught.value.verdict) == ["challenge.judge"]


def test_the_response_is_presented_under_another_judges_own_challenge(
    judge: Judge, other_judge: Judge, owner: Claimant, suspect: Any
) -> None:
    proof = owner.answer(judge.challenge(owner.commitment, suspect, reveal=50), [0])
    own = other_judge.challenge(owner.commitment, suspect, reveal=50)
    with pytest.raises(InvalidOpening) as caught:
        other_judge.verify(owner.commitment, suspect, own, proof)
    assert failed(caught.value.verdict) == ["response.challenge"]


def test_a_judge_reseals_a_response_under_another_judges_challenge(
    judge: Judge, other_judge: Judge, owner: Claimant, suspect: Any
) -> None:
    """The judge knows every opened image and salt, and cannot sign as the owner."""
    proof = owner.answer(judge.challenge(owner.commitment, suspect, reveal=50), [0])
    own = other_judge.challenge(owner.commitment, suspect, reveal=50)
    resealed = replace(owner.answer(own, [0]), signatures=proof.signatures)
    with pytest.raises(InvalidSignature) as caught:
        other_judge.verify(owner.commitment, suspect, own, resealed)
    assert failed(caught.value.verdict) == ["response.signature"]


def test_a_judge_signs_the_resealed_response_with_their_own_key(
    judge: Judge, other_judge: Judge, owner: Claimant, suspect: Any
) -> None:
    own = other_judge.challenge(owner.commitment, suspect, reveal=50)
    response = owner.answer(own, [0])
    stolen = replace(response, signatures=(key_of(judge).signing.sign("opening", response.digest),))
    with pytest.raises(InvalidSignature) as caught:
        other_judge.verify(owner.commitment, suspect, own, stolen)
    assert failed(caught.value.verdict) == ["response.signature"]


def test_sealed_openings_are_moved_into_a_response_to_another_challenge(
    judge: Judge, owner: Claimant, suspect: Any
) -> None:
    """An owner re-uses an old sealed box: it names the challenge that it was made for."""
    first = owner.answer(judge.challenge(owner.commitment, suspect, reveal=50), [0])
    second = judge.challenge(owner.commitment, suspect, reveal=50)
    moved = owner.answer(second, [0], sealed=first.sealed)
    verdict = verdict_of(lambda: judge.verify(owner.commitment, suspect, second, moved))
    assert verdict.outcome == "could not be checked"
    assert failed(verdict) == ["opening.format"]


def test_a_stranger_presents_the_owners_sealed_box_as_their_own_opening(
    judge: Judge, owner: Claimant, suspect: Any
) -> None:
    """The verdict tells the other judge nothing of what is inside."""
    honest = owner.answer(judge.challenge(owner.commitment, suspect, reveal=50), [0])
    stranger = Claimant(random_images(200, 9), keys=(SigningKey.generate(),))
    challenge = judge.challenge(stranger.commitment, suspect, reveal=50)
    verdict = verdict_of(
        lambda: judge.verify(
            stranger.commitment,
            suspect,
            challenge,
            stranger.answer(challenge, [0], sealed=honest.sealed),
        )
    )
    assert failed(verdict) == ["opening.format"]
    assert verdict.triggers == ()


def test_openings_sealed_to_another_judge_do_not_open(
    judge: Judge, other_judge: Judge, owner: Claimant, suspect: Any
) -> None:
    challenge = judge.challenge(owner.commitment, suspect, reveal=50)
    wrong = owner.answer(challenge, [0], sealed=seal_to(other_judge.public, {}))
    verdict = verdict_of(lambda: judge.verify(owner.commitment, suspect, challenge, wrong))
    assert failed(verdict) == ["opening.sealed"]


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": bytes(32)},
        {"purpose": "another dispute"},
        {"issued": 1},
        {"policy": Policy(threshold_bits=1)},
        {"policy": Policy(accept_declared_labels=True)},
        {"excluded_blocks": (3,)},
        {"preprocessing": Preprocessing(scale="raw")},
        {"class_map": (1, 0, *range(2, 10))},
        {"suspect": SuspectIdentity("onnx", bytes(32), "another", 10, (1, 8, 8))},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_a_challenge_that_somebody_alters_is_not_the_judges(
    judge: Judge, owner: Claimant, suspect: Any, changes: dict[str, Any]
) -> None:
    """And if the judge signs the altered one too, the response does not answer it."""
    challenge = judge.challenge(owner.commitment, suspect, reveal=50)
    proof = owner.answer(challenge, [0])
    altered: Challenge = replace(challenge, **changes)
    verdict = verdict_of(lambda: judge.verify(owner.commitment, suspect, altered, proof))
    assert failed(verdict) == ["challenge.signature"]
    resigned = altered.signed_by(key_of(judge).signing)
    verdict = verdict_of(lambda: judge.verify(owner.commitment, suspect, resigned, proof))
    assert failed(verdict) == ["response.challenge"]


def test_the_model_at_hand_is_not_the_one_of_the_challenge(
    judge: Judge, owner: Claimant, suspect: Any
) -> None:
    """A challenge about an innocent's model, answered with the accuser's own model in its place."""
    innocent = marked(owner.images[:0], [], name="an innocent's")
    challenge = judge.challenge(owner.commitment, innocent, reveal=50)
    proof = owner.answer(challenge, [0])
    verdict = verdict_of(lambda: judge.verify(owner.commitment, suspect, challenge, proof))
    assert failed(verdict) == ["challenge.suspect"]
    assert suspect.asked == []


def test_a_challenge_in_a_judges_name_with_another_box(
    judge: Judge, other_judge: Judge, owner: Claimant, suspect: Any
) -> None:
    """Somebody asks in the judge's name to read the answer."""
    honest = judge.challenge(owner.commitment, suspect, reveal=50)
    mixed = JudgePublic(judge.public.signing, other_judge.public.box)
    assert mixed.fingerprint() != judge.public.fingerprint()
    with pytest.raises(InvalidSignature):
        replace(honest, judge=mixed).verify_signature()


def test_a_judge_with_anothers_box_cannot_pass_it_on_as_their_own(
    owner: Claimant, suspect: Any, judge: Judge
) -> None:
    """Judge A seals to judge B: B refuses, for the challenge is A's."""
    own = key_of(new_judge())
    crooked = Judge(JudgeKey(own.signing, key_of(judge).box))
    challenge = crooked.challenge(owner.commitment, suspect, reveal=50)
    proof = owner.answer(challenge, [0])
    verdict = verdict_of(lambda: judge.verify(owner.commitment, suspect, challenge, proof))
    assert failed(verdict) == ["challenge.judge"]
