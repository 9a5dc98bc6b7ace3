"""Shapes as a model computes them from its input, in which the number of images is left open.

Exporters write ``x.view(x.size(0), -1)`` as Shape, Gather, Unsqueeze and Concat. The batch stays a
symbol that only a Reshape may read, so that it never becomes a number in a model's arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zkwm.quantizer.onnx_file import OnnxNode

Array: TypeAlias = NDArray[Any]

MAXIMUM_AXES = 16
_MARK = -(1 << 62)
READERS = ("Reshape",)
"""The operators that may read the batch of a shape."""


@dataclass(frozen=True)
class OpenShape:
    """Sizes int64 of any shape (mostly one axis), where ``_MARK`` stands for the batch."""

    sizes: tuple[int, ...]
    axes: tuple[int, ...]

    def target(self, node: OnnxNode) -> Array:
        """The sizes for a Reshape, -1 for the batch, which must come first. Raises Unsupported."""
        if self.sizes.count(_MARK) != 1 or self.sizes[0] != _MARK or node.operator not in READERS:
            raise node.refusal(
                "the number of images may only be the first size of a Reshape, it changes between "
                "questions"
            )
        return np.array([-1, *self.sizes[1:]], np.int64)

    def array(self) -> Array:
        """The sizes with their marks, to move them around."""
        return np.array(self.sizes, np.int64).reshape(self.axes)


def shape_of(node: OnnxNode, dims: tuple[int, ...]) -> Array | OpenShape:
    """Shape of a tensor of ``dims`` without the batch, from ``start`` to ``end``."""
    sizes = [_MARK, *dims][node.attributes.get("start", 0) : node.attributes.get("end")]
    return _result(np.array(sizes, np.int64))


def move(node: OnnxNode, values: list[Array | OpenShape | None], opset: int) -> Array | OpenShape:
    """Gather, Slice, Concat, Squeeze, Unsqueeze, Identity and Cast of sizes to int32 or int64.

    Raises Unsupported for other operations, naming the node.
    """
    from zkwm.quantizer.constant_folding import fold

    if node.operator == "Cast" and node.attributes.get("to") in (6, 7):
        return values[0] if values[0] is not None else _result(np.zeros(0, np.int64))
    moves = ("Gather", "Slice", "Concat", "Squeeze", "Unsqueeze", "Identity")
    if node.operator not in moves or any(
        isinstance(value, OpenShape) for value in values[1:] if node.operator != "Concat"
    ):
        raise node.refusal("it computes with the number of images, which changes")
    arrays = [
        value.array() if isinstance(value, OpenShape) else _widened(value) for value in values
    ]
    if sum(array.size for array in arrays if array is not None) > 4 * MAXIMUM_AXES:
        raise node.refusal("a shape of too many sizes")
    if any(
        array is not None and (array.dtype != np.int64 or (array == _MARK).any())
        for array, value in zip(arrays, values, strict=True)
        if not isinstance(value, OpenShape)
    ):
        raise node.refusal("a size that is not one")
    return _result(fold(node, arrays, opset))


def _widened(value: Array | None) -> Array | None:
    """Sizes of int32, as tf2onnx writes them, in int64."""
    return value.astype(np.int64) if value is not None and value.dtype == np.int32 else value


def _result(array: Array) -> Array | OpenShape:
    """Plain constants where no batch is left among the sizes."""
    if not (array == _MARK).any():
        return array
    return OpenShape(tuple(int(size) for size in array.reshape(-1)), array.shape)
