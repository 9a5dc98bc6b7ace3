"""The row that says which tree was signed last, and the index of entries, in one database.

SQLite in the log's folder, or PostgreSQL by URL. The row is swapped in the same transaction that
adds the entries to the index. The index holds nothing that the tree does not: ``replace_index``
makes it again.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import (
    URL,
    BigInteger,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    delete,
    insert,
    inspect,
    make_url,
    select,
    update,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from zkwm.sql_engine import BEGIN, create_private, postgresql_engine, said, sqlite_engine
from zkwm.transparency_log.entries import IndexedEntry
from zkwm_protocols.errors import CouldNotCheck, Unsupported, UsageError

VERSION = 1
FILE_NAME = "database.sqlite"
_POSITION = BigInteger().with_variant(Integer, "sqlite")
_ROWS_AT_ONCE = 1000

_METADATA = MetaData()
HEAD = Table(
    "zkwm_log_head",
    _METADATA,
    Column("version", Integer, nullable=False),
    Column("origin", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("checkpoint", LargeBinary, nullable=False),
)
ENTRIES = Table(
    "zkwm_log_entries",
    _METADATA,
    Column("position", _POSITION, primary_key=True, autoincrement=False),
    Column("statement", LargeBinary, nullable=False, index=True),
    Column("subject", LargeBinary, nullable=False, index=True),
    Column("issuer", Text, nullable=False, index=True),
    Column("kind", Text, nullable=False, index=True),
)


@dataclass(frozen=True)
class HeadRow:
    """The tree that was signed last: its size, its root (32 bytes), the signed checkpoint."""

    size: int
    root: bytes
    checkpoint: bytes


class LogDatabase:
    """The database of one log. Raises CouldNotCheck where it cannot be used, and UsageError."""

    def __init__(self, location: Path | str) -> None:
        """A file of SQLite (a Path), made where it is missing, or the URL of PostgreSQL (text)."""
        self._url = _url(location)
        self.label = str(location) if isinstance(location, Path) else _label(self._url)
        if isinstance(location, Path):
            try:
                create_private(location)
            except (OSError, ValueError) as error:
                raise self._unusable(getattr(error, "strerror", None) or "no file name") from None
            self._engine = sqlite_engine(self._url)
        else:
            self._engine = postgresql_engine(self._url)
        weakref.finalize(self, self._engine.dispose)

    def create(self, origin: str, row: HeadRow) -> None:
        """Begin a log: its tables and its row. Raises UsageError where there is one already."""
        with self._writing() as connection:
            _METADATA.create_all(connection)
            found = connection.execute(select(HEAD.c.origin)).scalar()
            if found is not None:
                raise UsageError(
                    f"the database ({self.label}) is that of the log {found!r}",
                    hint="give each log a database of its own",
                )
            connection.execute(insert(HEAD), {"version": VERSION, "origin": origin, **vars(row)})

    def head(self, origin: str) -> HeadRow | None:
        """The row of this log; None where the database has none.

        Raises UsageError for the database of another log, Unsupported for another version.
        """
        with self._reading() as connection:
            if not inspect(connection).has_table(HEAD.name):
                return None
            rows = connection.execute(select(HEAD)).all()
        if not rows:
            return None
        version, found, size, root, checkpoint = rows[0]
        if version != VERSION:
            raise Unsupported(
                f"the log's database ({self.label}) has version {version}, and this zkwm keeps "
                f"version {VERSION}",
                hint="use the zkwm that made it, or remove it and run zkwm registry rebuild",
            )
        if found != origin or len(rows) > 1:
            raise UsageError(
                f"the database ({self.label}) is that of the log {found!r}, not of {origin!r}",
                hint="see that each log has its own database",
            )
        return HeadRow(size, bytes(root), bytes(checkpoint))

    def swap(self, old: HeadRow, new: HeadRow, added: Sequence[IndexedEntry]) -> None:
        """Put ``new`` in the place of ``old``, and entries into the index, in one transaction.

        Raises CouldNotCheck where the row is another one by now: somebody else writes this log.
        """
        with self._writing() as connection:
            swapped = connection.execute(
                update(HEAD)
                .where(HEAD.c.size == old.size, HEAD.c.root == old.root)
                .values(**vars(new))
            ).rowcount
            if swapped != 1:
                raise CouldNotCheck(
                    f"another process has written to this log: the row in {self.label} is no "
                    f"longer the tree of size {old.size:,}",
                    hint="run one zkwm registry serve for each log; nothing of this tree was shown",
                )
            if added:
                connection.execute(insert(ENTRIES), [vars(entry) for entry in added])

    def replace_index(self, entries: Iterable[IndexedEntry]) -> int:
        """Make the whole index again in one transaction; return how many entries it has."""
        count, rows = 0, []
        with self._writing() as connection:
            connection.execute(delete(ENTRIES))
            for entry in entries:
                rows.append(vars(entry))
                count += 1
                if len(rows) == _ROWS_AT_ONCE:
                    connection.execute(insert(ENTRIES), rows)
                    rows = []
            if rows:
                connection.execute(insert(ENTRIES), rows)
        return count

    def next_position(self) -> int:
        """The position after the last entry of the index; 0 for an empty one."""
        with self._reading() as connection:
            last = connection.execute(
                select(ENTRIES.c.position).order_by(ENTRIES.c.position.desc()).limit(1)
            ).scalar()
        return 0 if last is None else int(last) + 1

    def positions(self, statements: Sequence[bytes]) -> dict[bytes, int]:
        """The first position of each of these statements (SHA-256, 32 bytes) that is there."""
        with self._reading() as connection:
            rows = connection.execute(
                select(ENTRIES.c.statement, ENTRIES.c.position)
                .where(ENTRIES.c.statement.in_(statements))
                .order_by(ENTRIES.c.position.desc())
            ).all()
        return {bytes(statement): position for statement, position in rows}

    def find(
        self,
        *,
        subject: bytes | None = None,
        issuer: str | None = None,
        kind: str | None = None,
        after: int = -1,
        limit: int = 100,
    ) -> list[IndexedEntry]:
        """The entries about a digest, by an issuer, of a kind; in the order of the log.

        Args:
            subject: the digest D that they are about, 32 bytes.
            issuer: the owner's fingerprint or address, as the statement names it.
            kind: the content type.
            after: only positions above this one.
            limit: at most so many entries.
        """
        query = select(ENTRIES).where(ENTRIES.c.position > after)
        for column, value in (
            (ENTRIES.c.subject, subject), (ENTRIES.c.issuer, issuer), (ENTRIES.c.kind, kind),
        ):  # fmt: skip
            if value is not None:
                query = query.where(column == value)
        with self._reading() as connection:
            rows = connection.execute(query.order_by(ENTRIES.c.position).limit(limit)).all()
        return [
            IndexedEntry(position, bytes(statement), bytes(about), by, of)
            for position, statement, about, by, of in rows
        ]

    def close(self) -> None:
        """Close all connections. Safe to call twice."""
        self._engine.dispose()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """One transaction that reads."""
        with self._told(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """One transaction, durable at its end."""
        with self._told(), self._engine.connect() as opened:
            connection = opened.execution_options(**{BEGIN: "BEGIN IMMEDIATE"})
            with connection.begin():
                yield connection

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Errors of the database as CouldNotCheck, without its password."""
        try:
            yield
        except DBAPIError as error:
            reason = said(error.orig or error, self._url)
            raise self._unusable(reason or "it is damaged") from None
        except SQLAlchemyError as error:
            raise self._unusable(type(error).__name__) from None

    def _unusable(self, reason: str) -> CouldNotCheck:
        """The error for a database that cannot be used."""
        return CouldNotCheck(
            f"the log's database ({self.label}) cannot be used: {reason}",
            hint="make room, correct its permissions, or start its server; "
            "what was acknowledged is kept",
        )


def _url(location: Path | str) -> URL:
    """The URL of a file, or of a server. Raises UsageError, which repeats nothing of the URL."""
    if isinstance(location, Path):
        return URL.create("sqlite+pysqlite", database=str(location.absolute()))
    try:
        url = make_url(location)
        server = url.drivername.partition("+")[0] in ("postgresql", "postgres")
    except (ArgumentError, ValueError):
        server = False
    if not server or not url.database:
        raise UsageError(
            "the URL of the log's database cannot be used",
            hint="the form is postgresql://USER:PASSWORD@HOST/DATABASE; write an @ in the password "
            "as %40, / as %2F, : as %3A",
        )
    return url.set(drivername="postgresql+psycopg")


def _label(url: URL) -> str:
    """A server's database without the password."""
    host = url.host or url.query.get("host") or "this machine"
    return f"postgresql at {host}, database {url.database}"
