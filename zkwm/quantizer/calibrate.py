"""The sums of one layer: exact extrema, then integer weights and a shift (SPEC.md 16.5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zkwm.quantizer.integers import (
    SMALLEST,
    Doubles,
    Part,
    limits,
    products,
    spread_bias,
    whole_bias,
)
from zkwm.quantizer.layers import Linear, Shape
from zkwm.quantizer.scales import (
    LARGEST_SPLIT,
    LARGEST_WEIGHT,
    SPLIT,
    Choice,
    Extent,
)
from zkwm_protocols.errors import Unsupported
from zkwm_protocols.field.scalar import P
from zkwm_protocols.integer_network.correlation import at_once

TRIAL_BITS = 16
LARGEST_TRIAL = float(1 << 24)
LARGEST_SHIFT = 16
LARGEST_SUM = 1 << 30


@dataclass(frozen=True, eq=False)
class Scaled:
    """A part with integer ``weights``, at most LARGEST_SPLIT in absolute value."""

    part: Part
    weights: Doubles

    @property
    def pieces(self) -> tuple[tuple[Doubles, int], ...]:
        """Weights of at most 511 with the factor that each convolution is multiplied by.

        Both have the sign of the whole weight, so that their bounds add up to its bounds.
        """
        if np.abs(self.weights).max() <= LARGEST_WEIGHT:
            return ((self.weights, 1),)
        high = np.trunc(self.weights / float(SPLIT))
        return (self.weights - high * float(SPLIT), 1), (high, SPLIT)


@dataclass(frozen=True, eq=False)
class Sums:
    """A layer in integers: parts, bias int64 (O,) or (O, height, width), and shift in bits."""

    scaled: tuple[Scaled, ...]
    bias: NDArray[np.int64]
    shift: int
    shape: Shape

    def quotients(self) -> NDArray[np.int32]:
        """Rounded sums / 2^shift of the calibration images, int32 (O, height, width, n)."""
        parts = [(one.part, one.weights) for one in self.scaled]
        count = parts[0][0].input.images.shape[3]
        quotients = np.empty((*self.shape, count), np.int32)  # a sum is below LARGEST_SUM
        half = float((1 << self.shift) >> 1)
        for images, total in _sums(parts, self.bias, self.shape):
            total += half
            total /= float(1 << self.shift)
            quotients[..., images] = np.floor(total, out=total)
        return quotients

    def ends(self) -> tuple[int, int]:
        """The smallest and largest quotient for any image."""
        lower, upper = limits(self.bias, [(one.part, one.weights) for one in self.scaled])
        half = (1 << self.shift) >> 1
        return (int(lower.min()) + half) >> self.shift, (int(upper.max()) + half) >> self.shift


def measure(parts: Sequence[Part], layer: Linear) -> Extent:
    """The range of a layer's sums, from trial weights of 16 bits in each channel's own unit.

    Weights of silent bytes count only where an output reads nothing else.
    """
    counted = _counted(parts)
    largest = np.maximum.reduce([np.abs(weights).max(axis=(1, 2, 3)) for weights in counted])
    largest = np.where(largest < SMALLEST, 0.0, largest)
    alone = np.where(layer.bias == 0.0, 1.0, np.abs(layer.bias))
    unit = np.where(largest == 0.0, alone, largest) / float(1 << TRIAL_BITS)
    by_unit = unit[:, None, None, None]
    faint = (largest == 0.0)[:, None, None, None]
    trial = [
        (p, np.where(faint, 0.0, np.rint(weights / by_unit)))
        for p, weights in zip(parts, counted, strict=True)
    ]
    bias = whole_bias(layer.bias / unit, trial, layer.shape)
    extrema = [
        (total.min(axis=(1, 2, 3)), total.max(axis=(1, 2, 3)))
        for _, total in _sums(trial, bias, layer.shape)
    ]
    low, high = (
        np.minimum.reduce([a for a, _ in extrema]),
        np.maximum.reduce([b for _, b in extrema]),
    )
    lower, upper = limits(bias, trial)
    every = [
        (p, np.clip(np.rint(p.weights / by_unit), -LARGEST_TRIAL, LARGEST_TRIAL)) for p in parts
    ]
    return Extent(
        low=low * unit,
        high=high * unit,
        upper=limits(bias, every)[1].astype(np.float64) * unit,
        bound=np.maximum(-lower, upper).astype(np.float64) * unit,
        weight=largest,
    )


def _counted(parts: Sequence[Part]) -> list[Doubles]:
    """The weights of the parts without those of silent bytes, where an output has others."""
    loud = [
        part.weights * (1.0 - part.kernel.by_input(part.input.silent.astype(np.float64)))
        for part in parts
    ]
    alone = np.logical_and.reduce([(weights == 0.0).all(axis=(1, 2, 3)) for weights in loud])
    by_output = alone[:, None, None, None]
    return [
        np.where(by_output, part.weights, weights)
        for part, weights in zip(parts, loud, strict=True)
    ]


def fit(parts: Sequence[Part], layer: Linear, choice: Choice) -> Sums:
    """Find the largest shift for which weights and bounds fit. Raises Unsupported if none does."""
    for shift in range(LARGEST_SHIFT, -1, -1):
        scaled = _scaled(parts, choice, shift)
        if scaled is None:
            continue
        most = 2 * choice.precision.quotient
        bias = whole_bias(
            (layer.bias / choice.step + choice.offset) * float(1 << shift),
            [(one.part, one.weights) for one in scaled],
            layer.shape,
        )
        lower, upper = limits(bias, [(one.part, one.weights) for one in scaled])
        largest = int(max(-lower.min(), upper.max()))
        quotient = (largest >> shift) + 1
        if largest < LARGEST_SUM and quotient <= most and largest + ((most + 1) << shift) < P:
            return Sums(scaled, bias, shift, layer.shape)
    raise Unsupported("no scale fits the weights of a layer")


def _scaled(parts: Sequence[Part], choice: Choice, shift: int) -> tuple[Scaled, ...] | None:
    """Integer weights for a shift, None where they do not fit.

    Where weights of silent bytes would make quotients too large, they are cut to equal shares of
    what the others leave.
    """
    by_step = choice.step[:, None, None, None]
    most = float(LARGEST_SUM)
    whole = [
        np.clip(np.rint(part.weights / by_step * float(1 << shift)), -most, most) for part in parts
    ]
    quiet = [
        part.kernel.by_input(part.input.silent.astype(np.float64)) * np.ones_like(weights) != 0.0
        for part, weights in zip(parts, whole, strict=True)
    ]
    none = np.zeros(len(choice.step), np.int64)
    sizes = [np.abs(weights) for weights in whole]
    reach = limits(none, list(zip(parts, sizes, strict=True)))[1]
    loud = [np.where(q, 0.0, size) for q, size in zip(quiet, sizes, strict=True)]
    others = limits(none, list(zip(parts, loud, strict=True)))[1]
    room = np.maximum((choice.precision.quotient << shift) - others, 0)
    marks = [np.where(q & (w != 0.0), 1.0, 0.0) for q, w in zip(quiet, whole, strict=True)]
    count = limits(none, list(zip(parts, marks, strict=True)))[1]
    cut = np.where(reach - others > room, room // np.maximum(count, 1), LARGEST_SUM)
    by_cut = cut.astype(np.float64)[:, None, None, None]
    whole = [
        np.where(q, np.clip(weights, -by_cut, by_cut), weights)
        for q, weights in zip(quiet, whole, strict=True)
    ]
    if max(float(np.abs(weights).max()) for weights in whole) > LARGEST_SPLIT:
        return None
    return tuple(Scaled(part, weights) for part, weights in zip(parts, whole, strict=True))


def _sums(
    trial: Sequence[tuple[Part, Doubles]], bias: NDArray[np.int64], shape: Shape
) -> Iterator[tuple[slice, Doubles]]:
    """The sums for trial weights, calibration images by images: float64 (O, height, width, n).

    A few images at once take little memory, and sums of integers do not depend on how many.
    """
    count = trial[0][0].input.images.shape[3]
    windows = [(part.kernel.windows(part.input.shape, shape), part.input) for part, _ in trial]
    step = min(at_once(one, entries.shape[0]) for one, entries in windows)
    for start in range(0, count, step):
        images = slice(start, min(start + step, count))
        total = products(*trial[0], shape, images)
        total += spread_bias(bias)
        for part, weights in trial[1:]:
            total += products(part, weights, shape, images)
        yield images, total
