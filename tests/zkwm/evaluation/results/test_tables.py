"""Tables, figures and the page: the worst seed, its signs, the same numbers everywhere."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from zkwm.evaluation.plan.grid import Grid
from zkwm.evaluation.results.aggregate import Square, points, squares
from zkwm.evaluation.results.cell import Cell, CountedBy
from zkwm.evaluation.results.figures import Frame, attack_figure
from zkwm.evaluation.results.means import interval, mean_tables
from zkwm.evaluation.results.outcome import GridResult
from zkwm.evaluation.results.published import published_rows
from zkwm.evaluation.results.report import figures, write_report
from zkwm.evaluation.results.summary import headline, survivals
from zkwm.evaluation.results.tables import (
    attack_table,
    bits_csv,
    grid_tables,
    markdown,
    scheme_table,
)
from zkwm_protocols.errors import UsageError

Made = Callable[..., Cell]
GRID: dict[str, Any] = {
    "data": "fashion-mnist-small",
    "owner_images": 2000,
    "attacker_images": 500,
    "training": {"epochs": 1, "learning_rate": 0.05},
    "watermarks": [{"name": "adi", "label": "A<b>"}, {"name": "zhang", "label": "Z"}],
    "attacks": [{"name": "none", "label": "X"}, {"name": "pruning", "label": "Y", "share": 0.9}],
    "seeds": [0, 1],
}


def square(*cells: Cell) -> Square:
    return squares(cells)["A", "X"]


def test_the_worst_seed_is_quoted_with_its_own_cost(cell: Made) -> None:
    shown = square(
        cell(bits=300.7, evidence=230.0, accuracy_after=0.87),
        cell(seed=1, bits=110.9, evidence=41.2, accuracy_after=0.885),
    )
    assert (shown.left, shown.lost, shown.text) == ("41", "0.5", "41 / 0.5")
    assert shown.enough
    assert not square(cell(evidence=39.99)).enough
    assert square(cell(evidence=-6.2)).text == "none / 1.0"


def test_seeds_without_a_successful_attack_are_not_quoted(cell: Made) -> None:
    idle = cell(seed=1, evidence=2.0, accuracy_after=0.8099)
    assert square(cell(), idle).text == "41 / 1.0"
    assert square(idle).text == "2 / 8.0 †"
    assert cell(accuracy_after=0.81).counts
    assert cell(scratch_accuracy=None).counts is None


def test_declared_labels_show_matches_and_never_bits(cell: Made) -> None:
    declared = cell(bits=None, evidence=None, nominal_bits=300.0)
    assert square(declared).text == "60/100 / 1.0 §"
    assert not square(declared).enough


def test_squares_without_a_number_say_why(cell: Made) -> None:
    assert square(cell(void="void: x"), cell(seed=1, void="void: x")).text == "void"
    assert square(cell(error="x"), cell(seed=1, void="void: x")).text == "error"
    assert square(cell(refused="x")).text == "not applicable"
    assert square(cell(), cell(seed=1, error="x")).text == "41 / 1.0 ‡"


def test_ranks_are_a_table_of_their_own(cell: Made) -> None:
    ranked = cell(rank_bits=400.9, rank_evidence=330.0)
    square_ = squares((ranked, cell(seed=1)), CountedBy.RANKS)["A", "X"]
    assert square_.text == "330 / 1.0 ‡"
    assert squares((cell(),), CountedBy.RANKS)["A", "X"].left == "–"
    pointed = cell(score_bits=410.0, score_evidence=338.7)
    assert squares((pointed,), CountedBy.SCORES)["A", "X"].text == "338 / 1.0"
    relearned = cell(relearning_bits=500.0, relearning_evidence=428.2)
    assert squares((relearned,), CountedBy.RELEARNING)["A", "X"].text == "428 / 1.0"


def test_points_have_a_minus_sign_and_no_negative_zero() -> None:
    assert [points(value) for value in (-0.04, 0.04, -0.25, 12.3456)] == [
        "0.0", "0.0", "−0.2", "12.3",
    ]  # fmt: skip


@pytest.fixture
def outcome(cell: Made) -> GridResult:
    pruned = {"attack": "Y", "attack_name": "pruning", "attack_parameters": {"share": 0.9}}
    declared = {"watermark": "Z", "scheme": "zhang", "bits": None, "evidence": None,
                "labels": "declared", "nominal_bits": 9.0}  # fmt: skip
    cells = tuple(
        cell(**{"watermark": "A<b>", **mark, **attack, "seed": seed, "matches": 60 + seed})
        for mark in ({}, declared)
        for attack in ({}, pruned)
        for seed in (0, 1)
    )
    models = ({"kind": "unmarked", "architecture": "lenet5", "seed": 0, "images": 2000,
               "accuracy": 0.9},)  # fmt: skip
    return GridResult(Grid.from_map(GRID), cells, {}, models, ("something <failed>",), 1.0)


def test_the_tables_hold_the_numbers(outcome: GridResult) -> None:
    (table,) = grid_tables(outcome)
    assert table.head == ("watermark", "X", "Y")
    assert table.rows == (
        ("A<b>", "41 / 1.0", "41 / 1.0"),
        ("Z", "60/100 / 1.0 §", "60/100 / 1.0 §"),
    )
    assert grid_tables(outcome, CountedBy.RANKS) == ()
    assert scheme_table(outcome).rows[0] == (
        "A<b>", "lenet5", "black-box", "derived", "90.0", "89.0", "1.0", "1.0", "100 of 100",
        "", "0", "",
    )  # fmt: skip
    assert attack_table(outcome).rows[0][-1] == "4 of 4"
    rows = list(csv.reader(io.StringIO(bits_csv(outcome))))
    assert rows == [["watermark", "X", "Y"], ["A<b>", "41.20", "41.20"], ["Z", "", ""]]
    assert "| A<b> | 41 / 1.0 | 41 / 1.0 |" in markdown([table])


def test_budget_and_cost_stand_beside_accuracy(outcome: GridResult) -> None:
    made = replace(
        outcome,
        cells=tuple(
            replace(c, exposures=400.0, embed_seconds=30.0 + c.seed, unmarked_seconds=20.0)
            for c in outcome.cells
        ),
    )
    table = scheme_table(made)
    assert dict(zip(table.head, table.rows[0], strict=True)).items() >= {
        ("exposures", "400"), ("seconds", "30"), ("times", "1.5"),
    }  # fmt: skip
    assert "1 epochs in batches of 100" in table.meaning


def test_attacks_that_count_for_no_mark_are_told(cell: Made) -> None:
    grid = Grid.from_map(GRID | {"watermarks": [{"name": "adi", "label": "A"}]})
    useless = {"attack": "Y", "attack_name": "pruning", "accuracy_after": 0.8}
    made = GridResult(grid, (cell(), cell(**useless)), {}, (), (), 0.0)
    (table,) = grid_tables(made)
    assert table.meaning.endswith("for no mark do these count: Y")


def test_means_have_intervals(cell: Made) -> None:
    assert interval([10.0, 14.0]) == pytest.approx((12.0, 25.412), rel=1e-4)
    middle, half = interval([40.0, 50.0, 45.0, 55.0, 60.0])
    assert (middle, half) == pytest.approx((50.0, 9.817), rel=1e-3)
    grid = Grid.from_map(GRID | {"watermarks": [{"name": "adi", "label": "A"}]})
    cells = tuple(
        cell(attack=attack, seed=seed, evidence=evidence)
        for attack, bits in (("X", (40.0, 50.0)), ("Y", (-3.0, -1.0)))
        for seed, evidence in enumerate(bits)
    )
    (table,) = mean_tables(GridResult(grid, cells, {}, (), (), 0.0))
    assert table.rows == (("A", "45 ± 64", "−2 ± 13"),)
    assert mean_tables(GridResult(replace(grid, seeds=(0,)), cells, {}, (), (), 0.0)) == ()
    assert mean_tables(GridResult(grid, cells, {}, (), (), 0.0), CountedBy.RANKS) == ()


def test_many_attacks_are_several_tables(cell: Made) -> None:
    names = [f"a{i}" for i in range(8)]
    grid = Grid.from_map(
        GRID | {"attacks": [{"name": "none", "label": name} for name in names],
                "watermarks": [{"name": "adi", "label": "A"}]}
    )  # fmt: skip
    made = GridResult(grid, tuple(cell(attack=name) for name in names), {}, (), (), 0.0)
    assert [table.head[1:] for table in grid_tables(made)] == [tuple(names[:6]), tuple(names[6:])]


def test_published_figures_stand_beside_the_cells_that_correspond(outcome: GridResult) -> None:
    rows = published_rows(outcome.cells)
    by_row = {(row[1], row[6]): row for row in rows}
    assert ("pruning to 90 %", "A<b> / Y") in by_row
    assert by_row["pruning to 90 %", "A<b> / Y"][2:6] == ("32", "46.9", "60.0 to 61.0", "88.0")
    assert not any(row[1] in ("pruning to 70 %", "pruning to 80 %", "FTAL at 0.01") for row in rows)


def test_a_figure_shows_each_scheme_that_has_evidence(outcome: GridResult) -> None:
    by_key = squares(outcome.cells)
    svg = attack_figure("X", ("A<b>", "Z"), by_key)
    assert svg == attack_figure("X", ("A<b>", "Z"), by_key)
    assert "A&lt;b&gt;" in svg
    assert ">Z<" not in svg
    assert "usual threshold, 40 bits" in svg


def test_without_matplotlib_a_hint_says_what_to_install(
    outcome: GridResult, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError) as caught:
        write_report(outcome, tmp_path)
    assert caught.value.hint == "pip install 'zkwm[evaluate]'"
    assert list(tmp_path.iterdir()) == []


def test_the_page_is_one_file_and_escapes_what_it_shows(
    outcome: GridResult, tmp_path: Path
) -> None:
    page = write_report(outcome, tmp_path).read_text()
    assert "A<b>" not in page
    assert "A&lt;b&gt;" in page
    assert "something &lt;failed&gt;" in page
    assert not re.findall(r'(?:src|href)="(?!data:image/svg)', page)
    assert page.count("data:image/svg+xml;base64,") == 2 + 1  # two attacks, one mark in the legend
    names = {path.name for path in tmp_path.iterdir()}
    assert {"bits.csv", "cells.csv", "tables.md", "figures", "report.html"} <= names
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == [
        "01-x.svg", "02-y.svg",
    ]  # fmt: skip


def test_the_summary_says_what_survived(outcome: GridResult, cell: Made) -> None:
    assert [mark.sentence for mark in survivals(outcome)] == [
        "A<b>: at least 40 bits are left under the only attack.",
        "Z states no evidence: its owner chose the labels.",
    ]
    names = ("p1", "p2", "idle")
    grid = Grid.from_map(
        GRID | {"watermarks": [{"name": "adi", "label": "A"}],
                "attacks": [{"name": "none"}, *({"name": "pruning", "label": n} for n in names)]}
    )  # fmt: skip
    cells = (
        cell(attack="none"),
        cell(attack="p1", evidence=-6.0),
        cell(attack="p2", evidence=-6.0, rank_bits=99.0, rank_evidence=41.0),
        cell(attack="idle", evidence=-6.0, accuracy_after=0.5),
    )
    marks = survivals(GridResult(grid, cells, {}, (), (), 0.0))
    assert [mark.sentence for mark in marks] == [
        "A: at least 40 bits are left under 1 of 2 attacks; not p1."
    ]
    assert headline(marks).startswith("Of 1 mark with evidence none keeps the 40 bits")
    lost = survivals(GridResult(grid, cells[:2], {}, (), (), 0.0))
    assert [mark.sentence for mark in lost] == ["A: less than 40 bits under the only attack."]
    weak = survivals(
        GridResult(grid, (cell(attack="none", evidence=9.0), cells[1]), {}, (), (), 0.0)
    )
    assert weak[0].sentence.startswith("A: less than 40 bits before any attack")
    served = (cell(attack="none", evidence=-9.0, served_accuracy=0.9), cells[1])
    marks = survivals(GridResult(grid, served, {}, (), (), 0.0))
    assert marks[0].sentence == "A: less than 40 bits under the only attack."


def test_small_figures_share_their_axes(outcome: GridResult) -> None:
    by_key = squares(outcome.cells)
    frame = Frame.around(by_key)
    assert frame.evidence[0] < 0 < 41.2 < frame.evidence[1]
    assert frame.lost[0] < 0 < 1.0 < frame.lost[1]
    assert len(attack_figure("X", ("A<b>",), by_key, frame)) < 30_000


def test_an_attack_without_evidence_is_named_and_not_drawn(cell: Made) -> None:
    grid = Grid.from_map(GRID | {"watermarks": [{"name": "zhang", "label": "Z"}]})
    declared = [
        cell(watermark="Z", attack=attack, bits=None, evidence=None) for attack in ("X", "Y")
    ]
    drawn = figures(GridResult(grid, tuple(declared), {}, (), (), 0.0))
    assert (drawn.small, drawn.legend, drawn.without) == ((), (), ("X", "Y"))
