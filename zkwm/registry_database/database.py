"""The database that marketplace and registry share: its version, its identity, the ledger in it.

SQLite by default, PostgreSQL by URL. Every transaction is short: nothing foreign runs inside of
one. What counts on one commitment, or changes one case, is one after the other.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, insert, inspect, select, text
from sqlalchemy.sql.elements import TextClause

from zkwm.extras import require
from zkwm.judge.ledger_tables import DamagedError, Rows, Transaction
from zkwm.registry_database.tables import EARLIER, IDENTITY, METADATA, OLDER, SCHEMA, VERSION
from zkwm.sql_database import DatabaseLocation, SqlDatabase
from zkwm_protocols.errors import Malformed, Unsupported

SCHEMA_SCOPE = b"schema of a marketplace".ljust(32)


class Database(SqlDatabase):
    """A database with the tables of ``zkwm.registry_database.tables``, made where missing.

    Raises CouldNotCheck where it cannot be used, Unsupported for another version.
    """

    damage = (DamagedError, UnicodeDecodeError, OverflowError)

    def __init__(self, location: DatabaseLocation, whose: str = "the marketplace's") -> None:
        super().__init__(location, whose)
        with self.writing(SCHEMA_SCOPE) as connection:
            if not holds_tables(connection, location):
                METADATA.create_all(connection)
                connection.execute(insert(SCHEMA), {"version_num": VERSION})
            _require_version(connection, self.label)
            self.identity = identity(connection)

    @contextmanager
    def transaction(self, scope: bytes | None = None) -> Iterator[Transaction]:
        """A transaction of the judge's ledger (``LedgerStorage``)."""
        with self.reading() if scope is None else self.writing(scope) as connection:
            yield _Statements(connection)


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


class DamagedRow(Malformed):
    """A row holds something else than its key names: nobody who asks is to blame."""


def damaged(what: str, digest: bytes) -> DamagedRow:
    """The error for a row that holds something else than its key, a digest of 32 bytes, names."""
    return DamagedRow(
        f"the {what} {digest.hex()[:16]}... is damaged in the database, or something else was put "
        "in its place",
        hint="put the last copy of the database back",
    )


def holds_tables(connection: Connection, location: DatabaseLocation) -> bool:
    """Whether the database has its tables, of whatever version.

    Raises Unsupported for a file that is a database of something else, or one of an earlier zkwm.
    """
    found = inspect(connection)
    if found.has_table(SCHEMA.name):
        return True
    if found.has_table(EARLIER):
        raise Unsupported(
            f"the marketplace's database ({location.label}) was made by an earlier zkwm",
            hint="use the zkwm that made it, or begin in a new database",
        )
    if location.path is not None and found.get_table_names():
        raise Unsupported(
            f"{location.label} is a database of something else", hint="give another file, or folder"
        )
    return False


def identity(connection: Connection) -> bytes:
    """16 random bytes that name this database and no other, drawn once."""
    known = connection.execute(select(IDENTITY.c.identity)).scalar()
    if known is None:
        known = secrets.token_bytes(16)
        connection.execute(insert(IDENTITY), {"identity": known})
    return bytes(known)


def _require_version(connection: Connection, label: str) -> None:
    """Bring an older version up to date. Raises Unsupported for one that this zkwm does not know.

    That needs alembic: raises UsageError where it is not installed.
    """
    version = connection.execute(select(SCHEMA.c.version_num)).scalar()
    if version in OLDER:
        require("alembic")
        from zkwm.registry_database.migrations import migrate

        migrate(connection)
        version = connection.execute(select(SCHEMA.c.version_num)).scalar()
    if version != VERSION:
        raise Unsupported(
            f"the marketplace's database ({label}) has version {version}, and this zkwm keeps "
            f"version {VERSION}",
            hint="use the zkwm that made it, or begin in a new database",
        )
