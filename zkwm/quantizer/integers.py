"""Bytes with a scale, and linear maps of them in exact integers (SPEC.md 16.5).

Products run in double precision, where every partial sum is an integer below 2^53, so that the
order of summation does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from zkwm.quantizer.layers import Kernel, Shape
from zkwm_protocols.errors import Unsupported
from zkwm_protocols.integer_network.correlation import correlate, kind

Doubles = NDArray[np.float64]

FRACTION_BITS = 16
DIGIT = 16
"""A fine value is DIGIT times one byte plus another, which is below DIGIT."""
LARGEST_ZERO = float(1 << 15)
SMALLEST = 2.0**-200
_LARGEST_BIAS = float(1 << 46)
ALL = slice(None)


@dataclass(frozen=True, eq=False)
class Bytes:
    """A value that holds bytes, or fine values: real entry = scale * (entry - zero).

    Attributes:
        value: the number of the value in the network.
        scale (float64, (channels,)): the real number that one step of a byte stands for.
        zero (float64, (channels,)): the byte, perhaps fractional, that stands for 0.
        images (uint8 or uint16, (channels, height, width, n)): its entries for the n calibration
            images.
        top (int64, (channels,)): the largest entry; above 255 in channels of fine values.
    """

    value: int
    scale: Doubles
    zero: Doubles
    images: NDArray[np.uint8] | NDArray[np.uint16]
    top: NDArray[np.int64]

    @property
    def reach(self) -> Doubles:
        """The largest entry by interval arithmetic, where every byte may be 255, (channels,)."""
        return np.where(self.top > 255, 255.0 * (DIGIT + 1), 255.0)

    @property
    def shape(self) -> Shape:
        """(channels, height, width)."""
        channels, height, width, _ = self.images.shape
        return channels, height, width

    @cached_property
    def silent(self) -> NDArray[np.bool_]:
        """Channels (channels,) whose byte is 0, which means 0, on all calibration images."""
        silent: NDArray[np.bool_] = (self.zero == 0.0) & ~self.images.any(axis=(1, 2, 3))
        return silent

    @property
    def fixed_zero(self) -> NDArray[np.int64]:
        """``zero`` in units of 2^-16, int64 (channels,)."""
        return np.rint(self.zero * (1 << FRACTION_BITS)).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Part:
    """A convolution of bytes: ``weights`` float64 already include the input's scale."""

    input: Bytes
    kernel: Kernel
    weights: Doubles

    @classmethod
    def of(cls, input: Bytes, kernel: Kernel) -> Part:
        """The part for a kernel over real numbers. Raises Unsupported outside double precision."""
        weights = kernel.weights * kernel.by_input(input.scale)
        largest = np.abs(weights).max()
        if not (largest == 0.0 or SMALLEST < largest < 1.0 / SMALLEST):
            raise Unsupported("weights are too large or too small for double precision")
        return cls(input, kernel, weights)

    def largest(self) -> Doubles:
        """The largest absolute weight of each output, float64 (O,)."""
        largest: Doubles = np.abs(self.weights).max(axis=(1, 2, 3))
        return largest


def products(part: Part, weights: Doubles, shape: Shape, images: slice = ALL) -> Doubles:
    """Integer ``weights`` times the bytes of n calibration images, float64 (O, height, width, n).

    ``shape`` is (O, height, width) of the result.
    """
    windows = part.kernel.windows(part.input.shape, shape)
    entries = part.input.images[..., images]
    exact = kind(weights, int(entries.max()))
    found = correlate(entries.astype(exact), weights.astype(exact), windows, part.kernel.groups)
    return found.astype(np.float64, copy=False)


def zero_products(part: Part, weights: Doubles, shape: Shape) -> NDArray[np.int64]:
    """Integer weights times the zeros, in units of 2^-16: int64 (O, 1, 1) or (O, height, width).

    Only taps inside the input count: padding is the real number 0, which adds nothing.
    """
    zero = part.input.fixed_zero
    if not zero.any():
        return np.zeros((shape[0], 1, 1), np.int64)
    if not any(part.kernel.pads):
        taps = weights.astype(np.int64).sum(axis=(2, 3), keepdims=True)
        by_input = part.kernel.by_input(zero.astype(np.float64)).astype(np.int64)
        without_pads: NDArray[np.int64] = (taps * by_input).sum(axis=1)
        return without_pads
    windows = part.kernel.windows(part.input.shape, shape)
    planes = np.broadcast_to(zero[:, None, None, None], (*part.input.shape, 1))
    # In two halves, so that each product stays an exact integer below 2^53.
    high, low = planes >> FRACTION_BITS, planes & ((1 << FRACTION_BITS) - 1)
    sums = [
        correlate(half.astype(np.float64), weights, windows, part.kernel.groups)[..., 0]
        for half in (high, low)
    ]
    return (sums[0].astype(np.int64) << FRACTION_BITS) + sums[1].astype(np.int64)


def whole_bias(
    bias: Doubles, parts: Sequence[tuple[Part, Doubles]], shape: Shape
) -> NDArray[np.int64]:
    """Round the bias to integers, int64 (O,) or (O, height, width).

    Args:
        bias (float64, (O,)): the real bias in the unit of the integer sums.
        parts: each part with its integer weights; the products of their zeros are subtracted.
        shape: (O, height, width) of the sums.

    Raises Unsupported for a bias of 2^46 units or more.
    """
    if not (np.abs(bias) < _LARGEST_BIAS).all():
        raise Unsupported("a bias is out of proportion to the weights of its layer")
    total = np.rint(bias * (1 << FRACTION_BITS)).astype(np.int64)[:, None, None]
    for part, weights in parts:
        total = total - zero_products(part, weights, shape)
    whole = (total + (1 << (FRACTION_BITS - 1))) >> FRACTION_BITS
    flat = whole.reshape(shape[0], -1)
    return flat[:, 0] if (flat == flat[:, :1]).all() else whole


def spread_bias(bias: NDArray[np.int64]) -> Doubles:
    """The bias as float64 that broadcasts with (O, height, width, n)."""
    return bias.astype(np.float64).reshape(bias.shape[0], *(bias.shape[1:] or (1, 1)), 1)


def limits(
    bias: NDArray[np.int64], parts: Sequence[tuple[Part, Doubles]]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lower and upper bound of each output, int64 (O,), for any image and at any padding.

    ``parts`` are parts with integer weights, as for ``whole_bias``.
    """
    flat = bias.reshape(bias.shape[0], -1)
    lower, upper = flat.min(axis=1), flat.max(axis=1)
    for part, weights in parts:
        reach = part.kernel.by_input(part.input.reach).astype(np.int64)
        whole = (weights.astype(np.int64) * reach).reshape(weights.shape[0], -1)
        lower = lower + np.minimum(whole, 0).sum(axis=1)
        upper = upper + np.maximum(whole, 0).sum(axis=1)
    return lower, upper
