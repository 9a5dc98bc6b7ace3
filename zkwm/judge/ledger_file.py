"""The SQLite file of a judge's ledger: its tables, its mode, one transaction at a time.

``zkwm.judge.ledger`` says what stands in it.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.errors import CouldNotCheck

_VERSION = 1
_APPLICATION = 0x7A6B776D
_WAIT_SECONDS = 60.0
_TABLES = """
CREATE TABLE challenges (
    digest BLOB PRIMARY KEY, commitment BLOB, function BLOB, suspect BLOB, issued INTEGER);
CREATE TABLE functions (
    commitment BLOB, function BLOB, number INTEGER, PRIMARY KEY (commitment, function));
CREATE TABLE answers (
    question BLOB, image BLOB, output INTEGER, scores BLOB, PRIMARY KEY (question, image));
CREATE TABLE askings (challenge BLOB PRIMARY KEY, count INTEGER);
CREATE TABLE openings (
    commitment BLOB, suspect BLOB, block INTEGER, first INTEGER,
    PRIMARY KEY (commitment, suspect, block));
CREATE TABLE verdicts (challenge BLOB, proof BLOB, outcome TEXT, checked INTEGER);
CREATE TABLE sights (digest BLOB PRIMARY KEY, first INTEGER);
"""


class DamagedError(Exception):
    """A value in the file is not of the kind that was written; ``transaction`` says so."""


class LedgerFile:
    """A file, mode 0600, made where it is missing; without a path, memory.

    Raises CouldNotCheck where it cannot be used, or is of another kind or version.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._memory = None if path is not None else _connect(":memory:")
        if path is not None:
            _create_private(path)
        with self.transaction() as database:
            _prepare(database, path)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One immediate transaction. Raises CouldNotCheck where the file cannot be used."""
        try:
            if self._memory is not None:
                with self._lock, _immediate(self._memory) as database:
                    yield database
                return
            with closing(_connect(str(self.path))) as opened, _immediate(opened) as database:
                yield database
        except (sqlite3.Error, OverflowError) as error:
            reason = " ".join(str(error).split())  # SQLite quotes what stands in the file
            raise _unusable(self.path, reason or "it is damaged") from None
        except (DamagedError, UnicodeDecodeError):
            raise _unusable(self.path, "it is damaged") from None


def whole(value: object) -> int:
    """A stored whole number from 0. Raises DamagedError."""
    if type(value) is not int or value < 0:
        raise DamagedError
    return value


def text(value: object) -> str:
    """A stored text. Raises DamagedError."""
    if not isinstance(value, str):
        raise DamagedError
    return value


def floats(value: object) -> NDArray[np.float64] | None:
    """Stored numbers float64 (k,), or none. Raises DamagedError."""
    if value is None:
        return None
    if not isinstance(value, bytes) or len(value) % 8:
        raise DamagedError
    return np.frombuffer(value, np.float64)


def _connect(name: str) -> sqlite3.Connection:
    """A connection that begins no transaction by itself, for any thread."""
    return sqlite3.connect(
        name, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False
    )


@contextmanager
def _immediate(database: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """A transaction that holds the writer's lock from its start; undone by any exception."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield database
    except BaseException:
        with suppress(sqlite3.Error):  # a full disk has undone the transaction by itself
            database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def _create_private(path: Path) -> None:
    """Make the file, mode 0600, unless it is there. Raises CouldNotCheck."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable file name"
        raise _unusable(path, reason) from None


def _prepare(database: sqlite3.Connection, path: Path | None) -> None:
    """Make the tables of an empty file. Raises CouldNotCheck for a file of another kind."""
    version = database.execute("PRAGMA user_version").fetchone()[0]
    application = database.execute("PRAGMA application_id").fetchone()[0]
    if (application, version) == (_APPLICATION, _VERSION):
        return
    if version or application or database.execute("SELECT 1 FROM sqlite_master").fetchone():
        raise _unusable(path, f"it is no ledger of version {_VERSION}")
    for statement in _TABLES.split(";"):
        database.execute(statement)
    database.execute(f"PRAGMA application_id = {_APPLICATION}")
    database.execute(f"PRAGMA user_version = {_VERSION}")


def _unusable(path: Path | None, reason: str) -> CouldNotCheck:
    """The error for a ledger that cannot be used."""
    return CouldNotCheck(
        f"the judge's ledger {path or 'in memory'} cannot be used: {reason}",
        hint="it counts what was tried and keeps first answers: make room or correct its "
        "permissions, or put its last copy back",
    )
