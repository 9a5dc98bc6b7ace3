"""Take over what a judge counted before they had a marketplace: one judge keeps one ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zkwm.judge.ledger import JudgeLedger
from zkwm.judge.ledger_tables import (
    ANSWERS,
    ASKINGS,
    CHALLENGES,
    OPENINGS,
    SIGHTS,
    VERDICTS,
    Transaction,
    whole,
)
from zkwm.registry_database.database import Database

_COPIED = (CHALLENGES, ANSWERS, ASKINGS, OPENINGS, VERDICTS, SIGHTS)
_SCOPE = b"adoption of a ledger".ljust(32)
_ROWS = 1000


def adopt(ledger: JudgeLedger, database: Database) -> None:
    """Copy a lone judge's ledger into the database, and refuse its file from here on.

    What the database knows already stays. Raises CouldNotCheck for a ledger that another
    marketplace has taken.
    """
    ledger.hand_over(
        database.identity, database.location.label, lambda source: _copy(source, database)
    )


def _copy(source: Transaction, database: Database) -> None:
    """Copy all rows; interrupted, it can be done again."""
    for table in _COPIED:
        columns = tuple(table.columns)
        names, values = ", ".join(columns), ", ".join(f":{name}" for name in columns)
        rows = source.execute(f"SELECT {names} FROM {table.name}", {}).fetchall()  # noqa: S608 (own names)
        for start in range(0, len(rows), _ROWS):
            with database.transaction(_SCOPE) as kept:
                kept.executemany(
                    f"INSERT INTO {table.name} ({names}) VALUES ({values}) ON CONFLICT DO NOTHING",  # noqa: S608
                    [dict(zip(columns, row, strict=True)) for row in rows[start : start + _ROWS]],
                )
    functions: dict[bytes, list[Any]] = {}
    for row in source.execute(
        "SELECT commitment, function, number FROM ledger_functions ORDER BY number", {}
    ).fetchall():
        functions.setdefault(row[0], []).append(row)
    for commitment, counted in functions.items():
        with database.transaction(commitment) as kept:
            _count(kept, counted)


def _count(kept: Transaction, counted: Sequence[Any]) -> None:
    """Keep the functions of one commitment, each after all that are counted already."""
    for commitment, function, number in counted:
        last = kept.execute(
            "SELECT COALESCE(MAX(number), 0) FROM ledger_functions WHERE commitment = :commitment",
            {"commitment": commitment},
        ).fetchone()
        kept.execute(
            "INSERT INTO ledger_functions (commitment, function, number) "
            "VALUES (:commitment, :function, :number) ON CONFLICT DO NOTHING",
            {
                "commitment": commitment,
                "function": function,
                "number": max(whole(number), whole(last[0]) + 1),
            },
        )
