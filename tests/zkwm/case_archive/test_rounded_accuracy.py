"""The accuracy of a challenge, where rounding decides some answers, or some come too late."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from zkwm.case_archive import other_rounding, replay_accuracy
from zkwm.case_archive.other_rounding import Replaying
from zkwm.case_archive.replay_accuracy import repeat_accuracy
from zkwm.case_archive.steps import ReplayState
from zkwm.suspects.suspect import TIMED_OUT, Answer
from zkwm_protocols.errors import SuspectUnusable
from zkwm_protocols.suspect_identity import Preprocessing

COUNT = 100


class Suspect:
    """Gets the first 80 images right; of the others a number that depends on std."""

    identity = SimpleNamespace(shape=(1, 4, 4))

    def __init__(
        self,
        loose: int,
        *,
        whole: bool = False,
        broken: bool = False,
        late: int = 0,
        large: bool = False,
    ) -> None:
        self.large = large
        self.loose, self.whole, self.broken, self.late = loose, whole, broken, late

    def check_preprocessing(self, preprocessing: Preprocessing) -> None:
        if self.whole and preprocessing != Preprocessing():
            raise SuspectUnusable("whole numbers", check="suspect.answers")

    def answer(self, images: Any, preprocessing: Preprocessing, *, progress: Any) -> list[Any]:
        moved = preprocessing != Preprocessing()
        if moved and self.broken:
            raise SuspectUnusable("out of memory", check="suspect.answers")
        right = 80 + self.loose * moved
        answers = [Answer(int(place < right)) for place in range(len(images) - self.late)]
        return [*answers, *[Answer(None, TIMED_OUT)] * self.late]


def step(
    suspect: Suspect, stated: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[ReplayState, str]:
    """The state and words of the step "accuracy"."""

    @contextmanager
    def opened(*_: object, order: int = 0) -> Iterator[Suspect]:
        if order and suspect.large:
            raise SuspectUnusable("too late", check="suspect.answers")
        yield suspect

    monkeypatch.setattr(other_rounding, "suspect_again", opened)
    monkeypatch.setattr(replay_accuracy, "drawn_images", lambda data, _: data)
    path = tmp_path / "test.npz"
    images = np.zeros((COUNT, 1, 4, 4), np.uint8)
    np.savez(path, x_test=images, y_test=np.ones(COUNT, np.int64))
    files = {"test.npz": path.read_bytes()}
    digest = replay_accuracy._test_data(files).digest()
    challenge = SimpleNamespace(
        test_accuracy=SimpleNamespace(data=digest, right=stated, count=COUNT),
        preprocessing=Preprocessing(),
        suspect=SimpleNamespace(kind="onnx"),
    )
    documents = SimpleNamespace(challenge=challenge, files=lambda _: files)
    found = repeat_accuracy(cast(Any, documents), "model.onnx", Replaying())
    assert found is not None
    return found.state, found.words


@pytest.mark.parametrize(
    ("loose", "stated", "expected"),
    [
        (0, 80, "repeated"),
        (0, 81, "differs"),
        (4, 85, "repeated"),
        (4, 75, "repeated"),
        (4, 86, "differs"),
    ],
)
def test_another_number_of_right_images(
    loose: int, stated: int, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, words = step(Suspect(loose), stated, tmp_path, monkeypatch)
    assert state == expected
    assert words.startswith("80 of 100 test images right, ")
    if stated != 80:
        assert words.endswith(f"with other rounding, {loose} answers change")


@pytest.mark.parametrize(("stated", "expected"), [(83, "not repeated"), (87, "differs")])
def test_images_that_this_machine_is_too_slow_for(
    stated: int, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may be right elsewhere, and no more than they."""
    state, words = step(Suspect(0, late=5), stated, tmp_path, monkeypatch)
    assert state == expected
    assert words.endswith("5 have no answer here")


@pytest.mark.parametrize(("stated", "expected"), [(80, "repeated"), (90, "not repeated")])
def test_a_suspect_too_large_to_be_put_in_another_order(
    stated: int, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, words = step(Suspect(0, large=True), stated, tmp_path, monkeypatch)
    assert state == expected
    assert words.endswith("another order: too late") == (expected == "not repeated")


class Exchanging(Suspect):
    """Gets the last 20 images right instead of the first 20 where pixels are moved."""

    def answer(self, images: Any, preprocessing: Preprocessing, *, progress: Any) -> list[Any]:
        wrong = range(20) if preprocessing != Preprocessing() else range(80, COUNT)
        return [Answer(int(place not in wrong)) for place in range(len(images))]


@pytest.mark.parametrize(
    ("stated", "expected"),
    [(81, "repeated"), (100, "not repeated"), (60, "not repeated"), (29, "differs")],
)
def test_as_many_are_right_in_every_order(
    stated: int, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That 40 images change is no reason for 20 more that are right."""
    assert step(Exchanging(0), stated, tmp_path, monkeypatch)[0] == expected


def test_whole_numbers_have_no_last_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state, _ = step(Suspect(4, whole=True), 81, tmp_path, monkeypatch)
    assert state == ReplayState.DIFFERS


def test_a_second_asking_that_fails_is_no_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, words = step(Suspect(4, broken=True), 81, tmp_path, monkeypatch)
    assert (state, words) == (ReplayState.NOT_REPEATED, "out of memory")


@pytest.mark.parametrize(
    ("seconds", "stated", "expected"),
    [
        pytest.param(2, 75, "differs", id="fast, and fewer"),
        pytest.param(5, 75, "not repeated", id="slow, and fewer"),
        pytest.param(5, 85, "differs", id="slow, and more"),
        pytest.param(5, 80, "repeated", id="slow, and as many"),
    ],
)
def test_images_that_a_judge_was_too_slow_for(
    seconds: int, stated: int, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They count as wrong there; one of these takes more than a tenth of its time here."""
    clock = [0.0]
    monkeypatch.setattr(other_rounding, "time", SimpleNamespace(monotonic=lambda: clock[0]))

    class Slow(Suspect):
        """Takes long for one image."""

        def answer(self, images: Any, preprocessing: Preprocessing, *, progress: Any) -> list[Any]:
            for done in range(COUNT):
                clock[0] += seconds * (done == 3)
                progress(done + 1, COUNT)
            return super().answer(images, preprocessing, progress=progress)

    state, words = step(Slow(0), stated, tmp_path, monkeypatch)
    assert state == expected
    assert words.endswith("too late at the judge's") == (expected == "not repeated")
