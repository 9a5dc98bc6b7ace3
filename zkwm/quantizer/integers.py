"""Bytes with a scale, and linear maps of them in exact integers (SPEC.md 16.5).

Products run in double precision, where every partial sum is an integer below 2^53, so that no
order of summation matters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zkwm.quantizer.layers import Kernel, Shape
from zkwm_protocols.errors import Unsupported
from zkwm_protocols.integer_network.correlation import correlate

Doubles = NDArray[np.float64]

FRACTION_BITS = 16
LARGEST_ZERO = float(1 << 15)
SMALLEST = 2.0**-200
_LARGEST_BIAS = float(1 << 46)


@dataclass(frozen=True, eq=False)
class Bytes:
    """A value of bytes of the integer network: real entry = scale * (byte - zero).

    ``scale`` and ``zero`` are float64 (channels,); ``images`` uint8 (channels, height, width, n)
    are its entries for the n calibration images.
    """

    value: int
    scale: Doubles
    zero: Doubles
    images: NDArray[np.uint8]

    @property
    def shape(self) -> Shape:
        """(channels, height, width)."""
        channels, height, width, _ = self.images.shape
        return channels, height, width

    @property
    def fixed_zero(self) -> NDArray[np.int64]:
        """``zero`` in units of 2^-16."""
        return np.rint(self.zero * (1 << FRACTION_BITS)).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Part:
    """A convolution of bytes: ``weights`` float64 with the source's scale already in them."""

    source: Bytes
    kernel: Kernel
    weights: Doubles

    @classmethod
    def of(cls, source: Bytes, kernel: Kernel) -> Part:
        """The part for a kernel over real numbers. Raises Unsupported beyond double precision."""
        weights = kernel.weights * kernel.by_input(source.scale)
        largest = np.abs(weights).max()
        if not (largest == 0.0 or SMALLEST < largest < 1.0 / SMALLEST):
            raise Unsupported("weights are too large or too small for double precision")
        return cls(source, kernel, weights)

    def largest(self) -> Doubles:
        """The largest absolute weight of each output (O,)."""
        largest: Doubles = np.abs(self.weights).max(axis=(1, 2, 3))
        return largest


def products(part: Part, weights: Doubles, shape: Shape) -> Doubles:
    """Whole ``weights`` times the bytes of the calibration images: (O, height, width, n)."""
    windows = part.kernel.windows(part.source.shape, shape)
    images = part.source.images.astype(np.float64)
    return correlate(images, weights, windows, part.kernel.groups)


def zero_products(part: Part, weights: Doubles, shape: Shape) -> NDArray[np.int64]:
    """Whole weights times the zeros, in units of 2^-16: (O, 1, 1), or (O, height, width).

    Only taps inside of the source count: padding is the real number zero, which adds nothing.
    """
    zero = part.source.fixed_zero
    if not zero.any():
        return np.zeros((shape[0], 1, 1), np.int64)
    if not any(part.kernel.pads):
        taps = weights.astype(np.int64).sum(axis=(2, 3), keepdims=True)
        by_input = part.kernel.by_input(zero.astype(np.float64)).astype(np.int64)
        without_pads: NDArray[np.int64] = (taps * by_input).sum(axis=1)
        return without_pads
    windows = part.kernel.windows(part.source.shape, shape)
    planes = np.broadcast_to(zero[:, None, None, None], (*part.source.shape, 1))
    high, low = planes >> FRACTION_BITS, planes & ((1 << FRACTION_BITS) - 1)
    sums = [
        correlate(half.astype(np.float64), weights, windows, part.kernel.groups)[..., 0]
        for half in (high, low)
    ]
    return (sums[0].astype(np.int64) << FRACTION_BITS) + sums[1].astype(np.int64)


def whole_bias(
    bias: Doubles, parts: Sequence[tuple[Part, Doubles]], shape: Shape
) -> NDArray[np.int64]:
    """The bias in whole units, (O,) or (O, height, width).

    ``bias`` (O,) is the real one in the same units; the zeros of the parts are taken off. Raises
    Unsupported for one that is out of all proportion.
    """
    if not (np.abs(bias) < _LARGEST_BIAS).all():
        raise Unsupported("a bias is out of all proportion to the weights beside it")
    total = np.rint(bias * (1 << FRACTION_BITS)).astype(np.int64)[:, None, None]
    for part, weights in parts:
        total = total - zero_products(part, weights, shape)
    whole = (total + (1 << (FRACTION_BITS - 1))) >> FRACTION_BITS
    flat = whole.reshape(shape[0], -1)
    return flat[:, 0] if (flat == flat[:, :1]).all() else whole


def spread_bias(bias: NDArray[np.int64]) -> Doubles:
    """A bias as it is added to (O, height, width, n)."""
    return bias.astype(np.float64).reshape(bias.shape[0], *(bias.shape[1:] or (1, 1)), 1)


def limits(
    bias: NDArray[np.int64], weights: Sequence[Doubles]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lower and upper bound of each output (O,), whatever the bytes are (padding or not)."""
    flat = bias.reshape(bias.shape[0], -1)
    lower, upper = flat.min(axis=1), flat.max(axis=1)
    for array in weights:
        whole = array.astype(np.int64).reshape(array.shape[0], -1)
        lower = lower + 255 * np.minimum(whole, 0).sum(axis=1)
        upper = upper + 255 * np.maximum(whole, 0).sum(axis=1)
    return lower, upper
