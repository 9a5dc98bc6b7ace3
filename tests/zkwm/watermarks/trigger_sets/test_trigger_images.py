"""What schemes draw and read: strokes, digits, usable images, how many triggers a batch holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.trigger_owner import new_owner
from zkwm.training import default_settings
from zkwm.triggers import check_images
from zkwm.triggers.keystream import KeyStream
from zkwm.watermarks.trigger_sets.trigger_watermark import (
    block_size,
    draw,
    marking_settings,
    usable,
)
from zkwm.watermarks.trigger_sets.unrelated_images import digits, draw_strokes
from zkwm_protocols.errors import UsageError


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32)])
def test_strokes_are_bright_lines_on_black_that_the_key_decides(
    shape: tuple[int, int, int],
) -> None:
    images, again, other = (
        draw_strokes(KeyStream(bytes([key]) * 32, "test"), 30, shape) for key in (1, 1, 2)
    )
    check_images(images)
    assert np.array_equal(images, again)
    assert not (images == other).all(axis=(1, 2, 3)).any()
    inked = (images.max(axis=1) > 100).mean(axis=(1, 2))
    assert (images == 0).mean() > 0.5
    assert inked.min() > 0.03


def test_draws_are_new_every_time_and_differ_by_scheme(tmp_path: Path) -> None:
    owner = new_owner(tmp_path)
    assert draw(owner, "a").take(32) != draw(owner, "a").take(32)


def test_repeated_and_constant_images_are_not_usable() -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 1, 4, 4), dtype=np.uint8)
    images[3], images[4] = images[1], 7
    assert usable(images).tolist() == [True, True, True, False, False]


def test_blocks_are_of_fifty_or_all_of_fewer() -> None:
    assert [block_size(n) for n in (20, 50, 500)] == [20, 50, 50]


def test_settings_are_the_owners_with_enough_triggers_a_batch(tmp_path: Path) -> None:
    owner = new_owner(tmp_path)
    settings = marking_settings(owner, 50)
    assert replace(settings, triggers_per_batch=2) == owner.settings
    assert settings.triggers_per_batch == owner.settings.batch_size // 10
    few = replace(owner, settings=replace(owner.settings, epochs=1000))
    assert marking_settings(few, 50).triggers_per_batch == 2


def test_settings_for_a_trained_model_keep_seed_and_device(tmp_path: Path) -> None:
    owner = new_owner(tmp_path)
    owner = replace(owner, settings=replace(owner.settings, seed=7, weight_decay=0.0))
    settings = marking_settings(owner, 50, pretrained=True, epochs=3)
    usual = default_settings("lenet5", pretrained=True, images=600)
    assert (settings.seed, settings.device, settings.weight_decay) == (7, "cpu", 0.0)
    assert settings.learning_rate == usual.learning_rate
    assert settings.epochs == 3


@pytest.mark.slow
@pytest.mark.data
def test_digits_stand_in_the_middle(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZKWM_DATA", str(data_folder))
    small, large = digits((1, 28, 28)), digits((3, 32, 32))
    assert np.array_equal(large[:100, 1, 2:30, 2:30], small[:100, 0])
    assert large.sum(dtype=np.int64) == 3 * small.sum(dtype=np.int64)
    with pytest.raises(UsageError, match="28"):
        digits((1, 20, 20))
