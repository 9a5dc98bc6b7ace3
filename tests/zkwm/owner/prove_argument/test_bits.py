"""Each answer in zero knowledge is a bit about the triggers: counted, limited, one k* a network."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.argued import Scene, opening_instead
from zkwm.owner.consent import Consent
from zkwm.owner.disclosure import BIT_LIMIT
from zkwm.owner.prove import prove
from zkwm.owner.vault.ledger import ArgumentEntry, ArgumentOutcome
from zkwm_protocols.argument_response import ArgumentResponse, Refusal
from zkwm_protocols.errors import InvalidOpening, NotEnoughMatches, UsageError


def test_too_few_matches_are_a_recorded_silence(scene: Scene) -> None:
    turned = tuple((label + 1) % 10 for label in range(10))
    asked = scene.asked(class_map=turned, least_matches=75)
    for _ in range(2):
        with pytest.raises(NotEnoughMatches):
            scene.answer(asked)
    (entry,) = scene.vault.state.ledger
    assert isinstance(entry, ArgumentEntry)
    assert (entry.outcome, entry.response) == (ArgumentOutcome.TOO_FEW, b"")
    assert scene.argument.proofs == 1


@pytest.mark.slow
def test_one_number_of_matches_for_a_network(scene: Scene) -> None:
    scene.answer()
    for changes in ({"least_matches": 61}, {"block_count": 3, "least_matches": 60}):
        other = scene.asked(nonce=bytes(32), **changes)
        with pytest.raises(UsageError) as caught:
            scene.answer(other)
        assert "would tell more" in caught.value.message
    again = scene.asked(nonce=bytes(32))
    assert isinstance(scene.answer(again), ArgumentResponse)
    assert [entry.outcome for entry in scene.vault.state.arguments(scene.commitment.digest)] == [
        ArgumentOutcome.PROVED
    ] * 2


@pytest.mark.slow
def test_beyond_the_limit_only_when_said(scene: Scene) -> None:
    scene.answer()
    with scene.vault.transaction() as state:
        for number in range(BIT_LIMIT - 1):
            entry = replace(state.ledger[0], challenge_digest=number.to_bytes(32, "big"))
            state.ledger.append(entry)
    other = scene.asked(nonce=bytes(32))
    with pytest.raises(UsageError) as caught:
        scene.answer(other)
    assert "16 bits have been released" in caught.value.message
    assert scene.argument.proofs == 1
    scene.answer(other, consent=Consent(exceed_limit=True))
    assert len(scene.vault.state.arguments(scene.commitment.digest)) == BIT_LIMIT + 1


def test_opened_blocks_stay_out_and_a_refusal_is_a_bit(scene: Scene) -> None:
    opening = opening_instead(scene.challenge, scene.judge, block_count=2)
    prove(
        scene.vault, scene.commitment, opening, judge_fingerprint=scene.judge.public.fingerprint()
    )
    with pytest.raises(InvalidOpening) as caught:
        scene.answer()
    assert caught.value.check == "challenge.reachable"
    assert "`refuse=True`" in caught.value.hint
    assert len(scene.vault.state.ledger) == 1
    refusal = scene.answer(refuse=True)
    assert isinstance(refusal, Refusal)
    assert refusal.unopened_blocks == 2
    refusal.verify_signatures(scene.commitment.header)
    entry = scene.vault.state.ledger[-1]
    assert isinstance(entry, ArgumentEntry)
    assert (entry.outcome, entry.blocks) == (ArgumentOutcome.REFUSED, ())
    smaller = scene.asked(block_count=2, least_matches=45)
    proof = scene.answer(smaller)
    assert proof.blocks == (2, 3)
    assert scene.argument.proofs == 1


def test_nothing_to_refuse(scene: Scene) -> None:
    with pytest.raises(UsageError) as caught:
        scene.answer(refuse=True)
    assert "nothing to refuse" in caught.value.message
    assert scene.vault.state.ledger == []
