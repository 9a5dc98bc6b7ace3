"""Preprocessing: exact values, order of axes, types."""

from __future__ import annotations

import numpy as np
import pytest

from zkwm.suspects import preprocess
from zkwm_protocols.errors import Malformed, SuspectUnusable
from zkwm_protocols.suspect_identity import Preprocessing

ALL_PIXELS = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)


def test_unit_is_the_exact_float32_quotient() -> None:
    values = preprocess(ALL_PIXELS, Preprocessing())
    assert values.dtype == np.float32
    expected = ALL_PIXELS.astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(values, expected)


def test_raw_keeps_the_pixel() -> None:
    values = preprocess(ALL_PIXELS, Preprocessing(scale="raw"))
    np.testing.assert_array_equal(values, ALL_PIXELS.astype(np.float32))


def test_mean_and_std_in_float64_then_one_rounding() -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 4, 6), dtype=np.uint8)
    rule = Preprocessing(mean=("0.485", "0.456", "0.406"), std=("0.229", "0.224", "0.225"))
    values = preprocess(images, rule)
    for channel, (mean, std) in enumerate(zip(rule.mean, rule.std, strict=True)):
        exact = (images[:, channel].astype(np.float64) / 255 - float(mean)) / float(std)
        np.testing.assert_array_equal(values[:, channel], exact.astype(np.float32))


def test_nhwc_moves_the_channels_last() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 6), dtype=np.uint8)
    values = preprocess(images, Preprocessing(layout="nhwc", scale="raw"))
    assert values.shape == (2, 4, 6, 3)
    assert values.flags.c_contiguous
    np.testing.assert_array_equal(values[1, 2, 5], images[1, :, 2, 5])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_float_types(dtype: str) -> None:
    values = preprocess(ALL_PIXELS, Preprocessing(), dtype=dtype)
    np.testing.assert_array_equal(values, (ALL_PIXELS / 255.0).astype(dtype))


def test_uint8_gets_the_pixels_and_nothing_else() -> None:
    values = preprocess(ALL_PIXELS, Preprocessing(scale="raw"), dtype="uint8")
    assert values.dtype == np.uint8
    np.testing.assert_array_equal(values, ALL_PIXELS)
    for rule in (Preprocessing(), Preprocessing(scale="raw", mean=("1",), std=("1",))):
        with pytest.raises(SuspectUnusable, match="uint8"):
            preprocess(ALL_PIXELS, rule, dtype="uint8")


def test_one_mean_per_channel() -> None:
    rule = Preprocessing(mean=("0.1", "0.2", "0.3"), std=("1", "1", "1"))
    with pytest.raises(Malformed, match="3 means"):
        preprocess(ALL_PIXELS, rule)
