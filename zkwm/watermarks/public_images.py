"""Images that are neither the owner's nor drawn: the trigger set of Adi et al., digits of MNIST.

They are read from the folder of full data sets, $ZKWM_DATA or ../shared/data. Not training data
(``zkwm.datasets``), and nothing is downloaded.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zkwm.arrays import read_arrays
from zkwm.images import as_nchw, load_images, load_labels
from zkwm_protocols.errors import UsageError

AUTHORS_FILE = "trigger-set-adi-32.npz"
AUTHORS_COUNT = 100
DIGITS_FILE = "mnist.npz"
_AUTHORS_SIDE = 32


def authors_images(shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """The 100 trigger images of Adi et al. 2018, uint8 (100, c, h, w) for ``shape`` (c, h, w).

    The middle 32 by 32 pixels of each, as the authors' loader takes them, made grey (ITU-R 601
    luma) and scaled (bicubic) where the shape asks for it. In the string order of the files' names.
    Raises UsageError where the file is not there.
    """
    patches = load_images(_file(AUTHORS_FILE), shape=(shape[0], _AUTHORS_SIDE, _AUTHORS_SIDE))
    return _scaled(patches, shape[1:])


def authors_labels() -> NDArray[np.int64]:
    """The authors' labels for their images, int64 (100,), 0 to 9. Raises UsageError, likewise."""
    return load_labels(_file(AUTHORS_FILE), AUTHORS_COUNT)


def digits(shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """The training digits of MNIST, uint8 (60000, c, h, w), grey, in the middle of ``shape``.

    Raises UsageError where the file is not there, and for sides below 28 pixels.
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
