"""The owner's answer in zero knowledge: what is asked, refused, recorded, and what leaves."""

from __future__ import annotations

import hashlib
import shutil
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from argued import StandIn, save_linear
from dispute import CHEAP, PASSPHRASE, new_judge, random_images

from zkwm.answering import BIT_LIMIT
from zkwm.datasets import ImageData
from zkwm.judge import Judge
from zkwm.models import open_suspect
from zkwm.owner import commit, disclosure, prove, trigger_set
from zkwm.suspect_network import derive_network, require_classifier
from zkwm.vault import Vault
from zkwm.vault.ledger import PROVED, REFUSED, TOO_FEW, ArgumentEntry
from zkwm_protocols.argument_response import ArgumentResponse, Refusal, read_response
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import (
    InvalidOpening,
    InvalidSignature,
    NotEnoughMatches,
    Unsupported,
    UsageError,
)
from zkwm_protocols.suspect import Preprocessing, SuspectIdentity

SHAPE = (1, 16, 16)


@pytest.fixture
def argument(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    return StandIn().install(monkeypatch)


@dataclass(frozen=True)
class Original:
    """A commitment in a vault, its marked model, and a judge's challenge, made once."""

    folder: Path
    commitment: Commitment
    judge: Judge
    challenge: Challenge


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Original:
    folder = tmp_path_factory.mktemp("original")
    vault = Vault.create(folder / "owner.vault", PASSPHRASE, cost=CHEAP)
    made = commit(vault, random_images(100, shape=SHAPE), class_count=10, block_size=25)
    triggers = trigger_set(vault, made)
    save_linear(folder / "model.onnx", triggers.images, triggers.labels)
    judge = new_judge()
    with closing(open_suspect(folder / "model.onnx", shape=SHAPE)) as suspect:
        asked = judge.challenge_argument(made, suspect, purpose="a dispute")
    return Original(folder, made, judge, asked)


@pytest.fixture
def vault(original: Original, tmp_path: Path) -> Vault:
    shutil.copy(original.folder / "owner.vault", tmp_path / "owner.vault")
    return Vault.open(tmp_path / "owner.vault", PASSPHRASE)


@pytest.fixture
def commitment(original: Original) -> Commitment:
    return original.commitment


@pytest.fixture
def model(original: Original) -> Path:
    return original.folder / "model.onnx"


@pytest.fixture
def judge(original: Original) -> Judge:
    return original.judge


@pytest.fixture
def challenge(original: Original) -> Challenge:
    return original.challenge


def answer(vault: Vault, commitment: Commitment, asked: Challenge, model: Path, **more: Any) -> Any:
    options = {"judge_fingerprint": asked.judge.fingerprint(), "model": model, **more}
    return prove(vault, commitment, asked, **options)


def signed(challenge: Challenge, judge: Judge, **changes: Any) -> Challenge:
    return replace(challenge, signature=b"", **changes).signed_by(judge._key.signing)


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
    assert (entry.outcome, entry.response) == (PROVED, proof.to_bytes())
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


def test_too_few_matches_are_a_recorded_silence(
    vault: Vault,
    commitment: Commitment,
    judge: Judge,
    challenge: Challenge,
    model: Path,
    argument: StandIn,
) -> None:
    turned = tuple((label + 1) % 10 for label in range(10))
    asked = signed(challenge, judge, class_map=turned)
    for _ in range(2):
        with pytest.raises(NotEnoughMatches):
            answer(vault, commitment, asked, model)
    (entry,) = vault.state.ledger
    assert isinstance(entry, ArgumentEntry)
    assert (entry.outcome, entry.response) == (TOO_FEW, b"")
    assert argument.proofs == 1


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
    assert [entry.outcome for entry in vault.state.arguments(commitment.digest)] == [PROVED] * 2


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
    opening = signed(challenge, judge, network=None, least_matches=None, block_count=2)
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
    assert (entry.outcome, entry.blocks) == (REFUSED, ())
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


def test_the_network_must_be_that_of_the_challenge(
    vault: Vault,
    commitment: Commitment,
    judge: Judge,
    challenge: Challenge,
    model: Path,
    argument: StandIn,
    tmp_path: Path,
) -> None:
    other = signed(challenge, judge, network=bytes(32))
    with pytest.raises(InvalidOpening) as caught:
        answer(vault, commitment, other, model)
    assert caught.value.check == "challenge.network"
    changed = tmp_path / "changed.onnx"
    changed.write_bytes(model.read_bytes() + b"\0")
    with pytest.raises(InvalidOpening) as caught:
        answer(vault, commitment, challenge, changed)
    assert caught.value.check == "challenge.suspect"
    assert argument.proofs == 0
    assert vault.state.ledger == []


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
    opening = signed(challenge, judge, network=None, least_matches=None, block_count=2)
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


# The owner refuses networks that could be made to read his triggers.


def network_of(path: Path, shape: tuple[int, int, int] = SHAPE) -> Any:
    digest = hashlib.sha256(path.read_bytes()).digest()
    return derive_network(path, SuspectIdentity("onnx", digest, "", 10, shape), Preprocessing())


def test_a_constant_network_is_refused(tmp_path: Path) -> None:
    images = random_images(30, 1, SHAPE)
    save_linear(tmp_path / "constant.onnx", images, np.arange(30) % 10, favour=1000.0)
    with pytest.raises(UsageError, match="gives output 0 to"):
        require_classifier(network_of(tmp_path / "constant.onnx"), tuple(range(10)))


def test_a_network_near_chance_is_refused_and_a_classifier_is_not(tmp_path: Path) -> None:
    images = random_images(300, 1, SHAPE)
    labels = np.arange(300) % 10
    save_linear(tmp_path / "model.onnx", images[:100], labels[:100])
    network = network_of(tmp_path / "model.onnx")
    known = ImageData(images[:1], labels[:1], images[:100], labels[:100], 10, "known")
    require_classifier(network, tuple(range(10)), known)
    unknown = ImageData(images[:1], labels[:1], images[100:], labels[100:], 10, "unknown")
    with pytest.raises(UsageError, match="near chance"):
        require_classifier(network, tuple(range(10)), unknown)
    with pytest.raises(UsageError, match="other images or classes"):
        require_classifier(network, tuple(range(9)), unknown)


def test_networks_of_the_embedded_shape_are_tested_on_fashion(tmp_path: Path) -> None:
    images = random_images(100, 1, (1, 28, 28))
    save_linear(tmp_path / "model.onnx", images, np.arange(100) % 10)
    with pytest.raises(UsageError) as caught:
        require_classifier(network_of(tmp_path / "model.onnx", (1, 28, 28)), tuple(range(10)))
    assert "--test-data" in caught.value.hint


def test_only_files_have_a_network(model: Path, challenge: Challenge) -> None:
    with pytest.raises(Unsupported) as caught:
        derive_network(model, replace(challenge.suspect, kind="http"), Preprocessing())
    assert caught.value.check == "challenge.network"
