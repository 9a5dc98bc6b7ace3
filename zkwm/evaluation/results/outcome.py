"""Everything that a grid has measured, and the plain tables made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zkwm.evaluation.plan.grid import Grid
from zkwm.evaluation.results.cell import Cell, CountedBy


@dataclass(frozen=True)
class GridResult:
    """The result of ``run_grid``.

    Args:
        grid: What was asked for.
        cells: In the order of the grid: watermarks, attacks, seeds.
        null_tables: Of null models and of claims, by the names of their CSV files.
        models: Of each model without a mark: kind, architecture, seed, images and accuracy.
        errors: A line for everything that failed.
        seconds: Of this run.
    """

    grid: Grid
    cells: tuple[Cell, ...]
    null_tables: dict[str, Table]
    models: tuple[dict[str, Any], ...]
    errors: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Args:
        title: Its heading.
        meaning: What its numbers are.
        head: Names of columns.
        rows: Each of as many texts.
        counted: For a table of schemes by attacks, what its evidence counts; else None.
        attacks: For such a table, the labels of the attacks in its columns.
    """

    title: str
    meaning: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    counted: CountedBy | None = None
    attacks: tuple[str, ...] = ()
