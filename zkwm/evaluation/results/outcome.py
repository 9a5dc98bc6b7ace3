"""What a grid has measured, and the plain tables that are made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zkwm.evaluation.plan.grid import Grid
from zkwm.evaluation.results.cell import Cell


@dataclass(frozen=True)
class Outcome:
    """Everything that a grid has measured.

    ``examined`` are the tables of null models and of claims by name, ``models`` the accuracies of
    unmarked networks by (kind, architecture, seed, images). ``errors`` has a line for all that
    failed.
    """

    grid: Grid
    cells: tuple[Cell, ...]
    examined: dict[str, Table]
    models: tuple[dict[str, Any], ...]
    errors: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class Table:
    """A table: a title, what its numbers are, names of columns, and rows of as many texts.

    ``by_ranks`` is None where the table is not one of schemes by attacks.
    """

    title: str
    meaning: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    by_ranks: bool | None = None
