"""The sums of one layer: exact extrema, then integer weights and a shift (SPEC.md 16.5)."""

from __future__ import annotations

from collections.abc import Sequence
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
from zkwm.quantizer.scales import LARGEST_WEIGHT, Choice, Extent
from zkwm_protocols.errors import Unsupported
from zkwm_protocols.field.scalar import P

TRIAL_BITS = 16
LARGEST_SHIFT = 16
LARGEST_DOUBLING = 8
LARGEST_SUM = 1 << 30
QUOTIENT_BOUND = 1 << 16


@dataclass(frozen=True, eq=False)
class Scaled:
    """Integer ``weights`` of a part, to be doubled ``doublings`` times."""

    part: Part
    weights: Doubles
    doublings: int = 0

    @property
    def total(self) -> Doubles:
        """The weights with the doublings."""
        total: Doubles = self.weights * float(1 << self.doublings)
        return total


@dataclass(frozen=True, eq=False)
class Sums:
    """A layer in integers: parts, bias int64 (O,) or (O, height, width), and shift in bits."""

    scaled: tuple[Scaled, ...]
    bias: NDArray[np.int64]
    shift: int
    shape: Shape

    def quotients(self) -> NDArray[np.int64]:
        """Rounded sums / 2^shift of the calibration images, int64 (O, height, width, n)."""
        total = _sums([(one.part, one.total) for one in self.scaled], self.bias, self.shape)
        half = float((1 << self.shift) >> 1)
        return np.floor((total + half) / float(1 << self.shift)).astype(np.int64)

    def ends(self) -> tuple[int, int]:
        """The smallest and largest quotient for any image."""
        lower, upper = limits(self.bias, [one.total for one in self.scaled])
        half = (1 << self.shift) >> 1
        return (int(lower.min()) + half) >> self.shift, (int(upper.max()) + half) >> self.shift


def measure(parts: Sequence[Part], layer: Linear) -> Extent:
    """The range of a layer's sums, from trial weights of 16 bits in each channel's own unit."""
    largest = np.maximum.reduce([part.largest() for part in parts])
    largest = np.where(largest < SMALLEST, 0.0, largest)
    alone = np.where(layer.bias == 0.0, 1.0, np.abs(layer.bias))
    unit = np.where(largest == 0.0, alone, largest) / float(1 << TRIAL_BITS)
    trial = [(part, np.rint(part.weights / unit[:, None, None, None])) for part in parts]
    bias = whole_bias(layer.bias / unit, trial, layer.shape)
    total = _sums(trial, bias, layer.shape)
    lower, upper = limits(bias, [weights for _, weights in trial])
    main = [part for part in parts if not part.kernel.is_scaling] or parts
    return Extent(
        low=total.min(axis=(1, 2, 3)) * unit,
        high=total.max(axis=(1, 2, 3)) * unit,
        upper=upper.astype(np.float64) * unit,
        bound=np.maximum(-lower, upper).astype(np.float64) * unit,
        weight=np.maximum.reduce([part.largest() for part in main]),
    )


def fit(parts: Sequence[Part], layer: Linear, choice: Choice) -> Sums:
    """Find the largest shift for which weights and bounds fit. Raises Unsupported if none does."""
    for shift in range(LARGEST_SHIFT, -1, -1):
        scaled = _scaled(parts, choice.step, shift)
        if scaled is None:
            continue
        bias = whole_bias(
            (layer.bias / choice.step + choice.offset) * float(1 << shift),
            [(one.part, one.total) for one in scaled],
            layer.shape,
        )
        lower, upper = limits(bias, [one.total for one in scaled])
        largest = int(max(-lower.min(), upper.max()))
        quotient = (largest >> shift) + 1
        if (
            largest < LARGEST_SUM
            and quotient <= QUOTIENT_BOUND
            and largest + ((QUOTIENT_BOUND + 1) << shift) < P
        ):
            return Sums(scaled, bias, shift, layer.shape)
    raise Unsupported("no scale fits the weights of a layer")


def _scaled(parts: Sequence[Part], step: Doubles, shift: int) -> tuple[Scaled, ...] | None:
    """Integer weights for a shift, None where they do not fit.

    Bytes that are only scaled, next to convolutions (a residual sum), may need large weights: those
    are smaller weights and doublings.
    """
    mixed = any(not part.kernel.is_scaling for part in parts)
    fitting = []
    for part in parts:
        exact = part.weights / step[:, None, None, None]
        for doublings in range(LARGEST_DOUBLING + 1 if mixed and part.kernel.is_scaling else 1):
            weights = np.rint(exact * 2.0 ** (shift - doublings))
            if np.abs(weights).max() <= LARGEST_WEIGHT:
                fitting.append(Scaled(part, weights, doublings))
                break
        else:
            return None
    return tuple(fitting)


def _sums(trial: Sequence[tuple[Part, Doubles]], bias: NDArray[np.int64], shape: Shape) -> Doubles:
    """The sums of the calibration images for trial weights, float64 (O, height, width, n)."""
    total = spread_bias(bias)
    for part, weights in trial:
        total = total + products(part, weights, shape)
    return total
