"""--token: owner and judge sign by a hardware token, from their keys to a signed verdict."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.case_files import Command, Files, save_lookup
from tests.support.soft_token import PIN, address, needs_soft_token, soft_token
from zkwm.hardware_keys import TOKENS
from zkwm.judge.key_file import read_judge_public

pytestmark = needs_soft_token


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A token whose PIN is in a file, as a descriptor would give it."""
    soft_token()
    TOKENS.close()
    (tmp_path / "pin").write_text(f"{PIN}\n")
    (tmp_path / "pin").chmod(0o600)
    monkeypatch.setenv("ZKWM_PIN_FILE", str(tmp_path / "pin"))
    monkeypatch.chdir(tmp_path)
    yield
    TOKENS.close()
    TOKENS.ask_pin = None


def test_from_keys_in_a_token_to_a_signed_verdict(zkwm: Command, tmp_path: Path) -> None:
    made = zkwm("keygen", "--token", address("p256"), "--output", "acme.vault", "--json")
    assert made.json["algorithm"] == "ecdsa-p256"
    assert zkwm("judge-key", "--token", address("ed"), "--output", "judge.key").code == 0
    TOKENS.close()
    committed = zkwm(
        *("commit", "--vault", "acme.vault", "--generate", 200, "--family", "blocks"),
        *("--shape", "1,16,16", "--classes", 10, "--output", "acme.commitment"),
    )
    assert committed.code == 0, committed.stderr
    judge = read_judge_public("judge.key.pub").fingerprint()
    files = Files(tmp_path, judge)
    images, labels = files.triggers()
    save_lookup(files.model, images, labels)
    TOKENS.close()
    asked = zkwm(*files.challenge_options(judge=files.judge, output=files.challenge))
    assert asked.code == 0, asked.stderr
    TOKENS.close()
    proved = zkwm(*files.prove_options(output=files.proof, judge_fingerprint=judge))
    assert proved.code == 0, proved.stderr
    TOKENS.close()
    verified = zkwm(*files.verify_options(verdict=tmp_path / "case.verdict"))
    assert verified.code == 0, verified.stderr
    signed = zkwm("inspect", "case.verdict", "--judge", "judge.key.pub", "--json")
    assert signed.code == 0, signed.stderr
    everything = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.name != "pin")
    assert PIN.encode() not in everything


def test_a_pin_is_needed_and_a_passphrase_is_none(
    zkwm: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ZKWM_PASSPHRASE is set: as a PIN it would lock the token."""
    monkeypatch.delenv("ZKWM_PIN_FILE")
    keygen = ("keygen", "--token", address("ed"), "--output", "new.vault")
    refused = zkwm(*keygen)
    assert (refused.code, Path("new.vault").exists()) == (2, False)
    assert "ZKWM_PIN_FILE" in refused.stderr
    monkeypatch.setenv("ZKWM_PIN", "0000")
    wrong = zkwm(*keygen)
    assert (wrong.code, Path("new.vault").exists()) == (3, False)
    assert "0000" not in wrong.stderr
    monkeypatch.setenv("ZKWM_PIN", PIN)
    assert zkwm(*keygen).code == 0
    with_pin = address("ed") + "&pin-value=" + PIN
    refused = zkwm("judge-key", "--token", with_pin, "--output", "judge.key")
    assert refused.code == 2
    assert PIN not in refused.stderr
