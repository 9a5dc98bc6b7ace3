"""embed --model-from: the owner's own network, by command from its training to a verdict."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

import zkwm as api
from tests.cli.test_embed import arguments
from tests.support.case_files import Command, Files
from zkwm.suspects.preprocessing import preprocess
from zkwm_protocols.errors import CouldNotCheck, Malformed

NETWORKS = '''
"""Networks of somebody's own."""
import torch
from torch import nn


def build(shape, class_count, width=8):
    return nn.Sequential(
        nn.Conv2d(shape[0], width, 3), nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(4),
        nn.Flatten(), nn.Linear(16 * width, class_count),
    )


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(256, 20), nn.ReLU(), nn.Linear(20, 10))

    def forward(self, images):
        return self.head(images)


def wide(shape, class_count):
    return build(shape, class_count, width=16)


def failing():
    raise ValueError("no weights here")


def needing(depth):
    return build((1, 16, 16), 10)


def number():
    return 7


def probabilities(shape, class_count):
    return nn.Sequential(build(shape, class_count), nn.Softmax(1))


constant = 3
'''


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 training and 20 test images of 1x16x16 in ten classes."""
    path = tmp_path_factory.mktemp("pictures") / "data.npz"
    random = np.random.default_rng(4)
    images = random.integers(0, 256, (80, 16, 16), dtype=np.uint8)
    labels = np.arange(80) % 10
    np.savez(path, x_train=images[:60], y_train=labels[:60], x_test=images[60:], y_test=labels[60:])
    return path


@pytest.fixture
def own(case: Files, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, with mynets.networks in it; gone from the interpreter afterwards."""
    (case.folder / "mynets").mkdir()
    (case.folder / "mynets" / "networks.py").write_text(NETWORKS)
    (case.folder / "broken.py").write_text("import no_such_library_at_all\n")
    monkeypatch.chdir(case.folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield case.folder
    for name in [name for name in sys.modules if name.split(".")[0] in ("mynets", "broken")]:
        del sys.modules[name]


def options(case: Files, pictures: Path, called: str, **changes: object) -> list[object]:
    given = {"architecture": None, "model_from": f"mynets.networks:{called}"}
    return arguments(case, pictures, **(given | changes))


@pytest.mark.parametrize("method", ["robust", pytest.param("plain", marks=pytest.mark.slow)])
def test_an_own_network_from_training_to_a_verdict(
    zkwm: Command,
    case: Files,
    pictures: Path,
    own: Path,
    method: str,
) -> None:
    """Its folder is a suspect by its ONNX file, and a start by its weights."""
    result = zkwm(*options(case, pictures, "build", method=method, seed=4), "--json")
    assert result.code == 0, result.stderr
    folder = case.folder / "marked"
    files = {path.name for path in folder.iterdir()}
    assert files == {"model.onnx", "model.safetensors", "record.json"}

    result = zkwm(*case.challenge_options(model=folder))
    assert result.code == 0, result.stderr
    challenge = api.Challenge.from_bytes((case.folder / "new.challenge").read_bytes())
    with_file = api.open_suspect(folder / "model.onnx", shape=(1, 16, 16))
    assert challenge.suspect.digest == with_file.identity.digest
    judged = {"challenge": case.folder / "new.challenge"}
    proven = case.prove_options(**judged, judge_fingerprint=case.judge_fingerprint)
    assert zkwm(*proven).code == 0
    for suspect in (folder, folder / "model.onnx"):  # two names of one suspect
        look = ("check", "--vault", case.vault, "--commitment", case.commitment, "--model", suspect)
        assert zkwm(*look).code == 0
        answer = {"model": suspect, "proof": case.folder / "new.proof"}
        result = zkwm(*case.verify_options(**judged, **answer), "--json")
        assert result.json["outcome"] == "not proven", result.stderr  # after one epoch

    network = sys.modules["mynets.networks"].build((1, 16, 16), 10)
    loaded = api.load_model(folder, network)
    assert loaded is network
    assert not loaded.training
    images = np.random.default_rng(0).integers(0, 256, (40, 1, 16, 16), dtype=np.uint8)
    with torch.no_grad():
        scores = loaded(torch.from_numpy(preprocess(images, api.Preprocessing()))).numpy()
    answers = with_file.answer(images, api.Preprocessing())
    with_file.close()
    assert [one.output for one in answers] == scores.argmax(axis=1).tolist()

    again = options(
        case, pictures, "build", method=method, start=folder, output=case.folder / "again"
    )
    assert zkwm(*again).code == 0
    result = zkwm(*options(case, pictures, "wide", start=folder, output=case.folder / "other"))
    assert result.code == 3
    assert "is torch.float32 (8," in result.stderr


def test_seeds_and_a_class(
    zkwm: Command,
    case: Files,
    pictures: Path,
    own: Path,
    no_export: None,
) -> None:
    digests = []
    for seed, name in ((1, "a"), (1, "b"), (2, "c")):
        result = zkwm(
            *options(case, pictures, "Small", seed=seed, output=case.folder / name), "--json"
        )
        assert result.code == 0, result.stderr
        digests.append(result.json["model_digest"])
    assert digests[0] == digests[1] != digests[2]


def test_an_own_network_is_interrupted_and_resumed(
    zkwm: Command, case: Files, pictures: Path, own: Path, monkeypatch: pytest.MonkeyPatch,
    no_export: None,
) -> None:  # fmt: skip
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    line = options(case, pictures, "build", epochs=2)
    with monkeypatch.context() as patch:
        patch.setattr("zkwm_cli.commands.embed._show", interrupt)
        assert zkwm(*line).code == 5
    result = zkwm(*line, "--json")
    assert result.code == 0, result.stderr
    assert "resuming from" in result.stderr
    whole = zkwm(
        *options(case, pictures, "build", epochs=2, output=case.folder / "whole"), "--json"
    )
    assert whole.json["model_digest"] == result.json["model_digest"]


@pytest.fixture
def no_export(monkeypatch: pytest.MonkeyPatch) -> None:
    """The slow step of saving a model is left out."""
    monkeypatch.setattr(import_module("zkwm.training.saved_model"), "to_onnx", lambda *_: b"")


@pytest.mark.parametrize(
    ("called", "message"),
    [
        ("mynets.networks:nothing", "has no function nothing"),
        ("mynets.networks:constant", "has no function constant"),
        ("mynets.networks:failing", "failing fails: ValueError: no weights here"),
        ("mynets.networks:needing", "takes 'depth', for which there is no value"),
        ("mynets.networks:number", "gives a int, not a torch.nn.Module"),
        ("mynets.networks:probabilities", "ends in softmax"),
        ("mynets.absent:build", "there is no module mynets.absent"),
        ("absent:build", "there is no module absent"),
        ("broken:build", "broken cannot be imported: ModuleNotFoundError: No module named"),
        ("mynets.networks", "takes package.module:function"),
        ("mynets/networks.py:build", "takes package.module:function"),
    ],
)
def test_what_is_no_network_is_refused(
    zkwm: Command,
    case: Files,
    pictures: Path,
    own: Path,
    called: str,
    message: str,
) -> None:
    result = zkwm(*arguments(case, pictures, architecture=None, model_from=called))
    assert (result.code, result.stdout) == (2, "")
    assert message in " ".join(result.stderr.split())
    assert not (case.folder / "marked").exists()


def test_one_network_is_named(zkwm: Command, case: Files, pictures: Path) -> None:
    for changes in ({"model_from": "mynets:build"}, {"architecture": None}):
        result = zkwm(*arguments(case, pictures, **changes))
        assert result.code == 2
        assert "or --model-from for one of your own" in " ".join(result.stderr.split())
    result = zkwm(*options(case, pictures, "build", watermark="uchida"))
    assert result.code == 2
    assert "mark built-in networks" in " ".join(result.stderr.split())


def test_weights_of_ones_own_are_not_guessed(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    network = torch.nn.Linear(3, 2)
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    with pytest.raises(CouldNotCheck, match=r"no config\.json") as caught:
        api.load_model(tmp_path)
    assert "`load_model`" in caught.value.hint
    api.load_model(tmp_path, torch.nn.Linear(3, 2))
    api.load_model(tmp_path / "model.safetensors", torch.nn.Linear(3, 2))
    with pytest.raises(Malformed, match="other tensors than this network"):
        api.load_model(tmp_path, torch.nn.Linear(3, 2, bias=False))
