"""A database of zkwm: short transactions, one writer of a scope, errors that hold no password.

SQLite in a file, or PostgreSQL by URL. Whoever uses this says first (``zkwm.extras``) that
SQLAlchemy is needed.
"""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, Connection, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError

from zkwm.sql_engine import BEGIN, create_private, postgresql_engine, said, sqlite_engine
from zkwm_protocols.errors import CouldNotCheck, UsageError

_LOCK = text("SELECT pg_advisory_xact_lock(:key)")


@dataclass(frozen=True)
class DatabaseLocation:
    """A database: its URL with the password, its label without, its file where it is one."""

    url: URL
    label: str
    path: Path | None


def file_location(path: Path) -> DatabaseLocation:
    """A file of SQLite."""
    path = path.absolute()
    return DatabaseLocation(URL.create("sqlite+pysqlite", database=str(path)), str(path), path)


def server_location(url: str, whose: str) -> DatabaseLocation:
    """A database of PostgreSQL. Raises UsageError, which repeats nothing of the URL.

    Args:
        url: ``postgresql://USER:PASSWORD@HOST/DATABASE``.
        whose: for messages, such as ``the log's``.
    """
    hint = (
        "the form is postgresql://USER:PASSWORD@HOST/DATABASE; write an @ in the password as %40, "
        "/ as %2F, : as %3A"
    )
    if url.count("@") > 1:
        raise UsageError(f"the URL of {whose} database has more than one @", hint=hint)
    try:
        read = make_url(url)
        server = read.drivername.partition("+")[0] in ("postgresql", "postgres")
    except (ArgumentError, ValueError):
        server = False
    if not server:
        raise UsageError(f"the URL of {whose} database cannot be used", hint=hint)
    if not read.database:
        raise UsageError(f"the URL of {whose} database names no database", hint=hint)
    host = read.host or read.query.get("host") or "this machine"
    label = f"postgresql at {host}, database {read.database}"
    return DatabaseLocation(read.set(drivername="postgresql+psycopg"), label, None)


class DatabaseAwayError(CouldNotCheck):
    """The database does not answer, or its disk is full: later it may, with nothing restored.

    Whether the transaction is there is unknown until it is asked again.
    """


_PASSING = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY)
"""Errors of SQLite after which it may work again: no room, no file descriptor, a lock."""


class SqlDatabase:
    """A database, its file made where it is missing; its tables are the business of subclasses.

    Raises CouldNotCheck where it cannot be used, as does every transaction.
    """

    damage: tuple[type[Exception], ...] = ()
    """Further exceptions that mean a damaged value."""

    def __init__(self, location: DatabaseLocation, whose: str) -> None:
        """``whose`` is for messages, such as ``the log's``."""
        self.location = location
        self._whose = whose
        if location.path is None:
            self._engine = postgresql_engine(location.url)
        else:
            try:
                create_private(location.path)
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or "not a usable file name"
                raise self.unusable(reason) from None
            self._engine = sqlite_engine(location.url)
        weakref.finalize(self, self._engine.dispose)

    @property
    def label(self) -> str:
        """What people call it; without a password."""
        return self.location.label

    @property
    def path(self) -> Path | None:
        """Its file, where it is one."""
        return self.location.path

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One transaction that reads. Raises CouldNotCheck."""
        with self._told(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self, scope: bytes | None = None) -> Iterator[Connection]:
        """One transaction, durable at its end, alone in its scope (32 bytes), where it has one.

        SQLite has one writer, PostgreSQL an advisory lock of the transaction for each scope.
        Raises CouldNotCheck.
        """
        with self._told(), self._engine.connect() as opened:
            connection = opened.execution_options(**{BEGIN: "BEGIN IMMEDIATE"})
            with connection.begin():
                if scope is not None:
                    take_turn(connection, scope)
                yield connection

    def close(self) -> None:
        """Close all connections. Safe to call twice."""
        self._engine.dispose()

    def unusable(self, reason: str, kind: type[CouldNotCheck] = CouldNotCheck) -> CouldNotCheck:
        """The error for a database that cannot be used."""
        server = "start its server, or correct host, user, password and database of its URL"
        file = "make room, or correct the permissions of the file and its folder"
        return kind(
            f"{self._whose} database ({self.label}) cannot be used: {reason}",
            hint=f"{file if self.path else server}; what was acknowledged is kept",
        )

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Errors of the database as CouldNotCheck, without its password."""
        try:
            yield
        except DBAPIError as error:
            reason = said(error.orig or error, self.location.url)
            kind = DatabaseAwayError if _passes(error) else CouldNotCheck
            raise self.unusable(reason or "it is damaged", kind) from None
        except SQLAlchemyError as error:  # such as no connection of the pool in time
            raise self.unusable(type(error).__name__, DatabaseAwayError) from None
        except self.damage:
            raise self.unusable("it is damaged") from None


def _passes(error: DBAPIError) -> bool:
    """Whether the database may work again without anything being restored."""
    if isinstance(error.orig, sqlite3.Error):
        code = getattr(error.orig, "sqlite_errorcode", 0)
        return code & 0xFF in _PASSING  # the rest says more exactly where
    return isinstance(error, OperationalError)


def take_turn(connection: Connection, scope: bytes) -> None:
    """Wait until no other writing transaction holds this scope (32 bytes), and hold it to the end.

    SQLite has one writer in any case.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK, {"key": int.from_bytes(scope[:8], "big", signed=True)})
