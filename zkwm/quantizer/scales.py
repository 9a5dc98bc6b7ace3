"""Scales: how large a real number one step of a byte is, and how far sums are shifted (16.5).

Everything is computed from a layer's weights and from exact extrema over the calibration images,
by double precision operations on single numbers. Multiplying a channel by a power of two changes
its scale by that power and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np

from zkwm.quantizer.expressions import Expression, X, evaluate
from zkwm.quantizer.integers import Doubles
from zkwm_protocols.errors import Unsupported
from zkwm_protocols.integer_network.nodes import Table

LARGEST_WEIGHT = 511
LEAST_SHIFT = 8
"""Scales are at least so large that sums can be shifted by this."""
LARGEST_QUOTIENT = 1 << 15
"""Scales are at least so large that no sum over a scale exceeds this."""
DEAD = 8
"""A channel's scale covers at least an eighth of its largest absolute sum."""
FINEST_STEP = 8
CURVE_QUOTIENT = 1 << 14


@dataclass(frozen=True)
class Curve:
    """A table as a function: byte = clip(round(expression(q * step) / scale) + zero).

    ``expression`` x stands for the plain clip (step and scale 1, zero 0).
    """

    expression: Expression = X
    step: float = 1.0
    scale: float = 1.0
    zero: int = 0

    def table(self, first: int, last: int) -> Table:
        """The table from ``first`` to ``last``."""
        points = np.arange(first, last + 1, dtype=np.float64)
        values = points
        if self.expression != X:
            values = np.rint(evaluate(self.expression, points * self.step) / self.scale) + self.zero
        return Table(first, np.clip(values, 0, 255).astype(np.uint8))


@dataclass(frozen=True, eq=False)
class Extent:
    """What is known of the sums of a layer, each float64 (channels,).

    ``low`` and ``high`` are the extrema over the calibration images; ``upper`` bounds the sums and
    ``bound`` their absolute values over all images; ``weight`` is the largest absolute weight of a
    byte.
    """

    low: Doubles
    high: Doubles
    upper: Doubles
    bound: Doubles
    weight: Doubles

    @property
    def largest(self) -> Doubles:
        """The largest absolute sum seen."""
        largest: Doubles = np.maximum(np.abs(self.low), np.abs(self.high))
        return largest


@dataclass(frozen=True, eq=False)
class Choice:
    """A quotient q is sum / ``step`` + ``offset``; its byte means scale * (byte - zero).

    A channel that is zero for every image has the scale 0: nothing reads it.
    ``step``, ``scale`` and ``zero`` are float64 (channels,), ``offset`` whole float64 (channels,).
    """

    step: Doubles
    offset: Doubles
    curve: Curve
    scale: Doubles
    zero: Doubles


def choose(expression: Expression, extent: Extent) -> Choice:
    """Scales for a function of sums. Raises Unsupported where none fits."""
    limits = _clip_limits(expression)
    if limits is not None:
        return _clip(limits, extent)
    if expression.kind == "leaky" and expression.arguments == (X,):
        slope = expression.parameters[0]
        if 0 < slope <= 1:
            return _leaky(expression, slope, extent)
    return _general(expression, extent)


def _clip_limits(expression: Expression) -> tuple[float, float] | None:
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
    """The smallest step that weights and bounds allow."""
    by_weight = extent.weight * float(1 << LEAST_SHIFT) / float(LARGEST_WEIGHT)
    least: Doubles = np.maximum(by_weight, extent.bound / float(quotient))
    return least


def _sufficient(step: Doubles, extent: Extent) -> Doubles:
    """The step, or the least that is allowed; 1 for a channel that is always zero."""
    step = np.maximum(step, _least_step(extent, LARGEST_QUOTIENT))
    return np.where(step == 0.0, 1.0, step)


def _clip(limits: tuple[float, float], extent: Extent) -> Choice:
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
    step = _sufficient(spread / 255.0, extent)
    zero = np.rint(-bottom / step)
    return Choice(step, zero, Curve(), np.where(silent, 0.0, step), zero)


def _leaky(expression: Expression, slope: float, extent: Extent) -> Choice:
    zero = max(1, round(255.0 * slope / (1.0 + slope)))
    step = np.maximum(extent.high / float(255 - zero), -extent.low * slope / float(zero))
    step = _sufficient(np.maximum(step, extent.largest / float(DEAD) / 255.0), extent)
    curve = Curve(expression, zero=zero)
    scale = np.where(extent.bound == 0.0, 0.0, step)
    return Choice(step, np.zeros_like(step), curve, scale, np.full_like(step, zero))


def _general(expression: Expression, extent: Extent) -> Choice:
    """One step, a power of two, for all channels, since the function has a scale of its own."""
    needed = float(_least_step(extent, CURVE_QUOTIENT).max())
    step = 2.0**-FINEST_STEP
    while step < needed:
        step *= 2.0
    first = int(np.floor(extent.low.min() / step))
    last = int(np.ceil(extent.high.max() / step))
    values = evaluate(expression, np.arange(first, last + 1, dtype=np.float64) * step)
    if not np.isfinite(values).all():
        raise Unsupported("a function of the model is not finite on calibration images")
    bottom, top = float(values.min()), float(values.max())
    scale = (top - bottom) / 255.0 if top > bottom else max(abs(top), 1.0)
    zero = round(-bottom / scale)
    channels = extent.low.shape
    return Choice(
        np.full(channels, step),
        np.zeros(channels),
        Curve(expression, step, scale, zero),
        np.full(channels, scale),
        np.full(channels, float(zero)),
    )
