"""Trainings of the CIFAR-10 benchmark go on after any interruption, and are done once."""

from __future__ import annotations

import json
import sys
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from zkwm.nn.model_file import load_model

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


class Killed(Exception):
    """Instead of a signal, which would end the tests as well."""


@pytest.mark.slow
def test_a_training_killed_before_its_model_is_saved_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setattr("zkwm.nn.airbench.WIDTHS", (4, 6, 6))
    arms = import_module("cifar10_arms")
    random = np.random.default_rng(3)
    images = random.integers(0, 256, (150, 12, 12, 3), dtype=np.uint8)
    labels = np.arange(150) % 10
    np.savez(
        tmp_path / "data.npz",
        x_train=images[:120], y_train=labels[:120], x_test=images[120:], y_test=labels[120:],
    )  # fmt: skip
    np.savez(tmp_path / "marks.npz", x_crop=255 - images[:20], y=labels[:20])
    runs = tmp_path / "runs"
    options = {"--data": "data.npz", "--authors-triggers": "marks.npz", "--folder": "runs"}
    arguments = [text for name, value in options.items() for text in (name, str(tmp_path / value))]

    def run() -> None:
        monkeypatch.setattr(sys, "argv", ["cifar10_arms.py", *arguments, "--epochs", "3", "plain"])
        arms.main()

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(arms, "save_model", killed)
        with pytest.raises(Killed):
            run()
    assert not (runs / "plain-0" / "checkpoint").exists()
    run()
    run()
    results = [json.loads(text) for text in (runs / "results.jsonl").read_text().splitlines()]
    assert len(results) == 1
    assert (results[0]["triggers"], len(results[0]["history"])) == (20, 3)
    epochs = (runs / "plain-0" / "log.jsonl").read_text().splitlines()
    # the last epoch, which ended after the last checkpoint, was repeated
    assert [json.loads(text)["epoch"] for text in epochs] == [1, 2, 3, 3]
    assert json.loads((runs / "plain-0" / "spent.json").read_text())["attempts"] == 2
    assert load_model(runs / "plain-0" / "model").config.architecture == "airbench"
    assert not (runs / "plain-0" / "last-checkpoint").exists()


@pytest.mark.slow
def test_attacks_start_from_saved_models_and_are_done_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Some of the list; the numbers mean nothing."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setattr("zkwm.nn.airbench.WIDTHS", (4, 6, 6))
    arms, attacks = import_module("cifar10_arms"), import_module("cifar10_attacks")
    random = np.random.default_rng(3)
    images = random.integers(0, 256, (150, 12, 12, 3), dtype=np.uint8)
    labels = np.arange(150) % 10
    np.savez(
        tmp_path / "data.npz",
        x_train=images[:120], y_train=labels[:120], x_test=images[120:], y_test=labels[120:],
    )  # fmt: skip
    runs = tmp_path / "runs"
    common = ["--data", str(tmp_path / "data.npz")]

    def run(program: ModuleType, *words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["program", *common, *words])
        program.main()
        return capsys.readouterr().out

    for arm in ("unmarked", "plain-derived"):
        run(arms, "--folder", str(runs), "--epochs", "2", arm)
    output = tmp_path / "attacks.jsonl"
    chosen = ["--runs", str(runs), "--output", str(output), "--attacker-images", "40"]
    steal = partial(run, attacks, *chosen, "--threads", "1")
    assert steal("--price").count("plain-derived 0, ") == len(attacks.ATTACKS)
    names = ["no attack", "pruning 80 %, fine-tuned", "fine-pruning 50 %", "extraction, hard"]
    steal("--attacks", *names[::3])
    steal("--attacks", *names)
    assert steal("--attacks", *names) == ""
    assert steal("--attacks", *names, "--price") == "nothing is missing\n"
    lines = [json.loads(text) for text in output.read_text().splitlines()]
    assert [line["attack"] for line in lines] == [names[i] for i in (0, 3, 1, 2)]
    for line in lines:
        assert (line["status"], line["labels"], line["trials"]) == ("measured", "derived", 100)
        assert line["bits"] is not None
        assert line["score_bits"] is not None
        trial = next(trial for trial in attacks.ATTACKS if trial.label == line["attack"])
        assert 0 <= trial.passes(line["scratch_epochs"]) * 40 - line["gradient_images"] <= 320
    assert lines[0]["accuracy_after"] == lines[0]["accuracy_before"]
    assert (runs / "scratch-40-0" / "model").exists()
