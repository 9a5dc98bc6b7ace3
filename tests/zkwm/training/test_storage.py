from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors import torch as safetensors

from tests.support import small_training as small
from zkwm.nn.digests import model_digest
from zkwm.nn.model_file import load_model
from zkwm.nn.onnx_export import to_onnx
from zkwm.training import EmbedResult, embed
from zkwm.training.saved_model import save_model
from zkwm_protocols.errors import CouldNotCheck, Malformed, Unsupported, UsageError

FILES = ["config.json", "model.onnx", "model.safetensors", "record.json"]


@pytest.fixture(scope="module")
def result() -> EmbedResult:
    trained: EmbedResult = small.train()
    return trained


@pytest.fixture(scope="module")
def saved(result: EmbedResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("storage") / "marked"
    return save_model(folder, result, evidence={"bits": "12.5"})


@pytest.fixture
def quick_export(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where ONNX is not what is tested: the export of the fixture again."""
    data = (saved / "model.onnx").read_bytes()
    monkeypatch.setattr("zkwm.training.saved_model.to_onnx", lambda model, shape: data)


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in FILES:
        (copy / name).write_bytes((saved / name).read_bytes())
    return copy


@pytest.mark.slow
def test_what_is_written_is_what_was_trained(result: EmbedResult, saved: Path) -> None:
    assert sorted(path.name for path in saved.iterdir()) == FILES
    assert list(saved.parent.iterdir()) == [saved]
    for path in (saved, saved / "model.safetensors"):
        model = load_model(path)
        assert model_digest(model) == result.model_digest
        assert not model.training
    record = json.loads((saved / "record.json").read_text())
    assert record["model_digest"] == result.model_digest.hex()
    assert record["trigger_matches"] == 10
    assert record["evidence"] == {"bits": "12.5"}
    assert record["settings"]["seed"] == 0
    assert record["data_digest"] == result.data_digest.hex()
    images = torch.tensor(small.triggers().images)
    session = onnxruntime.InferenceSession(saved / "model.onnx")
    logits = session.run(None, {"images": images.numpy().astype(np.float32) / 255})[0]
    assert (logits.argmax(1) == small.triggers().labels).all()
    with torch.no_grad():
        assert np.allclose(logits, result.model(images.float() / 255), atol=1e-4)


def test_onnx_is_reproducible_and_tells_nothing_of_this_machine(
    result: EmbedResult, saved: Path, caplog: pytest.LogCaptureFixture, capfd: Any
) -> None:
    with caplog.at_level(logging.WARNING):
        again = to_onnx(result.model, result.shape)
    written = (saved / "model.onnx").read_bytes()
    assert again == written
    assert not caplog.records
    assert capfd.readouterr() == ("", "")
    for secret in (str(Path.cwd()), "forward", "architectures.py", "zkwm"):
        assert secret.encode() not in written


@pytest.mark.usefixtures("quick_export")
def test_weights_file_is_reproducible(result: EmbedResult, saved: Path, tmp_path: Path) -> None:
    other = save_model(tmp_path / "other", result)
    name = "model.safetensors"
    assert (other / name).read_bytes() == (saved / name).read_bytes()


@pytest.mark.usefixtures("quick_export")
def test_nothing_is_overwritten_unless_asked(result: EmbedResult, folder: Path) -> None:
    with pytest.raises(UsageError, match="exists"):
        save_model(folder, result)
    save_model(folder, result, overwrite=True)
    assert sorted(path.name for path in folder.iterdir()) == FILES
    (folder / "mine.txt").write_text("x")
    with pytest.raises(UsageError, match="something else"):
        save_model(folder, result, overwrite=True)
    assert (folder / "mine.txt").exists()


@pytest.mark.usefixtures("quick_export")
def test_full_disk_leaves_nothing(
    result: EmbedResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        if Path(path).name == "record.json":
            raise CouldNotCheck("cannot write: No space left on device")
        Path(path).write_bytes(data)

    monkeypatch.setattr("zkwm.training.saved_model.write_atomic", full)
    with pytest.raises(CouldNotCheck):
        save_model(tmp_path / "model", result)
    assert not list(tmp_path.iterdir())


def test_own_classifier_has_no_config(tmp_path: Path) -> None:
    torch.manual_seed(0)
    own = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(144, 4))
    trained = embed(own, small.data(), small.triggers(), settings=small.SETTINGS)
    folder = save_model(tmp_path / "own", trained)
    assert sorted(path.name for path in folder.iterdir()) == [
        n for n in FILES if n != "config.json"
    ]
    with pytest.raises(CouldNotCheck, match=r"no config\.json"):
        load_model(folder)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(144, 4))
    assert model_digest(load_model(folder, network)) == trained.model_digest


class Unexportable(torch.nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if images.sum().item() > 3:
            return images
        return -images


def test_what_cannot_be_exported_is_reported() -> None:
    with pytest.raises(Unsupported, match="ONNX"):
        to_onnx(Unexportable(), (1, 4, 4))


def edited_config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    fields = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({n: v for n, v in fields.items() if v != "absent"}))


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "zkwm-model/2"},
        {"architecture": "vgg"},
        {"architecture": ["lenet5"]},
        {"architecture": "x\n" * 10_000},
        {"shape": [1, 10**4000, 12]},
        {"shape": [1, 12]},
        {"shape": [1, 12, 12.0]},
        {"shape": [1, True, 12]},
        {"shape": [1, 10**9, 10**9]},
        {"class_count": 10**12},
        {"class_count": "4"},
        {"mean": [0.3, 0.3]},
        {"mean": ["0.3"]},
        {"mean": [float("nan")]},
        {"std": [0.0]},
        {"std": "absent"},
        {"extra": 1},
    ],
)
def test_config_that_describes_nothing_is_refused(folder: Path, changes: dict[str, Any]) -> None:
    edited_config(folder, **changes)
    with pytest.raises(Malformed) as caught:
        load_model(folder)
    assert len(caught.value.message) < 1000


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "cnn"}, "other tensors"),
        ({"class_count": 5}, "not torch.float32"),
        ({"shape": [1, 16, 16]}, "not torch.float32"),
        ({"mean": [0.4]}, "disagree about mean"),
    ],
)
def test_tensors_of_another_network_are_refused(
    folder: Path, changes: dict[str, Any], message: str
) -> None:
    edited_config(folder, **changes)
    with pytest.raises(Malformed, match=message):
        load_model(folder)


@pytest.mark.parametrize("change", ["missing", "extra", "float64", "nan", "shape", "grown"])
def test_wrong_tensors_are_refused(folder: Path, change: str) -> None:
    path = folder / "model.safetensors"
    tensors = safetensors.load(path.read_bytes())
    name = "features.0.weight"
    if change == "missing":
        del tensors[name]
    elif change == "extra":
        tensors["features.99.weight"] = torch.zeros(1)
    elif change == "float64":
        tensors[name] = tensors[name].double()
    elif change == "nan":
        tensors[name][0, 0, 0, 0] = torch.nan
    elif change == "shape":
        tensors[name] = tensors[name].reshape(6, 25)
    else:
        tensors["normalize.mean"] = torch.zeros(10_000_000)
    path.write_bytes(safetensors.save(tensors))
    with pytest.raises(Malformed):
        load_model(folder)


def test_damaged_files_are_refused(folder: Path) -> None:
    weights, config = folder / "model.safetensors", folder / "config.json"
    whole = weights.read_bytes()
    for bad in (b"", whole[:100], whole[:-1], b"\x80\x04" + whole, b"\xff" * 200):
        weights.write_bytes(bad)
        with pytest.raises(Malformed):
            load_model(folder)
    weights.unlink()
    with pytest.raises(CouldNotCheck):
        load_model(folder)
    for text in ("", "[" * 100_000, "{}", "null", " " * 70_000):
        config.write_text(text)
        with pytest.raises(Malformed):
            load_model(folder)
