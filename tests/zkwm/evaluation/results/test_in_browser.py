"""The page of a grid in a browser: no fault of accessibility in any view."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.browser import faults, open_page
from zkwm.evaluation.plan.grid import Grid
from zkwm.evaluation.results.cell import Cell
from zkwm.evaluation.results.outcome import GridResult
from zkwm.evaluation.results.report import write_report

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    yield from open_page()


@pytest.mark.slow
def test_axe_finds_no_fault(page: Page, cell: Callable[..., Cell], tmp_path: Path) -> None:
    attacks = [f"attack with a long name, number {i}" for i in range(8)]
    marks = ("A", "Uchida, a mark in the weights", "Zhang content")
    grid = Grid.from_map(
        {
            "data": "fashion-mnist-small",
            "owner_images": 2000,
            "attacker_images": 500,
            "training": {"epochs": 1, "learning_rate": 0.05},
            "watermarks": [{"name": "adi", "label": mark} for mark in marks],
            "attacks": [{"name": "none", "label": attack} for attack in attacks],
        }
    )
    declared = {"labels": "declared", "bits": None, "evidence": None}
    cells = tuple(
        cell(watermark=mark, attack=attack, evidence=60.0 - 10 * i, accuracy_after=0.9 - 0.02 * i)
        if mark != "Zhang content"
        else cell(watermark=mark, attack=attack, note="labels are declared", **declared)
        for mark in marks
        for i, attack in enumerate(attacks)
    )
    refused = cell(watermark="A", attack=attacks[-1], refused="there is no convolution")
    models = ({"kind": "unmarked", "architecture": "lenet5", "images": 2000, "accuracy": 0.9},)
    outcome = GridResult(grid, (*cells[:7], refused, *cells[8:]), {}, models, ("x failed",), 1.0)
    source = write_report(outcome, tmp_path).read_text(encoding="utf-8")
    assert faults(page, source, tmp_path) == []
