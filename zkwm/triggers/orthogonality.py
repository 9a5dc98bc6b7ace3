"""Estimate the number of independent bits in an image of a family, from samples.

For images whose pixels are d independent fair bits, the squared correlation of two images has the
mean 1/d, so the inverse of the mean squared correlation counts independent bits. Bits that share a
pattern, cover unequal areas or repeat count for less, and a part common to all images lowers the
estimate too. It is the quantity that matters to a network: nearly orthogonal images are memorized
one by one. It is no proof of entropy: a generator that spreads few random bits by a hash would
deceive it; the generators here take at least as many bits from the key as they are credited with.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_MOST_VALUES = 1 << 16


def effective_bits(images: NDArray[np.uint8]) -> float:
    """The inverse mean squared correlation over all pairs of ``images`` (n, c, h, w), n >= 2.

    Each image is centered by its own mean over all pixels and channels. With n images the relative
    standard error is about 2/n. Constant images count as fully correlated with all others. Of
    images with more than 65,536 values, that many are used, at fixed random places.
    """
    values = images.reshape(len(images), -1)
    if values.shape[1] > _MOST_VALUES:
        places = np.random.default_rng(0).integers(values.shape[1], size=_MOST_VALUES)
        values = values[:, np.sort(places)]
    flat = values.astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    norms = np.sqrt((flat * flat).sum(axis=1, keepdims=True))
    flat /= np.maximum(norms, np.float32(1e-6))
    squares = np.square(flat @ flat.T, dtype=np.float64)
    constant = norms[:, 0] < 1e-6
    squares[constant, :] = squares[:, constant] = 1.0
    count = len(images)
    off_diagonal = squares.sum() - np.trace(squares)
    return float(count * (count - 1) / max(off_diagonal, 1e-12))
