"""Choose the scale of each layer's bytes and the step of its sums (SPEC.md 16.5).

Everything follows from a layer's weights and the exact extrema over the calibration images, by
double precision operations on single numbers. Multiplying a channel by a power of two multiplies
its scale by that power and changes nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, frexp, inf, ldexp

import numpy as np
from numpy.typing import NDArray

from zkwm.quantizer.expressions import Expression, X, evaluate
from zkwm.quantizer.integers import DIGIT, Doubles
from zkwm_protocols.errors import Unsupported
from zkwm_protocols.integer_network.nodes import Table

LARGEST_WEIGHT = 511
SPLIT = 1 << 8
"""Larger weights are a convolution times this plus another one."""
LARGEST_SPLIT = LARGEST_WEIGHT * SPLIT + SPLIT - 1
LEAST_SHIFT = 8
"""Scales are large enough for sums to be shifted by this many bits."""
DEAD = 8
"""A channel's bytes cover at least 1 / DEAD of its largest absolute sum."""
MOST_PARTS = 1 << 19
"""The largest product of a table's rows and its function's parts: each is computed in decimals."""


@dataclass(frozen=True)
class Precision:
    """How finely a layer's entries are stored.

    Attributes:
        tops: the largest entry, and smaller ones that a clip may end at instead; none: any.
        quotient: scales are large enough for every sum divided by its step to stay within this.
        curve_quotient: the same for functions that are no clips.
        finest: the finest step of such a function is 2^-finest,
        points: and at least the largest sum of the calibration images by this.
        shared: binary digits of such a function's scale behind the first, so that tables recur.
        margin: a clip's entries reach beyond the calibration images by this share of their range.
    """

    tops: tuple[int, ...]
    quotient: int
    curve_quotient: int
    finest: int
    points: int
    shared: int
    margin: float

    @property
    def top(self) -> int:
        """The largest entry."""
        return self.tops[0]


BYTE = Precision(tuple(range(255, 0, -1)), 1 << 15, 1 << 14, 8, 1 << 30, 3, 0.0)
FINE = Precision((4095, 1023), 1 << 17, 1 << 14, 40, 1 << 12, 0, 0.5)
CUT = replace(FINE, curve_quotient=1 << 16)
"""Of a function of fine values that were cut to the range of the calibration images first."""


@dataclass(frozen=True)
class Curve:
    """A table as a function: entry = clip(round(expression(x) / scale) + zero, 0, top).

    x is q * step, cut to ``reach`` in absolute value. The expression x stands for the plain clip
    (step and scale 1, zero 0). Of entries above a byte a table gives one ``digit``: 0 the
    remainder by DIGIT, 1 the rest.
    """

    expression: Expression = X
    step: float = 1.0
    scale: float = 1.0
    zero: int = 0
    top: int = 255
    reach: int = 0
    digit: int = 0

    def entries(self, quotients: NDArray[np.int64]) -> NDArray[np.int64]:
        """The entries for quotients, both int64 (n,)."""
        if self.expression == X:
            return np.clip(quotients, 0, self.top)
        points, places = np.unique(np.clip(quotients, -self.reach, self.reach), return_inverse=True)
        require_affordable(self.expression, len(points))
        values = evaluate(self.expression, points.astype(np.float64) * self.step)
        values = np.rint(values / self.scale) + self.zero
        values = np.where(np.isnan(values), 0.0, values)
        return np.clip(values, 0, self.top).astype(np.int64)[places]

    def entries_of(self, quotients: NDArray[np.int32]) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """The entries for quotients (channels, ...), each computed once."""
        first = int(quotients.min())
        every = self.entries(np.arange(first, int(quotients.max()) + 1))
        kind = np.uint8 if self.top <= 255 else np.uint16
        few, found = every.astype(kind), np.empty(quotients.shape, kind)
        for channel, entries in zip(quotients, found, strict=True):
            entries[...] = few[channel - first]
        return found

    def table(self, first: int, last: int) -> Table:
        """The table of bytes for quotients q from ``first`` to ``last``."""
        require_affordable(self.expression, min(last - first, 2 * self.reach) + 1)
        entries = self.entries(np.arange(first, last + 1))
        if self.top > 255:
            entries = entries // DIGIT if self.digit else entries % DIGIT
        return Table(first, entries.astype(np.uint8))


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
        bound: a bound of the absolute value for any image, without bytes that are silent.
        weight: the largest absolute weight of a byte that is not silent.
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
        zero (float64, (channels,)): the entry that means 0.
        precision: BYTE or FINE.
    """

    step: Doubles
    offset: Doubles
    curve: Curve
    scale: Doubles
    zero: Doubles
    precision: Precision


def choose(expression: Expression, extent: Extent, precision: Precision) -> Choice:
    """Choose the scales for a function of sums. Raises Unsupported where none fits."""
    if expression.kind == "rounded" and expression.arguments == (X,):
        chosen = _rounded(expression.parameters, extent, precision)
        return _general(expression, extent, precision) if chosen is None else chosen
    limits = _clip_limits(expression)
    if limits is not None:
        return _clip(limits, extent, precision)
    if expression.kind == "leaky" and expression.arguments == (X,):
        slope = expression.parameters[0]
        if 0 < slope <= 1:
            return _leaky(expression, slope, extent, precision)
    return _general(expression, extent, precision)


def choose_logits(extent: Extent) -> Choice:
    """One scale for all outputs, whose entries reach half of the range beyond it on both sides."""
    bottom, top = float(extent.low.min()), float(extent.high.max())
    step = max(
        2.0 * (top - bottom) / float(FINE.top), float(_least_step(extent, FINE.quotient).max())
    )
    if step == 0.0:
        raise Unsupported("the model's scores do not depend on the image")
    steps = np.full(extent.low.shape, step)
    zeros = np.full(extent.low.shape, float(np.rint(((top - bottom) / 2.0 - bottom) / step)))
    return Choice(steps, zeros, Curve(top=FINE.top), steps, zeros, FINE)


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
    by_weight = extent.weight * float(1 << LEAST_SHIFT) / float(LARGEST_SPLIT)
    least: Doubles = np.maximum(by_weight, extent.bound / float(quotient))
    return least


def _sufficient(step: Doubles, extent: Extent, precision: Precision) -> Doubles:
    """The step raised to the smallest that is allowed; 1 for a channel that is always zero."""
    step = np.maximum(step, _least_step(extent, precision.quotient))
    return np.where(step == 0.0, 1.0, step)


def _clip(limits: tuple[float, float], extent: Extent, precision: Precision) -> Choice:
    """Scales per channel for a clip, whose table is the plain clip of the quotient."""
    low, high = limits
    bottom = np.minimum(np.maximum(extent.low, low), high)
    if low == 0.0:
        bottom = np.zeros_like(bottom)
    reach = np.maximum(np.minimum(extent.high, high), low)
    margin = (reach - bottom) * precision.margin
    reach = np.minimum(reach + margin, high)
    if low != 0.0:
        bottom = np.maximum(bottom - margin, low)
    narrowest = np.minimum(extent.largest, high - low) / float(DEAD)
    reach = np.minimum(np.maximum(reach, bottom + narrowest), high)
    if low != 0.0:
        bottom = np.maximum(np.minimum(bottom, reach - narrowest), low)
    spread = reach - bottom
    silent = extent.bound == 0.0
    if low == 0.0:
        spread = np.maximum(np.minimum(spread, extent.upper), 0.0)
        silent |= extent.upper <= 0.0
    least = _least_step(extent, precision.quotient)
    forced = (extent.upper > high) & (least * float(precision.top) > high - bottom)
    most = np.min(np.floor((high - bottom) / least), where=forced, initial=float(precision.top))
    top = next((top for top in precision.tops if top <= most), 0)
    if top == 0 and precision is not BYTE:
        return _clip(limits, extent, BYTE)
    if top == 0:  # not one byte between the limits
        return _general(Expression("clip", limits, (X,)), extent, precision)
    step = _sufficient(spread / float(top), extent, precision)
    zero = np.rint(-bottom / step)
    return Choice(step, zero, Curve(top=top), np.where(silent, 0.0, step), zero, precision)


def _rounded(parameters: tuple[float, ...], extent: Extent, precision: Precision) -> Choice | None:
    """The file's own scale and levels, for rounding to at most 256 multiples of it: a clip.

    None where weights or bounds force a larger step upon a channel.
    """
    scale, low, high = parameters
    least = _least_step(extent, precision.quotient)
    if high - low > 255.0 or (least > scale).any():
        return None
    step, zero = np.full_like(least, scale), np.full_like(least, -low)
    return Choice(step, zero, Curve(top=int(high - low)), step, zero, precision)


def _leaky(expression: Expression, slope: float, extent: Extent, precision: Precision) -> Choice:
    """Scales per channel for a leaky ReLU: homogeneous, so that one table serves all channels."""
    top = precision.top
    zero = max(1, round(float(top) * slope / (1.0 + slope)))
    step = np.maximum(extent.high / float(top - zero), -extent.low * slope / float(zero))
    step = np.maximum(step * (1.0 + precision.margin), extent.largest / float(DEAD) / float(top))
    step = _sufficient(step, extent, precision)
    curve = Curve(expression, zero=zero, top=top, reach=4 * top)
    scale = np.where(extent.bound == 0.0, 0.0, step)
    zeros = np.full_like(step, zero)
    return Choice(step, np.zeros_like(step), curve, scale, zeros, precision)


def _shared(scale: float, bits: int) -> float:
    """The least of 2^bits, ..., 2^(bits + 1) - 1 times a power of two that is no smaller."""
    unit = 2.0 ** (frexp(scale)[1] - 1 - bits)
    return ceil(scale / unit) * unit


def is_forced(curve: Curve, extent: Extent, precision: Precision) -> bool:
    """Whether bounds force a step of a function that is no clip above what its sums need."""
    if curve.expression == X or (curve.expression.kind == "leaky" and curve.step == 1.0):
        return False
    return curve.step > _wanted_step(extent, precision)


def _power(least: float) -> float:
    """The least power of two that is no smaller than a positive number; 0 for 0."""
    if least == 0.0:
        return 0.0
    mantissa, exponent = frexp(least)
    return ldexp(1.0, exponent - 1 if mantissa == 0.5 else exponent)


def _least_curve_step(extent: Extent, precision: Precision) -> float:
    """The smallest step that weights and quotients of all channels allow."""
    return float(_least_step(extent, precision.curve_quotient).max())


def _wanted_step(extent: Extent, precision: Precision) -> float:
    """The step of a function that is no clip where nothing forces a larger one."""
    least = float(extent.largest.max()) / float(precision.points)
    return max(2.0**-precision.finest, _power(least))


def _general(expression: Expression, extent: Extent, precision: Precision) -> Choice:
    """One step, a power of two, for all channels: the function is not homogeneous."""
    step = max(_wanted_step(extent, precision), _power(_least_curve_step(extent, precision)))
    first = int(np.floor(extent.low.min() / step))
    last = int(np.ceil(extent.high.max() / step))
    require_affordable(expression, last - first + 1)
    values = evaluate(expression, np.arange(first, last + 1, dtype=np.float64) * step)
    if not np.isfinite(values).all():
        raise Unsupported("a function of the model is not finite on calibration images")
    bottom, top = float(values.min()), float(values.max())
    spread = (top - bottom) / float(precision.top) if top > bottom else max(abs(top), 1.0)
    scale = _shared(spread, precision.shared)
    zero = round(-bottom / scale)
    widest = 1 << (2 * max(-first, last, 1) - 1).bit_length()
    curve = Curve(expression, step, scale, zero, precision.top, widest)
    channels = extent.low.shape
    return Choice(
        np.full(channels, step),
        np.zeros(channels),
        curve,
        np.full(channels, scale),
        np.full(channels, float(zero)),
        precision,
    )
