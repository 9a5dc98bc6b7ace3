"""The judge's ledger on a disk that is full, and in a file that is damaged."""

from __future__ import annotations

import resource
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from zkwm.judge.ledger import JudgeLedger
from zkwm.judge.ledger_file import LedgerFile
from zkwm_protocols.errors import CouldNotCheck


def fill(ledger: JudgeLedger) -> None:
    """More sights than a small file holds."""
    for number in range(10_000):
        ledger.see_commitment(number.to_bytes(32, "big"))


def test_a_full_disk_is_called_by_its_name(tmp_path: Path) -> None:
    """The system refuses the file to grow; the ledger is whole afterwards."""
    ledger = JudgeLedger(tmp_path / "ledger")
    size = (tmp_path / "ledger").stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        with pytest.raises(CouldNotCheck, match=r"full|disk I/O") as caught:
            fill(ledger)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "rollback" not in caught.value.message
    ledger.see_commitment(b"\xff" * 32)


def test_a_damaged_file_speaks_on_one_line(tmp_path: Path) -> None:
    ledger = LedgerFile(tmp_path / "judge.key.ledger")
    with pytest.raises(CouldNotCheck) as refused, ledger.transaction():
        raise sqlite3.DatabaseError("malformed schema (a\nname)")
    assert "malformed schema (a name)" in refused.value.message


def test_a_ledger_of_an_earlier_version_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "judge.key.ledger"
    JudgeLedger(path)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA user_version = 1")
    with pytest.raises(CouldNotCheck, match="it is no ledger of version 2"):
        JudgeLedger(path)
