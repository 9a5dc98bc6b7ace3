"""Tensors whose entries are those of a layer in another order: transposed, sliced, reshaped.

An order costs nothing until an operation needs its input as (channels, height, width). Then
channels are selected, and rows and columns cut out, by convolutions of ones and zeros that copy
bytes (SPEC.md 16.5).
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from zkwm.quantizer.layers import Kernel, Linear, Reshaped, Shape, Term
from zkwm.quantizer.onnx_file import OnnxNode
from zkwm.quantizer.translation import Tensor, Translation
from zkwm_protocols.integer_network.nodes import MAXIMUM_WINDOW

MAXIMUM_SELECTION = 1 << 22

Line: TypeAlias = tuple[int, int, int]
"""First index, step and number of the rows or columns that are kept."""


def layer_shape(dims: tuple[int, ...]) -> Shape:
    """Dims of one to three axes as (channels, height, width)."""
    channels, height, width = (*dims, 1, 1)[:3]
    return channels, height, width


def places_of(tensor: Tensor) -> NDArray[np.int64]:
    """For each entry of a tensor its place in its layer in C order, int64 of the tensor's dims."""
    if tensor.places is not None:
        return tensor.places
    return np.arange(prod(tensor.dims), dtype=np.int64).reshape(tensor.dims)


def viewed(
    translation: Translation, node: OnnxNode, tensor: Tensor, places: NDArray[np.int64]
) -> Tensor:
    """The entries of ``tensor``'s layer at ``places``, int64, each at most once."""
    dims = places.shape
    if not dims or min(dims) < 1:
        raise node.refusal(f"its result has the dimensions {dims}")
    shape = translation.layers[tensor.root].shape
    size = prod(shape)
    of_layer = len(dims) == 1 or (len(dims) <= 3 and layer_shape(dims) == shape)
    if of_layer and np.array_equal(places.reshape(-1), np.arange(size)):
        return reshaped(translation, node, replace(tensor, places=None), dims)
    return Tensor(tensor.root, dims, tensor.expression, np.ascontiguousarray(places))


def reshaped(
    translation: Translation, node: OnnxNode, tensor: Tensor, dims: tuple[int, ...]
) -> Tensor:
    """The tensor with other dims, a new layer only where the layer's shape changes."""
    if tensor.places is not None or len(dims) > 3:
        return viewed(translation, node, tensor, places_of(tensor).reshape(dims))
    shape = layer_shape(dims)
    if shape == translation.layers[tensor.root].shape:
        return Tensor(tensor.root, dims, tensor.expression)
    before = translation.layer_of(node, tensor)
    return translation.fresh(node, Reshaped(shape, before), dims)


def plain(translation: Translation, node: OnnxNode, tensor: Tensor) -> Tensor:
    """The tensor as a layer of its own, in C order. Raises Unsupported where none copies it."""
    if tensor.places is None:
        return tensor
    if len(tensor.dims) > 3:
        raise node.refusal("more than four axes")
    key = (tensor.root, tensor.expression, tensor.dims, tensor.places.tobytes())
    if key not in translation.copies:
        number = translation.layer_of(node, replace(tensor, places=None))
        grid = tensor.places.reshape(layer_shape(tensor.dims))
        shape = translation.layers[number].shape
        found = _selection(grid, shape)
        if found is None and grid.shape[1:] == (1, 1):
            number = translation.add(Reshaped((prod(shape), 1, 1), number))
            found = _selection(grid, (prod(shape), 1, 1))
        if found is None:
            raise node.refusal("its input has channels and pixels in another order")
        channels, rows, columns = found
        number = _cut(translation, node, number, rows, columns)
        translation.copies[key] = _selected(translation, node, number, channels)
    return Tensor(translation.copies[key], tensor.dims)


def _selection(
    grid: NDArray[np.int64], shape: Shape
) -> tuple[NDArray[np.int64], Line, Line] | None:
    """Channels, rows and columns of a layer of ``shape`` that are the places of ``grid``."""
    _, height, width = shape
    channels = grid[:, 0, 0] // (height * width)
    rows = grid[0, :, 0] % (height * width) // width
    columns = grid[0, 0, :] % width
    whole = (channels[:, None, None] * height + rows[:, None]) * width + columns
    lines = [_line(indices) for indices in (rows, columns)]
    if lines[0] is None or lines[1] is None or not np.array_equal(whole, grid):
        return None
    return channels, lines[0], lines[1]


def _line(indices: NDArray[np.int64]) -> Line | None:
    """Indices as first, step and count, None where the step changes or falls."""
    step = int(indices[1] - indices[0]) if len(indices) > 1 else 1
    if step < 1 or not (np.diff(indices) == step).all():
        return None
    return int(indices[0]), step, len(indices)


def _cut(
    translation: Translation, node: OnnxNode, number: int, rows: Line, columns: Line
) -> int:  # fmt: skip
    """The layer's rows and columns that are kept."""
    channels, height, width = translation.layers[number].shape
    if (rows[2], columns[2]) == (height, width):
        return number
    sides = [
        size - (count - 1) * step
        for size, (_, step, count) in zip((height, width), (rows, columns), strict=True)
    ]
    if max(*sides, rows[1], columns[1]) > MAXIMUM_WINDOW:
        raise node.refusal(f"it cuts from sides of more than {MAXIMUM_WINDOW} pixels")
    weights = np.zeros((channels, 1, *sides))
    weights[:, :, rows[0], columns[0]] = 1.0
    kernel = Kernel(weights, (rows[1], columns[1]), groups=channels)
    shape = (channels, rows[2], columns[2])
    return translation.add(Linear(shape, (Term(number, kernel),), np.zeros(channels)))


def _selected(
    translation: Translation, node: OnnxNode, number: int, channels: NDArray[np.int64]
) -> int:
    """The layer's channels in this order."""
    count, height, width = translation.layers[number].shape
    if np.array_equal(channels, np.arange(count)):
        return number
    if len(channels) * count > MAXIMUM_SELECTION:
        raise node.refusal("its input has too many channels in another order")
    weights = np.zeros((len(channels), count, 1, 1))
    weights[np.arange(len(channels)), channels] = 1.0
    shape = (len(channels), height, width)
    term = Term(number, Kernel(weights))
    return translation.add(Linear(shape, (term,), np.zeros(len(channels))))


def expanded(
    translation: Translation, node: OnnxNode, tensor: Tensor, dims: tuple[int, ...]
) -> Tensor:
    """A plain tensor with its axes of size 1 repeated to ``dims`` (c, h, w)."""
    number = translation.layer_of(node, tensor)
    (channels, height, width), wanted = translation.layers[number].shape, layer_shape(dims)
    if max(wanted[1:]) > MAXIMUM_WINDOW:
        raise node.refusal(f"it repeats over more than {MAXIMUM_WINDOW} pixels")
    zero = np.zeros(wanted[0])
    if channels != wanted[0]:
        kernel = Kernel(np.ones((wanted[0], 1, 1, 1)))
        number = translation.add(
            Linear((wanted[0], height, width), (Term(number, kernel),), zero)
        )  # fmt: skip
    for axis in (0, 1):
        _, height, width = translation.layers[number].shape
        if (height, width)[axis] == wanted[axis + 1]:
            continue
        count = wanted[axis + 1]
        sides = (count, 1) if axis == 0 else (1, count)
        pads = (count - 1, 0, count - 1, 0) if axis == 0 else (0, count - 1, 0, count - 1)
        kernel = Kernel(np.ones((wanted[0], 1, *sides)), pads=pads, groups=wanted[0])
        shape = (wanted[0], count, width) if axis == 0 else (wanted[0], height, count)
        number = translation.add(Linear(shape, (Term(number, kernel),), zero))
    return Tensor(number, dims)


def image_order(tensor: Tensor) -> tuple[int, ...]:
    """The order of three axes that puts channels first: the axis that moves farthest."""
    places = places_of(tensor)
    steps = [int(np.diff(places, axis=k).max()) if places.shape[k] > 1 else 0 for k in range(3)]
    return (2, 0, 1) if steps[2] > max(steps[:2]) else (0, 1, 2)
