"""The part of Fashion-MNIST (Xiao, Rasul, Vollgraf 2017) that comes with the package.

The demo and the tests need no network with it, and calibration has the same public images on every
machine (SPEC.md 16.5): 8,000 training and 2,000 test images, equally many of each class, drawn by
``benchmarks/make_bundled_data.py``. Training and test images lie in a file each, and so do the few
images that most calibrations take: a verification unpacks no more than it looks at. MIT license, in
fashion_mnist_small.LICENSE beside them (copyright 2017 Zalando SE).
"""

from __future__ import annotations

import lzma
from collections.abc import Mapping
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkwm.data.array_data import from_arrays
from zkwm.data.arrays import read_npz
from zkwm.data.image_data import ImageData
from zkwm.data.images import as_nchw
from zkwm_protocols.errors import Malformed

BUNDLED = "fashion-mnist-small"
TRAINING_FILE, TEST_FILE, SPREAD_FILE = (
    f"fashion_mnist_small_{part}.npz.xz" for part in ("train", "test", "spread")
)
SPREAD_COUNT = 192
_LIMIT = 1 << 24


def load_bundled() -> ImageData:
    """Load 8,000 + 2,000 images, uint8 (n, 1, 28, 28), 10 classes. Raises Malformed if damaged."""
    return from_arrays({**_read(TRAINING_FILE), **_read(TEST_FILE)}, BUNDLED)


def load_test_images() -> NDArray[np.uint8]:
    """Load the 2,000 test images, uint8 (2000, 1, 28, 28). Raises Malformed if damaged."""
    return as_nchw(_read(TEST_FILE)["x_test"], TEST_FILE)


def load_spread_images(count: int) -> NDArray[np.uint8]:
    """Load the training images i * n // count, i = 0 to ``count`` - 1, uint8 (count, 1, 28, 28).

    ``count`` is 1 to n = 8,000. Raises Malformed if damaged.
    """
    if count == SPREAD_COUNT:
        return as_nchw(_read(SPREAD_FILE)["x_spread"], SPREAD_FILE)
    images = as_nchw(_read(TRAINING_FILE)["x_train"], TRAINING_FILE)
    return images[np.arange(count) * len(images) // count]


def _read(name: str) -> Mapping[str, NDArray[Any]]:
    """The arrays of one of the files. Raises Malformed if damaged."""
    packed = resources.files("zkwm.data").joinpath(name).read_bytes()
    try:
        data = lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(packed, _LIMIT)
    except lzma.LZMAError:
        raise Malformed(f"{name} of this installation is damaged", hint="reinstall zkwm") from None
    return read_npz(data, name, limit=_LIMIT)
