"""Zhang et al. 2018: the three kinds of triggers, and what one label for all of them means."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.dispute import random_images
from tests.support.trigger_owner import (
    Always,
    fix_draws,
    marked_and_matched,
    matched,
    new_owner,
    small_data,
    trained_model,
)
from zkwm.triggers.keystream import KeyStream
from zkwm.watermarks import make_watermark
from zkwm.watermarks.trigger_sets.zhang import (
    CONTENT,
    DIGITS,
    NOISE,
    NOISE_STD,
    UNRELATED,
    Zhang,
    add_noise,
    mark_content,
)
from zkwm.watermarks.watermark import DECLARED, DERIVED, Owner
from zkwm_protocols.errors import UsageError

pytestmark = pytest.mark.usefixtures("quick_labels")


def drawn(scheme: Zhang, owner: Owner) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return scheme.trigger_set(owner, scheme.commit(owner)).images


def test_content_is_one_mark_at_one_place() -> None:
    plain = random_images(5, shape=(3, 32, 32))
    marked = mark_content(plain, KeyStream(bytes(32), "test"))
    rows, columns = (np.flatnonzero((marked != plain).any(axis=(0, 1, a))) for a in (3, 2))
    assert np.array_equal(rows, np.arange(rows[0], rows[0] + 8))
    assert np.array_equal(columns, np.arange(columns[0], columns[0] + 8))
    mark = marked[:, :, rows[0] : rows[0] + 8, columns[0] : columns[0] + 8]
    assert (mark == mark[0]).all()
    assert set(np.unique(mark)) == {0, 255}


def test_marked_images_are_training_images_of_other_classes(tmp_path: Path) -> None:
    images, data = drawn(Zhang(triggers=50, target=3), new_owner(tmp_path)), small_data()
    changed = (images[:, None] != data.train_images[None]).sum(axis=(2, 3, 4))
    sources = changed.argmin(axis=1)
    assert changed.min(axis=1).max() <= 49
    assert len(set(sources)) == 50
    assert 3 not in data.train_labels[sources]


def test_another_key_gives_another_mark(tmp_path: Path) -> None:
    owner = new_owner(tmp_path)
    first, second = (drawn(Zhang(triggers=20), owner) for _ in range(2))
    assert not np.array_equal(first.min(axis=0), second.min(axis=0))


def test_noise_is_one_pattern_on_all_images() -> None:
    plain = random_images(6, shape=(3, 16, 16)) // 8 + 112
    noisy = add_noise(plain, KeyStream(bytes(32), "test"))
    uncut = ((noisy > 0) & (noisy < 255)).all(axis=0)
    moved = (noisy.astype(int) - plain)[:, uncut]
    assert uncut.mean() > 0.5
    assert (moved == moved[0]).all()
    assert moved.std() > 20


def test_noise_has_the_strength_that_is_said() -> None:
    gray = np.full((1, 3, 64, 64), 128, np.uint8)
    noisy = add_noise(gray, KeyStream(bytes(32), "test"))[0] / 255
    # A normal variable around the middle, cut at both ends: its quartiles are those of the whole.
    low, high = np.quantile(noisy, [0.25, 0.75])
    assert (high - low) / 1.349 == pytest.approx(NOISE_STD, rel=0.05)


def test_a_single_label_is_matched_by_a_model_that_always_gives_it(tmp_path: Path) -> None:
    owner = new_owner(tmp_path)
    declared, derived = (Zhang(UNRELATED, 100, labels, 6) for labels in (DECLARED, DERIVED))
    commitment = declared.commit(owner)
    triggers = declared.trigger_set(owner, commitment)
    assert commitment.header.label_mode == DECLARED
    assert matched(declared, Always(6), triggers) == 100
    assert declared.note
    triggers = derived.trigger_set(owner, derived.commit(owner))
    assert matched(derived, Always(6), triggers) <= 28
    assert not derived.note


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "labels", "epochs"),
    [(CONTENT, DECLARED, 12), (NOISE, DECLARED, 12), (UNRELATED, DERIVED, 14)],
)
def test_it_is_embedded_and_extracted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, labels: str, epochs: int
) -> None:
    fix_draws(monkeypatch)
    scheme = Zhang(kind=kind, triggers=20, labels=labels, target=9)
    owner = new_owner(tmp_path)
    owner = replace(owner, settings=replace(owner.settings, epochs=epochs))
    found, triggers = marked_and_matched(scheme, owner)
    assert found >= 15
    if labels == DERIVED:
        assert matched(scheme, trained_model(), triggers) <= 10


@pytest.mark.parametrize("wrong", [{"kind": "text"}, {"labels": "free"}])
def test_what_there_is_not_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        make_watermark("zhang", **wrong)


def test_a_target_that_is_no_class_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="10 classes"):
        Zhang(kind=UNRELATED, target=10).commit(new_owner(tmp_path))


def test_too_few_training_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="too few"):
        Zhang(triggers=1000).commit(new_owner(tmp_path))


def test_digits_need_their_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZKWM_DATA", str(tmp_path))
    with pytest.raises(UsageError, match=r"mnist\.npz"):
        Zhang(kind=DIGITS).commit(new_owner(tmp_path))


@pytest.mark.data
def test_digits_are_those_of_mnist(
    tmp_path: Path, data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZKWM_DATA", str(data_folder))
    images = drawn(Zhang(kind=DIGITS, triggers=50), new_owner(tmp_path))
    with np.load(data_folder / "mnist.npz") as arrays:
        known = {image.tobytes() for image in arrays["x_train"]}
    assert all(image.tobytes() in known for image in images)
