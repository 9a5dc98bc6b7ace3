"""The families blocks, abstract and mixture: properties of their images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zkwm.triggers import generate
from zkwm.triggers.orthogonality import effective_bits
from zkwm.triggers.public_families import LEAST_BITS, BlockNoise
from zkwm_protocols.errors import UsageError

KEY = b"\x05" * 32


@pytest.mark.parametrize(
    ("shape", "cell", "offset"),
    [
        ((1, 28, 28), 2, 1),  # aligned, 2 x 2 cells would leave 196 bits
        ((3, 32, 32), 4, 2),  # aligned, 192
        ((1, 20, 10), 1, 0),
        ((3, 64, 64), 8, 4),
        ((1, 15, 14), 1, 0),
        ((1, 32, 32), 2, 0),
    ],
)
def test_cells_are_the_largest_that_leave_200_bits(
    shape: tuple[int, int, int], cell: int, offset: int
) -> None:
    assert BlockNoise.fitting(shape) == BlockNoise(shape, cell, offset)


def distinct_cells(images: np.ndarray) -> int:
    """How many pixels differ as columns over many images: the number of bits drawn."""
    return len(np.unique(images.reshape(len(images), -1), axis=1).T)


@given(st.sampled_from([1, 3]), st.integers(1, 40), st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_every_shape_has_200_bits_or_is_refused(channels: int, height: int, width: int) -> None:
    shape = (channels, height, width)
    if channels * height * width < LEAST_BITS:
        with pytest.raises(UsageError, match="fewer than 200 values") as caught:
            generate("blocks", 50, shape, key=KEY)
        assert "larger" in caught.value.hint
    else:
        assert distinct_cells(generate("blocks", 50, shape, key=KEY).images) >= LEAST_BITS


def test_blocks_are_black_and_white_and_nearly_orthogonal() -> None:
    images = generate("blocks", 100, (1, 28, 28), key=KEY).images
    assert set(np.unique(images)) == {0, 255}
    assert effective_bits(images) > 195
    assert abs(float(images.mean()) - 127.5) < 3


def test_abstract_is_smooth_and_of_full_contrast() -> None:
    images = generate("abstract", 50, (3, 32, 32), key=KEY).images.astype(int)
    assert (images.reshape(150, -1).min(axis=1) == 0).all()
    assert (images.reshape(150, -1).max(axis=1) == 255).all()
    assert np.abs(np.diff(images, axis=2)).mean() < 20
    assert np.abs(np.diff(images, axis=3)).mean() < 20
    blocks = generate("blocks", 50, (3, 32, 32), key=KEY).images.astype(int)
    assert np.abs(np.diff(blocks, axis=2)).mean() > 25


def pictures(count: int, level: int = 0) -> np.ndarray:
    made = np.random.default_rng(3).integers(level, level + 40, (count, 1, 16, 16))
    return made.astype(np.uint8)


def test_mixture_stays_between_its_sources() -> None:
    data = pictures(30, 100)
    images = generate("mixture", 50, (1, 16, 16), key=KEY, data=data).images
    assert (images >= data.min(axis=0)).all()
    assert (images <= data.max(axis=0)).all()


def test_mixture_shows_no_picture_alone() -> None:
    data = pictures(30)
    images = generate("mixture", 50, (1, 16, 16), key=KEY, data=data).images
    distance = np.abs(images[:, None].astype(int) - data[None]).mean(axis=(2, 3, 4))
    assert distance.min() > 2


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "none were given"),
        (pictures(3), "too few"),
        (pictures(9)[:, :, :8], "cannot make triggers"),
        (pictures(9).astype(float), "uint8"),
        (pictures(9)[:, 0], "uint8 array"),
    ],
)
def test_mixture_refuses_data_that_does_not_fit(data: np.ndarray | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        generate("mixture", 50, (1, 16, 16), key=KEY, data=data)


def test_mixture_of_equal_pictures_is_refused_not_repeated() -> None:
    same = np.repeat(pictures(1), 10, axis=0)
    with pytest.raises(UsageError, match="is the same as trigger image 0"):
        generate("mixture", 50, (1, 16, 16), key=KEY, data=same)
