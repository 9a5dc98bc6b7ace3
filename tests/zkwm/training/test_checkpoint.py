from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support import small_training as small
from zkwm.training import Progress, embed
from zkwm.training.settings import METHODS
from zkwm_protocols.errors import Cancelled, Malformed, UsageError


@pytest.fixture
def interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The checkpoint folder of a training that was stopped in its third epoch."""
    monkeypatch.setattr("zkwm.training.progress.REPORT_SECONDS", 0.0)

    def stop(now: Progress) -> None:
        if now.epoch == 2 and now.step == 5:
            raise KeyboardInterrupt

    folder = tmp_path / "state"
    with pytest.raises(Cancelled):
        embed(
            small.model(),
            small.data(),
            small.triggers(),
            settings=small.SETTINGS,
            checkpoint=folder,
            progress=stop,
        )
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_kill_9_and_resume_ends_in_the_same_weights(tmp_path: Path, method: str) -> None:
    folder = tmp_path / "state"
    chooser = random.Random(5)
    for fewest in (12, 16):  # the second time, the clone of the robust method is under attack
        with subprocess.Popen(
            [sys.executable, small.PROGRAM, folder, "lenet5", method, tmp_path],
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            for _ in range(chooser.randint(fewest, 20)):
                assert process.stdout.readline()
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
        assert (folder / "checkpoint.json").exists()
    last = subprocess.run(
        [sys.executable, small.PROGRAM, folder, "lenet5", method, tmp_path],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    first_step = [int(number) for number in last[0].split("/")]
    assert first_step > [0, 5]
    result = json.loads((tmp_path / "0.json").read_text())["result"]
    assert result["model_digest"] == small.train(method=method).model_digest.hex()
    assert not folder.exists()


def test_nothing_else_in_the_folder_is_touched(interrupted: Path) -> None:
    assert sorted(path.suffix for path in interrupted.iterdir()) == [".json", ".safetensors"]
    (interrupted / "note.txt").write_text("mine")
    small.train(checkpoint=interrupted)
    assert [path.name for path in interrupted.iterdir()] == ["note.txt"]


def test_what_a_killed_process_left_half_written_is_removed(interrupted: Path) -> None:
    for name in (".tensors-000001-00000002.safetensors.0123abcd.tmp", ".checkpoint.json.4567.tmp"):
        (interrupted / name).write_bytes(b"half")
    small.train(checkpoint=interrupted)
    assert not interrupted.exists()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"settings": {"seed": 9}}, "settings"),
        ({"settings": {"learning_rate": 0.04}}, "settings"),
        ({"settings": {"precision": "bfloat16"}}, "settings"),
        ({"data": 5}, "data"),
        ({"triggers": 5}, "triggers"),
        ({"triggers": None}, "triggers"),
        ({"model": 5}, "model"),
    ],
)
def test_checkpoint_of_another_training_is_refused(
    interrupted: Path, changes: dict[str, Any], named: str
) -> None:
    before = {path: path.read_bytes() for path in interrupted.iterdir()}
    model = small.model(seed=changes.get("model", 0))
    data = small.data(seed=changes.get("data", 0))
    seed = changes.get("triggers", 1)
    triggers = small.triggers(seed=seed) if seed else None
    settings = replace(small.SETTINGS, **changes.get("settings", {}))
    with pytest.raises(UsageError, match="another training") as caught:
        embed(model, data, triggers, settings=settings, checkpoint=interrupted)
    assert f"different: {named}" in caught.value.message
    assert {path: path.read_bytes() for path in interrupted.iterdir()} == before


@pytest.mark.parametrize(
    "damage",
    ["truncated state", "not a map", "tensor bytes", "tensors missing", "other names", "lines"],
)
def test_damaged_checkpoint_is_refused(interrupted: Path, damage: str) -> None:
    state = interrupted / "checkpoint.json"
    tensors = next(interrupted.glob("*.safetensors"))
    fields = json.loads(state.read_text())
    if damage == "truncated state":
        state.write_bytes(state.read_bytes()[:-9])
    elif damage == "not a map":
        state.write_text("[]")
    elif damage == "tensor bytes":
        data = bytearray(tensors.read_bytes())
        data[-1] ^= 1
        tensors.write_bytes(data)
    elif damage == "tensors missing":
        del fields["tensors"]
        state.write_text(json.dumps(fields))
    elif damage == "lines":
        fields["tensors"] = "tensors-000001-00000002\n.safetensors"
        state.write_text(json.dumps(fields))
    else:
        fields["tensors"] = f"../{interrupted.name}/{tensors.name}"
        state.write_text(json.dumps(fields))
    with pytest.raises(Malformed, match="damaged"):
        small.train(checkpoint=interrupted)
