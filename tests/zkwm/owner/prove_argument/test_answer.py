"""The owner's zero-knowledge answer: disclosed, recorded, returned, repeated or refused."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.argued import SHAPE, Scene, answer, opening_instead, save_linear
from tests.support.dispute import PASSPHRASE, random_images
from zkwm.owner import prove_argument
from zkwm.owner.commit import commit
from zkwm.owner.prove import disclosure, prove
from zkwm.owner.vault import Vault
from zkwm.owner.vault.ledger import ArgumentEntry, ArgumentOutcome
from zkwm.suspects import open_suspect
from zkwm_protocols.argument_response import ArgumentResponse, read_response
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.errors import InvalidSignature, UsageError


def test_the_challenge_takes_all_blocks_and_the_fewest_matches(challenge: Challenge) -> None:
    assert (challenge.mode, challenge.block_count, challenge.least_matches) == ("argument", 4, 60)


def test_an_argument_opens_nothing_and_is_one_bit(scene: Scene) -> None:
    proof = scene.answer()
    assert isinstance(proof, ArgumentResponse)
    proof.verify_signatures(scene.commitment.header)
    proof.verify_against(scene.commitment, scene.challenge)
    assert proof.blocks == (0, 1, 2, 3)
    assert proof.labels is None
    state = Vault.open(scene.vault.path, PASSPHRASE).state
    (entry,) = state.ledger
    assert isinstance(entry, ArgumentEntry)
    assert (entry.outcome, entry.response) == (ArgumentOutcome.PROVED, proof.to_bytes())
    assert state.spent_blocks(scene.commitment.digest) == frozenset()
    statement = scene.argument.statements[0]
    assert statement.leaves == scene.commitment.leaves
    assert scene.challenge.body() in statement.context
    assert scene.commitment.header.to_bytes() in statement.context


def test_kernels_of_another_version_are_logged(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(prove_argument, "OTHER_VERSION", -1)
    scene.answer()
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("zkwm.owner.prove_argument", "WARNING")
    assert "version -1" in record.getMessage()


def test_the_same_challenge_gives_the_same_bytes_and_no_new_bit(scene: Scene) -> None:
    first = scene.answer()
    again = prove(scene.vault, scene.commitment, scene.challenge)
    assert again.to_bytes() == first.to_bytes()
    assert scene.argument.proofs == 1
    assert len(scene.vault.state.ledger) == 1


@pytest.mark.slow
def test_declared_labels_are_in_the_response(scene: Scene, tmp_path: Path) -> None:
    images = random_images(100, 5, SHAPE)
    labels = np.arange(100) % 10
    declared = commit(scene.vault, images, class_count=10, block_size=25, declared_labels=labels)
    save_linear(tmp_path / "declared.onnx", images, labels)
    with closing(open_suspect(tmp_path / "declared.onnx", shape=SHAPE)) as suspect:
        asked = scene.judge.challenge_argument(declared, suspect)
    proof = answer(scene.vault, declared, asked, tmp_path / "declared.onnx")
    assert proof.labels == tuple(range(10)) * 10
    assert read_response(proof.to_bytes()) == proof
    assert scene.argument.statements[0].label_fields == proof.labels


def test_disclosure_shows_the_question_and_the_bits(scene: Scene) -> None:
    shown = disclosure(scene.vault, scene.commitment, scene.challenge)
    assert shown.blocks_to_open == ()
    assert shown.argument is not None
    assert shown.argument.network == scene.challenge.network
    assert (shown.argument.least_matches, shown.argument.unopened) == (60, 4)
    assert shown.argument.bits == ()
    scene.answer()
    again = disclosure(scene.vault, scene.commitment, scene.challenge)
    assert again.repeated
    assert again.argument is not None
    assert len(again.argument.bits) == 1
    assert again.released == ()


def test_what_is_refused_before_any_work(scene: Scene) -> None:
    with pytest.raises(UsageError, match="its file is missing"):
        prove(
            scene.vault,
            scene.commitment,
            scene.challenge,
            judge_fingerprint=scene.challenge.judge.fingerprint(),
        )
    with pytest.raises(UsageError, match="has not been confirmed"):
        prove(
            scene.vault,
            scene.commitment,
            replace(scene.challenge),
            model=scene.model,
            judge_fingerprint=None,
        )
    with pytest.raises(InvalidSignature):
        scene.answer(replace(scene.challenge, least_matches=61))
    assert scene.argument.proofs == 0


def test_a_judge_is_not_confirmed_by_another_fingerprint(scene: Scene) -> None:
    stranger = "-".join(["aaaa"] * 8)
    with pytest.raises(UsageError, match="another judge"):
        prove(
            scene.vault,
            scene.commitment,
            scene.challenge,
            model=scene.model,
            judge_fingerprint=stranger,
        )
    assert scene.vault.state.ledger == []


def test_the_vault_is_free_during_the_proof(scene: Scene) -> None:
    opening = opening_instead(scene.challenge, scene.judge, block_count=2)
    other = Vault.open(scene.vault.path, PASSPHRASE)
    scene.argument.during = lambda: prove(
        other, scene.commitment, opening, judge_fingerprint=scene.judge.public.fingerprint()
    )
    with pytest.raises(UsageError, match="was opened while it was made"):
        scene.answer()
    assert scene.vault.state.arguments(scene.commitment.digest) == []


def test_two_processes_with_one_challenge_hand_out_one_response(scene: Scene) -> None:
    other = Vault.open(scene.vault.path, PASSPHRASE)
    found = []

    def meanwhile() -> None:
        scene.argument.during = lambda: None
        found.append(answer(other, scene.commitment, scene.challenge, scene.model))

    scene.argument.during = meanwhile
    assert scene.answer() == found[0]
    assert len(scene.vault.state.ledger) == 1
