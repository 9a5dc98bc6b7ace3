"""The owner's zero-knowledge answer: disclosed, recorded, returned, repeated or refused."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.argued import SHAPE, StandIn, answer, opening_instead, save_linear
from tests.support.dispute import PASSPHRASE, random_images
from zkwm.judge.judge import Judge
from zkwm.owner.commit import commit
from zkwm.owner.prove import disclosure, prove
from zkwm.owner.vault import Vault
from zkwm.owner.vault.ledger import ArgumentEntry, ArgumentOutcome
from zkwm.suspects import open_suspect
from zkwm_protocols.argument_response import ArgumentResponse, read_response
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import InvalidSignature, UsageError


def test_the_challenge_takes_all_blocks_and_the_fewest_matches(challenge: Challenge) -> None:
    assert (challenge.mode, challenge.block_count, challenge.least_matches) == ("argument", 4, 60)


def test_an_argument_opens_nothing_and_is_one_bit(
    vault: Vault, commitment: Commitment, challenge: Challenge, model: Path, argument: StandIn
) -> None:
    proof = answer(vault, commitment, challenge, model)
    assert isinstance(proof, ArgumentResponse)
    proof.verify_signatures(commitment.header)
    proof.verify_against(commitment, challenge)
    assert proof.blocks == (0, 1, 2, 3)
    assert proof.labels is None
    state = Vault.open(vault.path, PASSPHRASE).state
    (entry,) = state.ledger
    assert isinstance(entry, ArgumentEntry)
    assert (entry.outcome, entry.response) == (ArgumentOutcome.PROVED, proof.to_bytes())
    assert state.spent_blocks(commitment.digest) == frozenset()
    statement = argument.statements[0]
    assert statement.leaves == commitment.leaves
    assert challenge.body() in statement.context
    assert commitment.header.to_bytes() in statement.context


def test_the_same_challenge_gives_the_same_bytes_and_no_new_bit(
    vault: Vault, commitment: Commitment, challenge: Challenge, model: Path, argument: StandIn
) -> None:
    first = answer(vault, commitment, challenge, model)
    again = prove(vault, commitment, challenge)
    assert again.to_bytes() == first.to_bytes()
    assert argument.proofs == 1
    assert len(vault.state.ledger) == 1


@pytest.mark.slow
def test_declared_labels_are_in_the_response(
    vault: Vault, judge: Judge, argument: StandIn, tmp_path: Path
) -> None:
    images = random_images(100, 5, SHAPE)
    labels = np.arange(100) % 10
    declared = commit(vault, images, class_count=10, block_size=25, declared_labels=labels)
    save_linear(tmp_path / "declared.onnx", images, labels)
    with closing(open_suspect(tmp_path / "declared.onnx", shape=SHAPE)) as suspect:
        asked = judge.challenge_argument(declared, suspect)
    proof = answer(vault, declared, asked, tmp_path / "declared.onnx")
    assert proof.labels == tuple(range(10)) * 10
    assert read_response(proof.to_bytes()) == proof
    assert argument.statements[0].label_fields == proof.labels


def test_disclosure_shows_the_question_and_the_bits(
    vault: Vault, commitment: Commitment, challenge: Challenge, model: Path, argument: StandIn
) -> None:
    shown = disclosure(vault, commitment, challenge)
    assert shown.blocks_to_open == ()
    assert shown.argument is not None
    assert shown.argument.network == challenge.network
    assert (shown.argument.least_matches, shown.argument.unopened) == (60, 4)
    assert shown.argument.bits == ()
    answer(vault, commitment, challenge, model)
    again = disclosure(vault, commitment, challenge)
    assert again.repeated
    assert again.argument is not None
    assert len(again.argument.bits) == 1
    assert again.released == ()


def test_what_is_refused_before_any_work(
    vault: Vault, commitment: Commitment, challenge: Challenge, model: Path, argument: StandIn
) -> None:
    with pytest.raises(UsageError, match="its file is missing"):
        prove(vault, commitment, challenge, judge_fingerprint=challenge.judge.fingerprint())
    with pytest.raises(UsageError, match="has not been confirmed"):
        prove(vault, commitment, replace(challenge), model=model, judge_fingerprint=None)
    with pytest.raises(InvalidSignature):
        answer(vault, commitment, replace(challenge, least_matches=61), model)
    assert argument.proofs == 0


def test_a_judge_is_not_confirmed_by_another_fingerprint(
    vault: Vault, commitment: Commitment, challenge: Challenge, model: Path
) -> None:
    stranger = "-".join(["aaaa"] * 8)
    with pytest.raises(UsageError, match="not from"):
        prove(vault, commitment, challenge, model=model, judge_fingerprint=stranger)
    assert vault.state.ledger == []


def test_the_vault_is_free_during_the_proof(
    vault: Vault,
    commitment: Commitment,
    judge: Judge,
    challenge: Challenge,
    model: Path,
    argument: StandIn,
) -> None:
    opening = opening_instead(challenge, judge, block_count=2)
    other = Vault.open(vault.path, PASSPHRASE)
    argument.during = lambda: prove(
        other, commitment, opening, judge_fingerprint=judge.public.fingerprint()
    )
    with pytest.raises(UsageError, match="was opened while it was made"):
        answer(vault, commitment, challenge, model)
    assert vault.state.arguments(commitment.digest) == []


def test_two_processes_with_one_challenge_hand_out_one_response(
    vault: Vault, commitment: Commitment, challenge: Challenge, model: Path, argument: StandIn
) -> None:
    other = Vault.open(vault.path, PASSPHRASE)
    found = []

    def meanwhile() -> None:
        argument.during = lambda: None
        found.append(answer(other, commitment, challenge, model))

    argument.during = meanwhile
    assert answer(vault, commitment, challenge, model) == found[0]
    assert len(vault.state.ledger) == 1
