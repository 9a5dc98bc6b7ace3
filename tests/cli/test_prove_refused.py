"""prove: files that do not fit, a vault in use, a full disk; nothing is lost or half-written."""

from __future__ import annotations

import os
from pathlib import Path

import filelock
import pytest

from tests.support.case_files import Command, Files, spent
from zkwm_protocols.errors import CouldNotCheck


def _flip(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda case: _flip(case.challenge, -1), "[challenge.signature]"),
        (
            lambda case: case.challenge.write_bytes(case.challenge.read_bytes()[:-7]),
            "case.challenge: ",
        ),
        (
            lambda case: case.challenge.write_bytes(case.challenge.read_bytes() + b"x"),
            "case.challenge: ",
        ),
        (lambda case: case.challenge.write_bytes(b""), "case.challenge: "),
        (lambda case: case.challenge.write_bytes(case.proof.read_bytes()), "case.challenge: "),
        (
            lambda case: case.challenge.write_bytes(b"zkwm-challenge/9\n\xa0"),
            "case.challenge: ",
        ),
        (lambda case: case.challenge.unlink(), "case.challenge"),
        (
            lambda case: case.commitment.write_bytes(b"zkwm-commitment/3\n" + b"\x81" * 5000),
            "acme.commitment: ",
        ),
        (lambda case: _flip(case.vault, -1), "passphrase"),
        (lambda case: case.vault.write_bytes(case.vault.read_bytes()[:-1]), ""),
        (lambda case: case.vault.write_bytes(b""), "vault"),
        (lambda case: case.vault.unlink(), "acme.vault"),
        (lambda case: case.vault.chmod(0o644), "acme.vault"),
    ],
)
def test_spoilt_files(zkwm: Command, case: Files, spoil: object, message: str) -> None:
    spoil(case)
    result = zkwm(*case.prove_options(), "--yes")
    assert (result.code, result.stdout) == (3, "")
    assert message in result.stderr
    assert result.stderr.count("zkwm: error: ") == 1
    assert "zkwm: hint: " in result.stderr
    assert not (case.folder / "new.proof").exists()


def test_huge_file_is_not_read(zkwm: Command, case: Files) -> None:
    with case.challenge.open("ab") as file:
        file.truncate(10**10)
    result = zkwm(*case.prove_options(), "--yes")
    assert result.code == 3
    assert "larger than" in result.stderr


def test_vault_of_somebody_else(zkwm: Command, case: Files) -> None:
    assert zkwm("keygen", "--output", case.folder / "other.vault").code == 0
    result = zkwm(*case.prove_options(vault=case.folder / "other.vault"), "--yes")
    assert result.code == 2
    assert "vault" in result.stderr


def test_challenge_for_another_commitment(zkwm: Command, case: Files) -> None:
    other = case.folder / "other.commitment"
    made = zkwm(
        *("commit", "--vault", case.vault, "--generate", 50, "--shape", "1,16,16"),
        *("--classes", 10, "--output", other),
    )
    assert made.code == 0
    result = zkwm(*case.prove_options(commitment=other), "--yes")
    assert result.code == 3
    assert "[challenge.commitment]" in result.stderr


def test_vault_held_by_another_process(
    zkwm: Command, case: Files, fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zkwm.owner.vault.vault.WAIT_SECONDS", 0.1)
    lock = os.open(f"{case.vault}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    assert filelock.lock_descriptor(lock, blocking=False)
    try:
        result = zkwm(*case.prove_options(challenge=fresh), "--yes")
    finally:
        os.close(lock)
    assert result.code == 3
    assert "zkwm: hint: " in result.stderr
    assert not (case.folder / "new.proof").exists()


def test_full_disk_spends_nothing(
    zkwm: Command, case: Files, fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    before = case.vault.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        result = zkwm(*case.prove_options(challenge=fresh), "--yes")
    assert result.code == 3
    assert "No space left on device" in result.stderr
    assert case.vault.read_bytes() == before
    assert not (case.folder / "new.proof").exists()


def test_a_proof_that_could_not_be_written_is_not_lost(
    zkwm: Command, case: Files, fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vault records before anything leaves; asking again gives what was recorded."""
    options = case.prove_options(challenge=fresh)
    with monkeypatch.context() as patch:
        patch.setattr("zkwm_cli.artifacts.Output.write", _refuse)
        refused = zkwm(*options, "--yes")
    assert refused.code == 3
    assert "the response is recorded" in refused.stderr
    assert spent(case) == 2
    again = zkwm(*options)
    assert again.code == 0
    assert "answered before" in again.stderr
    assert spent(case) == 2


def _refuse(*_: object) -> None:
    raise CouldNotCheck("cannot write it")


def test_nothing_is_replaced_without_force(zkwm: Command, case: Files) -> None:
    before = case.proof.read_bytes()
    case.proof.write_bytes(b"old")
    assert zkwm(*case.prove_options(output=case.proof)).code == 2
    assert case.proof.read_bytes() == b"old"
    assert zkwm(*case.prove_options(output=case.proof), "--force").code == 0
    assert case.proof.read_bytes() == before


def test_vault_and_inputs_are_never_the_output(zkwm: Command, case: Files) -> None:
    for name in (case.vault, case.commitment, case.challenge):
        before = name.read_bytes()
        result = zkwm(*case.prove_options(output=name), "--force", "--yes")
        assert result.code == 2
        assert name.read_bytes() == before


def test_when_all_blocks_are_spent(zkwm: Command, case: Files) -> None:
    for number in range(3):
        challenge = case.folder / f"{number}.challenge"
        assert zkwm(*case.challenge_options(output=challenge)).code == 0
        options = case.prove_options(challenge=challenge, output=case.folder / f"{number}.proof")
        last = ["--last"] if number == 2 else []
        assert zkwm(*options, "--again", *last).code == 0
    assert zkwm(*case.challenge_options()).code == 0
    result = zkwm(*case.prove_options(challenge=case.folder / "new.challenge"))
    assert result.code == 3
    assert "[challenge.reachable]" in result.stderr
    assert "zkwm: hint: " in result.stderr


def test_the_last_block_is_not_opened_unasked(zkwm: Command, case: Files) -> None:
    made = zkwm(*case.challenge_options(reveal=150))
    assert made.code == 0, made.stderr
    options = [*case.prove_options(challenge=case.folder / "new.challenge"), "--again"]
    before = case.vault.read_bytes()
    result = zkwm(*options)
    assert result.code == 2
    assert "left after it  nothing: no other dispute can be answered by opening" in result.stderr
    assert "this is the last opening of this commitment: no block is left" in result.stderr
    assert "--last opens all the same" in result.stderr
    assert case.vault.read_bytes() == before
    done = zkwm(*options, "--last", "--json")
    assert (done.code, done.json["blocks"], done.json["disputes_left"]) == (0, [1, 2, 3], 0)
    again = zkwm(*options, "--force")
    assert again.code == 0  # the same bytes once more need no word


def test_another_word_is_no_consent_to_the_last_block(zkwm: Command, case: Files) -> None:
    made = zkwm(*case.challenge_options(reveal=150))
    assert made.code == 0
    result = zkwm(*case.prove_options(challenge=case.folder / "new.challenge"), "--last")
    assert result.code == 2
    assert "blocks were opened to this judge about this suspect before" in result.stderr
