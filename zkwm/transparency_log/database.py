"""The row that says which tree was signed last, and the index of entries, in one database.

SQLite in the log's folder, or PostgreSQL by URL. The row is swapped in the same transaction that
adds the entries to the index. The index holds nothing that the tree does not: ``replace_index``
makes it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    Select,
    Table,
    delete,
    func,
    insert,
    inspect,
    select,
    update,
)

from zkwm.sql_columns import digest, file, number, position, words
from zkwm.sql_database import SqlDatabase, file_location, server_location
from zkwm.transparency_log.entries import HeadRow, IndexedEntry
from zkwm_protocols.errors import CouldNotCheck, Unsupported, UsageError

VERSION = 2
FILE_NAME = "database.sqlite"
_WHOSE = "the log's"
_ROWS_AT_ONCE = 1000

_METADATA = MetaData()
HEAD = Table(
    "zkwm_log_head",
    _METADATA,
    Column("version", Integer, nullable=False),
    words("origin"),
    number("size"),
    digest("root"),
    file("checkpoint"),
)
ENTRIES = Table(
    "zkwm_log_entries",
    _METADATA,
    position("position"),
    digest("statement", index=True),
    digest("subject"),
    words("issuer"),
    words("key"),
    words("kind"),
)
for _names in (["subject", "kind"], ["issuer", "kind"], ["key", "subject", "kind"], ["kind"]):
    Index(f"zkwm_log_by_{'_'.join(_names)}", *(ENTRIES.c[name] for name in [*_names, "position"]))


class LogDatabase(SqlDatabase):
    """The database of one log. Raises CouldNotCheck where it cannot be used, and UsageError."""

    def __init__(self, location: Path | str) -> None:
        """A file of SQLite (a Path), made where it is missing, or the URL of PostgreSQL (text)."""
        if isinstance(location, Path):
            super().__init__(file_location(location), _WHOSE)
        else:
            super().__init__(server_location(location, _WHOSE), _WHOSE)

    def create(self, origin: str, row: HeadRow) -> None:
        """Begin a log: its tables and its row. Raises UsageError where there is one already."""
        with self.writing() as connection:
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
        with self.reading() as connection:
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
                hint="use the zkwm that made it; or end the log, move its database away, and run "
                "zkwm registry rebuild (`adopt_checkpoint`)",
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
        with self.writing() as connection:
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
        with self.writing() as connection:
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
        with self.reading() as connection:
            last = connection.execute(
                select(ENTRIES.c.position).order_by(ENTRIES.c.position.desc()).limit(1)
            ).scalar()
        return 0 if last is None else int(last) + 1

    def positions(self, statements: Sequence[bytes]) -> dict[bytes, int]:
        """The first position of each of these statements (SHA-256, 32 bytes) that is there."""
        with self.reading() as connection:
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
        key: str | None = None,
        kind: str | None = None,
        after: int = -1,
        limit: int = 100,
    ) -> list[IndexedEntry]:
        """The entries about a digest, by an issuer or key, of a kind; in the order of the log.

        However many entries a stranger adds, each answer reads ``limit`` of them for each kind.

        Args:
            subject: the digest D that they are about, 32 bytes.
            issuer: the owner's fingerprint or address, as the statement claims it.
            key: the fingerprint of the key that signed; with ``subject`` alone.
            kind: the content type.
            after: only positions above this one.
            limit: at most so many entries.

        Raises UsageError for ``key`` without ``subject``, or ``issuer`` with it: no index.
        """
        if (issuer if subject is not None else key) is not None:
            raise UsageError(
                "entries are looked for by digest, by digest and key, or by issuer",
                hint="give the digest with a key, and no issuer with a digest",
            )
        wanted = {"subject": subject, "issuer": issuer, "key": key}
        query = select(ENTRIES).where(ENTRIES.c.position > after)
        for name, value in wanted.items():
            if value is not None:
                query = query.where(ENTRIES.c[name] == value)
        query = query.order_by(ENTRIES.c.position).limit(limit)
        with self.reading() as connection:
            if kind is None and subject is None and issuer is None:
                return _indexed(connection, query)
            found = []
            for one in _kinds(connection) if kind is None else [kind]:
                found += _indexed(connection, query.where(ENTRIES.c.kind == one))
        return sorted(found, key=lambda entry: entry.position)[:limit]

    def stated(self, statement: bytes) -> IndexedEntry | None:
        """The first entry with this SHA-256 (32 bytes) of its bytes; None where there is none."""
        query = select(ENTRIES).where(ENTRIES.c.statement == statement)
        with self.reading() as connection:
            found = _indexed(connection, query.order_by(ENTRIES.c.position).limit(1))
        return found[0] if found else None


def _indexed(connection: Connection, query: Select[Any]) -> list[IndexedEntry]:
    """The entries of a query of whole rows."""
    return [
        IndexedEntry(position, bytes(statement), bytes(about), by, key, of)
        for position, statement, about, by, key, of in connection.execute(query)
    ]


def _kinds(connection: Connection) -> list[str]:
    """The kinds that the log has, each found by one step in their index."""
    found: list[str] = []
    query = select(func.min(ENTRIES.c.kind))
    while (kind := connection.execute(query).scalar()) is not None:
        found.append(kind)
        query = select(func.min(ENTRIES.c.kind)).where(ENTRIES.c.kind > kind)
    return found
