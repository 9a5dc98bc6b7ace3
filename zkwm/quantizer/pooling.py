"""Translate ONNX pooling, and maxima and means over height and width, to layers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from zkwm.quantizer.layers import Kernel, Linear, Maxima, Pair, Term
from zkwm.quantizer.linear import image, pair, window
from zkwm.quantizer.onnx_file import OnnxNode
from zkwm.quantizer.translation import MAXIMUM_ENTRIES, Tensor, Translation, Value
from zkwm.quantizer.views import places_of, plain, viewed
from zkwm_protocols.integer_network.nodes import MAXIMUM_WINDOW

MAXIMUM_PARTS = 64


def maximum_pool(translation: Translation, node: OnnxNode) -> Value:
    """MaxPool without dilation."""
    tensor = image(translation, node)
    if pair(node, "dilations") != (1, 1) or (len(node.outputs) > 1 and node.outputs[1]):
        raise node.refusal("only without dilation and indices")
    kernel = pair(node, "kernel_shape")
    stride, pads, result = window(node, tensor.dims, kernel, (1, 1))
    layer = Maxima(
        (tensor.dims[0], *result), translation.layer_of(node, tensor), kernel, stride, pads
    )
    return translation.fresh(node, layer)


def global_pool(translation: Translation, node: OnnxNode) -> Value:
    """GlobalMaxPool and GlobalAveragePool."""
    return _reduced(translation, node, image(translation, node), (1, 2), keep=True)


def reduction(translation: Translation, node: OnnxNode) -> Value:
    """ReduceMean, ReduceSum and ReduceMax over some axes, of which none is the channels' or the
    batch's."""
    tensor = translation.tensor(node)
    rank = len(tensor.dims) + 1
    axes = node.attributes.get("axes")
    if translation.value(node, 1) is not None:
        axes = translation.constant(node, 1).reshape(-1).tolist()
    if not axes:
        if node.attributes.get("noop_with_empty_axes", 0):
            return tensor
        raise node.refusal("it would mix images with each other")
    chosen = tuple(sorted({int(axis) % rank for axis in axes}))
    if chosen[0] == 0 or any(not -rank <= axis < rank for axis in axes):
        raise node.refusal("it would mix images with each other")
    keep = bool(node.attributes.get("keepdims", 1))
    return _reduced(translation, node, tensor, tuple(axis - 1 for axis in chosen), keep=keep)


def _reduced(
    translation: Translation, node: OnnxNode, tensor: Tensor, axes: tuple[int, ...], *, keep: bool
) -> Tensor:
    """The maximum, sum or mean over ``axes`` of the dims."""
    others = [axis for axis in range(len(tensor.dims)) if axis not in axes]
    if not others or len(tensor.dims) > 3:
        raise node.refusal("only over height and width")
    # the first axis that stays counts as the channels
    order = [others[0], *(axis for axis in range(len(tensor.dims)) if axis != others[0])]
    moved = viewed(translation, node, tensor, places_of(tensor).transpose(order))
    before = translation.layer_of(node, plain(translation, node, moved))
    channels, height, width = translation.layers[before].shape
    sizes = [tensor.dims[axis] if axis in axes else 1 for axis in order[1:]] + [1, 1]
    kernel = (sizes[0], sizes[1])
    if max(kernel) > MAXIMUM_WINDOW:
        raise node.refusal("a window of more than 1024 pixels a side")
    shape = (channels, height // kernel[0], width // kernel[1])
    if "Max" in node.operator:
        result = translation.fresh(node, Maxima(shape, before, kernel, kernel, (0, 0, 0, 0)))
    else:
        weight = 1.0 if node.operator == "ReduceSum" else 1.0 / prod(kernel)
        weights = np.full((channels, 1, *kernel), weight)
        term = Term(before, Kernel(weights, kernel, groups=channels))
        result = translation.fresh(node, Linear(shape, (term,), np.zeros(channels)))
    sides = [1 if axis in axes else tensor.dims[axis] for axis in order]
    places = places_of(result).reshape(sides).transpose(np.argsort(order))
    if not keep:
        places = places.reshape([tensor.dims[axis] for axis in others])
    return viewed(translation, node, result, places)


@dataclass(frozen=True)
class Stretch:
    """Neighboring windows of an average along one axis that see alike.

    Attributes:
        first: the number of the first window.
        windows: how many there are.
        start: the first pixel of the first window.
        taps: the pixels of each.
        share: the number that each sum is divided by.
    """

    first: int
    windows: int
    start: int
    taps: int
    share: int


def average_pool(translation: Translation, node: OnnxNode) -> Value:
    """AveragePool: a convolution, or where windows at the border see fewer pixels, one for each
    part of the border."""
    tensor = image(translation, node)
    if pair(node, "dilations") != (1, 1):
        raise node.refusal("only without dilation")
    kernel = pair(node, "kernel_shape")
    stride, pads, result = window(node, tensor.dims, kernel, (1, 1))
    if max(kernel) > MAXIMUM_WINDOW:
        raise node.refusal("a window of more than 1024 pixels a side")
    whole = replace(node, attributes={**node.attributes, "ceil_mode": 0})
    inside = window(whole, tensor.dims, kernel, (1, 1))[1]
    counts = bool(node.attributes.get("count_include_pad", 0))
    if counts and inside != pads:
        raise node.refusal("windows that reach beyond padding that counts (ceil_mode)")
    before, channels = translation.layer_of(node, tensor), tensor.dims[0]
    zero, shape = np.zeros(channels), (channels, *result)
    if counts or not any(pads):
        weights = np.full((channels, 1, *kernel), 1.0 / prod(kernel))
        term = Term(before, Kernel(weights, stride, pads, groups=channels))
        return translation.fresh(node, Linear(shape, (term,), zero))
    lines = [
        _stretches(node, tensor.dims[k + 1], kernel[k], stride[k], pads[k], result[k])
        for k in range(2)
    ]
    parts = len(lines[0]) * len(lines[1])
    if parts > MAXIMUM_PARTS or parts * prod(tensor.dims) > MAXIMUM_ENTRIES:
        raise node.refusal("averages of too many different numbers of pixels")
    terms = []
    for rows in lines[0]:
        for columns in lines[1]:
            part = translation.add(_part(before, tensor.dims, stride, rows, columns))
            around = (
                rows.first,
                columns.first,
                result[0] - rows.first - rows.windows,
                result[1] - columns.first - columns.windows,
            )
            ones = np.ones((channels, 1, 1, 1))
            terms.append(Term(part, Kernel(ones, pads=around, groups=channels)))
    if len(terms) == 1:
        return Tensor(terms[0].input, shape)
    return translation.fresh(node, Linear(shape, tuple(terms), zero))


def _stretches(
    node: OnnxNode, size: int, kernel: int, stride: int, pad: int, count: int
) -> list[Stretch]:
    """The windows along one axis, those that see alike together."""
    found: list[Stretch] = []
    for number in range(count):
        start = number * stride - pad
        first, last = max(start, 0), min(start + kernel, size)
        if last <= first:
            raise node.refusal("a window sees nothing but padding")
        before = found[-1] if found else None
        if (
            before is not None
            and before.taps == last - first
            and first == before.start + before.windows * stride
        ):
            found[-1] = replace(before, windows=before.windows + 1)
        else:
            found.append(Stretch(number, 1, first, last - first, last - first))
    return found


def _part(
    before: int, dims: tuple[int, ...], stride: Pair, rows: Stretch, columns: Stretch
) -> Linear:
    """The averages of one part of the result, whose kernel is 0 outside of the pixels."""
    channels, height, width = dims
    sides = (
        height - (rows.windows - 1) * stride[0],
        width - (columns.windows - 1) * stride[1],
    )
    weights: NDArray[np.float64] = np.zeros((channels, 1, *sides))
    down = slice(rows.start, rows.start + rows.taps)
    across = slice(columns.start, columns.start + columns.taps)
    weights[:, :, down, across] = 1.0 / (rows.share * columns.share)
    kernel = Kernel(weights, stride, groups=channels)
    shape = (channels, rows.windows, columns.windows)
    return Linear(shape, (Term(before, kernel),), np.zeros(channels))
