"""Images of a trigger set: every refusal names the fault and its place."""

from __future__ import annotations

import numpy as np
import pytest

from zkwm.triggers import TriggerSet, check_images
from zkwm_protocols.errors import UsageError


def pictures(count: int = 4, shape: tuple[int, int, int] = (1, 5, 6)) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)


@pytest.mark.parametrize("shape", [(1, 1, 2), (3, 4, 4), (1, 300, 2)])
def test_good_images_pass(shape: tuple[int, int, int]) -> None:
    check_images(pictures(3, shape))


def test_duplicate_is_refused_by_index() -> None:
    images = pictures()
    images[3] = images[1]
    with pytest.raises(UsageError, match="image 3 is the same as trigger image 1"):
        check_images(images)


@pytest.mark.parametrize("shape", [(1, 5, 6), (3, 5, 6)])
def test_constant_image_is_refused_by_index(shape: tuple[int, int, int]) -> None:
    images = pictures(4, shape)
    images[2] = np.arange(shape[0])[:, None, None] + 7
    with pytest.raises(UsageError, match="image 2 is constant"):
        check_images(images)


def test_image_that_differs_in_one_pixel_is_not_constant() -> None:
    images = pictures()
    images[2] = 7
    images[2, 0, 4, 5] = 8
    check_images(images)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.bool_])
def test_other_types_than_uint8_are_refused(dtype: type) -> None:
    images = pictures().astype(dtype)
    if dtype is np.float32:
        images[1, 0, 0, 0] = np.nan
    with pytest.raises(UsageError, match=f"uint8 pixels, not {np.dtype(dtype)}"):
        check_images(images)


@pytest.mark.parametrize(
    "images",
    [
        pictures()[:, 0],
        pictures()[0],
        pictures()[:0],
        pictures(2, (2, 5, 5)),
        pictures(2, (4, 5, 5)),
        pictures(2, (1, 0, 5)),
        np.zeros((1, 1, 1, 65536), np.uint8),
        pictures(2, (5, 6, 3)),
    ],
)
def test_wrong_shapes_are_refused(images: np.ndarray) -> None:
    with pytest.raises(UsageError, match=r"shape|channels"):
        check_images(images)


def test_list_is_refused() -> None:
    with pytest.raises(UsageError, match="numpy array, not list"):
        check_images([[1]])


def test_trigger_set_holds_what_it_is_given_and_shows_no_pixels() -> None:
    made = TriggerSet(pictures(), np.array([0, 1, 2, 9]), "secret", 2, 10)
    assert repr(made) == "TriggerSet(4 of secret, shape (1, 5, 6))"


@pytest.mark.parametrize(
    ("labels", "block_size", "message"),
    [
        ([0, 1, 2], 2, "need 4 labels"),
        ([0, 1, 2, 10], 2, "label 10 of trigger 3"),
        ([0, -1, 2, 3], 2, "label -1 of trigger 1"),
        ([0, 1, 2, 3], 3, "not a multiple of 3"),
        ([0, 1, 2, 3], 0, "not a multiple of 0"),
        ([0.0, 1.0, 2.0, 3.0], 2, "int64"),
    ],
)
def test_trigger_set_refuses(labels: list[float], block_size: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        TriggerSet(pictures(), np.array(labels), "secret", block_size, 10)


def test_trigger_set_checks_its_images() -> None:
    images = pictures()
    images[0] = 0
    with pytest.raises(UsageError, match="image 0 is constant"):
        TriggerSet(images, np.zeros(4, np.int64), "own", 2, 10)
