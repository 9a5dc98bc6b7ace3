"""Translate elementwise ONNX operations, and arithmetic with constants, to layers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from zkwm.quantizer.expressions import Expression, X, apply, constant
from zkwm.quantizer.layers import Linear, scaling
from zkwm.quantizer.onnx_file import OnnxNode
from zkwm.quantizer.translation import Tensor, Translation, Value

_SIMPLE = {"Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "Erf": "erf"}
_SLOPES = {"LeakyRelu": ("leaky", 0.01), "Elu": ("elu", 1.0)}


def function(translation: Translation, node: OnnxNode) -> Value:
    """A function of one number."""
    tensor = translation.tensor(node)
    return Tensor(tensor.root, tensor.dims, _expression(translation, node, tensor.expression))


def _expression(translation: Translation, node: OnnxNode, x: Expression) -> Expression:
    """The function of a node, applied to ``x``."""
    if node.operator in _SIMPLE:
        return apply(_SIMPLE[node.operator], x)
    if node.operator in _SLOPES:
        kind, slope = _SLOPES[node.operator]
        return apply(kind, x, parameters=(float(node.attributes.get("alpha", slope)),))
    if node.operator == "Clip":
        return apply("clip", x, parameters=_limits(translation, node))
    if node.operator == "Gelu":
        form = node.attributes.get("approximate", b"none")
        return apply("gelu_tanh" if form == b"tanh" else "gelu", x)
    hard = _hard_sigmoid(
        x,
        float(node.attributes.get("alpha", 1 / 6 if node.operator == "HardSwish" else 0.2)),
        float(node.attributes.get("beta", 0.5)),
    )
    return apply("multiply", x, hard) if node.operator == "HardSwish" else hard


def _hard_sigmoid(x: Expression, alpha: float, beta: float) -> Expression:
    """clip(alpha * x + beta, 0, 1)."""
    line = apply("add", apply("multiply", x, constant(alpha)), constant(beta))
    return apply("clip", line, parameters=(0.0, 1.0))


def _limits(translation: Translation, node: OnnxNode) -> tuple[float, float]:
    """(low, high) of a Clip, infinite where left out. Raises Unsupported."""
    limits = [float("-inf"), float("inf")]
    for index, name in ((1, "min"), (2, "max")):
        if translation.value(node, index) is not None:
            limits[index - 1] = float(translation.constant(node, index).reshape(-1)[0])
        elif name in node.attributes:
            limits[index - 1] = float(node.attributes[name])
    if not limits[0] < limits[1]:
        raise node.refusal(f"it clips to {limits[0]:g} .. {limits[1]:g}")
    return limits[0], limits[1]


def power(translation: Translation, node: OnnxNode) -> Value:
    """x to a constant whole power, 1 to 4."""
    tensor = translation.tensor(node)
    exponent = translation.constant(node, 1).reshape(-1)
    if exponent.size != 1 or exponent[0] not in (1, 2, 3, 4):
        raise node.refusal("only powers 1 to 4 are supported")
    x = tensor.expression
    result = x
    for _ in range(int(exponent[0]) - 1):
        result = apply("multiply", result, x)
    return Tensor(tensor.root, tensor.dims, result)


_NUMPY: dict[str, Callable[..., NDArray[np.float64]]] = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide,
}  # fmt: skip


def arithmetic(translation: Translation, node: OnnxNode) -> Value:
    """Add, Sub, Mul and Div: of constants, of a tensor and a constant, or of two tensors."""
    left, right = translation.value(node, 0), translation.value(node, 1)
    if left is None or right is None:
        raise node.refusal("it has two inputs")
    if isinstance(left, Tensor):
        if isinstance(right, Tensor):
            return _of_tensors(translation, node, left, right)
        return _with_constant(translation, node, left, right.astype(np.float64), first=True)
    if isinstance(right, Tensor):
        return _with_constant(translation, node, right, left.astype(np.float64), first=False)
    if node.operator == "Div" and not right.all():
        raise node.refusal("a division by zero")
    if left.dtype == right.dtype == np.int64:
        raise node.refusal("arithmetic on constant integers")
    return _NUMPY[node.operator](left, right)


def _with_constant(
    translation: Translation, node: OnnxNode, tensor: Tensor, values: NDArray[np.float64],
    *, first: bool,
) -> Tensor:  # fmt: skip
    """``first``: the tensor is the first operand."""
    channels = tensor.channels
    numbers = _per_channel(node, tensor, values)
    factor, offset = np.ones(channels), np.zeros(channels)
    if node.operator == "Add":
        offset = offset + numbers
    elif node.operator == "Sub":
        factor, offset = (factor, -numbers) if first else (-factor, offset + numbers)
    elif node.operator == "Mul":
        factor = factor * numbers
    elif not first or not numbers.all():
        raise node.refusal("a division by something computed, or by zero")
    else:
        factor = factor / numbers
    if values.size == 1:
        line = apply("multiply", tensor.expression, constant(factor[0]))
        line = apply("add", line, constant(offset[0]))
        return Tensor(tensor.root, tensor.dims, line, tensor.channels_last)
    root = translation.affine(translation.layer_of(node, tensor), factor, offset)
    return Tensor(root, tensor.dims, X, tensor.channels_last)


def _per_channel(
    node: OnnxNode, tensor: Tensor, values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """A constant that broadcasts with (batch, *dims), as (channels,). Raises Unsupported."""
    if values.size == 1:
        return np.broadcast_to(values.reshape(1), (tensor.channels,))
    rank = len(tensor.dims) + 1
    axis = rank - 1 if tensor.channels_last else 1
    sizes = (1,) * (rank - values.ndim) + values.shape
    if (
        len(sizes) != rank
        or sizes[axis] != tensor.channels
        or any(size != 1 for k, size in enumerate(sizes) if k != axis)
    ):
        raise node.refusal(f"a constant of sizes {values.shape} is neither one number nor one for "
                           "each channel")  # fmt: skip
    return values.reshape(-1)


def _of_tensors(translation: Translation, node: OnnxNode, left: Tensor, right: Tensor) -> Tensor:
    """Arithmetic of two computed tensors: of one layer an expression, of two a sum."""
    if left.dims != right.dims or left.channels_last != right.channels_last:
        raise node.refusal(f"its inputs have different sizes, {left.dims} and {right.dims}")
    if left.root == right.root and node.operator in ("Add", "Sub", "Mul"):
        other = right.expression
        if node.operator == "Sub":
            other = apply("multiply", other, constant(-1.0))
        kind = "multiply" if node.operator == "Mul" else "add"
        return Tensor(left.root, left.dims, apply(kind, left.expression, other))
    if node.operator not in ("Add", "Sub"):
        raise node.refusal("a product or quotient of two different computed tensors")
    inputs = [translation.layer_of(node, tensor) for tensor in (left, right)]
    shape = translation.layers[inputs[0]].shape
    signs = (1.0, -1.0 if node.operator == "Sub" else 1.0)
    terms = tuple(
        scaling(before, shape, np.full(shape[0], sign))
        for before, sign in zip(inputs, signs, strict=True)
    )
    return translation.fresh(node, Linear(shape, terms, np.zeros(shape[0])), left.dims)
