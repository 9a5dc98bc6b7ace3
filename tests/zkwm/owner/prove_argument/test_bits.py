"""Each answer in zero knowledge is a bit about the triggers: counted, limited, one k* a network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.argued import StandIn, answer, opening_instead, signed
from zkwm.judge.judge import Judge
from zkwm.owner.disclosure import BIT_LIMIT
from zkwm.owner.prove import prove
from zkwm.owner.vault import Vault
from zkwm.owner.vault.ledger import ArgumentEntry, ArgumentOutcome
from zkwm_protocols.argument_response import ArgumentResponse, Refusal
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import InvalidOpening, NotEnoughMatches, UsageError


def test_too_few_matches_are_a_recorded_silence(
    vault: Vault,
    commitment: Commitment,
    judge: Judge,
    challenge: Challenge,
    model: Path,
    argument: StandIn,
) -> None:
    turned = tuple((label + 1) % 10 for label in range(10))
    asked = signed(challenge, judge, class_map=turned, least_matches=75)
    for _ in range(2):
        with pytest.raises(NotEnoughMatches):
            answer(vault, commitment, asked, model)
    (entry,) = vault.state.ledger
    assert isinstance(entry, ArgumentEntry)
    assert (entry.outcome, entry.response) == (ArgumentOutcome.TOO_FEW, b"")
    assert argument.proofs == 1


@pytest.mark.slow
def test_one_number_of_matches_for_a_network(
    vault: Vault,
    commitment: Commitment,
    judge: Judge,
    challenge: Challenge,
    model: Path,
    argument: StandIn,
) -> None:
    answer(vault, commitment, challenge, model)
    for changes in ({"least_matches": 61}, {"block_count": 3, "least_matches": 60}):
        other = signed(challenge, judge, nonce=bytes(32), **changes)
        with pytest.raises(UsageError) as caught:
            answer(vault, commitment, other, model)
        assert "would tell more" in caught.value.message
    again = signed(challenge, judge, nonce=bytes(32))
    assert isinstance(answer(vault, commitment, again, model), ArgumentResponse)
    assert [entry.outcome for entry in vault.state.arguments(commitment.digest)] == [
        ArgumentOutcome.PROVED
    ] * 2


@pytest.mark.slow
def test_beyond_the_limit_only_when_said(
    vault: Vault,
    commitment: Commitment,
    judge: Judge,
    challenge: Challenge,
    model: Path,
    argument: StandIn,
) -> None:
    answer(vault, commitment, challenge, model)
    with vault.transaction() as state:
        for number in range(BIT_LIMIT - 1):
            entry = replace(state.ledger[0], challenge_digest=number.to_bytes(32, "big"))
            state.ledger.append(entry)
    other = signed(challenge, judge, nonce=bytes(32))
    with pytest.raises(UsageError) as caught:
        answer(vault, commitment, other, model)
    assert "16 bits have been released" in caught.value.message
    assert argument.proofs == 1
    answer(vault, commitment, other, model, exceed_limit=True)
    assert len(vault.state.arguments(commitment.digest)) == BIT_LIMIT + 1


def test_opened_blocks_stay_out_and_a_refusal_is_a_bit(
    vault: Vault,
    commitment: Commitment,
    judge: Judge,
    model: Path,
    challenge: Challenge,
    argument: StandIn,
) -> None:
    opening = opening_instead(challenge, judge, block_count=2)
    prove(vault, commitment, opening, judge_fingerprint=judge.public.fingerprint())
    with pytest.raises(InvalidOpening) as caught:
        answer(vault, commitment, challenge, model)
    assert caught.value.check == "challenge.reachable"
    assert "--refuse" in caught.value.hint
    assert len(vault.state.ledger) == 1
    refusal = answer(vault, commitment, challenge, model, refuse=True)
    assert isinstance(refusal, Refusal)
    assert refusal.unopened_blocks == 2
    refusal.verify_signatures(commitment.header)
    entry = vault.state.ledger[-1]
    assert isinstance(entry, ArgumentEntry)
    assert (entry.outcome, entry.blocks) == (ArgumentOutcome.REFUSED, ())
    smaller = signed(challenge, judge, block_count=2, least_matches=45)
    proof = answer(vault, commitment, smaller, model)
    assert proof.blocks == (2, 3)
    assert argument.proofs == 1


def test_nothing_to_refuse(
    vault: Vault, commitment: Commitment, challenge: Challenge, model: Path
) -> None:
    with pytest.raises(UsageError) as caught:
        answer(vault, commitment, challenge, model, refuse=True)
    assert "nothing to refuse" in caught.value.message
    assert vault.state.ledger == []
