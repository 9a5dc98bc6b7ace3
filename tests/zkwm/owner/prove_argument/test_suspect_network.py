"""The network of a suspect's file: the challenge's own, and no network made to read triggers."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.argued import SHAPE, Scene, save_linear
from tests.support.dispute import random_images
from zkwm.data import ImageData
from zkwm.owner.prove import disclosure
from zkwm.owner.suspect_file import DerivedNetwork
from zkwm.quantizer.classifier import require_classifier
from zkwm.quantizer.derive import derive_network, network_digest
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.errors import (
    CouldNotCheck,
    InvalidOpening,
    SuspectUnusable,
    Unsupported,
    UsageError,
)
from zkwm_protocols.suspect_identity import Preprocessing, SuspectIdentity


@pytest.mark.slow
def test_the_network_must_be_that_of_the_challenge(scene: Scene, tmp_path: Path) -> None:
    other = scene.asked(network=bytes(32))
    with pytest.raises(InvalidOpening) as caught:
        scene.answer(other)
    assert caught.value.check == "challenge.network"
    changed = tmp_path / "changed.onnx"
    changed.write_bytes(scene.model.read_bytes() + b"\0")
    with pytest.raises(InvalidOpening) as caught:
        scene.answer(scene.challenge, changed)
    assert caught.value.check == "challenge.suspect"
    assert scene.argument.proofs == 0
    assert scene.vault.state.ledger == []


def test_another_network_than_the_files_is_refused_before_a_trigger_is_looked_at(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_linear(tmp_path / "other.onnx", random_images(100, 9, SHAPE), np.arange(100) % 10)
    network = network_of(tmp_path / "other.onnx")
    asked = scene.asked(network=network_digest(network))
    looked: list[object] = []
    monkeypatch.setattr("zkwm.owner.prove_argument.make_statement", looked.append)
    told: list[tuple[str, float]] = []
    with pytest.raises(SuspectUnusable) as caught:
        scene.answer(
            asked,
            DerivedNetwork(scene.model, network),
            progress=lambda *step: told.append(step),
        )
    assert caught.value.check == "argument.agreement"
    assert "`Judge.challenge`" in caught.value.hint
    assert looked == []
    assert scene.argument.proofs == 0
    assert scene.vault.state.ledger == []
    assert {step for step, _ in told} == {"comparison with the file"}
    assert [share for _, share in told] == sorted(share for _, share in told)
    assert told[-1][1] == 1


def network_of(path: Path, shape: tuple[int, int, int] = SHAPE) -> Any:
    digest = hashlib.sha256(path.read_bytes()).digest()
    return derive_network(path, SuspectIdentity("onnx", digest, "", 10, shape), Preprocessing())


@pytest.mark.slow
def test_a_constant_network_is_refused(tmp_path: Path) -> None:
    images = random_images(30, 1, SHAPE)
    save_linear(tmp_path / "constant.onnx", images, np.arange(30) % 10, bonus=1000.0)
    with pytest.raises(UsageError, match="gives output 0 to"):
        require_classifier(network_of(tmp_path / "constant.onnx"), tuple(range(10)))


def test_a_network_near_chance_is_refused_and_a_classifier_is_not(tmp_path: Path) -> None:
    images = random_images(300, 1, SHAPE)
    labels = np.arange(300) % 10
    save_linear(tmp_path / "model.onnx", images[:100], labels[:100])
    network = network_of(tmp_path / "model.onnx")
    known = ImageData(images[:1], labels[:1], images[:100], labels[:100], 10, "known")
    require_classifier(network, tuple(range(10)), known)
    unknown = ImageData(images[:1], labels[:1], images[100:], labels[100:], 10, "unknown")
    with pytest.raises(UsageError, match="near chance"):
        require_classifier(network, tuple(range(10)), unknown)
    with pytest.raises(UsageError, match="other images or classes"):
        require_classifier(network, tuple(range(9)), unknown)


def test_networks_of_the_bundled_shape_are_tested_on_fashion(tmp_path: Path) -> None:
    images = random_images(100, 1, (1, 28, 28))
    save_linear(tmp_path / "model.onnx", images, np.arange(100) % 10)
    with pytest.raises(UsageError) as caught:
        require_classifier(network_of(tmp_path / "model.onnx", (1, 28, 28)), tuple(range(10)))
    assert "`test_data`" in caught.value.hint


def test_a_network_that_is_too_much_work_is_refused_before_it_is_evaluated(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The judge chooses the network; evaluating it is a stranger's work."""
    started: list[object] = []
    monkeypatch.setattr("zkwm.quantizer.limited_scores.run_task", started.append)
    with monkeypatch.context() as patch:
        patch.setattr("zkwm.quantizer.calibration.MOST_MULTIPLICATIONS", 1 << 16)
        with pytest.raises(Unsupported, match="too much work") as caught:
            scene.answer()
        assert caught.value.check == "network.unsupported"
        patch.setattr("zkwm.quantizer.limited_scores.MOST_VALUES", 1 << 10)
        with pytest.raises(Unsupported, match="too much"):
            scene.answer()
    assert started == []
    assert (scene.argument.proofs, scene.vault.state.ledger) == (0, [])


@pytest.mark.parametrize("outputs", [1000, 1001])
def test_more_outputs_than_can_be_compared_are_refused_before_the_file_is_read(
    scene: Scene, tmp_path: Path, outputs: int
) -> None:
    suspect = replace(scene.challenge.suspect, outputs=outputs)
    asked = scene.asked(suspect=suspect, least_matches=100)
    missing = tmp_path / "missing.onnx"
    if outputs == 1000:
        assert disclosure(scene.vault, scene.commitment, asked).argument is not None
        with pytest.raises(CouldNotCheck, match="missing"):
            scene.answer(asked, missing)
        return
    for work in (
        lambda: disclosure(scene.vault, scene.commitment, asked),
        lambda: scene.answer(asked, missing),
    ):
        with pytest.raises(SuspectUnusable, match="1,001 outputs") as caught:
            work()
        assert caught.value.check == "argument.agreement"
        assert "`Judge.challenge`" in caught.value.hint
    assert (scene.argument.proofs, scene.vault.state.ledger) == (0, [])


def test_only_files_have_a_network(model: Path, challenge: Challenge) -> None:
    with pytest.raises(Unsupported) as caught:
        derive_network(
            model, replace(challenge.suspect, kind="http", adapter="zkwm"), Preprocessing()
        )
    assert caught.value.check == "challenge.network"


def test_a_suspects_identity_is_not_enough(model: Path) -> None:
    with pytest.raises(CouldNotCheck) as caught:
        derive_network(
            model, SuspectIdentity("onnx", bytes(32), "other", 10, SHAPE), Preprocessing()
        )
    assert caught.value.check == "challenge.suspect"
