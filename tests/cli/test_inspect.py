"""inspect: what every kind of file says without a secret."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.support.case_files import Command, Files

KINDS = {
    "commitment": "commitment",
    "challenge": "challenge",
    "proof": "proof",
    "public": "judge-public",
    "vault": "vault",
    "judge": "judge-key",
}


@pytest.mark.parametrize(("name", "kind"), KINDS.items())
def test_every_kind(
    zkwm: Command, case: Files, monkeypatch: pytest.MonkeyPatch, name: str, kind: str
) -> None:
    monkeypatch.delenv("ZKWM_PASSPHRASE")
    path = getattr(case, name)
    text = zkwm("inspect", path)
    assert text.code == 0
    assert text.stdout.startswith(f"zkwm {kind}, ")
    assert text.stdout.splitlines()[-1].startswith("to check: ")
    result = zkwm("inspect", path, "--json")
    assert set(result.json) == {
        "schema", "kind", "sha256", "bytes", "fields", "checks", "problem", "advice",
    }  # fmt: skip
    assert result.json["schema"] == "zkwm/inspect/v1"
    assert result.json["kind"] == kind
    assert result.json["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert set(result.json["checks"].values()) <= {"verified", "not checked"}


def test_fields_of_a_challenge(zkwm: Command, case: Files) -> None:
    fields = zkwm("inspect", case.challenge, "--json").json["fields"]
    assert fields["judge"] == case.judge_fingerprint
    assert fields["purpose"] == "Acme v. Doe"
    assert fields["suspect"]["digest"] == hashlib.sha256(case.model.read_bytes()).hexdigest()


def test_no_secret_is_shown(zkwm: Command, case: Files) -> None:
    for name in ("vault", "judge", "proof"):
        result = zkwm("inspect", getattr(case, name), "--json")
        assert len(result.stdout) < 2000


def test_a_signature_that_does_not_verify(zkwm: Command, case: Files) -> None:
    data = bytearray(case.challenge.read_bytes())
    data[-1] ^= 1
    case.challenge.write_bytes(data)
    result = zkwm("inspect", case.challenge, "--json")
    assert result.code == 3
    assert result.stdout.count('"schema"') == 1
    assert '"challenge.signature": "failed"' in result.stdout
    assert "[challenge.signature]" in result.stderr


def test_from_stdin(process: Command, case: Files) -> None:
    result = process("inspect", "-", input=case.commitment.read_bytes())
    assert result.code == 0
    assert result.stdout.startswith("zkwm commitment, ")


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"zkwm-", b"zkwm-secret/1\n\xf6", b"\x00" * 100, b"zkwm-proof/1\n"]
)
def test_other_files(zkwm: Command, tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    result = zkwm("inspect", path)
    assert (result.code, result.stdout) == (3, "")
    assert str(path) in result.stderr
    assert "zkwm: hint: " in result.stderr


def test_missing_file(zkwm: Command, tmp_path: Path) -> None:
    result = zkwm("inspect", tmp_path / "none")
    assert result.code == 3
    assert str(tmp_path / "none") in result.stderr
