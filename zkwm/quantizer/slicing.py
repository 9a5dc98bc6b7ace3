"""Translate ONNX operations that cut tensors apart or put zeros around them."""

from __future__ import annotations

import numpy as np

from zkwm.quantizer.layers import Kernel, Linear, Term
from zkwm.quantizer.onnx_file import OnnxNode
from zkwm.quantizer.translation import Translation, Value
from zkwm.quantizer.views import image_order, places_of, plain, viewed
from zkwm_protocols.integer_network.nodes import MAXIMUM_WINDOW


def cut(translation: Translation, node: OnnxNode) -> Value:
    """Slice of a tensor; it keeps all images."""
    tensor = translation.tensor(node)
    rank = len(tensor.dims) + 1
    starts, ends = (
        _numbers(translation, node, k, name) for k, name in ((1, "starts"), (2, "ends"))
    )
    if starts is None or ends is None:
        raise node.refusal("it has no starts or ends")
    axes = _numbers(translation, node, 3, "axes") or list(range(len(starts)))
    steps = _numbers(translation, node, 4, "steps") or [1] * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise node.refusal("starts, ends, axes and steps do not fit each other")
    if any(not -rank <= axis < rank for axis in axes):
        raise node.refusal("an axis is out of range")
    slices = [slice(None)] * rank
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        last = None if step < 0 and end < -(1 << 24) else end
        slices[axis % rank] = slice(start, last, step)
    if slices[0].indices(2) != (0, 2, 1):
        raise node.refusal("it would leave out images")
    return viewed(translation, node, tensor, places_of(tensor)[tuple(slices[1:])])


def _numbers(
    translation: Translation, node: OnnxNode, index: int, name: str
) -> list[int] | None:  # fmt: skip
    """Integers that are an input, in older files an attribute; None where they are left out."""
    if translation.value(node, index) is not None:
        return [int(number) for number in translation.constant(node, index).reshape(-1)]
    given = node.attributes.get(name)
    return None if given is None else [int(number) for number in given]


def split(translation: Translation, node: OnnxNode) -> Value:
    """Split along any axis but the first; its further outputs are named here."""
    tensor = translation.tensor(node)
    rank = len(tensor.dims) + 1
    axis = int(node.attributes.get("axis", 0)) % rank
    if axis == 0:
        raise node.refusal("it would separate images")
    size, count = tensor.dims[axis - 1], len(node.outputs)
    sizes = _numbers(translation, node, 1, "split")
    if sizes is None:
        each = -(-size // count)
        sizes = [each] * (count - 1) + [size - each * (count - 1)]
    if len(sizes) != count or sum(sizes) != size or min(sizes) < 1:
        raise node.refusal("its parts do not fit its input")
    ends = np.cumsum(sizes)[:-1].tolist()
    parts = [
        viewed(translation, node, tensor, places)
        for places in np.split(places_of(tensor), ends, axis=axis - 1)
    ]
    translation.names.update(zip(node.outputs, parts, strict=True))
    return parts[0]


def pad(translation: Translation, node: OnnxNode) -> Value:
    """Pad with zeros in height and width, or by nothing."""
    tensor = translation.tensor(node)
    rank = len(tensor.dims) + 1
    pads = _numbers(translation, node, 1, "pads" if "pads" in node.attributes else "paddings")
    mode = node.attributes.get("mode", b"constant")
    value = float(node.attributes.get("value", 0.0))
    if translation.value(node, 2) is not None:
        value = translation.number(node, 2)
    axes = _numbers(translation, node, 3, "axes") or list(range(rank))
    if pads is None or len(pads) != 2 * len(axes) or any(not -rank <= a < rank for a in axes):
        raise node.refusal("its pads do not fit its input")
    ends = [(0, 0)] * rank
    for k, axis in enumerate(axes):
        ends[axis % rank] = (pads[k], pads[len(axes) + k])
    if not any(map(any, ends)):
        return tensor
    if mode != b"constant" or value != 0.0 or rank != 4:
        raise node.refusal("only zeros around images")
    # channels first, also for an input whose channels come last
    order = image_order(tensor)
    image = plain(
        translation, node, viewed(translation, node, tensor, places_of(tensor).transpose(order))
    )
    padded = [ends[axis + 1] for axis in order]
    small = all(0 <= pad < MAXIMUM_WINDOW for pair in padded for pad in pair)
    if any(padded[0]) or any(ends[0]) or not small:
        raise node.refusal("only zeros around images")
    channels, height, width = image.dims
    around = (padded[1][0], padded[2][0], padded[1][1], padded[2][1])
    kernel = Kernel(np.ones((channels, 1, 1, 1)), pads=around, groups=channels)
    shape = (channels, height + around[0] + around[2], width + around[1] + around[3])
    before = translation.layer_of(node, image)
    layer = translation.fresh(node, Linear(shape, (Term(before, kernel),), np.zeros(channels)))
    return viewed(translation, node, layer, places_of(layer).transpose(np.argsort(order)))
