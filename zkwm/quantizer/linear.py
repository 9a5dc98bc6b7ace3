"""Translate linear ONNX operations and pooling to layers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from zkwm.quantizer.layers import Kernel, Linear, Maxima, Pads, Pair, Term
from zkwm.quantizer.onnx_file import OnnxNode
from zkwm.quantizer.translation import Tensor, Translation, Value

MAXIMUM_SIDE = 1024


def convolution(translation: Translation, node: OnnxNode) -> Value:
    """Conv in two dimensions."""
    tensor = _image(translation, node)
    weights = translation.constant(node, 1).astype(np.float64)
    groups = int(node.attributes.get("group", 1))
    if weights.ndim != 4 or weights.shape[1] * groups != tensor.dims[0] or groups < 1:
        raise node.refusal("its weights do not fit its input")
    if weights.shape[0] % groups:
        raise node.refusal("its outputs do not divide into its groups")
    dilation = _pair(node, "dilations")
    sides = (weights.shape[2], weights.shape[3])
    stride, pads, result = _window(node, tensor.dims, sides, dilation)
    bias = np.zeros(weights.shape[0])
    if translation.value(node, 2) is not None:
        bias = translation.constant(node, 2).reshape(-1)
    if bias.shape != weights.shape[:1]:
        raise node.refusal("its bias does not fit its weights")
    kernel = Kernel(weights, stride, pads, dilation, groups)
    term = Term(translation.layer_of(node, tensor), kernel)
    return translation.fresh(node, Linear((weights.shape[0], *result), (term,), bias))


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
    weights = np.ascontiguousarray(alpha * matrix).reshape(outputs, -1, 1, 1)
    term = Term(translation.layer_of(node, tensor), Kernel(weights))
    return translation.fresh(node, Linear((outputs, 1, 1), (term,), bias), (outputs,))


def batch_normalization(translation: Translation, node: OnnxNode) -> Value:
    """(x - mean) / sqrt(variance + epsilon) * factor + offset, per channel."""
    tensor = translation.tensor(node)
    if node.attributes.get("training_mode", 0):
        raise node.refusal("it is in training mode")
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


def maximum_pool(translation: Translation, node: OnnxNode) -> Value:
    """MaxPool without dilation."""
    tensor = _image(translation, node)
    if _pair(node, "dilations") != (1, 1) or (len(node.outputs) > 1 and node.outputs[1]):
        raise node.refusal("only without dilation and indices")
    kernel = _pair(node, "kernel_shape")
    stride, pads, result = _window(node, tensor.dims, kernel, (1, 1))
    layer = Maxima(
        (tensor.dims[0], *result), translation.layer_of(node, tensor), kernel, stride, pads
    )
    return translation.fresh(node, layer)


def average_pool(translation: Translation, node: OnnxNode) -> Value:
    """AveragePool, GlobalAveragePool and ReduceMean over height and width."""
    tensor = _image(translation, node)
    dims: tuple[int, ...] | None = None
    kernel = stride = (tensor.dims[1], tensor.dims[2])
    pads: Pads = (0, 0, 0, 0)
    result: Pair = (1, 1)
    if node.operator == "ReduceMean":
        axes = node.attributes.get("axes")
        if translation.value(node, 1) is not None:
            axes = translation.constant(node, 1).reshape(-1).tolist()
        if axes is None or sorted(axis % 4 for axis in axes) != [2, 3]:
            raise node.refusal("only over height and width")
        if not node.attributes.get("keepdims", 1):
            dims = (tensor.dims[0],)
    elif node.operator == "AveragePool":
        if _pair(node, "dilations") != (1, 1):
            raise node.refusal("only without dilation")
        kernel = _pair(node, "kernel_shape")
        whole = replace(node, attributes={**node.attributes, "ceil_mode": 0})
        stride, pads, result = _window(whole, tensor.dims, kernel, (1, 1))
        if result != _window(node, tensor.dims, kernel, (1, 1))[2]:
            raise node.refusal("windows that reach beyond the padding (ceil_mode)")
        if any(pads) and not node.attributes.get("count_include_pad", 0):
            raise node.refusal("averages at the border of fewer pixels (count_include_pad 0)")
    if max(kernel) > MAXIMUM_SIDE:
        raise node.refusal("a window of more than 1024 pixels a side")
    channels = tensor.dims[0]
    weights = np.full((channels, 1, *kernel), 1.0 / (kernel[0] * kernel[1]))
    term = Term(translation.layer_of(node, tensor), Kernel(weights, stride, pads, groups=channels))
    layer = Linear((channels, *result), (term,), np.zeros(channels))
    return translation.fresh(node, layer, dims)


def _image(translation: Translation, node: OnnxNode) -> Tensor:
    """The input of a node, with height and width. Raises Unsupported."""
    tensor = translation.tensor(node)
    if len(tensor.dims) != 3:
        raise node.refusal("its input has no height and width")
    return tensor


def _pair(node: OnnxNode, name: str) -> Pair:
    """An attribute of two sizes, (1, 1) where it is left out. Raises Unsupported."""
    values = node.attributes.get(name) or [1, 1]
    if len(values) != 2 or not all(1 <= value <= MAXIMUM_SIDE for value in values):
        raise node.refusal(f"{name} is {values[:8]}; two numbers from 1 to {MAXIMUM_SIDE}")
    return int(values[0]), int(values[1])


def _window(
    node: OnnxNode, dims: tuple[int, ...], kernel: Pair, dilation: Pair
) -> tuple[Pair, Pads, Pair]:
    """(stride, pads, sides of the result), with pads extended as auto_pad and ceil_mode demand."""
    stride = _pair(node, "strides")
    given = node.attributes.get("pads") or [0, 0, 0, 0]
    mode = node.attributes.get("auto_pad", b"NOTSET")
    if len(given) != 4 or not all(0 <= pad < MAXIMUM_SIDE for pad in given):
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
