"""verify: files that are valid alone but do not belong together, or prove too much."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.case_files import PASSPHRASE, Command, Files, dispute_over, statuses
from zkwm.judge.key_file import create_judge_key, open_judge_key
from zkwm.owner.vault import Vault
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.opening import Opening, make_opening, open_sealed


def test_proof_under_another_challenge(zkwm: Command, case: Files) -> None:
    assert zkwm(*case.challenge_options()).code == 0
    result = zkwm(*case.verify_options(challenge=case.folder / "new.challenge"), "--json")
    assert result.code == 3
    assert statuses(result.json)["response.challenge"] == "failed"


def test_proof_under_another_commitment(zkwm: Command, case: Files) -> None:
    other = case.folder / "other.commitment"
    made = zkwm(
        *("commit", "--vault", case.vault, "--generate", 200, "--shape", "1,16,16"),
        *("--classes", 10, "--output", other),
    )
    assert made.code == 0
    result = zkwm(*case.verify_options(commitment=other), "--json")
    assert result.code == 3
    assert statuses(result.json)["challenge.commitment"] == "failed"


def test_proof_under_another_model(zkwm: Command, case: Files) -> None:
    result = zkwm(*case.verify_options(model=case.innocent), "--json")
    assert result.code == 3
    assert statuses(result.json)["challenge.suspect"] == "failed"


def test_response_passed_on_to_another_judge(zkwm: Command, case: Files) -> None:
    create_judge_key(case.folder / "other.key", PASSPHRASE)
    result = zkwm(*case.verify_options(judge=case.folder / "other.key"), "--json")
    assert result.code == 3
    assert statuses(result.json)["challenge.judge"] == "failed"
    text = zkwm(*case.verify_options(judge=case.folder / "other.key")).stdout
    assert "another judge than the challenge's" in text
    assert "Judge's key " not in text


def test_a_missing_leaf_is_a_miss(zkwm: Command, case: Files) -> None:
    """An owner who leaves out what does not match gains nothing; the rest still counts."""
    commitment = Commitment.from_bytes(case.commitment.read_bytes())
    challenge = Challenge.from_bytes(case.challenge.read_bytes())
    box = open_judge_key(case.judge, PASSPHRASE).box
    opening = Opening.from_bytes(case.proof.read_bytes())
    (block,) = open_sealed(commitment, challenge, opening, box)
    partial = replace(block, triggers=(*block.triggers[:45], *[None] * 5))
    signer = Vault.open(case.vault, PASSPHRASE).state.signing_key
    case.proof.write_bytes(make_opening(commitment, challenge, (partial,), (signer,)).to_bytes())
    result = zkwm(*case.verify_options(), "--json")
    assert result.code == 0
    assert (result.json["matches"], result.json["triggers_opened"]) == (45, 50)
    assert statuses(result.json)["opening.leaves"] == "failed"


@pytest.mark.parametrize(
    "blocks",
    [(2,), (1, 3), (1, 1), (4,)],
    ids=["spent", "unasked", "repeated", "not there"],
)
def test_blocks_that_may_not_be_opened(zkwm: Command, case: Files, blocks: tuple[int, ...]) -> None:
    """What ``zkwm prove`` would never write, signed by the owner all the same."""
    assert zkwm(*case.challenge_options(exclude_blocks="0,2")).code == 0
    challenge = case.folder / "new.challenge"
    assert zkwm(*case.prove_options(challenge=challenge), "--again").code == 0
    path = case.folder / "new.proof"
    forged = replace(Opening.from_bytes(path.read_bytes()), blocks=blocks)
    signer = Vault.open(case.vault, PASSPHRASE).state.signing_key
    forged = replace(forged, signatures=(signer.sign("opening", forged.digest),))
    path.write_bytes(forged.to_bytes())
    result = zkwm(*case.verify_options(challenge=challenge, proof=path), "--json")
    assert result.code == 3
    assert statuses(result.json)["response.blocks"] == "failed"


def test_named_timestamp_authority_without_its_token(zkwm: Command, case: Files) -> None:
    commitment = Commitment.from_bytes(case.commitment.read_bytes())
    header = replace(commitment.header, timestamp_authority=bytes(32))
    signer = Vault.open(case.vault, PASSPHRASE).state.signing_key
    named = replace(
        commitment, header=header, signatures=(signer.sign("commitment", header.digest),)
    )
    case.commitment.write_bytes(named.to_bytes())
    result = zkwm(*case.verify_options(), "--json")
    assert result.code == 4
    assert result.json["outcome"] == "trust material missing"
    assert "zkwm: error: " in result.stderr
    assert zkwm("inspect", case.commitment).code == 4


@pytest.fixture
def declared(zkwm: Command, case: Files) -> Path:
    """A commitment to the same images and labels, the labels declared by the owner."""
    images, labels = case.triggers()
    np.savez(case.folder / "images.npz", images=images[50:])  # block 0 was opened
    np.savez(case.folder / "labels.npz", labels=labels[50:])
    path = case.folder / "declared.commitment"
    made = zkwm(
        *("commit", "--vault", case.vault, "--images", case.folder / "images.npz"),
        *("--labels", case.folder / "labels.npz", "--classes", 10, "--output", path),
    )
    assert made.code == 0
    return path


def test_declared_labels_prove_nothing_by_themselves(
    zkwm: Command, case: Files, declared: Path
) -> None:
    options = dispute_over(zkwm, case, commitment=declared)
    result = zkwm(*options, "--json")
    assert result.code == 10
    assert result.json["matches"] == 50
    assert result.json["evidence"] is None
    assert statuses(result.json)["opening.labels"] == "failed"


def test_declared_labels_accepted_by_the_judge(zkwm: Command, case: Files, declared: Path) -> None:
    options = dispute_over(zkwm, case, commitment=declared)
    result = zkwm(*options, "--accept-declared-labels", "--json")
    assert result.code == 0
    assert result.json["declared_labels_accepted"] is True
    assert result.json["evidence"] is None
