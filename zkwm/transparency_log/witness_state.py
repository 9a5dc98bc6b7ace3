"""What a witness must never forget: the largest tree of each log that it cosigned (SPEC.md 25.5).

A small SQLite file. A tree counts as seen before its cosignature leaves.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import (
    URL,
    BigInteger,
    Column,
    Connection,
    LargeBinary,
    MetaData,
    Table,
    Text,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from zkwm.sql_engine import BEGIN, create_private, said, sqlite_engine
from zkwm_protocols.errors import CouldNotCheck
from zkwm_protocols.transparency.tree import TreeHead
from zkwm_protocols.transparency.witness import EMPTY_TREE

_METADATA = MetaData()
SEEN = Table(
    "zkwm_witness_seen",
    _METADATA,
    Column("origin", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("checkpoint", LargeBinary, nullable=False),
)
CONFLICTS = Table(
    "zkwm_witness_conflicts",
    _METADATA,
    Column("origin", Text, nullable=False),
    Column("first", LargeBinary, nullable=False),
    Column("second", LargeBinary, nullable=False),
)
_MOST_CONFLICTS = 100
"""Conflicts that are kept of each log: one is enough to show what it has done."""


class WitnessState:
    """The trees that a witness has cosigned. Raises CouldNotCheck where its file cannot be used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._url = URL.create("sqlite+pysqlite", database=str(path.absolute()))
        try:
            create_private(path)
        except (OSError, ValueError) as error:
            raise self._unusable(getattr(error, "strerror", None) or "no file name") from None
        self._engine = sqlite_engine(self._url)
        weakref.finalize(self, self._engine.dispose)
        with self._writing() as connection:
            _METADATA.create_all(connection)

    def head(self, origin: str) -> TreeHead:
        """The largest tree of a log that was cosigned; the empty one at first."""
        with self._writing() as connection:
            return _seen(connection, origin) or EMPTY_TREE

    def advance(self, origin: str, old: TreeHead, new: TreeHead, checkpoint: bytes) -> bool:
        """Keep ``new`` in the place of ``old``, durably; false where it is no longer ``old``.

        ``checkpoint`` is that of ``new`` as its log signed it.
        """
        values = {"size": new.size, "root": new.root, "checkpoint": checkpoint}
        with self._writing() as connection:
            seen = _seen(connection, origin)
            if (seen or EMPTY_TREE) != old:
                return False
            if seen is None:
                connection.execute(insert(SEEN), {"origin": origin, **values})
            else:
                connection.execute(update(SEEN).where(SEEN.c.origin == origin).values(**values))
        return True

    def keep_conflict(self, origin: str, checkpoint: bytes) -> None:
        """Keep a checkpoint of another tree of the size that was cosigned, beside that one."""
        with self._writing() as connection:
            of_log = select(func.count()).where(CONFLICTS.c.origin == origin)
            count = connection.execute(of_log).scalar_one()
            first = connection.execute(
                select(SEEN.c.checkpoint).where(SEEN.c.origin == origin)
            ).scalar()
            if first is not None and count < _MOST_CONFLICTS:
                row = {"origin": origin, "first": first, "second": checkpoint}
                connection.execute(insert(CONFLICTS), row)

    def conflicts(self) -> list[tuple[str, bytes, bytes]]:
        """Of each conflict the origin, and the two checkpoints that are the evidence."""
        with self._writing() as connection:
            rows = connection.execute(select(CONFLICTS)).all()
        return [(origin, bytes(first), bytes(second)) for origin, first, second in rows]

    def close(self) -> None:
        """Close all connections. Safe to call twice."""
        self._engine.dispose()

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """One transaction, alone, durable at its end."""
        try:
            with self._engine.connect() as opened:
                connection = opened.execution_options(**{BEGIN: "BEGIN IMMEDIATE"})
                with connection.begin():
                    yield connection
        except DBAPIError as error:
            reason = said(error.orig or error, self._url)
            raise self._unusable(reason or "it is damaged") from None
        except SQLAlchemyError as error:
            raise self._unusable(type(error).__name__) from None

    def _unusable(self, reason: str) -> CouldNotCheck:
        """The error for a file that cannot be used."""
        return CouldNotCheck(
            f"the state of the witness ({self._path}) cannot be used: {reason}",
            hint="make room, or correct its permissions; never begin with a new file, or the "
            "witness may cosign two trees",
        )


def _seen(connection: Connection, origin: str) -> TreeHead | None:
    """The tree of a log; None where there is none yet."""
    row = connection.execute(
        select(SEEN.c.size, SEEN.c.root).where(SEEN.c.origin == origin)
    ).one_or_none()
    return None if row is None else TreeHead(row[0], bytes(row[1]))
