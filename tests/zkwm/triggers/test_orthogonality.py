"""The estimate of independent bits: right for known numbers, low for shared bits."""

from __future__ import annotations

import numpy as np
import pytest

from zkwm.triggers.orthogonality import effective_bits


def noise(count: int, *shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, (count, *shape), dtype=np.uint8) * 255


@pytest.mark.parametrize("side", [10, 20])
def test_independent_pixels_count_fully(side: int) -> None:
    assert effective_bits(noise(100, 1, side, side)) == pytest.approx(side * side - 1, rel=0.08)


def test_bits_of_unequal_size_count_as_they_weigh() -> None:
    # nine big cells hold nearly all the area: far fewer than 9 + 90 bits
    cells = np.concatenate([np.repeat(noise(200, 9), 100, 1), noise(200, 90, seed=1)], 1)
    assert 7 < effective_bits(cells.reshape(200, 1, 1, -1)) < 12


def test_repeated_bits_count_once() -> None:
    image = noise(100, 1, 14, 14)
    assert effective_bits(np.concatenate([image, image], axis=1)) == pytest.approx(195, rel=0.08)


def test_common_pattern_lowers_the_estimate() -> None:
    images = noise(100, 1, 20, 20)
    images[:, :, :10] = images[:1, :, :10]
    assert effective_bits(images) < 5


def test_constant_images_do_not_count_as_independent() -> None:
    images = noise(10, 1, 20, 20)
    images[3:] = 9
    assert effective_bits(images) < 2


def test_large_images_are_sampled() -> None:
    cells = noise(60, 1, 20, 20).repeat(20, axis=2).repeat(20, axis=3)
    assert effective_bits(cells) == pytest.approx(399, rel=0.1)
