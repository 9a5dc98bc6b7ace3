"""The state of a translation: the layers so far, and the tensor of each ONNX name.

The operations are translated by ``elementwise``, ``linear`` and ``shaping``. Elementwise functions
stay expressions of the layer that they are computed from until another operation reads them, so
that x * sigmoid(x), or a GELU in parts, becomes one function of x.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zkwm.quantizer.expressions import Expression, X, apply, split_affine
from zkwm.quantizer.float_accuracy import is_magnified, vanishes
from zkwm.quantizer.layers import Function, Image, Kernel, Layer, Linear, Shape, Term, scaling
from zkwm.quantizer.onnx_file import OnnxGraph, OnnxNode
from zkwm.quantizer.open_shapes import OpenShape
from zkwm.suspects.input_layouts import shaped_places

MAXIMUM_ENTRIES = 1 << 24
MAXIMUM_FOLDED = 1 << 26
MAXIMUM_DECIMALS = 1 << 16


@dataclass(frozen=True)
class Grid:
    """What a quantized number stands for: scale * (number - zero); ``kind`` is its type."""

    scale: float
    zero: int
    kind: str


@dataclass(frozen=True, eq=False)
class Tensor:
    """``expression`` of the entries of layer ``root``; ``dims`` as in ONNX, without the batch.

    ``places`` (int64, dims) are the entries' places in the layer, None where they are the layer's
    own in C order. ``grid`` is set between a QuantizeLinear and a DequantizeLinear: ``expression``
    is what the integers stand for.
    """

    root: int
    dims: tuple[int, ...]
    expression: Expression = X
    places: NDArray[np.int64] | None = None
    grid: Grid | None = None


Value: TypeAlias = Tensor | NDArray[Any]
"""The value of an ONNX name: a computed tensor, or a constant."""
MAY_BE_INFINITE = ("Clip",)
"""The operators whose constants may be infinite."""


_CALLED = {"reciprocal": "reciprocal", "log": "logarithm", "sqrt": "square root"}


class Unknown:
    """The value of a node that was refused; what reads it is not refused again."""


class ReadsUnknown(Exception):
    """A node reads the result of a refused one."""


class Translation:
    """The layers so far and the value of each ONNX name.

    ``vanishing`` says of each layer whether float32 computes its small values inaccurately.
    """

    def __init__(self, graph: OnnxGraph, shape: Shape, layout: str, order: str = "rgb") -> None:
        self.layers: list[Layer] = [Image(shape)]
        self.vanishing = [False]
        self.notes: list[str] = []
        self.names: dict[str, Value | OpenShape | Unknown] = dict(graph.constants)
        root = 0
        if order == "bgr":
            swapped = np.eye(shape[0])[::-1].reshape(shape[0], shape[0], 1, 1)
            root = self.add(Linear(shape, (Term(0, Kernel(swapped)),), np.zeros(shape[0])))
        dims, places = tuple(shape), None
        if (len(graph.dims), layout) != (4, "nchw"):
            places = shaped_places(len(graph.dims), shape, layout)
            dims = places.shape
        self.names[graph.input] = Tensor(root, dims, X, places)
        self.copies: dict[tuple[int, Expression, tuple[int, ...], bytes], int] = {}
        self._folded = self._decimals = 0
        self._functions: dict[tuple[int, Expression], int] = {}

    def stored(self, node: OnnxNode, index: int) -> Value | OpenShape | None:
        """The input ``index`` of a node, None if it is left out; constants in the file's types.

        Raises ReadsUnknown, and Unsupported for a name that nothing outputs.
        """
        if index >= len(node.inputs) or not node.inputs[index]:
            return None
        name = node.inputs[index]
        if name not in self.names:
            raise node.refusal("it reads a name that no earlier node outputs")
        value = self.names[name]
        if isinstance(value, Unknown):
            raise ReadsUnknown
        whole = not isinstance(value, np.ndarray) or value.dtype.kind == "i"
        if index in node.integer_inputs and not whole:
            raise node.refusal(f"its input {index} is not of integers")
        return value

    def value(self, node: OnnxNode, index: int) -> Value | None:
        """As ``stored``, constants widened to float64 or int64. Raises Unsupported.

        A shape with an open batch is readable by a Reshape alone, with -1 for the batch; infinite
        constants by a Clip alone.
        """
        value = self.stored(node, index)
        if isinstance(value, OpenShape):
            value = value.target(node)
        if not isinstance(value, np.ndarray):
            return value
        if value.dtype.kind != "f":
            return value.astype(np.int64)
        if node.operator not in MAY_BE_INFINITE and not np.isfinite(value).all():
            raise node.refusal(f"its input {index} holds an infinity")
        return value.astype(np.float64)

    def folded(self, node: OnnxNode, values: NDArray[Any]) -> NDArray[Any]:
        """A computed constant, within the budget of all of them. Raises Unsupported."""
        self._folded += values.size
        if self._folded > MAXIMUM_FOLDED:
            raise node.refusal(f"computed constants of more than {MAXIMUM_FOLDED:,} entries")
        return values

    def price(self, node: OnnxNode, count: int) -> None:
        """Raise Unsupported where too many constants would be computed in decimals."""
        self._decimals += count
        if self._decimals > MAXIMUM_DECIMALS:
            raise node.refusal(
                f"exponentials and powers of more than {MAXIMUM_DECIMALS:,} constants"
            )

    def tensor(self, node: OnnxNode, index: int = 0) -> Tensor:
        """A computed input, in any order. Raises Unsupported for a constant."""
        value = self.value(node, index)
        if not isinstance(value, Tensor):
            raise node.refusal("expected a computed input, got a constant or none")
        return value

    def constant(self, node: OnnxNode, index: int) -> NDArray[Any]:
        """A constant input. Raises Unsupported where it is computed or left out."""
        value = self.value(node, index)
        if not isinstance(value, np.ndarray):
            raise node.refusal(f"its input {index} is not a constant")
        return value

    def number(self, node: OnnxNode, index: int) -> float:
        """A constant input of one number. Raises Unsupported for others."""
        value = self.constant(node, index)
        if value.size != 1:
            raise node.refusal(f"its input {index} is not one number")
        return float(value.reshape(-1)[0])

    def magnified(self, node: OnnxNode, kind: str, tensor: Tensor) -> Expression:
        """The reciprocal, logarithm or square root of a tensor.

        Raises Unsupported where float32 would make it another function.
        """
        if is_magnified(kind, tensor.expression, vanishing=self.vanishing[tensor.root]):
            raise node.refusal(
                f"the {_CALLED[kind]} of values that float32 rounds near 0, as of a Sigmoid"
            )
        return apply(kind, tensor.expression)

    def add(self, layer: Layer) -> int:
        """Append a layer and return its number."""
        self.vanishing.append(vanishes(layer, self.vanishing))
        self.layers.append(layer)
        return len(self.layers) - 1

    def layer_of(self, node: OnnxNode, tensor: Tensor) -> int:
        """The number of the layer whose entries are this tensor, added if there is none yet."""
        scale, offset, core = split_affine(tensor.expression)
        if scale == 0.0:
            raise node.refusal("its input does not depend on the image")
        inner = tensor.root if core == X else self._function(tensor.root, core)
        if (scale, offset) == (1.0, 0.0):
            return inner
        channels = self.layers[inner].shape[0]
        return self.affine(inner, np.full(channels, scale), np.full(channels, offset))

    def affine(self, input: int, factor: NDArray[np.float64], offset: NDArray[np.float64]) -> int:
        """The layer factor * input + offset, per channel (channels,)."""
        shape = self.layers[input].shape
        return self.add(Linear(shape, (scaling(input, shape, factor),), offset))

    def fresh(self, node: OnnxNode, layer: Layer, dims: tuple[int, ...] | None = None) -> Tensor:
        """Add a layer; return its tensor with ``dims``, by default its shape. Raises
        Unsupported."""
        if min(layer.shape) < 1 or prod(layer.shape) > MAXIMUM_ENTRIES:
            raise node.refusal(f"its result has the shape {layer.shape}")
        return Tensor(self.add(layer), dims or layer.shape)

    def _function(self, root: int, core: Expression) -> int:
        """The number of a Function layer; a linear map inside becomes a separate layer."""
        if (root, core) in self._functions:
            return self._functions[root, core]
        before, expression = root, core
        if len(core.arguments) == 1:
            scale, offset, inner = split_affine(core.arguments[0])
            if inner == X and scale != 0.0 and core.arguments[0] != X:
                channels = self.layers[root].shape[0]
                before = self.affine(root, np.full(channels, scale), np.full(channels, offset))
                expression = replace(core, arguments=(X,))
        number = self.add(Function(self.layers[before].shape, before, expression))
        self._functions[root, core] = number
        return number
