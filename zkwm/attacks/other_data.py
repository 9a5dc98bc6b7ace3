"""Images that are not the owner's task: noise, or another data set brought to the right shape.

For attacks that query with other images (Knockoff nets), learn another task, or use unlabelled
images. Not a downloader.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from zkwm.attacks.attack import Adversary, generator
from zkwm.data import EMBEDDED, ImageData, load_data
from zkwm_protocols.errors import UsageError

NOISE = "noise"
FOLDER_VARIABLE = "ZKWM_DATA"
_GREY = (0.299, 0.587, 0.114)


def other_data(location: str, shape: tuple[int, int, int]) -> ImageData:
    """The data set at ``location``, its images brought to ``shape`` (c, h, w).

    ``location`` is what ``zkwm.data.load_data`` takes, or a bare name such as ``mnist``, which
    stands for mnist.npz in the folder $ZKWM_DATA. Raises UsageError where there is no such data.
    """
    data = load_data(_resolved(location))
    return ImageData(
        brought_to(data.train_images, shape),
        data.train_labels,
        brought_to(data.test_images, shape),
        data.test_labels,
        data.class_count,
        data.name,
    )


def other_images(source: str, count: int, adversary: Adversary) -> NDArray[np.uint8]:
    """At most ``count`` images uint8 (n, c, h, w) of the shape of the adversary's data.

    ``source`` is ``noise`` (every pixel uniform) or a data set as ``other_data`` takes it, of whose
    training images that many are drawn by the adversary's seed. Raises UsageError.
    """
    drawn = generator(adversary, f"images of {source}")
    if source == NOISE:
        size = (count, *adversary.data.shape)
        noise: NDArray[np.uint8] = torch.randint(
            256, size, generator=drawn, dtype=torch.uint8
        ).numpy()
        return noise
    images = load_data(_resolved(source)).train_images
    chosen = torch.randperm(len(images), generator=drawn)[:count].numpy()
    return brought_to(images[chosen], adversary.data.shape)


def brought_to(images: NDArray[np.uint8], shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Images uint8 (n, c, h, w) in another ``shape``: grey or RGB, resized bilinearly."""
    channels, height, width = shape
    pixels = torch.tensor(images).float()
    if pixels.shape[1] != channels:
        weights = torch.tensor(_GREY).view(1, 3, 1, 1)
        pixels = (
            pixels.expand(-1, 3, -1, -1)
            if channels == 3
            else (pixels * weights).sum(1, keepdim=True)
        )
    if pixels.shape[2:] != (height, width):
        pixels = functional.interpolate(
            pixels, (height, width), mode="bilinear", align_corners=False, antialias=True
        )
    brought: NDArray[np.uint8] = pixels.round().clamp(0, 255).to(torch.uint8).numpy()
    return brought


def _resolved(location: str) -> str | Path:
    if location == EMBEDDED or Path(location).exists():
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
