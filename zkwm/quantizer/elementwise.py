"""Translate ONNX functions of one number to expressions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import inf

from zkwm.quantizer.expressions import Expression, apply, constant
from zkwm.quantizer.onnx_file import OnnxNode
from zkwm.quantizer.translation import Translation, Value

_SIMPLE = {
    "Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "Erf": "erf", "Abs": "abs", "Exp": "exp",
    "Softplus": "softplus",
}  # fmt: skip
_MAGNIFYING = {"Log": "log", "Sqrt": "sqrt", "Reciprocal": "reciprocal"}
_SLOPES = {
    "LeakyRelu": ("leaky", 0.01),
    "Elu": ("elu", 1.0),
    "ThresholdedRelu": ("thresholded", 1.0),
}


def function(translation: Translation, node: OnnxNode) -> Value:
    """A function of one number."""
    tensor = translation.tensor(node)
    if node.operator in _MAGNIFYING:
        kind = _MAGNIFYING[node.operator]
        return replace(tensor, expression=translation.magnified(node, kind, tensor))
    return replace(tensor, expression=_expression(translation, node, tensor.expression))


def _expression(translation: Translation, node: OnnxNode, x: Expression) -> Expression:
    """The function of a node, applied to ``x``."""
    if node.operator in _SIMPLE:
        return apply(_SIMPLE[node.operator], x)
    if node.operator in _SLOPES:
        kind, slope = _SLOPES[node.operator]
        return apply(kind, x, parameters=(float(node.attributes.get("alpha", slope)),))
    if node.operator in _COMPOSED:
        return _COMPOSED[node.operator](node, x)
    if node.operator == "Clip":
        return clip_between(x, *_limits(translation, node))
    form = node.attributes.get("approximate", b"none")
    return apply("gelu_tanh" if form == b"tanh" else "gelu", x)


def clip_between(x: Expression, low: float, high: float) -> Expression:
    """The least form of a clip: x, a ReLU, or one with limits."""
    if (low, high) == (-inf, inf):
        return x
    return (
        apply("relu", x) if (low, high) == (0.0, inf) else apply("clip", x, parameters=(low, high))
    )


def negative(x: Expression) -> Expression:
    """-x."""
    return apply("multiply", x, constant(-1.0))


def _swish(node: OnnxNode, x: Expression) -> Expression:
    """x * sigmoid(alpha * x)."""
    inner = apply("multiply", x, constant(float(node.attributes.get("alpha", 1.0))))
    return apply("multiply", x, apply("sigmoid", inner))


def _selu(node: OnnxNode, x: Expression) -> Expression:
    """gamma * x above 0, gamma * alpha * (exp(x) - 1) below."""
    alpha = float(node.attributes.get("alpha", 1.67326319217681884765625))
    gamma = float(node.attributes.get("gamma", 1.05070102214813232421875))
    return apply("multiply", apply("elu", x, parameters=(alpha,)), constant(gamma))


def _celu(node: OnnxNode, x: Expression) -> Expression:
    """x above 0, alpha * (exp(x / alpha) - 1) below."""
    alpha = float(node.attributes.get("alpha", 1.0))
    if not alpha > 0:
        raise node.refusal("its alpha is not positive")
    inner = apply("multiply", x, constant(1.0 / alpha))
    return apply("multiply", apply("elu", inner, parameters=(1.0,)), constant(alpha))


def _softsign(_: OnnxNode, x: Expression) -> Expression:
    """x / (1 + |x|)."""
    under = apply("add", apply("abs", x), constant(1.0))
    return apply("multiply", x, apply("reciprocal", under))


def _hard(node: OnnxNode, x: Expression) -> Expression:
    """HardSigmoid, or x times it."""
    swish = node.operator == "HardSwish"
    alpha = 1 / 6 if swish else float(node.attributes.get("alpha", 0.2))
    beta = 0.5 if swish else float(node.attributes.get("beta", 0.5))
    hard = _hard_sigmoid(x, alpha, beta)
    return apply("multiply", x, hard) if swish else hard


def _hard_sigmoid(x: Expression, alpha: float, beta: float) -> Expression:
    """clip(alpha * x + beta, 0, 1)."""
    line = apply("add", apply("multiply", x, constant(alpha)), constant(beta))
    return apply("clip", line, parameters=(0.0, 1.0))


_COMPOSED: dict[str, Callable[[OnnxNode, Expression], Expression]] = {
    "Neg": lambda _, x: negative(x),
    "Mish": lambda _, x: apply("multiply", x, apply("tanh", apply("softplus", x))),
    "Swish": _swish, "Selu": _selu, "Celu": _celu, "Softsign": _softsign,
    "HardSigmoid": _hard, "HardSwish": _hard,
}  # fmt: skip


def _limits(translation: Translation, node: OnnxNode) -> tuple[float, float]:
    """(low, high) of a Clip, infinite where left out. Raises Unsupported."""
    limits = [-inf, inf]
    for index, name in ((1, "min"), (2, "max")):
        if translation.value(node, index) is not None:
            limits[index - 1] = float(translation.number(node, index))
        elif name in node.attributes:
            limits[index - 1] = float(node.attributes[name])
    if not limits[0] < limits[1]:
        raise node.refusal(f"it clips to {limits[0]:g} .. {limits[1]:g}")
    return limits[0], limits[1]


def power(translation: Translation, node: OnnxNode) -> Value:
    """x to a constant power, -1, 1/2 or 1 to 4."""
    tensor = translation.tensor(node)
    exponent = translation.number(node, 1)
    x = tensor.expression
    if exponent in (0.5, -1.0):
        kind = "sqrt" if exponent > 0 else "reciprocal"
        return replace(tensor, expression=translation.magnified(node, kind, tensor))
    if exponent not in (1, 2, 3, 4):
        raise node.refusal("only powers -1, 1/2 and 1 to 4 are supported")
    result = x
    for _ in range(int(exponent) - 1):
        result = apply("multiply", result, x)
    return replace(tensor, expression=result)
