"""Images of another task: uniform noise, or another data set resized to the right shape.

For attacks that query with foreign images (Knockoff nets), learn another task (transfer), or mix
in unlabeled images (REFIT). Data sets are read from disk, never downloaded.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from zkwm.attacks.attack import Adversary, adversary_generator
from zkwm.data import BUNDLED, ImageData, load_data
from zkwm_protocols.errors import UsageError

NOISE = "noise"
FOLDER_VARIABLE = "ZKWM_DATA"
_GRAY = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in luma (ITU-R BT.601)."""


def other_data(location: str, shape: tuple[int, int, int]) -> ImageData:
    """Load another data set with its images resized.

    Args:
        location: What ``zkwm.data.load_data`` takes, or a bare name such as ``mnist``, which stands
            for mnist.npz in the folder $ZKWM_DATA.
        shape: Channels, height and width.

    Raises:
        UsageError: There is no such data set.
    """
    data = load_data(_resolved(location))
    return ImageData(
        resized(data.train_images, shape),
        data.train_labels,
        resized(data.test_images, shape),
        data.test_labels,
        data.class_count,
        data.name,
    )


def other_images(name: str, count: int, adversary: Adversary) -> NDArray[np.uint8]:
    """Draw images of another task, in the shape of the adversary's data.

    Args:
        name: ``noise`` (every pixel uniform), or a data set as ``other_data`` takes it.
        count: How many; fewer are returned where the data set has fewer training images.
        adversary: Their seed decides which images are drawn.

    Returns:
        The images, uint8 (n, c, h, w).

    Raises:
        UsageError: There is no such data set.
    """
    generator = adversary_generator(adversary, f"images of {name}")
    if name == NOISE:
        size = (count, *adversary.data.shape)
        noise: NDArray[np.uint8] = torch.randint(
            256, size, generator=generator, dtype=torch.uint8
        ).numpy()
        return noise
    images = load_data(_resolved(name)).train_images
    numbers = torch.randperm(len(images), generator=generator)[:count].numpy()
    return resized(images[numbers], adversary.data.shape)


def resized(images: NDArray[np.uint8], shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Images uint8 (n, c, h, w) in another ``shape``: gray or RGB, resized bilinearly."""
    channels, height, width = shape
    pixels = torch.tensor(images).float()
    if pixels.shape[1] != channels:
        weights = torch.tensor(_GRAY).view(1, 3, 1, 1)
        pixels = (
            pixels.expand(-1, 3, -1, -1)
            if channels == 3
            else (pixels * weights).sum(1, keepdim=True)
        )
    if pixels.shape[2:] != (height, width):
        pixels = functional.interpolate(
            pixels, (height, width), mode="bilinear", align_corners=False, antialias=True
        )
    result: NDArray[np.uint8] = pixels.round().clamp(0, 255).to(torch.uint8).numpy()
    return result


def _resolved(location: str) -> str | Path:
    """The argument of ``load_data`` for a location: itself, or a file in the data folder."""
    if location == BUNDLED or Path(location).exists():
        return location
    if Path(location).name != location or Path(location).suffix:
        raise UsageError(f"there is no data set {location!r}")
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder is None:
        raise UsageError(
            f"there is no data set {location!r}",
            hint=f"set {FOLDER_VARIABLE} to the folder with {location}.npz, or give its path",
        )
    return Path(folder) / f"{location}.npz"
