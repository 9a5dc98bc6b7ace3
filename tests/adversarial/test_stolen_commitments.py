"""Commitments that are not the presenter's, or not whole: SPEC.md 4.1, 5.2, 5.4, 5.5, 9.1."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.support.dispute import (
    Claimant,
    TableSuspect,
    failed,
    marked,
    random_images,
    status,
    verdict_of,
)
from zkwm.judge.judge import Judge
from zkwm.judge.verdict import Verdict
from zkwm_protocols import merkle
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import InvalidSignature, NotProven, TrustMaterialMissing
from zkwm_protocols.keys import ECDSA_P256, ED25519, SigningKey
from zkwm_protocols.timestamps.evidence import TimestampEvidence


@pytest.fixture
def challenge(judge: Judge, owner: Claimant, stolen_model: TableSuspect) -> Challenge:
    return judge.challenge(owner.commitment, stolen_model, reveal=50)


def judged(
    judge: Judge, commitment: Commitment, stolen_model: Any, challenge: Challenge, proof: Any
) -> Verdict:
    return verdict_of(lambda: judge.verify(commitment.to_bytes(), stolen_model, challenge, proof))


def test_somebody_else_signs_the_leaves_with_their_own_key(
    judge: Judge, owner: Claimant, stolen_model: TableSuspect
) -> None:
    """Even with the images and salts: another key is another D, and other labels."""
    stolen = Claimant(owner.images, keys=(SigningKey.from_bytes(ED25519, bytes(32)),))
    assert stolen.commitment.leaves == owner.commitment.leaves
    assert stolen.commitment.digest != owner.commitment.digest
    challenge = judge.challenge(stolen.commitment, stolen_model, reveal=50)
    with pytest.raises(NotProven) as caught:
        judge.verify(stolen.commitment, stolen_model, challenge, stolen.answer(challenge, [0]))
    assert caught.value.verdict.evidence.total_bits < -30


def test_the_owners_signature_on_another_header(
    judge: Judge, owner: Claimant, stolen_model: TableSuspect, challenge: Challenge
) -> None:
    other = replace(owner.commitment.header, owner_model=bytes(32))
    altered = replace(owner.commitment, header=other)
    verdict = judged(judge, altered, stolen_model, challenge, owner.answer(challenge, [0]))
    assert failed(verdict) == ["commitment.signature"]


def test_leaves_that_are_not_those_of_the_root(
    judge: Judge, owner: Claimant, stolen_model: TableSuspect, challenge: Challenge
) -> None:
    """One digest replaced after signing, to fit an image made later."""
    leaves = (bytes(32), *owner.commitment.leaves[1:])
    verdict = judged(
        judge,
        replace(owner.commitment, leaves=leaves),
        stolen_model,
        challenge,
        owner.answer(challenge, [0]),
    )
    assert failed(verdict) == ["commitment.root"]


def test_inner_nodes_in_the_place_of_leaves(owner: Claimant) -> None:
    """The tree's inner nodes never pass as leaves: half as many "leaves" have another root."""
    leaves = owner.commitment.leaves
    pairs = [merkle.root(leaves[i : i + 2]) for i in range(0, len(leaves), 2)]
    assert merkle.root(pairs) != owner.commitment.header.root


@pytest.mark.parametrize("present", [0, 1])
def test_one_of_two_owners_signs_the_commitment_alone(
    judge: Judge, stolen_model: TableSuspect, present: int
) -> None:
    keys = (SigningKey.generate(), SigningKey.generate(ECDSA_P256))
    both = Claimant(random_images(50), keys=keys)
    both.commitment.verify()
    signature = both.commitment.signatures[present]
    for signatures in ((signature,), (signature, signature), (signature, bytes(64))):
        with pytest.raises(InvalidSignature) as caught:
            replace(both.commitment, signatures=signatures).verify()
        assert caught.value.check == "commitment.signature"


@pytest.mark.parametrize("present", [0, 1])
def test_one_of_two_owners_answers_alone(judge: Judge, present: int) -> None:
    keys = (SigningKey.generate(), SigningKey.generate(ECDSA_P256))
    both = Claimant(random_images(50), keys=keys)
    stolen_model = marked(both.images, both.labels)
    challenge = judge.challenge(both.commitment, stolen_model, reveal=50)
    proof = both.answer(challenge, [0])
    assert judge.verify(both.commitment, stolen_model, challenge, proof).proven
    signature = proof.signatures[present]
    swapped = proof.signatures[::-1]
    for signatures in ((signature,), (signature, signature), (signature, bytes(64)), swapped):
        stripped = replace(proof, signatures=signatures)
        verdict = judged(judge, both.commitment, stolen_model, challenge, stripped)
        assert failed(verdict) == ["response.signature"]


def test_a_signature_for_one_purpose_is_none_for_another(
    judge: Judge, owner: Claimant, stolen_model: TableSuspect, challenge: Challenge
) -> None:
    """The owner signed this response's digest, but as if it were a commitment or a challenge."""
    proof = owner.answer(challenge, [0])
    (key,) = owner.keys
    for purpose in ("commitment", "challenge"):
        wrong = replace(proof, signatures=(key.sign(purpose, proof.digest),))
        verdict = judged(judge, owner.commitment, stolen_model, challenge, wrong)
        assert failed(verdict) == ["response.signature"]


def test_a_judge_who_is_the_owner_gains_no_second_meaning(owner: Claimant) -> None:
    """One key for commitments, challenges and openings: three messages that are never the same."""
    (key,) = owner.keys
    signed = {
        purpose: key.sign(purpose, owner.commitment.digest)
        for purpose in ("commitment", "challenge", "opening")
    }
    for purpose in signed:
        for other, signature in signed.items():
            if other == purpose:
                key.public.verify(purpose, owner.commitment.digest, signature)
                continue
            with pytest.raises(InvalidSignature):
                key.public.verify(purpose, owner.commitment.digest, signature)


def registered(owner: Claimant, tokens: list[bytes]) -> Claimant:
    """The owner's commitment under a header that names a timestamp authority."""
    header = replace(owner.commitment.header, timestamp_authority=b"\x01" * 32)
    copy = Claimant(owner.images, keys=owner.keys)
    (key,) = owner.keys
    copy.commitment = Commitment(
        header, owner.commitment.leaves, (key.sign("commitment", header.digest),),
        tuple(TimestampEvidence(token, b"\x01") for token in tokens),
    )  # fmt: skip
    return copy


@pytest.mark.parametrize("tokens", [[], [b"token"], [b"\x30\x03\x02\x01\x00"]])
def test_an_authority_is_named_and_its_token_missing_or_unchecked(
    judge: Judge,
    owner: Claimant,
    stolen_model: TableSuspect,
    challenge: Challenge,
    tokens: list[bytes],
) -> None:
    """Trust material is missing (exit code 4); the labels are never derived from zero bytes."""
    named = registered(owner, tokens)
    with pytest.raises(TrustMaterialMissing) as caught:
        judge.verify(named.commitment, stolen_model, challenge, b"")
    verdict = caught.value.verdict
    assert verdict.outcome == "trust material missing"
    assert failed(verdict) == ["commitment.timestamp"]
    assert status(verdict, "challenge.format") == "skipped"
    with pytest.raises(TrustMaterialMissing):
        named.commitment.labels()
    with pytest.raises(TrustMaterialMissing):
        judge.challenge(named.commitment, stolen_model, reveal=50)


def test_a_token_of_an_authority_that_nobody_named_changes_no_label(
    owner: Claimant, judge: Judge, stolen_model: TableSuspect, challenge: Challenge
) -> None:
    """Added later, by anybody: it stands under no signature, and enters neither D nor labels."""
    added = replace(owner.commitment, timestamps=(TimestampEvidence(b"token", b"\x01"),))
    assert added.digest == owner.commitment.digest
    assert (added.labels() == owner.commitment.labels()).all()
    verdict = verdict_of(lambda: judge.verify(added, stolen_model, challenge, b""))
    assert status(verdict, "commitment.timestamp") == "skipped"
