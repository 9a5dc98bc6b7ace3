"""embed: data, settings, output, resuming, several processes, in very short trainings."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from tests.support.case_files import Command, Files


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """100 training and 20 test images of 1x16x16 in ten classes."""
    path = tmp_path_factory.mktemp("data") / "data.npz"
    random = np.random.default_rng(4)
    np.savez(
        path,
        x_train=random.integers(0, 256, (100, 16, 16), dtype=np.uint8),
        y_train=np.arange(100) % 10,
        x_test=random.integers(0, 256, (20, 16, 16), dtype=np.uint8),
        y_test=np.arange(20) % 10,
    )
    return path


def arguments(case: Files, data: Path, /, **changes: object) -> list[object]:
    options: dict[str, object] = {
        "vault": case.vault,
        "commitment": case.commitment,
        "architecture": "lenet5",
        "data": data,
        "epochs": 1,
        "device": "cpu",
        "output": case.folder / "marked",
    }
    chosen = {name: value for name, value in (options | changes).items() if value is not None}
    return [
        "embed",
        *(part for n, value in chosen.items() for part in (f"--{n.replace('_', '-')}", value)),
    ]


@pytest.fixture
def no_export(monkeypatch: pytest.MonkeyPatch) -> None:
    """The slow step of saving a model is left out (test_demo.py has it)."""
    monkeypatch.setattr(import_module("zkwm.training.saved_model"), "to_onnx", lambda *_: b"")


def test_output(zkwm: Command, case: Files, data: Path, no_export: None) -> None:
    result = zkwm(
        *arguments(case, data, seed=3, triggers_per_batch=4, learning_rate=0.01), "--json"
    )
    assert result.code == 0, result.stderr
    assert set(result.json) == {
        "schema", "path", "test_accuracy", "trigger_matches", "trigger_count", "evidence",
        "seconds", "device", "model_digest",
    }  # fmt: skip
    assert result.json["trigger_count"] == 200
    assert result.json["evidence"]["trials"] == 200
    folder = case.folder / "marked"
    assert {path.name for path in folder.iterdir()} == {
        "model.onnx", "model.safetensors", "config.json", "record.json",
    }  # fmt: skip
    record = json.loads((folder / "record.json").read_text())
    assert record["settings"]["seed"] == 3
    assert record["settings"]["triggers_per_batch"] == 4
    assert record["evidence"] == result.json["evidence"]
    assert not (case.folder / "marked.checkpoint").exists()
    assert "of 200 triggers get their label" in result.stderr
    assert "the mark is not learned whole" in result.stderr


def test_unmarked_and_then_marked(zkwm: Command, case: Files, data: Path, no_export: None) -> None:
    plain = case.folder / "plain"
    result = zkwm(
        *arguments(case, data, vault=None, commitment=None, output=plain), "--unmarked", "--json"
    )
    assert result.code == 0, result.stderr
    assert result.json["trigger_matches"] is None
    assert result.json["evidence"] is None
    result = zkwm(*arguments(case, data, start=plain / "model.safetensors"))
    assert result.code == 0, result.stderr
    result = zkwm(*arguments(case, data, start=plain, architecture="cnn", output=case.folder / "x"))
    assert result.code == 2
    assert "is a lenet5, not a cnn" in result.stderr


def test_folder_is_replaced_with_force_only(zkwm: Command, case: Files, data: Path) -> None:
    folder = case.folder / "marked"
    folder.mkdir()
    result = zkwm(*arguments(case, data))
    assert result.code == 2
    assert "use --force" in result.stderr
    (folder / "letter").write_text("keep me")
    result = zkwm(*arguments(case, data), "--force")
    assert result.code == 2
    assert (folder / "letter").read_text() == "keep me"


def test_interrupted_and_resumed(
    zkwm: Command, case: Files, data: Path, monkeypatch: pytest.MonkeyPatch, no_export: None
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    options = arguments(case, data, epochs=2)
    with monkeypatch.context() as patch:
        patch.setattr("zkwm_cli.commands.embed._show", interrupt)
        result = zkwm(*options)
    assert (result.code, result.stdout) == (5, "")
    assert "zkwm: cancelled: interrupted; the training so far is saved" in result.stderr
    assert not (case.folder / "marked").exists()
    result = zkwm(*options)
    assert result.code == 0
    assert f"resuming from {case.folder / 'marked.checkpoint'}" in result.stderr
    assert not (case.folder / "marked.checkpoint").exists()


def test_only_the_first_process_speaks(
    zkwm: Command, case: Files, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    result = zkwm(*arguments(case, data), "--json")
    assert (result.code, result.stdout, result.stderr) == (0, "", "")
    assert not (case.folder / "marked").exists()


def test_several_processes_cannot_ask_for_one_passphrase(
    zkwm: Command, case: Files, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("ZKWM_PASSPHRASE")
    result = zkwm(*arguments(case, data))
    assert result.code == 2
    assert "under torchrun" in result.stderr


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ({"vault": None}, 2, "give --vault and --commitment"),
        ({"commitment": None}, 2, "give --vault and --commitment"),
        ({"architecture": "vgg"}, 2, "--architecture"),
        ({"epochs": 0}, 2, "epochs"),
        ({"learning_rate": -1}, 2, "learning_rate"),
        ({"learning_rate": "nan"}, 2, "learning_rate"),
        ({"device": "tpu"}, 2, "tpu"),
        ({"data": "none.npz"}, 3, "none.npz"),
        ({"data": "fashion-mnist-small"}, 2, "shape"),
        ({"start": "none"}, 3, ""),
        ({"commitment": "none"}, 3, "none"),
    ],
)
def test_refused(
    zkwm: Command, case: Files, data: Path, options: dict[str, object], code: int, message: str
) -> None:
    result = zkwm(*arguments(case, data, **options))
    assert (result.code, result.stdout) == (code, "")
    assert message in result.stderr
    assert "zkwm: hint: " in result.stderr
    assert not (case.folder / "marked").exists()


def test_unmarked_takes_no_commitment(zkwm: Command, case: Files, data: Path) -> None:
    result = zkwm(*arguments(case, data), "--unmarked")
    assert result.code == 2
    assert "--unmarked takes no --vault" in result.stderr
