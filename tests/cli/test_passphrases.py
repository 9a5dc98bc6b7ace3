"""Where a passphrase comes from: variables by role, keyring, a program; and which comes first."""

from __future__ import annotations

import json
import os
import signal
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from tests.support.case_files import PASSPHRASE, Command, Files
from zkwm.owner.vault import Vault
from zkwm_cli import askpass

OTHER = "another one, and wrong"


def look(case: Files) -> list[object]:
    """A command of the owner's that only opens the vault."""
    return [
        *("check", "--vault", case.vault, "--commitment", case.commitment),
        *("--model", case.model, "--no-argument", "--json"),
    ]


def program(folder: Path, body: str) -> Path:
    """An executable Python program in a folder."""
    path = folder / "ask me"
    path.write_text(f"#!{sys.executable}\nimport json, os, sys, time\n{body}\n")
    path.chmod(0o700)
    return path


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No variable gives a passphrase."""
    monkeypatch.delenv("ZKWM_PASSPHRASE")
    return monkeypatch


def test_each_role_has_a_variable_of_its_own(
    zkwm: Command, case: Files, without: pytest.MonkeyPatch
) -> None:
    without.setenv("ZKWM_JUDGE_PASSPHRASE", PASSPHRASE)
    assert zkwm(*case.challenge_options()).code == 0
    refused = zkwm(*look(case))
    assert refused.code == 2
    assert "or set ZKWM_OWNER_PASSPHRASE" in refused.stderr
    without.setenv("ZKWM_OWNER_PASSPHRASE", PASSPHRASE)
    assert zkwm(*look(case)).code == 0


def test_a_roles_variable_comes_before_the_common_one(
    zkwm: Command, case: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZKWM_OWNER_PASSPHRASE", OTHER)
    assert zkwm(*look(case)).code == 3
    assert zkwm(*case.challenge_options()).code == 0  # a judge has the common one


def test_a_file_comes_before_every_variable(
    zkwm: Command, case: Files, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ZKWM_PASSPHRASE", OTHER)
    monkeypatch.setenv("ZKWM_OWNER_PASSPHRASE", OTHER)
    secret = tmp_path / "secret"
    secret.write_text(PASSPHRASE)
    secret.chmod(0o600)
    assert zkwm(*look(case), "--passphrase-file", secret).code == 0


class Ring(KeyringBackend):
    """A keyring in memory."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise KeyringLocked("the keyring is locked")
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.entries[service, username]


@pytest.fixture
def ring(without: pytest.MonkeyPatch) -> Iterator[Ring]:
    made, before = Ring(), keyring.get_keyring()
    without.setenv("ZKWM_KEYRING", "1")
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


def test_an_entry_of_the_keyring(zkwm: Command, case: Files, ring: Ring) -> None:
    ring.entries["zkwm", os.path.realpath(case.vault)] = PASSPHRASE
    assert zkwm(*look(case)).code == 0


def test_a_keyring_is_asked_only_where_that_was_said(
    zkwm: Command, case: Files, ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring.entries["zkwm", os.path.realpath(case.vault)] = PASSPHRASE
    monkeypatch.delenv("ZKWM_KEYRING")
    assert zkwm(*look(case)).code == 2


def test_a_keyring_without_an_entry_is_passed_over(
    zkwm: Command, case: Files, ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert zkwm(*look(case)).code == 2
    monkeypatch.setenv("ZKWM_ASKPASS", str(program(case.folder, f"print({PASSPHRASE!r})")))
    assert zkwm(*look(case)).code == 0


def test_a_locked_keyring(zkwm: Command, case: Files, ring: Ring) -> None:
    ring.locked = True
    result = zkwm(*look(case))
    assert result.code == 3
    assert "the keyring gives no passphrase: KeyringLocked" in result.stderr


def test_a_missing_library(
    zkwm: Command, case: Files, ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    result = zkwm(*look(case))
    assert result.code == 2
    assert "pip install 'zkwm[keyring]'" in result.stderr


def test_a_program_that_asks(
    zkwm: Command, case: Files, without: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    body = f"json.dump([sys.argv[1:], dict(os.environ)], open({str(seen)!r}, 'w'))"
    asks = program(tmp_path, f"{body}\nprint({PASSPHRASE!r})")
    without.setenv("ZKWM_ASKPASS", str(asks))
    without.setenv("ZKWM_JUDGE_PASSPHRASE", "the judge's own")
    result = zkwm(*look(case))
    assert result.code == 0, result.stderr
    arguments, environment = json.loads(seen.read_text())
    assert arguments == [f"Passphrase of {case.vault}:"]  # one argument, no shell
    assert not {name for name in environment if name.endswith("PASSPHRASE")}


def test_a_new_passphrase_is_asked_for_twice(
    zkwm: Command, without: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    count = tmp_path / "count"
    count.write_text("")
    asks = program(
        tmp_path,
        f"open({str(count)!r}, 'a').write(sys.argv[1] + chr(10))\nprint('five words and a half')",
    )
    without.setenv("ZKWM_ASKPASS", str(asks))
    assert zkwm("keygen", "--output", tmp_path / "v").code == 0
    assert count.read_text().splitlines() == [
        "New passphrase of the new vault:",
        "The same again:",
    ]
    Vault.open(tmp_path / "v", "five words and a half")


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ("sys.exit(1)", 5, "ended with 1 and gave no passphrase"),
        ("print('x' * 5000)", 2, "at most 4096 bytes"),
        ("while True: sys.stdout.write('x' * 65536)", 2, "at most 4096 bytes"),
        ("print('')", 2, "is empty"),
        ("sys.stdout.buffer.write(bytes([255, 10]))", 2, "not text in UTF-8"),
    ],
)
def test_programs_that_give_none(
    zkwm: Command,
    case: Files,
    without: pytest.MonkeyPatch,
    tmp_path: Path,
    body: str,
    code: int,
    message: str,
) -> None:
    without.setenv("ZKWM_ASKPASS", str(program(tmp_path, body)))
    result = zkwm(*look(case))
    assert (result.code, message in result.stderr) == (code, True), result.stderr


def test_a_program_that_does_not_answer_is_ended(
    zkwm: Command, case: Files, without: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    number = tmp_path / "number"
    body = f"open({str(number)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)"
    without.setattr(askpass, "WAIT_SECONDS", 1.0)
    without.setenv("ZKWM_ASKPASS", str(program(tmp_path, body)))
    began = time.monotonic()
    result = zkwm(*look(case))
    assert result.code == 3
    assert "gave no passphrase in 1 seconds" in result.stderr
    assert time.monotonic() - began < 30
    with pytest.raises(ProcessLookupError):
        os.kill(int(number.read_text()), 0)


@pytest.mark.parametrize("code", [0, 1])
def test_what_a_program_leaves_running_keeps_nobody_waiting(
    zkwm: Command, case: Files, without: pytest.MonkeyPatch, tmp_path: Path, code: int
) -> None:
    """A desktop's service that was started by the way has the program's output open for good."""
    number = tmp_path / "number"
    left = f"import os, time; os.setsid(); open({str(number)!r}, 'w').write(str(os.getpid()))"
    body = (
        "import subprocess\n"
        f"subprocess.Popen([sys.executable, '-c', {left + '; time.sleep(600)'!r}])\n"
        f"while not (os.path.exists({str(number)!r}) and os.path.getsize({str(number)!r})):\n"
        f"    time.sleep(0.01)\nsys.exit({code})"
    )
    without.setenv("ZKWM_ASKPASS", str(program(tmp_path, body)))
    began = time.monotonic()
    result = zkwm(*look(case))
    os.kill(int(number.read_text()), signal.SIGKILL)
    assert result.code == (5 if code else 3)
    assert "gave no passphrase" in result.stderr
    assert time.monotonic() - began < 60


def test_a_relative_program_is_refused(
    zkwm: Command, case: Files, without: pytest.MonkeyPatch
) -> None:
    without.setenv("ZKWM_ASKPASS", "ssh-askpass")
    result = zkwm(*look(case))
    assert result.code == 2
    assert "ZKWM_ASKPASS is no absolute path" in result.stderr


def test_a_program_that_cannot_be_started(
    zkwm: Command, case: Files, without: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "no program"
    path.write_text("text")
    path.chmod(stat.S_IRUSR)
    without.setenv("ZKWM_ASKPASS", str(path))
    result = zkwm(*look(case))
    assert result.code == 3
    assert "cannot start" in result.stderr


def test_short_new_passphrases_are_refused_and_old_ones_open(
    zkwm: Command, case: Files, without: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    without.setenv("ZKWM_OWNER_PASSPHRASE", "short")
    result = zkwm("keygen", "--output", tmp_path / "v")
    assert result.code == 2
    assert "has 5 of the 8 characters that a new one needs" in result.stderr
    assert not (tmp_path / "v").exists()
    assert zkwm(*look(case)).code == 3  # wrong, and not refused for its length
