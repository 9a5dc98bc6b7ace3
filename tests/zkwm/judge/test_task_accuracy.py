"""Accuracy as a judge measures it: chance, the draw, meaning of labels, usual preprocessings."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.dispute import TableSuspect
from tests.support.task_suspects import CLASSES, patterns, task_images
from zkwm.data import LabeledImages, load_test_data
from zkwm.judge.task_accuracy import TaskAccuracy, as_outputs, measure_accuracy
from zkwm.judge.usual_preprocessings import as_arguments, usual_preprocessings
from zkwm_protocols.errors import SuspectUnusable, UsageError
from zkwm_protocols.suspect_identity import Preprocessing

SHAPE = (1, 8, 8)
NONCE = bytes(range(32))


def answering(outputs: np.ndarray, data: LabeledImages) -> TableSuspect:
    """A suspect that gives these outputs to the images, in order."""
    table = {image.tobytes(): int(one) for image, one in zip(data.images, outputs, strict=True)}
    return TableSuspect(table)


def measured(suspect: TableSuspect, data: LabeledImages) -> TaskAccuracy:
    return measure_accuracy(suspect, Preprocessing(), data, nonce=NONCE, class_map=range(CLASSES))


def numbered(count: int, commonest: int = 0) -> LabeledImages:
    """Different images; ``commonest`` have label 0, the others 1 to 9 in turn (or all in turn)."""
    images = np.zeros((count, *SHAPE), np.uint8)
    images[:, 0, 0, :4] = np.arange(count, dtype=">u4").view(np.uint8).reshape(count, 4)
    labels = np.arange(count, dtype=np.int64) % CLASSES
    if commonest:
        labels = 1 + np.arange(count, dtype=np.int64) % (CLASSES - 1)
        labels[:commonest] = 0
    return LabeledImages(images, labels)


def least_by_hand(count: int, share: float) -> int:
    """The fewest right answers with a probability of at most 2^-20, in floating point."""
    tail = 0.0
    for k in range(count, -1, -1):
        logs = math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1)
        tail += math.exp(logs + k * math.log(share) + (count - k) * math.log(1 - share))
        if tail > 2**-20:
            return k + 1
    raise AssertionError


@pytest.mark.parametrize(("count", "commonest"), [(500, 0), (60, 0), (300, 200), (1000, 100)])
def test_near_chance_is_an_exact_bound(count: int, commonest: int) -> None:
    data = numbered(count, commonest)
    share = int((data.labels == data.labels.min()).sum()) / count
    least = least_by_hand(count, share)
    for right, refused in ((least - 1, True), (least, False)):
        outputs = np.where(np.arange(count) < right, data.labels, (data.labels + 1) % CLASSES)
        if refused:
            with pytest.raises(SuspectUnusable, match=f"fewer than {least}") as caught:
                measured(answering(outputs, data), data)
            assert caught.value.check == "suspect.answers"
        else:
            assert measured(answering(outputs, data), data).accuracy.right == right


def test_always_the_commonest_label_is_chance() -> None:
    data = numbered(500, commonest=400)
    with pytest.raises(SuspectUnusable, match="near chance"):
        measured(answering(np.zeros(500), data), data)


@pytest.mark.parametrize(("count", "commonest"), [(5, 0), (100, 100), (60, 57)])
def test_too_few_images_to_tell(count: int, commonest: int) -> None:
    data = numbered(count, commonest)
    with pytest.raises(UsageError, match="cannot tell accuracy from chance"):
        measured(answering(data.labels, data), data)


def test_the_nonce_draws_and_the_digest_is_of_what_was_asked() -> None:
    data = numbered(3000)
    suspect = answering(data.labels, data)
    first = measured(suspect, data).accuracy
    assert (first.right, first.count) == (1000, 1000)
    asked = suspect.asked[0]
    places = [int.from_bytes(image[:4], "big") for image in asked]
    assert len(set(places)) == 1000
    assert first.data == data.taken(np.array(places)).digest()
    assert measured(suspect, data).accuracy == first
    other = measure_accuracy(
        suspect, Preprocessing(), data, nonce=bytes(32), class_map=range(CLASSES)
    )
    assert other.accuracy.data != first.data


def test_an_endpoint_is_asked_less() -> None:
    data = numbered(3000)
    suspect = answering(data.labels, data)
    suspect.remote = True
    assert measured(suspect, data).accuracy.count == 200


def test_no_answer_is_not_right() -> None:
    data = numbered(100)
    suspect = TableSuspect(
        {
            image.tobytes(): int(label) if place % 2 else "timed out"
            for place, (image, label) in enumerate(zip(data.images, data.labels, strict=True))
        }
    )
    assert measured(suspect, data).accuracy.right == 50


def test_a_silent_suspect_is_not_called_wrong() -> None:
    """Then the preprocessing may be right: the hint is about what is missing."""
    data = numbered(100)
    answers = {image.tobytes(): int(y) for image, y in zip(data.images, data.labels, strict=True)}
    for image in data.images[10:]:
        answers[image.tobytes()] = "timed out"
    with pytest.raises(SuspectUnusable, match="leaves 90 of 100 test images unanswered"):
        measured(TableSuspect(answers), data)


NAMES = tuple(f"thing {number}" for number in range(CLASSES))


@pytest.mark.parametrize(
    ("names", "classes", "expected"),
    [
        (None, None, (0, 1, 2)),
        (None, NAMES, (0, 1, 2)),
        (("Thing 5", "thing 0 ", "thing 9"), NAMES, (5, 0, 9)),
        (("dog", "cat", "cow"), NAMES, (0, 1, 2)),
        (("dog", "cat", "cow"), None, (0, 1, 2)),
        (("0", "1", "7"), None, (0, 1, 7)),
        (("0", "1", "7"), NAMES, (0, 1, 7)),
    ],
)
def test_what_a_label_stands_for(
    names: tuple[str, ...] | None, classes: tuple[str, ...] | None, expected: tuple[int, ...]
) -> None:
    data = LabeledImages(np.zeros((3, *SHAPE), np.uint8), np.arange(3), "some", names)
    assert tuple(as_outputs(data, CLASSES, classes).labels) == expected


def test_names_of_which_the_suspect_lacks_some() -> None:
    data = LabeledImages(
        np.zeros((2, *SHAPE), np.uint8), np.arange(2), "some", ("thing 1", "an elephant")
    )
    with pytest.raises(UsageError, match="an elephant"):
        as_outputs(data, CLASSES, NAMES)


def test_data_that_do_not_fit() -> None:
    suspect = TableSuspect({})
    with pytest.raises(UsageError, match="the label 10"):
        measured(suspect, replace(numbered(100), labels=np.arange(100) % 11))
    with pytest.raises(UsageError, match="the shape"):
        measured(suspect, task_images((3, 8, 8)))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "chosen", [Preprocessing(), Preprocessing(layout="nhwc", scale="raw")], ids=["unit", "nhwc raw"]
)
def test_usual_preprocessings(chosen: Preprocessing, channels: int) -> None:
    usual = usual_preprocessings(chosen, channels)
    assert chosen not in usual
    assert len(set(usual)) == len(usual)
    assert {one.scale for one in usual} == {"unit", "raw"}
    assert {one.layout for one in usual} == {"nchw", "nhwc"}
    assert ("bgr" in {one.channels for one in usual}) == (channels == 3)
    assert all(len(one.mean) in (0, channels) for one in usual)
    assert len({as_arguments(one) for one in usual}) == len(usual)


def test_forms_of_test_data(tmp_path: Path) -> None:
    data = task_images(SHAPE, 30)
    np.savez(tmp_path / "test.npz", x_test=data.images, y_test=data.labels, x_train=[0])
    np.savez(tmp_path / "plain.npz", images=data.images, labels=data.labels[:, None])
    for name in ("test.npz", "plain.npz"):
        read = load_test_data(tmp_path / name)
        assert read.names is None
        assert read.digest() == data.digest()
    for folder in (tmp_path / "alone", tmp_path / "parts" / "test"):
        for label in range(CLASSES):
            (folder / f"thing {label}").mkdir(parents=True)
            picture = patterns(SHAPE)[label, 0].astype(np.uint8)
            Image.fromarray(picture).save(folder / f"thing {label}" / "a.png")
    for folder in (tmp_path / "alone", tmp_path / "parts"):
        read = load_test_data(folder)
        assert read.names == NAMES
        assert np.array_equal(read.images, patterns(SHAPE))
    np.savez(tmp_path / "other.npz", pictures=data.images)
    with pytest.raises(UsageError, match="holds pictures"):
        load_test_data(tmp_path / "other.npz")
    assert load_test_data("fashion-mnist-small").images.shape == (2000, 1, 28, 28)
