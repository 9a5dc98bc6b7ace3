"""Which functions float32 computes with a small relative error where they come near zero.

ONNX Runtime's Sigmoid is off by up to 2e-7 and 0 from -18 on; exponentials vanish too. A
reciprocal, logarithm or square root of such a value would make another function of a file than its
real-valued reading, so a division by it is refused by name (SPEC.md 16.5).
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, isinf, isnan

import numpy as np

from zkwm.quantizer.expressions import Expression, X, apply, evaluate, split_affine
from zkwm.quantizer.layers import Function, Layer, inputs_of

MARGIN = 2.0**-10
"""An absolute error of 2e-7 is a relative one of 2e-4 here: a fifth of what may differ."""
MAGNIFYING = ("reciprocal", "log", "sqrt")
_RELATIVE = ("relu", "leaky", "thresholded", "clip", "abs", "tanh", "erf", "sqrt", "reciprocal")
"""Functions whose own relative error stays small where their argument's is."""
_UNBOUNDED = ("x", "leaky", "elu", "thresholded", "gelu", "gelu_tanh")
"""Functions whose bounds are not worth working out."""


def is_magnified(kind: str, argument: Expression, *, vanishing: bool) -> bool:
    """Whether ``kind`` makes a float32's absolute error in ``argument`` a large relative one.

    ``vanishing`` says that the layer below is itself computed with such an error.
    """
    if kind not in MAGNIFYING or (is_accurate(argument) and not vanishing):
        return False
    low, high = bounds(argument)
    return not (low >= MARGIN or high <= -MARGIN)


def vanishes(layer: Layer, vanishing: list[bool]) -> bool:
    """Whether a layer's small values are inaccurate, from those of the layers before it."""
    own = isinstance(layer, Function) and not is_accurate(layer.expression)
    return own or any(vanishing[number] for number in inputs_of(layer))


def is_accurate(expression: Expression) -> bool:
    """Whether the form shows a small relative error for every x that has one."""
    if expression.kind in ("x", "constant") or split_affine(expression)[2] == X:
        return True
    parts = expression.arguments
    if not all(map(is_accurate, parts)):
        return False
    if expression.kind == "add":  # nothing cancels where both have one sign
        (low, high), (other_low, other_high) = map(bounds, parts)
        return min(low, other_low) >= 0 or max(high, other_high) <= 0
    return expression.kind == "multiply" or expression.kind in _RELATIVE


def bounds(expression: Expression) -> tuple[float, float]:
    """Numbers between which the values lie, whatever x is; infinite where that is not known."""
    if expression.kind in _UNBOUNDED:
        return -inf, inf
    if expression.kind == "constant":
        return expression.parameters[0], expression.parameters[0]
    inner = [bounds(argument) for argument in expression.arguments]
    low, high = inner[0]
    if expression.kind == "add":
        return low + inner[1][0], high + inner[1][1]
    if expression.kind == "multiply":
        ends = [a * b for a in inner[0] for b in inner[1]]
        if expression.arguments[0] == expression.arguments[1]:
            return (0.0 if low <= 0 <= high else min(low * low, high * high)), max(ends)
        return (-inf, inf) if any(map(isnan, ends)) else (min(ends), max(ends))
    if expression.kind == "abs":
        return (0.0 if low <= 0 <= high else min(abs(low), abs(high))), max(abs(low), abs(high))
    if expression.kind == "reciprocal":
        return (-inf, inf) if low <= 0 <= high else (1 / high, 1 / low)
    if expression.kind == "log" and low <= 0:
        return -inf, inf
    rising = _rising(expression)
    return rising(low), rising(high)


def _rising(expression: Expression) -> Callable[[float], float]:
    """A never falling function of one number, infinities included."""
    if expression.kind == "clip":
        least, most = expression.parameters
        return lambda x: min(max(x, least), most)
    if expression.kind == "rounded":
        scale, least, most = expression.parameters
        return lambda x: scale * min(max(x if isinf(x) else round(x / scale), least), most)
    if expression.kind == "relu":
        return lambda x: max(x, 0.0)
    # in decimals: whether a file is refused must not depend on the machine either
    function = apply(expression.kind, X)
    least = 0.0 if expression.kind == "sqrt" else -inf
    return lambda x: float(evaluate(function, np.array([max(x, least)]))[0])
