"""Translate QuantizeLinear and DequantizeLinear of computed tensors: int8 graphs (SPEC.md 16.5).

A quantized number stands for scale * (level - zero). Between the two operators it is an integer,
which only a DequantizeLinear of the same scale and zero may read, so that both together are one
function of a real number: it rounds to a multiple of the scale, and clips.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from zkwm.quantizer.expressions import X, apply
from zkwm.quantizer.layers import Function, Maxima, Reshaped
from zkwm.quantizer.onnx_file import OnnxNode
from zkwm.quantizer.translation import Grid, Tensor, Translation, Value

_TYPES = {2: "uint8", 3: "int8", 4: "uint16", 5: "int16"}


def quantize(translation: Translation, node: OnnxNode) -> Value:
    """QuantizeLinear with one scale to 8 or 16 bits, where a DequantizeLinear reads the result.

    Raises Unsupported for other forms.
    """
    if node.attributes.get("precision", 0) not in (0, 1) or node.attributes.get("block_size", 0):
        raise node.refusal("it rounds in another precision than float32, or in blocks")
    tensor, grid = translation.tensor(node), _grid(translation, node)
    limits = np.iinfo(grid.kind)
    low, high = float(limits.min - grid.zero), float(limits.max - grid.zero)
    before = _rounding(translation, tensor)
    if before and before[0] == grid.scale and low <= before[1] <= before[2] <= high:
        return replace(tensor, grid=grid)  # rounded to these levels already
    inner = tensor.expression
    if inner.kind == "relu":  # 0 is a multiple of the scale: rounding first changes nothing
        inner, low = inner.arguments[0], 0.0
    if inner.kind == "rounded" and inner.parameters[0] == grid.scale:
        low, high = max(low, inner.parameters[1]), min(high, inner.parameters[2])
        inner = inner.arguments[0]
    expression = apply("rounded", inner, parameters=(grid.scale, low, high))
    return replace(tensor, expression=expression, grid=grid)


def dequantize(translation: Translation, node: OnnxNode) -> Value:
    """DequantizeLinear of what a QuantizeLinear of the same scale and zero gives.

    Raises Unsupported for another reader, scale or zero.
    """
    tensor = translation.tensor(node)
    if tensor.grid != _grid(translation, node):
        raise node.refusal("it reads numbers that were not quantized with its scale and zero")
    return replace(tensor, grid=None)


def _grid(translation: Translation, node: OnnxNode) -> Grid:
    """Scale, zero and type of a node. Raises Unsupported for others than the ones above."""
    stored = translation.stored(node, 1)
    if not isinstance(stored, np.ndarray) or stored.dtype != np.float32:
        raise node.refusal("its scale is not a constant of float32")
    scale = translation.number(node, 1)
    if scale <= 0:
        raise node.refusal("its scale is not positive")
    zero = translation.stored(node, 2)
    if zero is None:
        kind = _TYPES.get(node.attributes.get("output_dtype", 0) or 2)
        if node.operator == "DequantizeLinear":
            kind = getattr(translation.tensor(node).grid, "kind", None)
        value = 0
    else:
        kind = zero.dtype.name if isinstance(zero, np.ndarray) else None
        value = int(translation.number(node, 2))
    if kind not in _TYPES.values():
        raise node.refusal("it quantizes to something other than integers of 8 or 16 bits")
    return Grid(scale, value, str(kind))


def _rounding(translation: Translation, tensor: Tensor) -> tuple[float, ...] | None:
    """The parameters of the function ``rounded`` that gave all entries, None without.

    Maxima and reshapes of rounded entries are rounded, and an exporter quantizes those again.
    """
    expression, root = tensor.expression, tensor.root
    while expression == X:
        layer = translation.layers[root]
        if isinstance(layer, Function):
            expression = layer.expression
        elif isinstance(layer, Maxima | Reshaped):
            root = layer.input
        else:
            return None
    return expression.parameters if expression.kind == "rounded" else None
