"""Chains and second thefts as cells of a grid: their names, and who trains what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.zkwm.evaluation.conftest import TINY
from zkwm.data import ImageData
from zkwm.evaluation.plan import experiment as experiments
from zkwm.evaluation.plan.experiment import Experiment
from zkwm.evaluation.plan.grid import Grid
from zkwm.evaluation.run.runner import run_grid

CHAIN = "weight_noise; fine_tuning which=FTLL epochs=1"


def grid_of(*attacks: object, **changes: Any) -> Grid:
    marks = [{"name": "adi", "triggers": 20}]
    return Grid.from_map(TINY | {"watermarks": marks, "attacks": list(attacks)} | changes)


def cell(grid: Grid, folder: Path) -> str:
    return Experiment(grid, folder).cell(grid.watermarks[0], grid.attacks[0], 0)


@pytest.fixture(autouse=True)
def few_images(monkeypatch: pytest.MonkeyPatch, small_data: ImageData) -> None:
    monkeypatch.setattr("zkwm.evaluation.plan.experiment.load_data", lambda _: small_data)


def test_the_name_of_a_chain_has_all_parameters_and_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = {"name": "chain", "attacks": CHAIN}
    names = [
        cell(grid_of(chain), tmp_path),
        cell(grid_of(chain | {"attacks": CHAIN + " rate=0.01"}), tmp_path),
        cell(grid_of(chain | {"attacks": CHAIN.replace("FTLL", "FTAL")}), tmp_path),
    ]
    # spelled in another way it is the same attack, but another text, and so another cell
    assert len(set(names)) == 3
    assert cell(grid_of(chain), tmp_path) == names[0]
    real = experiments.source_digest
    monkeypatch.setattr(
        experiments,
        "source_digest",
        lambda kind: "changed" if kind.__name__ == "WeightNoise" else real(kind),
    )
    assert cell(grid_of(chain), tmp_path) != names[0]


def test_workers_know_the_sources_of_all_steps(tmp_path: Path) -> None:
    grid = grid_of({"name": "chain", "attacks": CHAIN})
    known = Experiment(grid, tmp_path).input_digests
    assert {"attacks/chain", "attacks/weight_noise", "attacks/fine_tuning"} <= set(known)
    again = Experiment(grid, tmp_path, known)
    assert again.cell(grid.watermarks[0], grid.attacks[0], 0) == cell(grid, tmp_path)


@pytest.mark.usefixtures("quick_labels")
def test_a_second_owner_is_trained_only_where_an_attack_stole_from_them(tmp_path: Path) -> None:
    merging = {"name": "merging", "epochs": 0}
    chain = {"name": "chain", "attacks": "merging epochs=0; pruning share=0.2"}
    plain = run_grid(grid_of("none"), tmp_path)
    assert "second theft" not in {model["kind"] for model in plain.models}
    outcome = run_grid(grid_of("none", merging, chain), tmp_path)
    assert outcome.errors == ()
    second = [model for model in outcome.models if model["kind"] == "second theft"]
    assert len(second) == 1
    assert second[0]["images"] == 200
    assert second[0]["accuracy"] is not None
    assert all(found.status == "measured" for found in outcome.cells)
    assert plain.cells[0].digest == outcome.cells[0].digest


@pytest.mark.usefixtures("quick_labels")
def test_a_second_owner_who_fails_is_an_error_that_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = grid_of({"name": "merging", "epochs": 0})
    with monkeypatch.context() as broken:
        broken.setattr("zkwm.evaluation.plan.data_split.Shares.bystander", _no_images)
        outcome = run_grid(grid, tmp_path)
    assert [found.status for found in outcome.cells] == ["error"]
    assert any("no images today" in error for error in outcome.errors)
    assert "second owner" in outcome.cells[0].error
    again = run_grid(grid, tmp_path)
    assert again.errors == ()
    assert again.cells[0].status == "measured"


def _no_images(*_: object) -> ImageData:
    raise OSError("no images today")
