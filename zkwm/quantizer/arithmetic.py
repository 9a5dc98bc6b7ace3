"""Translate ONNX arithmetic, of tensors with constants and with each other, to layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf, prod

import numpy as np
from numpy.typing import NDArray

from zkwm.quantizer.elementwise import clip_between, negative
from zkwm.quantizer.expressions import X, apply, constant
from zkwm.quantizer.layers import Linear, Product, Shape, scaling
from zkwm.quantizer.onnx_file import OnnxNode
from zkwm.quantizer.translation import Tensor, Translation, Value
from zkwm.quantizer.views import expanded, image_order, places_of, plain, viewed


def arithmetic(translation: Translation, node: OnnxNode) -> Value:
    """Add, Sub, Mul and Div: of a tensor and a constant, or of two tensors."""
    left, right = translation.value(node, 0), translation.value(node, 1)
    if left is None or right is None:
        raise node.refusal("it has two inputs")
    if isinstance(left, Tensor):
        return _combined(translation, node, left, right)
    right = translation.tensor(node, 1)
    return _with_constant(translation, node, right, left.astype(np.float64), first=False)


def _combined(translation: Translation, node: OnnxNode, left: Tensor, right: Value) -> Tensor:
    """``left`` and ``right`` by the operator of ``node``."""
    if isinstance(right, Tensor):
        return _of_tensors(translation, node, left, right)
    return _with_constant(translation, node, left, right.astype(np.float64), first=True)


def _with_constant(
    translation: Translation, node: OnnxNode, tensor: Tensor, values: NDArray[np.float64],
    *, first: bool,
) -> Tensor:  # fmt: skip
    """``first``: the tensor is the first operand."""
    if node.operator == "Div" and not first:
        under = translation.magnified(node, "reciprocal", tensor)
        tensor, node = replace(tensor, expression=under), replace(node, operator="Mul")
    numbers = _per_channel(translation, node, tensor, values)
    factor, offset = np.ones(numbers.shape), np.zeros(numbers.shape)
    if node.operator == "Add":
        offset = offset + numbers
    elif node.operator == "Sub":
        factor, offset = (factor, -numbers) if first else (-factor, offset + numbers)
    elif node.operator == "Mul":
        factor = factor * numbers
    elif not numbers.all():
        raise node.refusal("a division by zero")
    else:
        factor = factor / numbers
    if values.size == 1:
        line = apply("multiply", tensor.expression, constant(factor[0]))
        line = apply("add", line, constant(offset[0]))
        return replace(tensor, expression=line)
    root = translation.affine(translation.layer_of(node, tensor), factor, offset)
    return replace(tensor, root=root, expression=X)


def _per_channel(
    translation: Translation, node: OnnxNode, tensor: Tensor, values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """A constant that broadcasts with (batch, *dims), as (channels,) of the layer.

    Raises Unsupported where it is another.
    """
    shape = translation.layers[tensor.root].shape
    if values.size == 1 and values.ndim <= len(tensor.dims) + 1:
        return np.broadcast_to(values.reshape(1), (shape[0],))
    rank = len(tensor.dims) + 1
    sizes = (1,) * (rank - values.ndim) + values.shape
    reason = f"a constant of sizes {values.shape} is neither one number nor one for each channel"
    if len(sizes) != rank or any(
        size not in (1, want) for size, want in zip(sizes, (1, *tensor.dims), strict=True)
    ):
        raise node.refusal(reason)
    places = places_of(tensor)
    # places outside of the view keep the least number of their channel, where there is any
    spread = np.full(prod(shape), np.inf)
    spread[places.reshape(-1)] = np.broadcast_to(values.reshape(sizes[1:]), tensor.dims).reshape(-1)
    least = spread.reshape(shape[0], -1).min(axis=1, keepdims=True)
    differs = (spread.reshape(shape[0], -1) != least) & np.isfinite(spread.reshape(shape[0], -1))
    if differs.any():
        raise node.refusal(reason)
    return np.where(np.isfinite(least), least, 1.0).reshape(-1)


def _of_tensors(translation: Translation, node: OnnxNode, left: Tensor, right: Tensor) -> Tensor:
    """Arithmetic of two computed tensors: of one layer an expression, else a sum or a product."""
    if left.root == right.root and np.array_equal(places_of(left), places_of(right)):
        other = right.expression
        if node.operator == "Sub":
            other = negative(other)
        elif node.operator == "Div":
            other = translation.magnified(node, "reciprocal", right)
        kind = "multiply" if node.operator in ("Mul", "Div") else "add"
        return replace(left, expression=apply(kind, left.expression, other))
    if node.operator == "Div":
        raise node.refusal("a quotient of two different computed tensors")
    if _channels_last(left, right):
        ahead = [
            viewed(translation, node, tensor, places_of(tensor).transpose(2, 0, 1))
            for tensor in (left, right)
        ]
        result = _of_tensors(translation, node, ahead[0], ahead[1])
        return viewed(translation, node, result, places_of(result).transpose(1, 2, 0))
    left, right = _aligned(translation, node, left, right)
    inputs = (translation.layer_of(node, left), translation.layer_of(node, right))
    shape = translation.layers[inputs[0]].shape
    if node.operator == "Mul":
        number = translation.fresh(node, Product(shape, inputs)).root
    else:
        signs = (1.0, -1.0 if node.operator == "Sub" else 1.0)
        number = translation.fresh(node, total(shape, inputs, signs)).root
    return replace(left, root=number, expression=X)


def _channels_last(left: Tensor, right: Tensor) -> bool:
    """Whether two tensors of different sizes have their channels last, by the larger one."""
    if left.dims == right.dims or not len(left.dims) == len(right.dims) == 3:
        return False
    return image_order(max(left, right, key=lambda tensor: prod(tensor.dims))) == (2, 0, 1)


def total(shape: Shape, inputs: Sequence[int], signs: Sequence[float]) -> Linear:
    """The sum of layers of one shape, each multiplied by its sign or factor."""
    terms = tuple(
        scaling(before, shape, np.full(shape[0], sign))
        for before, sign in zip(inputs, signs, strict=True)
    )
    return Linear(shape, terms, np.zeros(shape[0]))


def _aligned(
    translation: Translation, node: OnnxNode, left: Tensor, right: Tensor
) -> tuple[Tensor, Tensor]:
    """Both in the same order and shape, axes of size 1 repeated. Raises Unsupported."""
    shapes = [translation.layers[tensor.root].shape for tensor in (left, right)]
    if (
        left.places is not None
        and shapes[0] == shapes[1]
        and np.array_equal(left.places, places_of(right))
    ):
        return left, right
    if len(left.dims) != len(right.dims) or any(
        a != b and 1 not in (a, b) for a, b in zip(left.dims, right.dims, strict=True)
    ):
        raise node.refusal(f"its inputs have different sizes, {left.dims} and {right.dims}")
    dims = tuple(max(pair) for pair in zip(left.dims, right.dims, strict=True))
    both = []
    for tensor in (left, right):
        tensor = plain(translation, node, tensor)
        both.append(tensor if tensor.dims == dims else expanded(translation, node, tensor, dims))
    return both[0], both[1]


def extreme(translation: Translation, node: OnnxNode) -> Value:
    """Max and Min: of a tensor and numbers, or of tensors, as max(a, b) = b + relu(a - b)."""
    values = [translation.value(node, index) for index in range(len(node.inputs))]
    tensors = [value for value in values if isinstance(value, Tensor)]
    rising = node.operator == "Max"
    result = tensors[0]
    for other in tensors[1:]:
        result = _larger(translation, node, result, other, rising)
    for value in values:
        if not isinstance(value, np.ndarray):
            continue
        if value.size == 1 and value.ndim <= len(result.dims) + 1:
            number = float(value.reshape(-1)[0])
            limits = (number, inf) if rising else (-inf, number)
            result = replace(result, expression=clip_between(result.expression, *limits))
            continue
        minus = _named(node, "Sub")
        apart = _with_constant(translation, minus, result, value.astype(np.float64), first=True)
        cut = replace(apart, expression=clip_between(X, *((0.0, inf) if rising else (-inf, 0.0))))
        plus = _named(node, "Add")
        result = _with_constant(translation, plus, cut, value.astype(np.float64), first=True)
    return result


def _larger(
    translation: Translation, node: OnnxNode, left: Tensor, right: Tensor, rising: bool
) -> Tensor:
    """right + relu(left - right), or with min(., 0)."""
    apart = _of_tensors(translation, _named(node, "Sub"), left, right)
    limits = (0.0, inf) if rising else (-inf, 0.0)
    cut = replace(apart, expression=clip_between(apart.expression, *limits))
    return _of_tensors(translation, _named(node, "Add"), cut, right)


def _named(node: OnnxNode, operator: str) -> OnnxNode:
    """The node as another operator, for a part of what it does."""
    return replace(node, operator=operator)


def add_up(translation: Translation, node: OnnxNode) -> Value:
    """Sum of any number of tensors and constants."""
    values = [translation.value(node, index) for index in range(len(node.inputs))]
    first = next(k for k, value in enumerate(values) if isinstance(value, Tensor))
    result, plus = translation.tensor(node, first), _named(node, "Add")
    for other in (*values[:first], *values[first + 1 :]):
        if other is None:
            raise node.refusal("one of its inputs is left out")
        result = _combined(translation, plus, result, other)
    return result


def parametric(translation: Translation, node: OnnxNode) -> Value:
    """PRelu: a leaky ReLU, with one slope or one for each channel as relu(x) - a * relu(-x)."""
    tensor, slopes = translation.tensor(node), translation.constant(node, 1).astype(np.float64)
    numbers = _per_channel(translation, node, tensor, slopes)
    if (numbers == numbers[0]).all():
        leaky = apply("leaky", tensor.expression, parameters=(float(numbers[0]),))
        return replace(tensor, expression=leaky)
    x = tensor.expression
    inputs = [
        translation.layer_of(node, replace(tensor, expression=apply("relu", one)))
        for one in (x, negative(x))
    ]
    shape = translation.layers[inputs[0]].shape
    terms = (
        scaling(inputs[0], shape, np.ones(shape[0])),
        scaling(inputs[1], shape, -numbers),
    )
    layer = Linear(shape, terms, np.zeros(shape[0]))
    return replace(tensor, root=translation.fresh(node, layer).root, expression=X)
