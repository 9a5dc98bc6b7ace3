"""Translate convolutions, dense layers and batch normalization to layers."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from zkwm.quantizer.layers import Kernel, Linear, Pads, Pair, Reshaped, Term
from zkwm.quantizer.onnx_file import OnnxNode
from zkwm.quantizer.translation import Tensor, Translation, Value
from zkwm.quantizer.views import plain
from zkwm_protocols.integer_network.nodes import MAXIMUM_WINDOW


def convolution(translation: Translation, node: OnnxNode) -> Value:
    """Conv in two dimensions."""
    tensor = image(translation, node)
    weights = translation.constant(node, 1).astype(np.float64)
    groups = int(node.attributes.get("group", 1))
    if weights.ndim != 4 or weights.shape[1] * groups != tensor.dims[0] or groups < 1:
        raise node.refusal("its weights do not fit its input")
    if weights.shape[0] % groups:
        raise node.refusal("its outputs do not divide into its groups")
    dilation = pair(node, "dilations")
    sides = (weights.shape[2], weights.shape[3])
    stride, pads, result = window(node, tensor.dims, sides, dilation)
    bias = np.zeros(weights.shape[0])
    if translation.value(node, 2) is not None:
        bias = translation.constant(node, 2).reshape(-1)
    if bias.shape != weights.shape[:1]:
        raise node.refusal("its bias does not fit its weights")
    kernel = Kernel(weights, stride, pads, dilation, groups)
    term = _without_padding(translation, Term(translation.layer_of(node, tensor), kernel))
    return translation.fresh(node, Linear((weights.shape[0], *result), (term,), bias))


def _without_padding(translation: Translation, term: Term) -> Term:
    """A convolution of a layer that only puts zeros around another, as one of the other."""
    before, kernel = translation.layers[term.input], term.kernel
    if not isinstance(before, Linear) or len(before.terms) != 1 or before.bias.any():
        return term
    inner = before.terms[0].kernel
    pads = tuple(a + b for a, b in zip(kernel.pads, inner.pads, strict=True))
    if (
        not inner.is_per_channel
        or inner.sides != (1, 1)
        or inner.stride != (1, 1)
        or not (inner.weights == 1.0).all()
        or max(pads) >= MAXIMUM_WINDOW
    ):
        return term
    around = (pads[0], pads[1], pads[2], pads[3])
    return Term(before.terms[0].input, replace(kernel, pads=around))


def dense(translation: Translation, node: OnnxNode) -> Value:
    """Gemm and MatMul with constant weights."""
    tensor = translation.tensor(node)
    matrix = translation.constant(node, 1)
    alpha, beta = 1.0, 1.0
    if node.operator == "Gemm":
        alpha, beta = (float(node.attributes.get(name, 1.0)) for name in ("alpha", "beta"))
        if node.attributes.get("transA", 0):
            raise node.refusal("it would mix images with each other")
        matrix = matrix if node.attributes.get("transB", 0) else matrix.T
    elif matrix.ndim == 2:
        matrix = matrix.T
    if matrix.ndim != 2 or tensor.dims != (matrix.shape[1],):
        raise node.refusal(f"weights of sizes {matrix.shape} do not fit an input of {tensor.dims}")
    outputs = matrix.shape[0]
    bias = np.zeros(outputs)
    if node.operator == "Gemm" and translation.value(node, 2) is not None:
        constant = translation.constant(node, 2)
        if constant.size not in (1, outputs):
            raise node.refusal("its bias does not fit its weights")
        bias = bias + beta * constant.reshape(-1)
    before = translation.layer_of(node, tensor)
    shape = translation.layers[before].shape
    if tensor.places is not None:
        # the entries stand in another order: the weights follow them
        moved = np.zeros((outputs, prod(shape)))
        moved[:, tensor.places] = matrix
        matrix = moved
        if shape[1:] != (1, 1):
            before = translation.add(Reshaped((prod(shape), 1, 1), before))
    weights = np.ascontiguousarray(alpha * matrix).reshape(outputs, -1, 1, 1)
    term = Term(before, Kernel(weights))
    return translation.fresh(node, Linear((outputs, 1, 1), (term,), bias), (outputs,))


def batch_normalization(translation: Translation, node: OnnxNode) -> Value:
    """(x - mean) / sqrt(variance + epsilon) * factor + offset, per channel."""
    tensor = plain(translation, node, translation.tensor(node))
    if node.attributes.get("training_mode", 0):
        raise node.refusal("it is in training mode")
    if not node.attributes.get("spatial", 1):
        raise node.refusal("it normalizes each pixel by itself (spatial 0)")
    factor, offset, mean, variance = (
        translation.constant(node, index).reshape(-1) for index in range(1, 5)
    )
    if any(v.shape != (tensor.dims[0],) for v in (factor, offset, mean, variance)):
        raise node.refusal("its constants do not fit its input")
    spread = variance + float(node.attributes.get("epsilon", 1e-5))
    if not (spread > 0).all():
        raise node.refusal("a variance is not positive")
    scale = factor / np.sqrt(spread)
    before = translation.layer_of(node, tensor)
    return Tensor(translation.affine(before, scale, offset - mean * scale), tensor.dims)


def image(translation: Translation, node: OnnxNode) -> Tensor:
    """The input of a node, with height and width. Raises Unsupported."""
    tensor = plain(translation, node, translation.tensor(node))
    if len(tensor.dims) != 3:
        raise node.refusal("its input has no height and width")
    return tensor


def pair(node: OnnxNode, name: str) -> Pair:
    """An attribute of two sizes, (1, 1) where it is left out. Raises Unsupported."""
    values = node.attributes.get(name) or [1, 1]
    if len(values) != 2 or not all(1 <= value <= MAXIMUM_WINDOW for value in values):
        raise node.refusal(f"{name} is {values[:8]}; two numbers from 1 to {MAXIMUM_WINDOW}")
    return int(values[0]), int(values[1])


def window(
    node: OnnxNode, dims: tuple[int, ...], kernel: Pair, dilation: Pair
) -> tuple[Pair, Pads, Pair]:
    """(stride, pads, sides of the result), with pads extended as auto_pad and ceil_mode demand."""
    stride = pair(node, "strides")
    given = node.attributes.get("pads") or [0, 0, 0, 0]
    mode = node.attributes.get("auto_pad", b"NOTSET")
    if len(given) != 4 or not all(0 <= pad < MAXIMUM_WINDOW for pad in given):
        raise node.refusal("pads are four numbers from 0 to 1023")
    pads = list(map(int, given)) if mode == b"NOTSET" else [0, 0, 0, 0]
    result = []
    for axis in range(2):
        size, reach = dims[axis + 1], dilation[axis] * (kernel[axis] - 1) + 1
        if mode in (b"SAME_UPPER", b"SAME_LOWER"):
            count = -(-size // stride[axis])
            missing = max((count - 1) * stride[axis] + reach - size, 0)
            ends = (missing // 2, missing - missing // 2)
            pads[axis], pads[axis + 2] = ends if mode == b"SAME_UPPER" else ends[::-1]
        elif mode not in (b"NOTSET", b"VALID"):
            raise node.refusal("an unknown auto_pad")
        room = size + pads[axis] + pads[axis + 2] - reach
        if room < 0:
            raise node.refusal("its kernel is larger than its input")
        count = room // stride[axis] + 1
        more = node.attributes.get("ceil_mode", 0) and room % stride[axis]
        if more and count * stride[axis] < size + pads[axis]:
            pads[axis + 2] += stride[axis] - room % stride[axis]
            count += 1
        result.append(count)
    return stride, (pads[0], pads[1], pads[2], pads[3]), (result[0], result[1])
