"""The database of a marketplace: transactions, its version, and what is said where it fails.

SQLite by default, PostgreSQL by URL. Every transaction is short: nothing foreign runs inside of
one. What counts on one commitment, or changes one case, is one after the other: SQLite has one
writer, PostgreSQL an advisory lock of the transaction for each scope.
"""

from __future__ import annotations

import secrets
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, inspect, select, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.sql.elements import TextClause

from zkwm.judge.ledger_tables import TABLES, DamagedError, Rows, Transaction
from zkwm.marketplace.location import Location
from zkwm.marketplace.tables import METADATA, SCHEMA, VERSION
from zkwm.sql_engine import BEGIN, create_private, postgresql_engine, said, sqlite_engine
from zkwm_protocols.errors import CouldNotCheck, Malformed, Unsupported

_SCHEMA_SCOPE = b"schema of a marketplace".ljust(32)


class Database:
    """A database with the tables of a marketplace and of its judge's ledger, made where missing.

    Raises CouldNotCheck where it cannot be used, Unsupported for another version.
    """

    def __init__(self, location: Location) -> None:
        self.location = location
        if location.path is not None:
            _create_private(location)
        self._engine = (sqlite_engine if location.path else postgresql_engine)(location.url)
        weakref.finalize(self, self._engine.dispose)
        with self.writing(_SCHEMA_SCOPE) as connection:
            self.identity = _prepare(connection, location)

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
    def writing(self, scope: bytes) -> Iterator[Connection]:
        """One transaction, alone in its scope (32 bytes), durable at its end.

        Raises CouldNotCheck.
        """
        with self._told(), self._engine.connect() as opened:
            connection = opened.execution_options(**{BEGIN: "BEGIN IMMEDIATE"})
            with connection.begin():
                if self.path is None:
                    key = int.from_bytes(scope[:8], "big", signed=True)
                    connection.execute(
                        _statement("SELECT pg_advisory_xact_lock(:key)"), {"key": key}
                    )
                yield connection

    @contextmanager
    def transaction(self, scope: bytes | None = None) -> Iterator[Transaction]:
        """A transaction of the judge's ledger (``LedgerStorage``)."""
        with self.reading() if scope is None else self.writing(scope) as connection:
            yield _Statements(connection)

    def close(self) -> None:
        """Close all connections. Safe to call twice."""
        self._engine.dispose()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Errors of the database as CouldNotCheck, without its password."""
        try:
            yield
        except DBAPIError as error:
            reason = said(error.orig or error, self.location.url)
            raise unusable(self.location, reason or "it is damaged") from None
        except SQLAlchemyError as error:
            raise unusable(self.location, type(error).__name__) from None
        except (DamagedError, UnicodeDecodeError, OverflowError):
            raise unusable(self.location, "it is damaged") from None


class _Statements:
    """The ledger's statements, by SQLAlchemy."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def execute(self, statement: str, values: Mapping[str, Any], /) -> Rows:
        return self._connection.execute(_statement(statement), dict(values))

    def executemany(self, statement: str, rows: Sequence[Mapping[str, Any]], /) -> object:
        return [self.execute(statement, row) for row in rows]


@lru_cache(maxsize=64)
def _statement(statement: str) -> TextClause:
    """A statement with values named ``:name``."""
    return text(statement)


def damaged(what: str, digest: bytes) -> Malformed:
    """The error for a row that holds something else than its key, a digest of 32 bytes, names."""
    return Malformed(
        f"the {what} {digest.hex()[:16]}... is damaged in the database, or something else was put "
        "in its place",
        hint="put the last copy of the database back",
    )


def unusable(location: Location, reason: str) -> CouldNotCheck:
    """The error for a database that cannot be used."""
    server = "start its server, or correct host, user, password and database of its URL"
    file = "make room, or correct the permissions of the file and its folder"
    return CouldNotCheck(
        f"the marketplace's database ({location.label}) cannot be used: {reason}",
        hint=f"{file if location.path else server}; what was acknowledged is kept",
    )


def _create_private(location: Location) -> None:
    """Make the file, mode 0600, unless it is there. Raises CouldNotCheck."""
    try:
        create_private(location.url.database or "")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable file name"
        raise unusable(location, reason) from None


def _prepare(connection: Connection, location: Location) -> bytes:
    """Make the tables of a database without; return its identity. Raises Unsupported."""
    found = inspect(connection)
    if not found.has_table(SCHEMA.name):
        if location.path is not None and found.get_table_names():
            raise Unsupported(
                f"{location.label} is a database of something else",
                hint="give another file, or a folder",
            )
        METADATA.create_all(connection)
        for statement in TABLES:
            kind = "BLOB" if location.path else "BYTEA"
            connection.execute(_statement(statement.replace("BLOB", kind)))
        connection.execute(
            insert(SCHEMA), {"version": VERSION, "identity": secrets.token_bytes(16)}
        )
    version, identity = connection.execute(select(SCHEMA)).one()
    if version != VERSION:
        raise Unsupported(
            f"the marketplace's database ({location.label}) has version {version}, and this zkwm "
            f"keeps version {VERSION}",
            hint="use the zkwm that made it, or begin in a new database",
        )
    return bytes(identity)
