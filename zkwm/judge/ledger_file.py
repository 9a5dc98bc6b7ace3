"""The SQLite file of a judge's ledger: its mode, one transaction at a time.

``zkwm.judge.ledger`` says what stands in it, ``zkwm.judge.ledger_tables`` in which tables.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from zkwm.judge.ledger_tables import FUNCTION_NUMBERS, TABLES, VERSION, DamagedError
from zkwm_protocols.errors import CouldNotCheck

_APPLICATION = 0x7A6B776D
_WAIT_SECONDS = 60.0
_HANDED_OVER = "CREATE TABLE handed_over (identity BLOB, label TEXT)"


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
        with self._opened() as database:
            _prepare(database, path)

    @contextmanager
    def transaction(self, scope: bytes | None = None) -> Iterator[sqlite3.Connection]:
        """One immediate transaction, alone in the file whatever its scope.

        Raises CouldNotCheck where the file cannot be used, or was handed over.
        """
        with self._opened() as database:
            _require_here(database, self.path)
            yield database

    def hand_over(
        self, identity: bytes, label: str, take: Callable[[sqlite3.Connection], None]
    ) -> None:
        """Give all that stands here to another database for good; once is enough.

        A judge has one ledger. From here on this file is refused, so that nothing is counted beside
        the other one.

        Args:
            identity: 16 bytes that name the other database.
            label: what people call it.
            take: keeps what it reads here.

        Raises CouldNotCheck where it was handed over to another one.
        """
        with self._opened() as database:
            if _handed_over(database)[0] != identity:
                _require_here(database, self.path)
                take(database)
                database.execute("INSERT INTO handed_over VALUES (?, ?)", (identity, label))

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """One immediate transaction, also after the file was handed over. Raises CouldNotCheck."""
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


def _handed_over(database: sqlite3.Connection) -> tuple[bytes | None, str]:
    """To which database the ledger was handed over, and its label; none where it was not."""
    row = database.execute("SELECT identity, label FROM handed_over").fetchone()
    if row is None:
        return None, ""
    identity, label = row
    if not isinstance(identity, bytes) or not isinstance(label, str):
        raise DamagedError
    return identity, label


def _require_here(database: sqlite3.Connection, path: Path | None) -> None:
    """Raise CouldNotCheck where the ledger was handed over."""
    identity, label = _handed_over(database)
    if identity is not None:
        raise CouldNotCheck(
            f"the judge's ledger {path} was handed over to a marketplace ({label})",
            hint="judge by zkwm.Marketplace(LOCATION, judge).judge, or make another key for other "
            "cases: one judge keeps one ledger",
        )


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
    if (application, version) == (_APPLICATION, VERSION):
        return
    if version or application or database.execute("SELECT 1 FROM sqlite_master").fetchone():
        raise _unusable(path, f"it is no ledger of version {VERSION}")
    for table in TABLES:
        database.execute(table.statement())
    index, indexed, columns = FUNCTION_NUMBERS
    database.execute(f"CREATE INDEX {index} ON {indexed} ({', '.join(columns)})")
    database.execute(_HANDED_OVER)
    database.execute(f"PRAGMA application_id = {_APPLICATION}")
    database.execute(f"PRAGMA user_version = {VERSION}")


def _unusable(path: Path | None, reason: str) -> CouldNotCheck:
    """The error for a ledger that cannot be used."""
    return CouldNotCheck(
        f"the judge's ledger {path or 'in memory'} cannot be used: {reason}",
        hint="it counts what was tried and keeps first answers: make room or correct its "
        "permissions, or put its last copy back",
    )
