"""``zkwm challenge --test-data`` and ``--preprocessor-config``, from the command to the verdict."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.support.case_files import Command, Files
from tests.support.small_models import Sketch
from tests.support.task_suspects import MNIST, save_suspect, task_images

SHAPE = (1, 16, 16)


@pytest.fixture
def data(case: Files) -> Path:
    """Test data of the task."""
    made = task_images(SHAPE)
    np.savez(case.folder / "test.npz", x_test=made.images, y_test=made.labels)
    return case.folder / "test.npz"


@pytest.fixture
def stolen(case: Files) -> Path:
    """A marked file that wants MNIST's mean and std."""
    return save_suspect(case.folder / "stolen.onnx", MNIST, *case.triggers())


def test_the_hint_of_a_refusal_leads_to_a_proof(
    case: Files, zkwm: Command, data: Path, stolen: Path
) -> None:
    options = case.challenge_options(model=stolen, test_data=data)
    refused = zkwm(*options)
    assert refused.code == 3
    assert "near chance" in refused.stderr
    advised = re.findall(r"--(?:mean|std)=[0-9.,]+", refused.stderr)
    assert advised == ["--mean=0.1307", "--std=0.3081"]
    made = zkwm(*options, *advised, "--json")
    assert made.code == 0
    assert made.json["test_accuracy"]["right"] == made.json["test_accuracy"]["count"] == 400
    assert made.json["better_preprocessing"] is None
    assert "400 of 400 test images" in made.stderr
    assert "NOTHING WAS CHECKED" not in made.stderr
    challenge = case.folder / "new.challenge"
    answer = {"challenge": challenge, "judge_fingerprint": case.judge_fingerprint}
    # The case's judge has asked once before about these triggers: hence --again.
    assert zkwm(*case.prove_options(**answer), "--again").code == 0
    proof = case.folder / "new.proof"
    page = case.folder / "report.html"
    verify = case.verify_options(model=stolen, challenge=challenge, proof=proof)
    verdict = zkwm(*verify, "--json", "--report", page)
    assert verdict.code == 0
    assert verdict.json["test_accuracy"] == made.json["test_accuracy"]
    assert "400 of 400 labeled images of its task" in page.read_text()


def test_without_test_data_a_loud_line(case: Files, zkwm: Command) -> None:
    made = zkwm(*case.challenge_options(), "--json")
    assert made.code == 0
    assert "NOTHING WAS CHECKED" in made.stderr
    assert "the opened blocks are spent" in made.stderr
    assert made.json["test_accuracy"] is None
    shown = zkwm(*case.verify_options())
    assert shown.code == 0
    assert "NOT MEASURED" in shown.stdout


def test_the_file_beside_the_model(case: Files, zkwm: Command, data: Path, stolen: Path) -> None:
    config = case.folder / "config.json"
    stated = {"input_size": SHAPE, "mean": [0.1307], "std": [0.3081]}
    config.write_text(json.dumps({"architecture": "lenet", "pretrained_cfg": stated}))
    options = case.challenge_options(model=stolen, preprocessor_config=config)
    made = zkwm(*options, "--test-data", data, "--json")
    assert made.code == 0
    assert made.json["test_accuracy"]["right"] == 400
    twice = zkwm(*options, "--scale", "raw", "--force")
    assert twice.code == 2
    assert "--scale" in twice.stderr
    config.write_text("{}")
    assert zkwm(*options, "--force").code == 3
    quantize = ("quantize", stolen, "--shape", "1,16,16", "--output", case.folder / "a.zknet")
    assert zkwm(*quantize, "--preprocessor-config", config).code == 3


@pytest.mark.slow
def test_a_network_for_the_file_beside_the_model(case: Files, zkwm: Command) -> None:
    config = case.folder / "config.json"
    stated = {"input_size": SHAPE, "mean": [0.1307], "std": [0.3081]}
    config.write_text(json.dumps({"pretrained_cfg": stated}))
    plain = case.folder / "plain.onnx"
    plain.write_bytes(Sketch(SHAPE).flat(256, 10))
    network = zkwm(
        *("quantize", plain, "--shape", "1,16,16", "--preprocessor-config", config),
        *("--output", case.folder / "a.zknet", "--json"),
    )
    typed = zkwm(
        *("quantize", plain, "--shape", "1,16,16", "--mean", "0.1307", "--std", "0.3081"),
        *("--output", case.folder / "b.zknet", "--json"),
    )
    assert network.code == typed.code == 0
    assert network.json["digest"] == typed.json["digest"]


def test_test_data_that_do_not_fit(case: Files, zkwm: Command) -> None:
    """Fashion-MNIST has other images than this commitment."""
    refused = zkwm(*case.challenge_options(test_data="fashion-mnist-small"))
    assert refused.code == 2
    assert "(1, 28, 28)" in refused.stderr
    assert not (case.folder / "new.challenge").exists()
