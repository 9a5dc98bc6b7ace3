"""registry backup and restore: in files, of a registry whose entries are signed statements."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.case_files import Command
from zkwm.transparency_log.log_folder import LogFolder
from zkwm.transparency_log.recovery import open_log
from zkwm.transparency_log.statements import read_statement
from zkwm_protocols.cose.contents import CommitmentStatement
from zkwm_protocols.cose.statement import sign_statement
from zkwm_protocols.keys import SigningKey

PASSPHRASE = "a long phrase"


@pytest.fixture
def log(zkwm: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log with three statements."""
    monkeypatch.setenv("ZKWM_REGISTRY_PASSPHRASE", PASSPHRASE)
    folder, key = tmp_path / "log", SigningKey.generate()
    assert zkwm("registry", "init", folder, "--origin", "log.example/1").code == 0
    place = LogFolder(folder)
    database = place.database()
    with open_log(folder, place.key(PASSPHRASE), database, read_statement) as opened:
        statements = [sign_statement(CommitmentStatement(bytes([n]) * 32), key) for n in range(3)]
        opened.append([read_statement(one.to_bytes()) for one in statements])
    database.close()
    return folder


def test_a_backup_is_restored_and_checked(zkwm: Command, log: Path, tmp_path: Path) -> None:
    copy, again = tmp_path / "copy", tmp_path / "again"
    made = zkwm("registry", "backup", log, "--output", copy, "--json")
    assert made.code == 0, made.stderr
    assert (made.json["size"], made.json["databases"]) == (3, ["database.sqlite"])
    assert zkwm("registry", "backup", log, "--output", copy).code == 2
    found = zkwm("registry", "restore", copy, again, "--json")
    assert found.code == 0, found.stderr
    assert found.json["root"] == made.json["root"]
    assert sum(found.json["kinds"].values()) == 3
    assert zkwm("registry", "check", again / "public", "--keys", log / "key.pub").code == 0
    refused = zkwm("registry", "restore", copy, again)
    assert refused.code == 2
    assert "another time" in refused.stderr


def test_a_damaged_backup_leaves_nothing(zkwm: Command, log: Path, tmp_path: Path) -> None:
    copy, again = tmp_path / "copy", tmp_path / "again"
    assert zkwm("registry", "backup", log, "--output", copy).code == 0
    (copy / "key.pub").write_bytes((copy / "key.pub").read_bytes().replace(b"log", b"lag"))
    result = zkwm("registry", "restore", copy, again)
    assert result.code == 3
    assert "key.pub of the backup is damaged" in result.stderr
    assert not again.exists()
