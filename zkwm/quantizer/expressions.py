"""Functions of one number as data, and their values on every machine alike (SPEC.md 16.5).

Values are computed in decimal arithmetic of 30 digits and rounded once to double precision, because
the exponential functions of processors and libraries differ in the last bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Context, Decimal, localcontext
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

DIGITS = 30
_PI = Decimal("3.14159265358979323846264338327950288419716939937510")
_ERF_LIMIT = Decimal(7)


@dataclass(frozen=True)
class Expression:
    """The function ``kind`` of ``arguments``, with fixed ``parameters``; ``x`` is the variable.

    ``size`` is the number of its parts.
    """

    kind: str
    parameters: tuple[float, ...] = ()
    arguments: tuple[Expression, ...] = ()
    size: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", 1 + sum(argument.size for argument in self.arguments))


X = Expression("x")
MONOTONE = ("relu", "clip", "leaky", "elu", "sigmoid", "tanh", "erf", "softplus", "exp",
            "rounded")  # fmt: skip


def constant(value: float) -> Expression:
    """The expression of a number."""
    return Expression("constant", (float(value),))


def apply(kind: str, *arguments: Expression, parameters: tuple[float, ...] = ()) -> Expression:
    """``kind`` of the arguments: ``add`` or ``multiply`` of two, or a function of one."""
    return Expression(kind, parameters, arguments)


def split_affine(expression: Expression) -> tuple[float, float, Expression]:
    """(a, b, core) with expression = a * core + b, where core is x or not affine."""
    if expression.kind == "constant":
        return 0.0, expression.parameters[0], X
    if expression.kind in ("add", "multiply"):
        left, right = (split_affine(argument) for argument in expression.arguments)
        if expression.kind == "add":
            if left[0] == 0.0:
                return right[0], left[1] + right[1], right[2]
            if right[0] == 0.0 or left[2] == right[2]:
                return left[0] + right[0], left[1] + right[1], left[2]
        elif left[0] == 0.0:
            return left[1] * right[0], left[1] * right[1], right[2]
        elif right[0] == 0.0:
            return right[1] * left[0], right[1] * left[1], left[2]
    return 1.0, 0.0, expression


def is_monotone(expression: Expression) -> bool:
    """Whether its form shows that it is a nondecreasing function of x."""
    if expression.kind in ("leaky", "elu") and expression.parameters[0] < 0:
        return False
    return expression.kind == "x" or (
        expression.kind in MONOTONE and is_monotone(expression.arguments[0])
    )


def evaluate(expression: Expression, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The values (n,) float64 at ``points`` (n,) float64."""
    with localcontext(Context(prec=DIGITS, Emax=999_999, Emin=-999_999, traps=[])):
        return np.array([_at(expression, point) for point in points.tolist()], np.float64)


def power(bases: NDArray[np.float64], exponents: NDArray[np.float64]) -> NDArray[np.float64]:
    """exp(y ln |x|) with the sign of x^y, float64 (n,), for x in ``bases`` and y in ``exponents``.

    It is 1 for y = 0, 0 for x = 0 with y > 0, and NaN where infinity is given or would result from
    0, or x < 0 and y is not an integer.
    """
    with localcontext(Context(prec=DIGITS, Emax=999_999, Emin=-999_999, traps=[])):
        pairs = zip(bases.tolist(), exponents.tolist(), strict=True)
        return np.array([float(_power(Decimal(x), Decimal(y))) for x, y in pairs], np.float64)


def _power(x: Decimal, y: Decimal) -> Decimal:
    """One power; ``Decimal.__pow__`` is not rounded correctly, exp and ln are."""
    whole = y.is_finite() and y == y.to_integral_value()
    if not x.is_finite() or not y.is_finite() or (x < 0 and not whole) or (x == 0 and y < 0):
        return Decimal("NaN")
    if y == 0 or x == 0:
        return Decimal(int(y == 0))
    result = (y * abs(x).ln()).exp()
    return -result if x < 0 and float(y) % 2 else result


@lru_cache(maxsize=1 << 17)
def _at(expression: Expression, point: float) -> float:
    """The value at one point; points recur, so results are cached."""
    return float(_value(expression, Decimal(point)))


def _value(expression: Expression, x: Decimal) -> Decimal:
    """The value at ``x`` in decimal arithmetic."""
    if expression.kind == "x":
        return x
    if expression.kind == "constant":
        return Decimal(expression.parameters[0])
    arguments = [_value(argument, x) for argument in expression.arguments]
    if expression.kind == "add":
        return arguments[0] + arguments[1]
    if expression.kind == "multiply":
        return arguments[0] * arguments[1]
    return _FUNCTIONS[expression.kind](arguments[0], expression.parameters)


def _clip(x: Decimal, parameters: tuple[float, ...]) -> Decimal:
    """min(max(x, low), high)."""
    low, high = map(Decimal, parameters)
    return min(max(x, low), high)


def _rounded(x: Decimal, parameters: tuple[float, ...]) -> Decimal:
    """scale * min(max(rint(x / scale), low), high), x and the quotient in single precision.

    Files round multiples of one scale to another, where half of them are ties: as in a file, which
    way they go follows from single precision.
    """
    scale, low, high = parameters
    with np.errstate(over="ignore"):
        level = float(np.rint(np.float32(float(x)) / np.float32(scale)))
    return (
        Decimal("NaN") if level != level else Decimal(scale) * Decimal(min(max(level, low), high))
    )


def _sigmoid(x: Decimal) -> Decimal:
    """1 / (1 + exp(-x)), without an exponential above 1."""
    small = (-abs(x)).exp()
    return (1 if x >= 0 else small) / (1 + small)


def _tanh(x: Decimal) -> Decimal:
    """tanh(x), without an exponential above 1."""
    small = (-2 * abs(x)).exp()
    return ((1 - small) / (1 + small)).copy_sign(x)


def _erf(x: Decimal) -> Decimal:
    """2/sqrt(pi) exp(-x^2) sum_k 2^k x^(2k+1) / (1 3 5 ... (2k+1)), whose terms have one sign."""
    if abs(x) >= _ERF_LIMIT:
        return Decimal(1).copy_sign(x)
    square, term, total, odd = 2 * x * x, x, x, 1
    while abs(term) > abs(total) * Decimal(10) ** -DIGITS:
        odd += 2
        term = term * square / odd
        total += term
    return 2 / _PI.sqrt() * (-x * x).exp() * total


def _gelu_tanh(x: Decimal) -> Decimal:
    """The tanh approximation of GELU (Hendrycks and Gimpel 2016)."""
    return x / 2 * (1 + _tanh((2 / _PI).sqrt() * (x + Decimal("0.044715") * x * x * x)))


def _softplus(x: Decimal) -> Decimal:
    """log(1 + exp(x)), without an exponential above 1."""
    return max(x, Decimal(0)) + (1 + (-abs(x)).exp()).ln()


_FUNCTIONS: dict[str, Callable[[Decimal, tuple[float, ...]], Decimal]] = {
    "relu": lambda x, _: max(x, Decimal(0)),
    "clip": _clip,
    "rounded": _rounded,
    "leaky": lambda x, p: x if x >= 0 else x * Decimal(p[0]),
    "elu": lambda x, p: x if x >= 0 else Decimal(p[0]) * (x.exp() - 1),
    "sigmoid": lambda x, _: _sigmoid(x),
    "tanh": lambda x, _: _tanh(x),
    "erf": lambda x, _: _erf(x),
    "gelu": lambda x, _: x / 2 * (1 + _erf(x / Decimal(2).sqrt())),
    "gelu_tanh": lambda x, _: _gelu_tanh(x),
    "abs": lambda x, _: abs(x),
    "exp": lambda x, _: x.exp(),
    "log": lambda x, _: x.ln(),
    "softplus": lambda x, _: _softplus(x),
    "reciprocal": lambda x, _: 1 / x,
    "sqrt": lambda x, _: x.sqrt(),
    "thresholded": lambda x, p: x if x > Decimal(p[0]) else Decimal(0),
}
KINDS = {
    kind: {"clip": 2, "rounded": 3, "leaky": 1, "elu": 1, "thresholded": 1}.get(kind, 0)
    for kind in _FUNCTIONS
}
"""The functions of one number, with how many parameters each takes."""
