"""Equal budgets in a grid: exposures, the parts of the robust method, and what adversaries have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.zkwm.evaluation.conftest import TINY
from zkwm.data import ImageData
from zkwm.evaluation.plan.data_split import divide
from zkwm.evaluation.plan.experiment import Experiment, scratch_epochs
from zkwm.evaluation.plan.grid import Grid
from zkwm.evaluation.plan.grid_file import read_grid
from zkwm.evaluation.results.tables import bits_csv, grid_tables
from zkwm.evaluation.run.price import price, total
from zkwm.evaluation.run.runner import run_grid
from zkwm.training import default_settings
from zkwm_protocols.errors import UsageError

FAIR = Path(__file__).parents[4] / "examples" / "grids" / "fair.yaml"
Made = Callable[..., Grid]


def test_images_without_labels_are_nobody_elses(tiny: Made, small_data: ImageData) -> None:
    grid = tiny(unlabeled_images=300)
    shares = divide(small_data, grid)
    assert shares.unlabeled is not None
    parts = [shares.owner.train_images, shares.pool.train_images, shares.probes, shares.unlabeled]
    assert [len(part) for part in parts] == [200, 100, 20, 300]
    assert len({image.tobytes() for part in parts for image in part}) == 620
    before = divide(small_data, tiny())
    assert before.unlabeled is None
    assert np.array_equal(before.pool.train_images, shares.pool.train_images)
    with pytest.raises(UsageError, match="1,000 without labels"):
        divide(small_data, tiny(unlabeled_images=1000))


def test_the_bar_takes_as_many_steps_as_the_owner() -> None:
    settings = default_settings("lenet5", images=20_000)
    assert scratch_epochs(settings, 20_000, 6_000) == 54  # 3,200 steps of 60 an epoch
    assert scratch_epochs(settings, 20_000, 20_000) == 16
    assert scratch_epochs(settings, 20_000, 600) == 100


def test_other_adversaries_have_other_cells(fakes: ModuleType, tiny: Made, tmp_path: Path) -> None:
    grids = tiny(), tiny(unlabeled_images=50)
    cells = [
        experiment.cell(experiment.grid.watermarks[0], experiment.grid.attacks[0], 0)
        for experiment in (Experiment(grid, tmp_path) for grid in grids)
    ]
    assert cells[0] != cells[1]


def test_a_changed_robust_method_is_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = Grid.from_map(TINY | {"watermarks": ["robust", "adi"], "attacks": ["none"]})

    def marks() -> list[str]:
        experiment = Experiment(grid, tmp_path)
        return [experiment.mark(entry, 0) for entry in grid.watermarks]

    robust, plain = marks()
    monkeypatch.setattr("zkwm.evaluation.plan.experiment.ROBUST_VERSION", 99)
    again = marks()
    assert again[0] != robust
    assert again[1] == plain


SPLIT = {
    "seeds": [0, 1, 2],
    "watermarks": [{"name": "fake", "label": "A"}, {"name": "fake", "label": "B", "seeds": 1}],
    "attacks": ["none", {"name": "fade", "label": "dear", "seeds": 2, "watermarks": ["A"]}],
}


def test_dear_attacks_have_fewer_seeds_and_marks(tiny: Made, tmp_path: Path) -> None:
    """The same cells as in a grid of all, so that more can follow."""
    grid = tiny(**SPLIT)
    assert Grid.from_map(grid.to_map()) == grid
    outcome = run_grid(grid, tmp_path)
    assert outcome.errors == ()
    measured = [(cell.watermark, cell.attack, cell.seed) for cell in outcome.cells]
    assert measured == [
        *(("A", "none", seed) for seed in (0, 1, 2)),
        ("A", "dear", 0), ("A", "dear", 1), ("B", "none", 0),
    ]  # fmt: skip
    (table, *_) = grid_tables(outcome)
    assert table.head == ("watermark", "none", "dear (2 seeds)")
    assert table.rows[1][2] == ""
    assert bits_csv(outcome).splitlines()[2].startswith("B,")
    first = run_grid(grid.with_seeds(1), tmp_path)
    assert [cell.seed for cell in first.cells] == [0, 0, 0]
    assert first.cells[0] == outcome.cells[0]


def test_the_first_seed_prices_the_others(tiny: Made, tmp_path: Path) -> None:
    grid = tiny(**SPLIT)
    unknown = price(Experiment(grid, tmp_path))
    assert {(line.done, line.seconds, line.left) for line in unknown} == {(0, None, None)}
    assert total(unknown) == (0.0, len(unknown))
    run_grid(grid.with_seeds(1), tmp_path)
    lines = {line.label: line for line in price(Experiment(grid, tmp_path))}
    assert [(name, line.done, line.missing) for name, line in lines.items()] == [
        ("unmarked lenet5", 1, 2), ("scratch lenet5, 100 images", 1, 2),
        ("A", 1, 2), ("B", 1, 0), ("none", 2, 2), ("dear", 1, 1),
    ]  # fmt: skip
    seconds, missing = total(lines.values())
    assert missing == 0
    assert seconds >= 2 * (lines["unmarked lenet5"].seconds or 0) > 0
    assert lines["B"].left == 0.0


@pytest.mark.slow
def test_a_slice_of_the_fair_grid_runs(tmp_path: Path) -> None:
    """Some of its marks and attacks on a few images; the numbers mean nothing."""
    grid = read_grid(FAIR)
    training = grid.training | {"epochs": 5, "batch_size": 50}
    marks = tuple(
        replace(entry, parameters=entry.parameters | {"triggers": 20, "exposures": 40})
        for entry in grid.watermarks
        if entry.label in ("plain", "frozen head", "robust (zkwm)")
    )
    attacks = ("no attack", "extraction, hard, unlabeled")
    small = replace(
        grid, data="fashion-mnist-small", owner_images=1000, attacker_images=200,
        unlabeled_images=300, probes=50, test_images=200, training=training, seeds=(0,),
        watermarks=marks, attacks=tuple(a for a in grid.attacks if a.label in attacks),
    )  # fmt: skip
    outcome = run_grid(small, tmp_path)
    assert outcome.errors == ()
    assert len(outcome.cells) == 3 + 2  # the second attack is for two of the marks
    assert {cell.exposures for cell in outcome.cells} == {40.0}
    queried = {cell.queries for cell in outcome.cells if cell.attack.startswith("extraction")}
    assert queried == {500}
    # 100 steps of the owner, as 25 epochs over the adversary's 200 images, and so 10 over all 500
    assert {c.gradient_images for c in outcome.cells if c.queries} == {10 * 500}
