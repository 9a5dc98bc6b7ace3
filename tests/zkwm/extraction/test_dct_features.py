"""Low frequencies: equal to an independent DCT; brightness, contrast and noise do not matter."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.fft import dctn

from tests.support.trigger_owner import small_data
from zkwm.extraction.dct_features import low_frequencies
from zkwm_protocols.errors import UsageError

SIDE = 5


def _images() -> torch.Tensor:
    return torch.tensor(small_data().test_images[:40]).float() / 255


def test_they_are_those_of_another_implementation() -> None:
    images = _images().expand(-1, 3, -1, -1)
    weights = np.hypot(*np.indices((SIDE, SIDE)))
    for image, found in zip(images.numpy(), low_frequencies(images, SIDE).numpy(), strict=True):
        wanted = (dctn(image.mean(axis=0), norm="ortho")[:SIDE, :SIDE] * weights).flatten()[1:]
        wanted *= np.sqrt(SIDE * SIDE - 1) / np.linalg.norm(wanted)
        np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_brightness_and_contrast_do_not_count_and_noise_hardly() -> None:
    images = _images()
    before = low_frequencies(images, SIDE)
    torch.testing.assert_close(low_frequencies(0.4 * images + 0.3, SIDE), before, atol=1e-3, rtol=0)
    noise = 0.01 * torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    assert (low_frequencies(images + noise, SIDE) - before).abs().mean() < 0.03
    assert not low_frequencies(torch.full((1, 1, 8, 8), 0.5), SIDE).round(decimals=1).any()


@pytest.mark.parametrize("side", [1, 29])
def test_there_are_no_more_than_pixels(side: int) -> None:
    with pytest.raises(UsageError, match="2 to 28 frequencies"):
        low_frequencies(_images(), side)
