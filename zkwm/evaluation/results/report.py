"""Write the report of a run: Markdown, CSV, SVG, and one self-contained HTML page.

The page needs no network, no script and no foreign font; a content security policy forbids them.
Numbers come from ``tables`` and ``figures``.
"""

from __future__ import annotations

import base64
import os
import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from zkwm.evaluation.plan.catalogue import entry_class
from zkwm.evaluation.results.aggregate import NOTES, percent, squares
from zkwm.evaluation.results.cell import CountedBy, Status
from zkwm.evaluation.results.figures import (
    Frame,
    attack_figure,
    legend_marker,
    require_matplotlib,
)
from zkwm.evaluation.results.means import mean_tables
from zkwm.evaluation.results.outcome import Table
from zkwm.evaluation.results.published import published_rows
from zkwm.evaluation.results.summary import headline, survivals
from zkwm.evaluation.results.tables import (
    attack_table,
    bits_csv,
    cells_csv,
    csv_text,
    grid_tables,
    lost_csv,
    markdown,
    scheme_table,
)
from zkwm.files import write_atomic
from zkwm.named_classes import parameters_of
from zkwm.report.pages import page_resource, page_templates
from zkwm.training.versions import PACKAGES, versions
from zkwm_protocols.policy import DEFAULT_THRESHOLD_BITS

if TYPE_CHECKING:
    from zkwm.evaluation.results.outcome import GridResult

_PACKAGE = "zkwm.evaluation"
REPORT, TABLES, FIGURES = "report.html", "tables.md", "figures"


@dataclass(frozen=True)
class Figure:
    """A figure of an attack for the page: the SVG, and the same in words."""

    svg: str
    words: str

    @property
    def uri(self) -> str:
        """The SVG as a data URI."""
        return "data:image/svg+xml;base64," + base64.b64encode(self.svg.encode()).decode()


@dataclass(frozen=True)
class Figures:
    """The small figures of all attacks with evidence, their legend, and the other attacks."""

    small: tuple[Figure, ...]
    legend: tuple[Figure, ...]
    without: tuple[str, ...]


def write_report(outcome: GridResult, folder: str | Path) -> Path:
    """Write tables, figures and the page into the folder, replacing older ones; returns the page.

    Raises UsageError where matplotlib is not installed, CouldNotCheck when the disk refuses.
    """
    folder = Path(folder)
    require_matplotlib()
    tables, more = all_tables(outcome), extra_tables(outcome)
    files = {
        TABLES: markdown((*tables, *more.values())),
        "bits.csv": bits_csv(outcome),
        "rank_bits.csv": bits_csv(outcome, CountedBy.RANKS),
        "score_bits.csv": bits_csv(outcome, CountedBy.SCORES),
        "relearning_bits.csv": bits_csv(outcome, CountedBy.RELEARNING),
        "accuracy_lost.csv": lost_csv(outcome),
        "cells.csv": cells_csv(outcome.cells),
        **{f"{name}.csv": csv_text(table) for name, table in more.items()},
    }
    (folder / FIGURES).mkdir(parents=True, exist_ok=True)
    files |= {f"{FIGURES}/{name}": svg for name, svg in figure_files(outcome)}
    files[REPORT] = render(outcome, tables, more, figures(outcome))
    for name, text in files.items():
        write_atomic(folder / name, text.encode(), overwrite=True)
    return folder / REPORT


def all_tables(outcome: GridResult) -> tuple[Table, ...]:
    """The tables of the grid itself."""
    return (
        *(table for counted in CountedBy for table in grid_tables(outcome, counted)),
        *(table for counted in CountedBy for table in mean_tables(outcome, counted)),
        scheme_table(outcome),
        attack_table(outcome),
    )


def extra_tables(outcome: GridResult) -> dict[str, Table]:
    """Null models, claims and published figures, by the names of their CSV files."""
    tables = dict(outcome.null_tables)
    rows = published_rows(outcome.cells)
    if rows:
        tables["published"] = Table(
            "Published figures beside ours",
            "triggers that keep their label and accuracy after the attack, percent; ours: from "
            "the worst to the best seed and parameters of the corresponding cells",
            ("source", "what", "theirs", "their accuracy", "ours", "our accuracy", "ours, label",
             "what differs"),
            rows,
        )  # fmt: skip
    return tables


def figure_files(outcome: GridResult) -> Iterator[tuple[str, str]]:
    """A large figure for each attack of the grid: a file name, and the SVG."""
    by_key = squares(outcome.cells)
    order = tuple(entry.label for entry in outcome.grid.watermarks)
    for i, entry in enumerate(outcome.grid.attacks, 1):
        yield _file_name(i, entry.label), attack_figure(entry.label, order, by_key)


def figures(outcome: GridResult) -> Figures:
    """The small figures, on common axes."""
    by_key = squares(outcome.cells)
    order = tuple(entry.label for entry in outcome.grid.watermarks)
    frame, small, without, drawn = Frame.around(by_key), list[Figure](), list[str](), set[str]()
    for entry in outcome.grid.attacks:
        shown = {name: by_key[name, entry.label] for name in order if (name, entry.label) in by_key}
        stated = {name: square for name, square in shown.items() if square.has_evidence}
        if not stated:
            without.append(entry.label)
            continue
        drawn |= set(stated)
        words = "; ".join(
            f"{name} {square.left} bits at {square.lost or 'an unknown number of'} points lost"
            for name, square in stated.items()
        )
        svg = attack_figure(entry.label, order, by_key, frame)
        small.append(Figure(svg, f"{entry.label}: {words}"))
    legend = (Figure(legend_marker(i), name) for i, name in enumerate(order) if name in drawn)
    return Figures(tuple(small), tuple(legend), tuple(without))


def render(
    outcome: GridResult,
    tables: tuple[Table, ...],
    more: dict[str, Table],
    drawn: Figures,
) -> str:
    """The page as one HTML document.

    Args:
        outcome: Of the run.
        tables: Of the grid itself.
        more: Other tables, by name.
        drawn: The small figures.
    """
    from markupsafe import Markup

    environment = page_templates(_PACKAGE)
    marks = survivals(outcome)
    void = sorted(
        {(c.watermark, c.attack, c.void or c.refused) for c in outcome.cells if c.void or c.refused}
    )
    return environment.get_template("report.html.j2").render(
        grid=outcome.grid,
        style=Markup(page_resource(_PACKAGE, "report.css")),  # noqa: S704 - this package's own file
        created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        measured=sum(cell.status == Status.MEASURED for cell in outcome.cells),
        total=len(outcome.cells),
        headline=headline(marks),
        survivals=[mark.sentence for mark in marks],
        signs=NOTES,
        threshold=DEFAULT_THRESHOLD_BITS,
        squares={counted: squares(outcome.cells, counted) for counted in CountedBy},
        tables=[table for table in tables if table.rows],
        more=tuple(more.values()),
        figures=drawn,
        errors=outcome.errors,
        void=void,
        notes=sorted({(c.watermark, c.note) for c in outcome.cells if c.note}),
        entries=_entries(outcome),
        models=_models(outcome),
        facts=_facts(outcome),
    )


def _entries(outcome: GridResult) -> Table:
    """All schemes, attacks and claims of the grid with all parameters, given or not."""
    rows = []
    for kind, entries in outcome.grid.lists.items():
        for entry in entries:
            scheme = entry_class(kind, entry)
            values = parameters_of(scheme) | entry.parameters
            text = ", ".join(f"{name} {value}" for name, value in values.items())
            rows.append((kind.removesuffix("s"), entry.label, scheme.paper, text))
    return Table("", "", ("kind", "label", "after", "parameters"), tuple(rows))


def _models(outcome: GridResult) -> Table:
    """The models without a mark, by kind, network and number of images."""
    groups: dict[tuple[str, str, int], list[float]] = {}
    for model in outcome.models:
        key = (model["kind"], model["architecture"], model["images"])
        groups.setdefault(key, []).extend([model["accuracy"]] if model["accuracy"] else [])
    rows = tuple(
        (kind, architecture, f"{images:,}", str(len(shares)), percent(min(shares, default=None)),
         percent(max(shares, default=None)))
        for (kind, architecture, images), shares in groups.items()
    )  # fmt: skip
    head = ("model", "network", "images", "how many", "least accuracy", "greatest")
    return Table("", "", head, rows)


def _facts(outcome: GridResult) -> tuple[tuple[str, str], ...]:
    """The settings of the grid and the machine, as names and texts."""
    grid = outcome.grid
    training = ", ".join(f"{name} {value}" for name, value in grid.training.items())
    by_package = versions((*PACKAGES, "matplotlib", "PyYAML"))
    return (
        ("data", grid.data),
        ("owner's images", f"{grid.owner_images:,}"),
        ("adversary's images", f"{grid.attacker_images:,}, unless an attack says otherwise"),
        ("test images", f"{grid.test_images:,}" if grid.test_images else "all"),
        ("probes", f"{grid.probes:,} public images for soft answers and activations"),
        ("network", ", ".join(grid.architectures)),
        ("training", training),
        ("seeds", ", ".join(map(str, grid.seeds))),
        ("opened block", "known to the adversary" if grid.opened_block else "none"),
        ("device", grid.device),
        ("versions", ", ".join(f"{name} {version}" for name, version in by_package.items())),
        ("machine", f"{platform.machine()}, {os.cpu_count()} processors, {platform.system()}"),
    )


def _file_name(number: int, label: str) -> str:
    """The name of a figure's file: its number and its label."""
    words = re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")[:60]
    return f"{number:02}-{words}.svg"
