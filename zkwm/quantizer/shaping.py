"""Translate ONNX operations on shapes: reshapes, concatenation, and exporters' boilerplate."""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from zkwm.quantizer.layers import Joined
from zkwm.quantizer.onnx_file import OnnxNode
from zkwm.quantizer.translation import Translation, Value
from zkwm.quantizer.views import (
    layer_shape,
    places_of,
    plain,
    reshaped,
    viewed,
)

BATCH = -1
"""Stands for the number of images in constants computed from shapes."""


def passed_on(translation: Translation, node: OnnxNode) -> Value:
    """Identity, Dropout (a trained model drops nothing) and Cast to float32 or float64.

    A cast to float16 or integers rounds, so it is refused.
    """
    if node.operator == "Cast" and node.attributes["to"] not in (1, 11):
        raise node.refusal("a cast to something other than float32 or float64")
    if translation.value(node, 2) is not None and translation.constant(node, 2).any():
        raise node.refusal("it is in training mode")
    return translation.tensor(node)


def flatten(translation: Translation, node: OnnxNode) -> Value:
    """Flatten from the first axis of an image on."""
    tensor = translation.tensor(node)
    axis = node.attributes.get("axis", 1)
    if axis not in (1, -len(tensor.dims)):
        raise node.refusal("it would mix images with each other")
    return reshaped(translation, node, tensor, (prod(tensor.dims),))


def reshape(translation: Translation, node: OnnxNode) -> Value:
    """Reshape that keeps the batch."""
    tensor = translation.tensor(node)
    target = translation.constant(node, 1).reshape(-1).tolist()
    if not 2 <= len(target) <= 7 or target[0] not in (BATCH, 0, 1):
        raise node.refusal(f"a reshape to {target[:8]}; the first axis must stay the batch")
    dims = target[1:]
    if not node.attributes.get("allowzero", 0):
        dims = [
            tensor.dims[k] if s == 0 and k < len(tensor.dims) else s for k, s in enumerate(dims)
        ]
    total = prod(tensor.dims)
    if dims.count(-1) == 1:
        others = prod(size for size in dims if size != -1)
        dims = [total // others if size == -1 and others > 0 else size for size in dims]
    if min(dims) < 1 or prod(dims) != total:
        raise node.refusal(f"a reshape of {tensor.dims} to {target[:8]}")
    return reshaped(translation, node, tensor, tuple(dims))


def squeeze(translation: Translation, node: OnnxNode) -> Value:
    """Squeeze and Unsqueeze of axes of size 1 behind the first."""
    axes = node.attributes.get("axes")
    if translation.value(node, 1) is not None:
        axes = translation.constant(node, 1).reshape(-1).tolist()
    tensor = translation.tensor(node)
    dims: list[int] = [BATCH, *tensor.dims]
    if node.operator == "Squeeze":
        axes = axes if axes is not None else [k for k, size in enumerate(dims) if size == 1]
        chosen = {axis % len(dims) for axis in axes}
        if any(dims[axis] != 1 for axis in chosen) or len(chosen) >= len(dims) - 1:
            raise node.refusal("axes that are not of size 1")
        dims = [size for k, size in enumerate(dims) if k not in chosen]
    else:
        rank = len(dims) + len(axes or [])
        for axis in sorted(axis % rank for axis in axes or []):
            dims.insert(axis, 1)
        if dims[0] != BATCH:
            raise node.refusal("an axis before the batch")
    return reshaped(translation, node, tensor, tuple(dims[1:]))


def transpose(translation: Translation, node: OnnxNode) -> Value:
    """Transpose that keeps the batch."""
    value = translation.tensor(node)
    order = node.attributes.get("perm")
    rank = len(value.dims) + 1
    if order is None or sorted(order) != list(range(rank)) or order[0] != 0:
        raise node.refusal("it would mix images with each other")
    moved = places_of(value).transpose([axis - 1 for axis in order[1:]])
    return viewed(translation, node, value, moved)


def concatenate(translation: Translation, node: OnnxNode) -> Value:
    """Concat along an axis behind the batch."""
    tensors = [translation.tensor(node, index) for index in range(len(node.inputs))]
    if len(tensors) == 1:
        return tensors[0]
    rank = len(tensors[0].dims) + 1
    axis = int(node.attributes.get("axis", 1)) % rank
    if axis == 0 or any(len(tensor.dims) != rank - 1 for tensor in tensors):
        raise node.refusal("it would mix images with each other")
    fronts = [
        plain(translation, node, viewed(translation, node, t, _front(places_of(t), axis)))
        for t in tensors
    ]
    if any(front.dims[1:] != fronts[0].dims[1:] for front in fronts):
        raise node.refusal("only along the channels, of equal height and width")
    if len(tensors) > 64:
        raise node.refusal("only of 2 to 64 tensors")
    inputs = tuple(translation.layer_of(node, front) for front in fronts)
    dims = (sum(front.dims[0] for front in fronts), *fronts[0].dims[1:])
    joined = translation.fresh(node, Joined(layer_shape(dims), inputs), dims)
    return viewed(translation, node, joined, np.moveaxis(places_of(joined), 0, axis - 1))


def _front(places: NDArray[np.int64], axis: int) -> NDArray[np.int64]:
    """The places with an axis of ONNX's numbering first."""
    return np.moveaxis(places, axis - 1, 0)
