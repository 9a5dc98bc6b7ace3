"""The tables of a judge's ledger, and what a database has to offer to keep them.

The statements of ``zkwm.judge.ledger`` are those that SQLite and PostgreSQL both take. A lone
judge's file is ``zkwm.judge.ledger_file``; ``zkwm.registry_database`` has the same tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

VERSION = 2


@dataclass(frozen=True)
class LedgerTable:
    """A table: its columns with their kinds in SQLite (BLOB, BIGINT, TEXT), and its key.

    Columns outside of the key may be null.
    """

    name: str
    columns: Mapping[str, str]
    key: tuple[str, ...]

    def statement(self) -> str:
        """What makes it in SQLite."""
        columns = ", ".join(f"{name} {kind}" for name, kind in self.columns.items())
        return f"CREATE TABLE {self.name} ({columns}, PRIMARY KEY ({', '.join(self.key)}))"


CHALLENGES = LedgerTable(
    "ledger_challenges",
    {"digest": "BLOB", "commitment": "BLOB", "function": "BLOB", "suspect": "BLOB",
     "issued": "BIGINT"},
    ("digest",),
)  # fmt: skip
FUNCTIONS = LedgerTable(
    "ledger_functions",
    {"commitment": "BLOB", "function": "BLOB", "number": "BIGINT"},
    ("commitment", "function"),
)
ANSWERS = LedgerTable(
    "ledger_answers",
    {"question": "BLOB", "image": "BLOB", "output": "BIGINT", "scores": "BLOB"},
    ("question", "image"),
)
ASKINGS = LedgerTable("ledger_askings", {"challenge": "BLOB", "count": "BIGINT"}, ("challenge",))
OPENINGS = LedgerTable(
    "ledger_openings",
    {"commitment": "BLOB", "suspect": "BLOB", "block": "BIGINT", "first": "BIGINT"},
    ("commitment", "suspect", "block"),
)
VERDICTS = LedgerTable(
    "ledger_verdicts",
    {"challenge": "BLOB", "number": "BIGINT", "proof": "BLOB", "outcome": "TEXT",
     "checked": "BIGINT"},
    ("challenge", "number"),
)  # fmt: skip
SIGHTS = LedgerTable("ledger_sights", {"digest": "BLOB", "first": "BIGINT"}, ("digest",))

TABLES = (CHALLENGES, FUNCTIONS, ANSWERS, ASKINGS, OPENINGS, VERDICTS, SIGHTS)
FUNCTION_NUMBERS = ("ledger_function_numbers", FUNCTIONS.name, ("commitment", "number"))
"""The one index beside the keys: its name, table and columns."""


class DamagedError(Exception):
    """A value in the database is not of the kind that was written; its storage says so."""


class Rows(Protocol):
    """The result of a statement."""

    def fetchone(self) -> Any:  # noqa: ANN401
        """The next row, or None."""

    def fetchall(self) -> Sequence[Any]:
        """All further rows."""


class Transaction(Protocol):
    """One transaction; statements name their values as ``:name``."""

    def execute(self, statement: str, values: Mapping[str, Any], /) -> Rows:
        """Execute a statement."""

    def executemany(self, statement: str, rows: Sequence[Mapping[str, Any]], /) -> object:
        """Execute a statement for each of these rows."""


class LedgerStorage(Protocol):
    """A database that holds the tables."""

    @property
    def path(self) -> Path | None:
        """Its file, where it is one."""

    def transaction(self, scope: bytes | None = None) -> AbstractContextManager[Transaction]:
        """One transaction, undone by any exception, durable once it ends.

        Of transactions with one ``scope``, 32 bytes, there is one at a time, in whatever process or
        machine; without a scope a transaction only reads. Raises CouldNotCheck where the database
        cannot be used, or holds a value that is damaged (DamagedError inside).
        """


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
