"""Safetensors suspects: answers, digest, damaged files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.support.onnx_case import unusable
from zkwm.nn.architectures import Classifier, build_model
from zkwm.nn.digests import model_digest
from zkwm.nn.model_file import save_classifier
from zkwm.suspects import Answer, OnnxLimits, open_suspect
from zkwm_protocols.encoding import encode
from zkwm_protocols.errors import CouldNotCheck, Malformed, SuspectUnusable, UsageError
from zkwm_protocols.relearning import rounds_of
from zkwm_protocols.suspect_identity import Preprocessing

SHAPE = (3, 16, 16)
PLAIN = Preprocessing()
IMAGES = np.random.default_rng(0).integers(0, 256, (12, 3, 4, 4), dtype=np.uint8)
IMAGES = IMAGES.repeat(4, axis=2).repeat(4, axis=3)


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, Classifier]:
    """A folder with an untrained network of 7 classes, and the network."""
    statistics = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.25, 0.3]}
    model = build_model("lenet5", shape=SHAPE, class_count=7, seed=1, **statistics).eval()
    with torch.no_grad():
        for parameter in model.features.parameters():
            parameter.mul_(0 if parameter.dim() == 1 else 4)
    config = {"format": "zkwm-model/1", "architecture": "lenet5", "shape": list(SHAPE)}
    config |= {"class_count": 7, **statistics}
    (tmp_path / "config.json").write_text(json.dumps(config))
    save_file(dict(model.state_dict()), tmp_path / "model.safetensors")
    return tmp_path, model


def test_answers_are_those_of_the_network(saved: tuple[Path, Classifier]) -> None:
    folder, model = saved
    seen: list[tuple[int, int]] = []
    suspect = open_suspect(folder, shape=SHAPE, outputs=7)
    answers = suspect.answer(IMAGES, PLAIN, progress=lambda done, of: seen.append((done, of)))
    with torch.inference_mode():
        expected = model(torch.from_numpy(IMAGES).float() / 255).argmax(dim=1).tolist()
    assert [answer.output for answer in answers] == expected
    assert len(set(expected)) > 1
    assert seen[-1] == (12, 12)
    assert not suspect.remote
    suspect.close()


def test_identity(saved: tuple[Path, Classifier]) -> None:
    folder, model = saved
    whole = open_suspect(folder, shape=SHAPE)
    file = open_suspect(folder / "model.safetensors", shape=SHAPE)
    assert whole.identity.digest == file.identity.digest
    built = {"architecture": "lenet5", "shape": list(SHAPE), "classes": 7}
    expected = hashlib.sha256(b"zkwm-model-1" + encode(built) + model_digest(model)).digest()
    assert whole.identity.digest == expected
    assert whole.identity.kind == "safetensors"
    assert whole.identity.outputs == 7
    assert file.identity.description == "lenet5, model.safetensors"


def test_any_changed_weight_changes_the_digest(saved: tuple[Path, Classifier]) -> None:
    folder, _ = saved
    before = open_suspect(folder, shape=SHAPE).identity.digest
    tensors = load_file(folder / "model.safetensors")
    tensors["features.9.bias"][0] += 1e-3
    save_file(tensors, folder / "model.safetensors")
    assert open_suspect(folder, shape=SHAPE).identity.digest != before


def test_scores_that_overflow_are_no_answer(saved: tuple[Path, Classifier]) -> None:
    folder, _ = saved
    tensors = load_file(folder / "model.safetensors")
    for name, tensor in tensors.items():
        if name.startswith("features"):
            tensor.fill_(1e38)
    save_file(tensors, folder / "model.safetensors")
    suspect = open_suspect(folder, shape=SHAPE)
    assert suspect.answer(IMAGES[:2], PLAIN) == (Answer(None, "not finite"),) * 2


def test_what_does_not_fit(saved: tuple[Path, Classifier]) -> None:
    folder, _ = saved
    with unusable("3 x 16 x 16, not of 1 x 28 x 28"):
        open_suspect(folder, shape=(1, 28, 28))
    with unusable("7 outputs, not 10"):
        open_suspect(folder, shape=SHAPE, outputs=10)
    suspect = open_suspect(folder, shape=SHAPE)
    with unusable("nhwc"):
        suspect.answer(IMAGES, Preprocessing(layout="nhwc"))
    with pytest.raises(Malformed, match="1 means"):
        suspect.answer(IMAGES, Preprocessing(mean=("0",), std=("1",)))
    with pytest.raises(UsageError):
        suspect.answer(IMAGES.astype(np.float32), PLAIN)


def test_damaged_files(saved: tuple[Path, Classifier]) -> None:
    folder, _ = saved
    weights = folder / "model.safetensors"
    data = weights.read_bytes()
    for damaged in (b"", data[:100], data[:-1], b"\x80\x04\x95" + data):
        weights.write_bytes(damaged)
        with pytest.raises(Malformed):
            open_suspect(folder, shape=SHAPE)
    (folder / "config.json").unlink()
    with pytest.raises(CouldNotCheck):
        open_suspect(weights, shape=SHAPE)


def test_weights_that_take_too_long_or_too_much_memory_are_unusable(tmp_path: Path) -> None:
    """Verdict 7.3: a large image of a small network takes minutes and gigabytes."""
    shape = (1, 1024, 1024)
    save_classifier(
        tmp_path,
        build_model("resnet8", shape=shape, class_count=3, mean=(0.5,), std=(0.5,), seed=1),
    )
    for limits in (OnnxLimits(total_seconds=1), OnnxLimits(memory_bytes=1 << 28)):
        suspect = open_suspect(tmp_path, shape=shape, onnx=limits)
        images = np.zeros((2, *shape), np.uint8)
        with pytest.raises(SuspectUnusable) as caught:
            suspect.answer(images, PLAIN)
        assert caught.value.check == "suspect.answers"
        assert caught.value.hint
        assert "image_seconds" not in caught.value.hint  # it would change nothing


def test_copies_that_take_too_long_are_not_helped_by_time_for_an_image(
    saved: tuple[Path, Classifier],
) -> None:
    suspect = open_suspect(saved[0], shape=SHAPE, onnx=OnnxLimits(total_seconds=0.1))
    with pytest.raises(SuspectUnusable) as caught:
        suspect.relearn(IMAGES, [0] * 12, rounds_of(12), PLAIN, range(7))
    assert caught.value.check == "suspect.answers"
    assert "a faster machine" in caught.value.hint
    assert "image_seconds" not in caught.value.hint


def test_the_scores_are_those_of_this_process(saved: tuple[Path, Classifier]) -> None:
    folder, model = saved
    fed = Preprocessing(mean=("0.5",) * 3, std=("0.25",) * 3, channels="bgr")
    (answer,) = open_suspect(folder, shape=SHAPE).answer(IMAGES[:1], fed)
    with torch.inference_mode():
        expected = model(torch.from_numpy((IMAGES[:1, ::-1] / 255 - 0.5) / 0.25).float())
    assert answer.scores is not None
    np.testing.assert_allclose(answer.scores, expected[0].numpy(), rtol=1e-4, atol=1e-5)
