from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.support import small_training as small
from zkwm.training.distributed import Group
from zkwm.training.saved_model import save_model
from zkwm_protocols.errors import UsageError

pytestmark = pytest.mark.slow


def two_processes(
    program: Path, folder: Path, checkpoint: str, architecture: str, method: str = "plain"
) -> list[Any]:
    """What each of two processes that torchrun starts on this CPU has to tell."""
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        program, checkpoint, architecture, method, folder,
    ]  # fmt: skip
    subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in (0, 1)]


def test_two_processes_make_the_mark_of_one(tmp_path: Path) -> None:
    told = two_processes(small.PROGRAM, tmp_path, "-", "lenet5")
    single = small.train()
    assert told[0]["weights"] == told[1]["weights"]
    for name, tensor in single.model.state_dict().items():
        assert torch.allclose(torch.tensor(told[0]["weights"][name]), tensor, atol=2e-3), name
    for each in told:
        assert each["result"]["processes"] == 2
        assert abs(each["result"]["trigger_matches"] - (single.trigger_matches or 0)) <= 2
        assert abs(each["result"]["test_accuracy"] - single.test_accuracy) <= 2 / 60
        assert len(each["result"]["history"]) == 6
    for first, second in zip(told[0]["seen"], told[1]["seen"], strict=True):
        assert first[:2] == second[:2]
        assert len(first[2]) == len(second[2]) == 2
        assert len(set(first[2] + second[2])) == 4
        assert first[3] + second[3] == 24


def test_two_processes_with_batch_normalization_agree(tmp_path: Path) -> None:
    checkpoint = tmp_path / "state"
    told = two_processes(small.PROGRAM, tmp_path, str(checkpoint), "normalized")
    assert told[0]["weights"] == told[1]["weights"]
    assert told[0]["result"]["trigger_matches"] == 10  # unmarked twins have 1 to 6
    assert not checkpoint.exists()


@pytest.mark.slow
def test_two_processes_attack_the_same_clone(tmp_path: Path) -> None:
    told = two_processes(small.PROGRAM, tmp_path, str(tmp_path / "state"), "lenet5", "robust")
    single = small.train(method="robust")
    assert told[0]["weights"] == told[1]["weights"]
    for name, tensor in single.model.state_dict().items():
        assert torch.allclose(torch.tensor(told[0]["weights"][name]), tensor, atol=5e-3), name


def test_batch_normalization_over_several_gpus_stays_out_of_the_result() -> None:
    model = small.model("normalized")
    group = Group(0, 2, torch.device("cuda"))
    trained = group.prepared(model)
    assert isinstance(trained[1], nn.SyncBatchNorm)
    assert isinstance(model[1], nn.BatchNorm2d)
    assert Group(0, 2, torch.device("cpu")).prepared(model) is model


def test_only_the_first_process_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = small.train(epochs=1)
    monkeypatch.setenv("RANK", "1")
    save_model(tmp_path / "model", result)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    "environment",
    [
        {"WORLD_SIZE": "two"},
        {"WORLD_SIZE": "2", "RANK": "-1"},
        {"WORLD_SIZE": "2", "RANK": "0"},
    ],
)
def test_incomplete_environment_is_refused(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError):
        small.train(epochs=1)
