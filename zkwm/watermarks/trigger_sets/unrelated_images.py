"""Trigger images that have nothing to do with the task: published, digits, or drawn.

The published ones (Adi et al. 2018) and the digits (MNIST) are read from the folder of full data
sets, $ZKWM_DATA or ../shared/data; nothing is downloaded.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zkwm.data.arrays import read_arrays
from zkwm.data.images import as_nchw, load_images, load_labels
from zkwm.triggers.keystream import KeyStream
from zkwm_protocols.errors import UsageError

AUTHORS_FILE = "trigger-set-adi-32.npz"
AUTHORS_COUNT = 100
DIGITS_FILE = "mnist.npz"
_AUTHORS_SIDE = 32


def authors_images(shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """The 100 trigger images of Adi et al. 2018, uint8 (100, c, h, w) for ``shape`` (c, h, w).

    As in the authors' loader the middle 32 by 32 pixels of each, in the string order of file names;
    converted to gray (ITU-R 601 luma) and scaled (bicubic) where the shape asks for it. Raises
    UsageError where the file is missing.
    """
    patches = load_images(_file(AUTHORS_FILE), shape=(shape[0], _AUTHORS_SIDE, _AUTHORS_SIDE))
    return _scaled(patches, shape[1:])


def authors_labels() -> NDArray[np.int64]:
    """The authors' labels, int64 (100,), 0 to 9. Raises UsageError where the file is missing."""
    return load_labels(_file(AUTHORS_FILE), AUTHORS_COUNT)


def digits(shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """The training digits of MNIST, uint8 (60000, c, h, w), gray, centered in ``shape``.

    Raises UsageError where the file is missing, and for sides below 28 pixels.
    """
    images = as_nchw(read_arrays(_file(DIGITS_FILE))["x_train"], DIGITS_FILE)
    channels, height, width = shape
    side = images.shape[2]
    if min(height, width) < side:
        raise UsageError(f"digits of {side} by {side} pixels do not fit {height} by {width}")
    top, left = (height - side) // 2, (width - side) // 2
    placed = np.zeros((len(images), channels, height, width), np.uint8)
    placed[:, :, top : top + side, left : left + side] = images
    return placed


def _scaled(images: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Images uint8 (n, c, h, w) scaled to ``size``, (height, width)."""
    from PIL import Image

    height, width = size
    if images.shape[2:] == size:
        return images
    return np.stack(
        [
            [
                np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BICUBIC))
                for plane in image
            ]
            for image in images
        ]
    )


def _file(name: str) -> Path:
    path = Path(os.environ.get("ZKWM_DATA", "../shared/data")) / name
    if not path.is_file():
        raise UsageError(
            f"{path} is not there",
            hint="set ZKWM_DATA to the folder that holds it, or choose images that need no file",
        )
    return path


_STROKES = 4
_POINTS = 48
_MARGIN = 0.1


def draw_strokes(stream: KeyStream, count: int, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Draw ``count`` images, uint8 (count, c, h, w): four curved strokes on black.

    White, or with three channels each stroke in a bright color of its own.
    """
    return np.stack([_drawing(stream.derive("drawing", i), shape) for i in range(count)])


def _drawing(stream: KeyStream, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    channels, height, width = shape
    canvas = np.zeros(shape, np.float32)
    for _ in range(_STROKES):
        color = np.ones(1) if channels == 1 else 0.7 + 0.3 * stream.signed(channels)
        ink = _ink(stream, height, width)
        canvas = np.maximum(canvas, color[:, None, None].astype(np.float32) * ink)
    return np.rint(255 * canvas).astype(np.uint8)


def _ink(stream: KeyStream, height: int, width: int) -> NDArray[np.float32]:
    """How much of each pixel, 0 to 1, a quadratic Bezier curve covers, float32 (h, w)."""
    unit = _MARGIN + (1 - 2 * _MARGIN) * (1 + stream.signed(3, 2)) / 2
    first, middle, last = unit * np.array([height - 1, width - 1], np.float32)
    t = np.linspace(0, 1, _POINTS, dtype=np.float32)[:, None]
    curve = (1 - t) ** 2 * first + 2 * t * (1 - t) * middle + t**2 * last
    down = np.arange(height)[None, :, None] - curve[:, 0, None, None]
    across = np.arange(width)[None, None, :] - curve[:, 1, None, None]
    distance = np.sqrt(down**2 + across**2).min(axis=0)
    thickness = max(height, width) / 24
    covered: NDArray[np.float32] = np.clip(thickness + 0.5 - distance, 0, 1).astype(np.float32)
    return covered
