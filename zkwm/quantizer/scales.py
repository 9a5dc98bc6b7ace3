"""Choose the scale of each layer's bytes and the step of its sums (SPEC.md 16.5).

Everything follows from a layer's weights and the exact extrema over the calibration images, by
double precision operations on single numbers. Multiplying a channel by a power of two multiplies
its scale by that power and changes nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, frexp, inf

import numpy as np

from zkwm.quantizer.expressions import Expression, X, evaluate
from zkwm.quantizer.integers import Doubles
from zkwm_protocols.errors import Unsupported
from zkwm_protocols.integer_network.nodes import Table

LARGEST_WEIGHT = 511
LEAST_SHIFT = 8
"""Scales are large enough for sums to be shifted by this many bits."""
LARGEST_QUOTIENT = 1 << 15
"""Scales are large enough for every sum divided by its step to stay within this."""
DEAD = 8
"""A channel's bytes cover at least 1 / DEAD of its largest absolute sum."""
FINEST_STEP = 8
CURVE_QUOTIENT = 1 << 14
SHARED_BITS = 3
"""Binary digits of a curve's scale behind the first."""
MOST_PARTS = 1 << 19
"""The largest product of a table's rows and its function's parts: each is computed in decimals."""


@dataclass(frozen=True)
class Curve:
    """A table as a function: byte = clip(round(expression(q * step) / scale) + zero).

    The expression x stands for the plain clip (step and scale 1, zero 0).
    """

    expression: Expression = X
    step: float = 1.0
    scale: float = 1.0
    zero: int = 0

    def table(self, first: int, last: int) -> Table:
        """The table of bytes for quotients q from ``first`` to ``last``."""
        require_affordable(self.expression, last - first + 1)
        points = np.arange(first, last + 1, dtype=np.float64)
        values = points
        if self.expression != X:
            values = np.rint(evaluate(self.expression, points * self.step) / self.scale) + self.zero
            values = np.where(np.isnan(values), 0.0, values)
        return Table(first, np.clip(values, 0, 255).astype(np.uint8))


def require_affordable(expression: Expression, rows: int) -> None:
    """Raise Unsupported where a table of ``rows`` rows would take too long to compute."""
    if expression != X and rows * expression.size > MOST_PARTS:
        raise Unsupported(
            f"a table of {rows:,} rows of a function of {expression.size} parts: rows times parts "
            f"are more than {MOST_PARTS:,}"
        )


@dataclass(frozen=True, eq=False)
class Extent:
    """The range of a layer's sums, each float64 (channels,).

    Attributes:
        low: the minimum over the calibration images.
        high: the maximum over the calibration images.
        upper: an upper bound for any image.
        bound: a bound of the absolute value for any image.
        weight: the largest absolute weight of a byte.
    """

    low: Doubles
    high: Doubles
    upper: Doubles
    bound: Doubles
    weight: Doubles

    @property
    def largest(self) -> Doubles:
        """The largest absolute sum over the calibration images."""
        largest: Doubles = np.maximum(np.abs(self.low), np.abs(self.high))
        return largest


@dataclass(frozen=True, eq=False)
class Choice:
    """The scales of a layer.

    A quotient is q = sum / step + offset; byte = curve(q) means the real scale * (byte - zero).

    Attributes:
        step (float64, (channels,)): the real size of one quotient.
        offset (float64, (channels,)): integers.
        curve: the table from quotients to bytes.
        scale (float64, (channels,)): 0 for a channel that is zero for every image.
        zero (float64, (channels,)): the byte that means 0.
    """

    step: Doubles
    offset: Doubles
    curve: Curve
    scale: Doubles
    zero: Doubles


def choose(expression: Expression, extent: Extent) -> Choice:
    """Choose the scales for a function of sums. Raises Unsupported where none fits."""
    if expression.kind == "rounded" and expression.arguments == (X,):
        chosen = _rounded(expression.parameters, extent)
        return _general(expression, extent) if chosen is None else chosen
    limits = _clip_limits(expression)
    if limits is not None:
        return _clip(limits, extent)
    if expression.kind == "leaky" and expression.arguments == (X,):
        slope = expression.parameters[0]
        if 0 < slope <= 1:
            return _leaky(expression, slope, extent)
    return _general(expression, extent)


def _clip_limits(expression: Expression) -> tuple[float, float] | None:
    """The limits of a function that clips (the identity, ReLU, Clip), None for others."""
    if expression == X:
        return -inf, inf
    if expression.arguments != (X,):
        return None
    if expression.kind == "relu":
        return 0.0, inf
    if expression.kind == "clip":
        return expression.parameters[0], expression.parameters[1]
    return None


def _least_step(extent: Extent, quotient: int) -> Doubles:
    """The smallest step, (channels,), for which weights and quotients stay within their limits."""
    by_weight = extent.weight * float(1 << LEAST_SHIFT) / float(LARGEST_WEIGHT)
    least: Doubles = np.maximum(by_weight, extent.bound / float(quotient))
    return least


def _sufficient(step: Doubles, extent: Extent) -> Doubles:
    """The step raised to the smallest that is allowed; 1 for a channel that is always zero."""
    step = np.maximum(step, _least_step(extent, LARGEST_QUOTIENT))
    return np.where(step == 0.0, 1.0, step)


def _clip(limits: tuple[float, float], extent: Extent) -> Choice:
    """Scales per channel for a clip, whose table is the plain clip of the quotient to a byte."""
    low, high = limits
    bottom = np.maximum(extent.low, low)
    if low == 0.0:
        bottom = np.zeros_like(bottom)
    spread = np.minimum(extent.high, high) - bottom
    spread = np.maximum(spread, np.minimum(extent.largest, high - low) / float(DEAD))
    silent = extent.bound == 0.0
    if low == 0.0:
        spread = np.maximum(np.minimum(spread, extent.upper), 0.0)
        silent |= extent.upper <= 0.0
    least = _least_step(extent, LARGEST_QUOTIENT)
    forced = (extent.upper > high) & (least * 255.0 > high - bottom)
    top = int(np.min(np.floor((high - bottom) / least), where=forced, initial=255.0))
    if top < 1:  # not one byte between the limits
        return _general(Expression("clip", limits, (X,)), extent)
    step = _sufficient(spread / float(top), extent)
    zero = np.rint(-bottom / step)
    curve = Curve() if top == 255 else Curve(Expression("clip", (0.0, float(top)), (X,)))
    return Choice(step, zero, curve, np.where(silent, 0.0, step), zero)


def _rounded(parameters: tuple[float, ...], extent: Extent) -> Choice | None:
    """The file's own scale and levels, for rounding to at most 256 multiples of it: a clip.

    None where weights or bounds force a larger step upon a channel.
    """
    scale, low, high = parameters
    least = _least_step(extent, LARGEST_QUOTIENT)
    if high - low > 255.0 or (least > scale).any():
        return None
    step, zero = np.full_like(least, scale), np.full_like(least, -low)
    top = high - low
    curve = Curve() if top == 255.0 else Curve(Expression("clip", (0.0, top), (X,)))
    return Choice(step, zero, curve, step, zero)


def _leaky(expression: Expression, slope: float, extent: Extent) -> Choice:
    """Scales per channel for a leaky ReLU: homogeneous, so that one table serves all channels."""
    zero = max(1, round(255.0 * slope / (1.0 + slope)))
    step = np.maximum(extent.high / float(255 - zero), -extent.low * slope / float(zero))
    step = _sufficient(np.maximum(step, extent.largest / float(DEAD) / 255.0), extent)
    curve = Curve(expression, zero=zero)
    scale = np.where(extent.bound == 0.0, 0.0, step)
    return Choice(step, np.zeros_like(step), curve, scale, np.full_like(step, zero))


def _shared(scale: float) -> float:
    """The least of 8, 9, ..., 15 times a power of two that is no smaller, so that tables recur."""
    unit = 2.0 ** (frexp(scale)[1] - 1 - SHARED_BITS)
    return ceil(scale / unit) * unit


def _general(expression: Expression, extent: Extent) -> Choice:
    """One step, a power of two, for all channels: the function is not homogeneous."""
    needed = float(_least_step(extent, CURVE_QUOTIENT).max())
    step = 2.0**-FINEST_STEP
    while step < needed:
        step *= 2.0
    first = int(np.floor(extent.low.min() / step))
    last = int(np.ceil(extent.high.max() / step))
    require_affordable(expression, last - first + 1)
    values = evaluate(expression, np.arange(first, last + 1, dtype=np.float64) * step)
    if not np.isfinite(values).all():
        raise Unsupported("a function of the model is not finite on calibration images")
    bottom, top = float(values.min()), float(values.max())
    scale = _shared((top - bottom) / 255.0 if top > bottom else max(abs(top), 1.0))
    zero = round(-bottom / scale)
    channels = extent.low.shape
    return Choice(
        np.full(channels, step),
        np.zeros(channels),
        Curve(expression, step, scale, zero),
        np.full(channels, scale),
        np.full(channels, float(zero)),
    )
