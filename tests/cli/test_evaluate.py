"""evaluate: a small grid, the list of everything, and how failures are reported."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.case_files import Command
from zkwm.attacks import ATTACKS, CLAIMS
from zkwm.evaluation.results.outcome import GridResult
from zkwm.watermarks import WATERMARKS

GRID = """
title: Two cells
data: fashion-mnist-small
owner_images: 400
attacker_images: 100
test_images: 100
probes: 20
training: {epochs: 1, learning_rate: 0.05, batch_size: 50}
watermarks:
  - {name: adi, label: Adi}
attacks:
  - none
  - {name: quantisation, bits: 4, label: 4 bits}
"""


@pytest.fixture
def grid(tmp_path: Path) -> Path:
    path = tmp_path / "grid.yaml"
    path.write_text(GRID)
    return path


@pytest.mark.slow
def test_a_grid_from_one_command(zkwm: Command, grid: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    first = zkwm("evaluate", grid, "-o", folder, "--json")
    assert first.code == 0, first.stderr
    assert first.json["schema"] == "zkwm/evaluate/v1"
    assert first.json["cells"] == {"measured": 2, "void": 0, "not applicable": 0, "error": 0}
    assert first.json["errors"] == []
    assert Path(first.json["report"]).read_text().startswith("<!doctype html>")
    cells = [json.loads(line) for line in (folder / "cells.jsonl").read_text().splitlines()]
    assert [cell["attack"] for cell in cells] == ["none", "4 bits"]
    assert cells[0]["matches"] == cells[0]["matches_before"]
    assert cells[1]["attack_parameters"] == {"bits": 4}
    # results that the folder holds are kept: the same commitment, the same cells
    again = zkwm("evaluate", grid, "-o", folder)
    assert again.code == 0
    assert again.stdout == ""
    lines = (folder / "cells.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == cells


def test_the_list_names_everything(zkwm: Command) -> None:
    listed = zkwm("evaluate", "--list", "--json")
    assert listed.code == 0, listed.stderr
    assert listed.json["schema"] == "zkwm/evaluate-list/v1"
    for kind, table in (("watermarks", WATERMARKS), ("attacks", ATTACKS), ("claims", CLAIMS)):
        entries: list[dict[str, Any]] = listed.json[kind]
        assert [entry["name"] for entry in entries] == list(table)
        for entry in entries:
            assert {"name", "summary", "paper", "parameters"} <= set(entry)
            assert entry["summary"].endswith((".", "?")) or len(entry["summary"]) > 10
            assert "access" in entry or kind != "watermarks"
            assert "needs" in entry or kind != "attacks"
    adi = listed.json["watermarks"][0]
    assert adi["access"] == "black-box"
    assert adi["parameters"]["triggers"] == 100
    text = zkwm("evaluate", "--list").stdout
    for name in (*WATERMARKS, *ATTACKS, *CLAIMS):
        assert f"  {name}: " in text


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["GRID"],
        ["-o", "out"],
        ["GRID", "--list"],
        ["GRID", "-o", "out", "--ray", "--workers", "2"],
        ["GRID", "-o", "out", "--workers", "0"],
        ["GRID", "-o", "out", "--gpus", "0.5"],
        ["GRID", "-o", "out", "--ray", "--gpus", "0"],
        ["GRID", "--dry-run"],
        ["GRID", "-o", "out", "--seeds", "0"],
    ],
)
def test_what_makes_no_sense_is_refused(zkwm: Command, arguments: list[str]) -> None:
    result = zkwm("evaluate", *arguments)
    assert (result.code, result.stdout) == (2, "")


def test_the_price_of_a_grid(zkwm: Command, grid: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    priced = zkwm("evaluate", grid, "-o", folder, "--dry-run", "--json")
    assert priced.code == 0, priced.stderr
    assert priced.json["schema"] == "zkwm/evaluate-price/v1"
    assert {line["missing"] for line in priced.json["lines"]} == {1}
    assert (priced.json["unknown"], priced.json["processor_seconds"]) == (5, 0)
    told = zkwm("evaluate", grid, "-o", folder, "--dry-run").stdout
    assert "attack 4 bits: 0 there, 1 missing: unknown" in told
    assert told.endswith("processor time of what is missing: unknown\n")
    assert not folder.exists()


def test_a_fault_in_the_file_is_named(zkwm: Command, grid: Path, tmp_path: Path) -> None:
    grid.write_text(GRID.replace("probes", "probe"))
    result = zkwm("evaluate", grid, "-o", tmp_path / "out", "--json")
    assert result.code == 2
    assert result.json["error"] == f"{grid}: a grid has no key 'probe'"
    assert result.json["hint"] == "did you mean probes?"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("module", "options", "hint"),
    [
        ("matplotlib", [], "pip install 'zkwm[evaluate]'"),
        ("ray", ["--ray"], "pip install 'zkwm[distributed]'"),
    ],
)
def test_an_extra_that_is_not_installed_is_named(
    zkwm: Command,
    grid: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    options: list[str],
    hint: str,
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    result = zkwm("evaluate", grid, "-o", tmp_path / "out", *options)
    assert (result.code, result.stdout) == (2, "")
    assert f"zkwm: hint: {hint}" in result.stderr
    assert not (tmp_path / "out").exists()


def test_cells_that_failed_are_an_exit_code(
    zkwm: Command, grid: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(read: Any, folder: Path, **_: object) -> GridResult:
        Path(folder).mkdir()
        return GridResult(read, (), {}, (), tuple(f"cell {i} failed" for i in range(12)), 1.0)

    monkeypatch.setattr("zkwm.evaluation.run.runner.run_grid", run)
    monkeypatch.setattr(
        "zkwm.evaluation.results.report.write_report", lambda *_: Path("report.html")
    )
    result = zkwm("evaluate", grid, "-o", tmp_path / "out", "--json")
    assert result.code == 3
    assert len(result.json["errors"]) == 12
    assert "zkwm: warning: cell 9 failed" in result.stderr
    assert "zkwm: warning: and 2 more; the report lists them" in result.stderr


def test_an_interruption_is_cancelled(
    zkwm: Command, grid: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("zkwm.evaluation.run.tasks.do_task", interrupt)
    result = zkwm("evaluate", grid, "-o", tmp_path / "out")
    assert result.code == 5
    assert "zkwm: cancelled: interrupted" in result.stderr
    assert not (tmp_path / "out" / "report.html").exists()
