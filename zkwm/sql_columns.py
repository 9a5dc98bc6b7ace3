"""Kinds of columns, the same in every database of zkwm: digests, numbers, positions, text, files.

Digests have 32 bytes. Times are whole seconds since 1970. Whoever uses this says first
(``zkwm.extras``) that SQLAlchemy is needed.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, Text

POSITION = BigInteger().with_variant(Integer, "sqlite")
"""Numbers that may name a row: SQLite counts by itself only in a column of its own kind."""


def digest(name: str, *references: ForeignKey, **options: Any) -> Column[bytes]:  # noqa: ANN401
    """A column of digests, never null unless ``nullable``; ``options`` are those of ``Column``."""
    return Column(name, LargeBinary, *references, **{"nullable": False, **options})


def number(name: str, **options: Any) -> Column[int]:  # noqa: ANN401
    """A column of whole numbers or times."""
    return Column(name, BigInteger, **{"nullable": False, **options})


def position(name: str, *references: ForeignKey, counted: bool = False) -> Column[int]:
    """A primary key of numbers; the database gives the next one where it is ``counted``."""
    return Column(name, POSITION, *references, primary_key=True, autoincrement=counted)


def words(name: str, **options: Any) -> Column[str]:  # noqa: ANN401
    """A column of text."""
    return Column(name, Text, **{"nullable": False, **options})


def file(name: str, **options: Any) -> Column[bytes]:  # noqa: ANN401
    """A column of whole files, or of other bytes."""
    return Column(name, LargeBinary, **{"nullable": False, **options})
