"""The part of Fashion-MNIST (Xiao, Rasul, Vollgraf 2017) that comes with the package.

The demo and the tests need no network with it, and calibration has the same public images on every
machine (SPEC.md 16.5): 8,000 training and 2,000 test images, equally many of each class, drawn by
``benchmarks/make_bundled_data.py``. MIT license, in fashion_mnist_small.LICENSE beside it
(copyright 2017 Zalando SE).
"""

from __future__ import annotations

import lzma
from importlib import resources

from zkwm.data.array_data import from_arrays
from zkwm.data.arrays import read_npz
from zkwm.data.image_data import ImageData
from zkwm_protocols.errors import Malformed

BUNDLED = "fashion-mnist-small"
FILE = "fashion_mnist_small.npz.xz"
_LIMIT = 1 << 24


def load_bundled() -> ImageData:
    """Load 8,000 + 2,000 images, uint8 (n, 1, 28, 28), 10 classes. Raises Malformed if damaged."""
    packed = resources.files("zkwm.data").joinpath(FILE).read_bytes()
    try:
        data = lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(packed, _LIMIT)
    except lzma.LZMAError:
        raise Malformed(f"{FILE} of this installation is damaged", hint="reinstall zkwm") from None
    return from_arrays(read_npz(data, FILE, limit=_LIMIT), BUNDLED)
