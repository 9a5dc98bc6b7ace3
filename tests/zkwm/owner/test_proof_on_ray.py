"""An argument on a real Ray cluster: killed workers, the same bytes, errors, and grids on GPUs."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.argument_case import argument_case
from tests.support.local_crew import without_chance
from tests.support.ray_cluster import GPUS, small_cluster
from zkwm.evaluation.run import executors
from zkwm.owner.proof_on_ray import RayCrew, prove_on_ray
from zkwm_protocols.argument.prover import prove
from zkwm_protocols.argument.sharding.prover import prove_by_crew
from zkwm_protocols.errors import CouldNotCheck, NotEnoughMatches, UsageError

pytestmark = pytest.mark.slow

CASE = argument_case(5, least_matches=3)
SETTINGS = {"secret": b"s" * 32, "release": "1"}
KILLED_AT = {
    "commit to the witness": 0.1,
    "lookups: prove the tree": 0.6,
}
"""Steps, and how much is done when a worker is killed there."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    yield from small_cluster()


@pytest.fixture(scope="module")
def crew(cluster: Any) -> Iterator[RayCrew]:
    with RayCrew(2) as crew:
        yield crew


@pytest.mark.parametrize("step", [None, *KILLED_AT])
def test_a_worker_killed_in_mid_proof_is_replaced(
    crew: RayCrew, monkeypatch: pytest.MonkeyPatch, step: str | None
) -> None:
    without_chance(monkeypatch)
    before, killed = crew.replaced, list[int]()

    def progress(name: str, done: float) -> None:
        if step is not None and name == step and done >= KILLED_AT[step] and not killed:
            killed.append(crew.processes[1])
            os.kill(crew.processes[1], signal.SIGKILL)

    arguments = CASE.statement, CASE.images, CASE.salts
    proof = prove_by_crew(*arguments, crew=crew, progress=progress, **SETTINGS)
    assert proof == prove(*arguments, **SETTINGS)
    assert crew.replaced - before == len(killed) == (step is not None)
    assert not set(killed) & set(crew.processes)


def test_errors_of_workers_come_back_as_they_were(crew: RayCrew) -> None:
    foreign = argument_case(5, seed=2)
    with pytest.raises(UsageError, match="do not hash") as caught:
        prove_by_crew(CASE.statement, foreign.images, CASE.salts, crew=crew, **SETTINGS)
    assert type(caught.value) is UsageError
    with pytest.raises(CouldNotCheck, match="an unexpected TypeError in a worker") as other:
        crew.call("run", [(), ()])
    assert "same version" in other.value.hint


def test_the_whole_way_tells_its_steps(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers are as many as processors, at most as many as triggers, and end with the proof."""
    without_chance(monkeypatch)
    steps: list[str] = []
    few = argument_case(2)
    proof = prove_on_ray(
        few.statement, few.images, few.salts,
        progress=lambda step, done: steps.append(step), **SETTINGS,
    )  # fmt: skip
    assert proof == prove(few.statement, few.images, few.salts, **SETTINGS)
    assert (steps[0], steps[-2:]) == (
        "start workers on the Ray cluster", ["verify the proof", "done"],
    )  # fmt: skip
    wrong = argument_case(2, wrong=1)
    more = replace(wrong.statement, least_matches=2)
    with pytest.raises(NotEnoughMatches):
        prove_on_ray(more, wrong.images, wrong.salts, **SETTINGS)


def test_tasks_of_a_grid_get_gpus(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seen(line: str) -> None:
        name = json.loads(line)["name"]
        (tmp_path / name).write_text(os.environ.get("CUDA_VISIBLE_DEVICES", "none"))

    monkeypatch.setattr(executors, "run_task", seen)

    def run(device: str, gpus: float) -> list[str]:
        lines = [json.dumps({"grid": {"device": device}, "name": f"{device}{i}"}) for i in range(4)]
        assert executors.on_ray(gpus)(lines, lambda _: None) == {}
        return [(tmp_path / f"{device}{i}").read_text() for i in range(4)]

    assert set(run("auto", 0.5)) <= {str(gpu) for gpu in range(GPUS)}
    assert set(run("cuda", 1.0)) <= {str(gpu) for gpu in range(GPUS)}
    assert set(run("cpu", 1.0)) == {""}
    with pytest.raises(UsageError, match="a task takes 3 GPUs, and the Ray cluster has 2"):
        run("cuda", 3.0)
    with pytest.raises(UsageError, match="cannot take"):
        run("cuda", 1.5)


def test_a_task_that_dies_is_told(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(line: str) -> None:
        if json.loads(line)["name"] == "dies":
            os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(executors, "run_task", die)
    lines = [json.dumps({"grid": {}, "name": name}) for name in ("dies", "lives")]
    assert executors.on_ray()(lines, lambda _: None) == {lines[0]: "on Ray: WorkerCrashedError"}
