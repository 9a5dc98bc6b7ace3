"""keygen and judge-key, and where passphrases come from."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest

from tests.support.case_files import PASSPHRASE, Command, at_terminal
from zkwm.judge.key_file import open_judge_key, read_judge_public
from zkwm.owner.vault import Vault

FINGERPRINT = re.compile(r"[a-z2-7]{4}(-[a-z2-7]{4}){7}\n")


@pytest.mark.parametrize("algorithm", ["ed25519", "ecdsa-p256"])
def test_keygen(zkwm: Command, tmp_path: Path, algorithm: str) -> None:
    path = tmp_path / "acme.vault"
    result = zkwm("keygen", "--output", path, "--algorithm", algorithm)
    assert result.code == 0
    assert FINGERPRINT.fullmatch(result.stdout)
    assert "fingerprint" in result.stderr
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = Vault.open(path, PASSPHRASE).state.signing_key.public
    assert (key.algorithm, key.fingerprint()) == (algorithm, result.stdout.strip())


def test_keygen_in_json(zkwm: Command, tmp_path: Path) -> None:
    result = zkwm("keygen", "--output", tmp_path / "v", "--json")
    assert set(result.json) == {"schema", "path", "algorithm", "fingerprint", "revocation"}
    assert result.json["schema"] == "zkwm/keygen/v1"


def test_judge_key(zkwm: Command, tmp_path: Path) -> None:
    path = tmp_path / "judge.key"
    result = zkwm("judge-key", "-o", path)
    assert result.code == 0
    assert FINGERPRINT.fullmatch(result.stdout)
    public = read_judge_public(f"{path}.pub")
    assert public.fingerprint() == result.stdout.strip()
    assert open_judge_key(path, PASSPHRASE).public == public
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_judge_key_in_json(zkwm: Command, tmp_path: Path) -> None:
    result = zkwm("judge-key", "-o", tmp_path / "j", "--json")
    assert set(result.json) == {"schema", "path", "public", "fingerprint"}


@pytest.mark.parametrize("command", ["keygen", "judge-key"])
def test_keys_are_never_replaced(zkwm: Command, tmp_path: Path, command: str) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"precious")
    result = zkwm(command, "--output", path)
    assert (result.code, result.stdout) == (2, "")
    assert f"zkwm: error: {path} exists" in result.stderr
    assert path.read_bytes() == b"precious"
    assert zkwm(command, "--output", path, "--force").code == 2
    assert path.read_bytes() == b"precious"


def test_a_published_key_is_never_replaced(zkwm: Command, tmp_path: Path) -> None:
    (tmp_path / "judge.key.pub").write_bytes(b"published")
    assert zkwm("judge-key", "--output", tmp_path / "judge.key").code == 2
    assert not (tmp_path / "judge.key").exists()


def test_folder_that_is_not_there(zkwm: Command, tmp_path: Path) -> None:
    result = zkwm("keygen", "--output", tmp_path / "no" / "v")
    assert result.code == 2
    assert "zkwm: error: there is no folder" in result.stderr


def test_full_disk_leaves_nothing(
    zkwm: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for command in ("keygen", "judge-key"):
        result = zkwm(command, "--output", tmp_path / "key")
        assert (result.code, result.stdout) == (3, "")
        assert "No space left on device" in result.stderr
        assert list(tmp_path.iterdir()) == []


def test_passphrase_file(zkwm: Command, tmp_path: Path) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text("straße und mehr\r\nnot this line\n", encoding="utf-8")
    secret.chmod(0o600)
    result = zkwm("keygen", "--output", tmp_path / "v", "--passphrase-file", secret)
    assert result.code == 0
    assert "warning" not in result.stderr
    Vault.open(tmp_path / "v", "straße und mehr")


def test_a_byte_order_mark_is_no_part_of_a_passphrase(zkwm: Command, tmp_path: Path) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text("stra\u00dfe und mehr\n", encoding="utf-8-sig")
    secret.chmod(0o600)
    assert zkwm("keygen", "--output", tmp_path / "v", "--passphrase-file", secret).code == 0
    Vault.open(tmp_path / "v", "stra\u00dfe und mehr")


def test_passphrase_file_for_everybody_is_warned_about(zkwm: Command, tmp_path: Path) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text("abc and more\n")
    secret.chmod(0o644)
    result = zkwm("keygen", "--output", tmp_path / "v", "--passphrase-file", secret)
    assert result.code == 0
    assert f"zkwm: warning: every user of this machine can read {secret}" in result.stderr


def test_passphrase_from_stdin(process: Command, tmp_path: Path) -> None:
    result = process(
        "keygen", "--output", tmp_path / "v", "--passphrase-file", "-", input=b"abc and more\n"
    )
    assert result.code == 0
    Vault.open(tmp_path / "v", "abc and more")


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (b"", 2, "is empty"),
        (b"\nsecond line", 2, "is empty"),
        (b"\xef\xbb\xbf\n", 2, "is empty"),
        (b"x\n", 2, "has 1 of the 8 characters that a new one needs"),
        (b"seven77", 2, "has 7 of the 8 characters that a new one needs"),
        (b"\xff\xfe\n", 2, "not text in UTF-8"),
        (b"x" * 5000, 2, "at most 4096 bytes"),
    ],
)
def test_bad_passphrase_files(
    zkwm: Command, tmp_path: Path, content: bytes, code: int, message: str
) -> None:
    secret = tmp_path / "passphrase"
    secret.write_bytes(content)
    secret.chmod(0o600)
    result = zkwm("keygen", "--output", tmp_path / "v", "--passphrase-file", secret)
    assert result.code == code
    assert message in result.stderr
    assert not (tmp_path / "v").exists()


def test_missing_passphrase_file(zkwm: Command, tmp_path: Path) -> None:
    result = zkwm("keygen", "--output", tmp_path / "v", "--passphrase-file", tmp_path / "none")
    assert result.code == 3
    assert "cannot read the passphrase file" in result.stderr


def test_no_passphrase_and_no_terminal(
    zkwm: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ZKWM_PASSPHRASE")
    result = zkwm("keygen", "--output", tmp_path / "v")
    assert (result.code, result.stdout) == (2, "")
    assert "there is no terminal to ask at" in result.stderr
    assert (
        "zkwm: hint: use --passphrase-file FILE, or set ZKWM_OWNER_PASSPHRASE, or name a program "
        "that asks in ZKWM_ASKPASS" in result.stderr
    )


def test_passphrase_typed_twice(tmp_path: Path) -> None:
    code, screen = at_terminal(
        ["keygen", "--output", str(tmp_path / "v")], [b"abc and more\n", b"abc and more\n"]
    )
    assert code == 0, screen
    assert b"New passphrase of the new vault: " in screen
    assert b"abc and more" not in screen
    Vault.open(tmp_path / "v", "abc and more")


def test_passphrases_that_differ(tmp_path: Path) -> None:
    code, screen = at_terminal(
        ["keygen", "--output", str(tmp_path / "v")], [b"abc and more\n", b"abd and more\n"]
    )
    assert code == 2
    assert b"the two passphrases differ" in screen
    assert not (tmp_path / "v").exists()


def test_control_c_at_the_prompt(tmp_path: Path) -> None:
    code, screen = at_terminal(["keygen", "--output", str(tmp_path / "v")], [b"\x03"])
    assert code == 5
    assert b"zkwm: cancelled: interrupted" in screen
    assert not (tmp_path / "v").exists()
