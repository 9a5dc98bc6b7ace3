"""The sums of one layer: their exact extrema, and the shift and whole weights that fit (16.5)."""

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
    """Whole ``weights`` of a part, which then are doubled ``doublings`` times."""

    part: Part
    weights: Doubles
    doublings: int = 0

    @property
    def total(self) -> Doubles:
        """The weights in all."""
        total: Doubles = self.weights * float(1 << self.doublings)
        return total


@dataclass(frozen=True, eq=False)
class Sums:
    """A layer in whole numbers: its parts, bias (O,) or (O, height, width), and shift."""

    scaled: tuple[Scaled, ...]
    bias: NDArray[np.int64]
    shift: int
    shape: Shape

    def quotients(self) -> NDArray[np.int64]:
        """The rounded sums over 2^shift for the calibration images, (O, height, width, n)."""
        total = _sums([(one.part, one.total) for one in self.scaled], self.bias, self.shape)
        half = float((1 << self.shift) >> 1)
        return np.floor((total + half) / float(1 << self.shift)).astype(np.int64)

    def ends(self) -> tuple[int, int]:
        """The smallest and largest quotient for any image."""
        lower, upper = limits(self.bias, [one.total for one in self.scaled])
        half = (1 << self.shift) >> 1
        return (int(lower.min()) + half) >> self.shift, (int(upper.max()) + half) >> self.shift


def measure(parts: Sequence[Part], layer: Linear) -> Extent:
    """Extrema of a layer's sums, from trial weights of 16 bits, each channel by itself."""
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
    """The largest shift for which weights and bounds fit. Raises Unsupported if none does."""
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
    """Whole weights for a shift; scaled bytes beside convolutions may take two steps."""
    mixed = any(not part.kernel.is_scaling for part in parts)
    found = []
    for part in parts:
        exact = part.weights / step[:, None, None, None]
        for doublings in range(LARGEST_DOUBLING + 1 if mixed and part.kernel.is_scaling else 1):
            weights = np.rint(exact * 2.0 ** (shift - doublings))
            if np.abs(weights).max() <= LARGEST_WEIGHT:
                found.append(Scaled(part, weights, doublings))
                break
        else:
            return None
    return tuple(found)


def _sums(trial: Sequence[tuple[Part, Doubles]], bias: NDArray[np.int64], shape: Shape) -> Doubles:
    total = spread_bias(bias)
    for part, weights in trial:
        total = total + products(part, weights, shape)
    return total
