"""Running a grid: what is measured, what is cached, and resuming after an interruption."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from zkwm.evaluation.plan.experiment import Experiment
from zkwm.evaluation.plan.grid import Grid
from zkwm.evaluation.results.cell import Cell, Status
from zkwm.evaluation.run.executors import in_processes
from zkwm.evaluation.run.runner import CELLS, GridProgress, run_grid
from zkwm.evaluation.run.tasks import Task, TaskKind
from zkwm_protocols.errors import UsageError
from zkwm_protocols.evidence import assess
from zkwm_protocols.policy import Policy

Made = Callable[..., Grid]


def by_attack(cells: tuple[Cell, ...]) -> dict[str, Cell]:
    return {cell.attack: cell for cell in cells}


def test_a_cell_has_the_numbers_of_its_attack(
    fakes: ModuleType, tiny: Made, tmp_path: Path
) -> None:
    outcome = run_grid(tiny(), tmp_path)
    cells = by_attack(outcome.cells)
    assert outcome.errors == ()
    assert {cell.status for cell in outcome.cells} == {Status.MEASURED}
    faded = cells["fade kept=60"]
    exact = assess(60, blocks_used=4, block_count=4, block_size=25, class_count=10, policy=Policy())
    assert (faded.matches_before, faded.matches, faded.trials) == (100, 60, 100)
    assert faded.bits == exact.terms[0].bits
    assert faded.evidence == exact.total_bits
    assert (faded.images, faded.queries, faded.gradient_images) == (7, 8, 9)
    assert faded.embed_seconds == 1.5
    # the fake mark and the fake attack leave the network as it is
    assert faded.unmarked_accuracy == faded.accuracy_before == faded.accuracy_after
    assert faded.scratch_accuracy is not None
    assert faded.counts == (faded.accuracy_after >= faded.scratch_accuracy + 0.01)
    lines = (tmp_path / CELLS).read_text().splitlines()
    assert [Cell.from_map(json.loads(line)) for line in lines] == list(outcome.cells)


def test_cached_results_are_kept(fakes: ModuleType, tiny: Made, tmp_path: Path) -> None:
    first = run_grid(tiny(), tmp_path)
    fakes.RUNS.clear()
    assert run_grid(tiny(), tmp_path).cells == first.cells
    assert fakes.RUNS == []
    more = [{"name": "fade", "kept": 5, "label": "new"}, {"name": "fade", "kept": 60}]
    outcome = run_grid(tiny(attacks=more), tmp_path)
    # one new cell, from the stored model and the stored commitment
    assert fakes.RUNS == ["fade 5 50000 100"]
    assert [cell.matches for cell in outcome.cells] == [5, 60]


def test_after_an_interruption_finished_cells_are_kept(
    fakes: ModuleType, tiny: Made, tmp_path: Path
) -> None:
    attacks = [{"name": "fade", "kept": 60}, "interrupted", {"name": "fade", "kept": 20}]
    with pytest.raises(KeyboardInterrupt):
        run_grid(tiny(attacks=attacks), tmp_path)
    assert fakes.RUNS == ["commit", "embed 0", "fade 60 50000 100"]
    fakes.Interrupted.stop = False
    outcome = run_grid(tiny(attacks=attacks), tmp_path)
    assert fakes.RUNS[3:] == ["fade 20 50000 100"]
    assert [cell.matches for cell in outcome.cells] == [60, 100, 20]


def test_a_mark_with_a_service_is_embedded_for_each_attack(
    fakes: ModuleType, tiny: Made, tmp_path: Path
) -> None:
    first = run_grid(tiny(watermarks=["served"], attacks=["none"]), tmp_path)
    assert first.cells[0].served_accuracy == first.cells[0].accuracy_before
    fakes.RUNS.clear()
    run_grid(tiny(watermarks=["served"]), tmp_path)
    # once to go on, and a new API for each attack
    assert fakes.RUNS == [
        "embed 0", "embed 0", "fade 60 50000 100", "embed 0", "fade 20 50000 100",
    ]  # fmt: skip


def test_the_log_of_the_attacked_service_is_judged(
    fakes: ModuleType, tiny: Made, tmp_path: Path
) -> None:
    grid = tiny(watermarks=["served"], attacks=["asking", "none", {"name": "asking", "kept": 1}])
    logged, unasked, again = run_grid(grid, tmp_path).cells
    assert (logged.matches, logged.trials) == (20, 50)
    assert (unasked.matches, unasked.trials) == (100, 100)
    assert (again.matches, again.trials) == (20, 50)


def test_a_failing_cell_is_an_error_and_others_continue(
    fakes: ModuleType, tiny: Made, tmp_path: Path
) -> None:
    grid = tiny(watermarks=["broken", "fake"], attacks=["failing", "none"])
    outcome = run_grid(grid, tmp_path)
    states = {(cell.watermark, cell.attack): cell.status for cell in outcome.cells}
    assert states == {
        ("broken", "failing"): Status.ERROR,
        ("broken", "none"): Status.ERROR,
        ("fake", "failing"): Status.ERROR,
        ("fake", "none"): Status.MEASURED,
    }
    assert "fake, failing, seed 0: ValueError: the disk\nis full" in outcome.errors
    assert "broken, none, seed 0: the mark could not be embedded: RuntimeError: no memory left" in (
        outcome.errors
    )
    fakes.RUNS.clear()
    run_grid(grid, tmp_path)
    assert fakes.RUNS == ["failing"]  # errors are tried again, and nothing else


def test_void_and_refused_cells_are_no_errors(
    fakes: ModuleType, tiny: Made, tmp_path: Path
) -> None:
    outcome = run_grid(tiny(attacks=["refused", "head", "unreadable"]), tmp_path)
    cells = by_attack(outcome.cells)
    assert outcome.errors == ()
    assert (cells["refused"].status, cells["refused"].refused) == (
        Status.NOT_APPLICABLE,
        "there is no convolution",
    )
    assert cells["head"].status == Status.VOID
    assert (cells["head"].matches, cells["head"].bits, cells["head"].evidence) == (100, None, None)
    assert cells["head"].void == "void: the original head was put back"
    assert cells["unreadable"].void == "void: another architecture"
    assert cells["unreadable"].matches is None


def test_a_block_that_the_attack_used_is_left_out(
    fakes: ModuleType, tiny: Made, tmp_path: Path
) -> None:
    cells = by_attack(run_grid(tiny(attacks=["none", "curious", "unaware"]), tmp_path).cells)
    assert cells["unaware"].status == Status.MEASURED
    assert (cells["unaware"].trials, cells["unaware"].opened_used) == (100, False)
    assert (cells["none"].trials, cells["none"].opened_used) == (100, False)
    assert (cells["curious"].trials, cells["curious"].opened_used) == (75, True)
    exact = assess(75, blocks_used=3, block_count=4, block_size=25, class_count=10, policy=Policy())
    assert cells["curious"].evidence == exact.total_bits


def test_each_attack_has_its_number_of_images(
    fakes: ModuleType, tiny: Made, tmp_path: Path
) -> None:
    attacks = [{"name": "fade", "attacker_images": 150}, {"name": "fade", "kept": 1}]
    outcome = run_grid(tiny(attacks=attacks, seeds=[3, 4]), tmp_path)
    assert {run for run in fakes.RUNS if run.startswith("fade")} == {
        "fade 60 50003 150", "fade 60 50004 150", "fade 1 50003 100", "fade 1 50004 100",
    }  # fmt: skip
    scratch = {(m["seed"], m["images"]) for m in outcome.models if m["kind"] == TaskKind.SCRATCH}
    assert scratch == {(3, 100), (3, 150), (4, 100), (4, 150)}


def test_too_few_images_are_refused_before_anything_is_trained(
    fakes: ModuleType, tiny: Made, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="has 800 training images"):
        run_grid(tiny(owner_images=750), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_progress_ends_with_everything_done(fakes: ModuleType, tiny: Made, tmp_path: Path) -> None:
    seen: list[GridProgress] = []
    run_grid(tiny(), tmp_path, progress=seen.append)
    marks = [standing for standing in seen if standing.stage == "marks and attacks"]
    assert [standing.done for standing in marks] == [0, 1, 2, 3, 4]
    assert marks[-1].total == 4
    assert marks[-1].last == "fake, seed 0: fade kept=20"


@pytest.mark.slow
def test_a_worker_that_dies_takes_no_other_task_with_it(tmp_path: Path) -> None:
    grid = Grid.from_map(
        {
            "data": "fashion-mnist-small",
            "owner_images": 500,
            "attacker_images": 100,
            "training": {"epochs": 2000, "learning_rate": 0.01, "batch_size": 50},
            "watermarks": ["adi"],
        }
    )
    experiment = Experiment(grid, tmp_path)
    line = Task(TaskKind.UNMARKED, "lenet5", 0).to_line(experiment)
    short = Grid.from_map(grid.to_map() | {"training": {"epochs": 1, "learning_rate": 0.01}})
    quick = Task(TaskKind.UNMARKED, "lenet5", 0).to_line(
        Experiment(short, tmp_path, experiment.input_digests)
    )

    killed: list[int] = []

    def kill(_: str) -> None:
        for process in multiprocessing.active_children():
            if not killed:
                killed.append(process.pid or 0)
                process.kill()

    broken = in_processes(1)([line, quick], kill)
    assert broken == {line: "its process ended with the code -9"}
    assert Experiment(short, tmp_path, experiment.input_digests).cache.has(
        Experiment(short, tmp_path, experiment.input_digests).unmarked("lenet5", 0)
    )
