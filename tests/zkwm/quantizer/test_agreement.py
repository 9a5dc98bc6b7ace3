"""Agreement of network and model: counted over all images; refusals."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.small_models import RAW, SHAPE, Sketch, float_labels, network_of
from zkwm.quantizer import Agreement, facts, lookups, measure_agreement, random_images
from zkwm.quantizer.derive import network_of as network_of_suspect
from zkwm.quantizer.network_agreement import (
    GIVEN,
    PUBLIC,
    _clear,
    drawn_sets,
    same_order,
    score_errors,
    sure_groups,
    translation_error,
)
from zkwm.suspects import open_suspect
from zkwm_protocols.errors import SuspectUnusable, UsageError
from zkwm_protocols.integer_network.evaluate import labels
from zkwm_protocols.integer_network.model import IntegerNetwork
from zkwm_protocols.suspect_identity import Preprocessing


def measured(
    data: bytes, path: Path, network: IntegerNetwork, images: np.ndarray, nonce: bytes = bytes(32)
) -> tuple[Agreement, ...]:
    path.write_bytes(data)
    suspect = open_suspect(path, shape=SHAPE, outputs=5)
    with closing(suspect):
        return measure_agreement(network, suspect, RAW, nonce=nonce, images=images)


def test_agreement(tmp_path: Path) -> None:
    sketch = Sketch()
    sketch.convolution(3, 4)
    sketch.add("Relu")
    data = sketch.flat(144)
    network = network_of(data)
    other = Sketch()
    other.flat(192, outputs=6)
    images = random_images(SHAPE, 60, b"agreement")
    found = measured(data, tmp_path / "model.onnx", network, images)
    assert [one.kind for one in found] == ["random blocks", "public images", "images given"]
    equal = int((labels(network, images) == float_labels(data, images)).sum())
    assert (found[-1].asked, found[-1].agreeing) == (60, equal)
    for one in found:
        assert one.agreeing >= 0.9 * one.asked
        assert 0.7 * one.asked <= one.clear <= one.asked
        assert one.same_order == (
            None if one.kind in (PUBLIC, GIVEN) else pytest.approx(1, abs=0.05)
        )
        assert one.clear_agreeing == one.clear
        assert one.sure_agreeing == one.sure >= one.asked / 10
        assert one.median_error <= one.high_error <= 0.1
        assert one.translation_error < 1e-5
    with pytest.raises(UsageError, match="no images"):
        measured(data, tmp_path / "model.onnx", network, images[:0])
    with pytest.raises(UsageError, match="outputs"):
        measured(data, tmp_path / "model.onnx", network_of(other.file()), images)


def test_the_models_order_of_channels_and_layout(tmp_path: Path) -> None:
    """Layers reorder channels themselves: pixels reach them as they are."""
    path = tmp_path / "model.onnx"
    for layout, shape in (("nchw", SHAPE), ("nhwc", SHAPE)):
        sketch = Sketch(shape, layout=layout)
        path.write_bytes(sketch.flat(192))
        fed = Preprocessing(scale="raw", layout=layout, channels="bgr")
        with closing(open_suspect(path, shape=shape)) as suspect:
            network = network_of_suspect(suspect, fed)
            for one in measure_agreement(network, suspect, fed, nonce=bytes(32)):
                assert one.translation_error < 1e-5
                assert one.high_error < 0.1


def test_images_follow_from_nonce_and_suspect() -> None:
    shape, nonce, digest = (1, 20, 20), bytes(32), bytes([1]) * 32
    sets = drawn_sets(shape, nonce, digest)
    assert len(sets) == 5
    again = drawn_sets(shape, nonce, digest)
    for changed in (drawn_sets(shape, digest, digest), drawn_sets(shape, nonce, nonce)):
        for kind, images in sets.items():
            assert images.shape == (200, *shape)
            assert np.array_equal(images, again[kind])
            assert not np.array_equal(images, changed[kind])


def test_an_image_without_an_answer_never_agrees(tmp_path: Path) -> None:
    sketch = Sketch()
    sketch.flat(192)
    data = sketch.file()
    network = network_of(data)
    sketch.add("Mul", sketch.last, sketch.constant(1e38))
    sketch.add("Mul", sketch.last, sketch.constant(1e3))
    images = random_images(SHAPE, 8, b"agreement")
    for one in measured(sketch.file(), tmp_path / "model.onnx", network, images):
        assert one.agreeing == 0
        assert not one.same_order
        assert one.high_error == one.translation_error == float("inf")
        assert one.to_json()["high_error"] is None


def test_errors_do_not_depend_on_the_unit() -> None:
    random = np.random.default_rng(1)
    real = random.normal(size=(50, 10))
    moved = real + random.normal(size=(50, 1))
    assert score_errors(real, 1000 * moved).max() < 1e-12
    assert score_errors(real, random.normal(size=(50, 10))).min() > 0.5
    assert np.isinf(score_errors(real, np.zeros((50, 10)) - np.inf)).all()
    assert np.isinf(score_errors(np.zeros((50, 10)), real)).all()


def test_the_order_of_two_outputs_depends_on_no_unit_and_no_other_output() -> None:
    random = np.random.default_rng(2)
    real, other = random.normal(size=(2, 400, 10))
    noisy = real + 0.1 * other
    assert same_order(real, real) == 1
    assert 0.95 < same_order(real, noisy) < 0.99
    assert same_order(real, other) < 0.55
    assert same_order(real, 1e6 * noisy + 1e9 * other[:, :1]) == same_order(real, noisy)
    for inflated in range(1, 7):  # of ten outputs that label
        huge = np.where(np.arange(10) < inflated, 1e9 * np.arange(1, 11), 0)
        assert same_order(real + huge, other + huge) < 0.6
    assert same_order(real[:, :2], noisy[:, :2]) == same_order(real[:, 1::-1], noisy[:, 1::-1])
    assert same_order(np.full((4, 3), np.nan), np.ones((4, 3))) == 0
    assert same_order(np.tile(real, 60), np.tile(noisy, 60)) > 0.9


def test_neither_an_output_nor_an_image_of_huge_range_hides_a_misreading() -> None:
    random = np.random.default_rng(3)
    read = random.normal(size=(200, 10))
    every = list(range(10))
    exact = read * (1 + 1e-6 * random.normal(size=read.shape))
    misread = read + 2e-2 * random.normal(size=read.shape)
    assert translation_error(exact, read, every) < 1e-5
    assert translation_error(misread, read, every) > 1e-2
    for columns, rows in (((0,), slice(None)), ((0, 3, 7, 9), slice(None)), (every, slice(0, 2))):
        huge = np.zeros_like(read)
        huge[rows, columns] = 1e4 * random.choice([-1, 1], size=huge[rows, columns].shape)
        assert translation_error(exact + huge, read + huge, every) < 1e-3
        assert translation_error(misread + huge, read + huge, every) > 1e-2
    junk = np.full((200, 30), -1e4)  # more outputs than the class map has
    assert translation_error(np.hstack([misread, junk]), np.hstack([read, junk]), every) > 1e-2
    probabilities = np.exp(read) / np.exp(read).sum(axis=1, keepdims=True)
    assert translation_error(probabilities + 1e-7, probabilities, every) < 1e-5


def test_the_surest_images_are_those_of_each_label() -> None:
    real = np.zeros((45, 4))
    real[:25, 0] = np.arange(1, 26)
    real[25:40, 1] = 1e6 * np.arange(15, 0, -1)  # an output of huge range is one label
    real[40:43, 2] = 1, 3, 2
    real[43:, 3] = 5, 4
    groups = [np.flatnonzero(group).tolist() for group in sure_groups(real)]
    assert groups[:2] == [[*range(25, 30)], [*range(25, 34)]]
    assert groups[2] == [22, 23, 24, *range(34, 40)]
    assert groups[3] == [22, 23, 24, 25, 26, 43]
    assert groups[4] == [*range(20, 28), 43]
    assert groups[5] == [*range(15, 20), 28, 29, 30, 44]
    assert [group.sum() for group in sure_groups(np.full((12, 3), np.nan))] == [2, 3, 2] * 2


def test_images_without_a_margin_are_clear() -> None:
    real = np.arange(60.0).reshape(20, 3) ** 2
    real[3] = np.nan
    assert _clear(real)[3]
    assert _clear(real).sum() >= 14


def test_lookups_are_counted() -> None:
    sketch = Sketch()
    sketch.convolution(3, 4)
    sketch.add("Relu")
    sketch.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    network = network_of(sketch.flat(36))
    limbs = -(-network.argmax_bits // 8)
    assert lookups(network) == 2 * 144 + 3 * 36 + 5 * (1 + 2 * limbs)
    assert facts(network)["lookups_per_image"] == lookups(network)


def test_labels_without_scores_cannot_be_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that gives scores to nobody has an integer network that nothing ties to it."""
    data = Sketch().flat(192)
    (tmp_path / "model.onnx").write_bytes(data)
    suspect = open_suspect(tmp_path / "model.onnx", shape=SHAPE, outputs=5)
    answer = suspect.answer

    def labels_alone(*arguments: object, **options: object) -> tuple[object, ...]:
        return tuple(replace(one, scores=None) for one in answer(*arguments, **options))

    monkeypatch.setattr(suspect, "answer", labels_alone)
    with closing(suspect), pytest.raises(SuspectUnusable, match="without scores") as caught:
        measure_agreement(network_of(data), suspect, RAW, nonce=bytes(32))
    assert caught.value.check == "argument.agreement"
    assert "`Judge.challenge`" in caught.value.hint
