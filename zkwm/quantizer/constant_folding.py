"""Compute the nodes whose inputs are all constants, in the types of the file.

Exporters spread shapes, weights and factors over many small nodes. Each is evaluated by the
reference implementation of the onnx package, so rounding, overflow and casts are those of the file
and nothing is cut or ignored. Only operators of ``FOLDED`` run, after a check of their size.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkwm.quantizer.onnx_file import OnnxNode

MAXIMUM_ENTRIES = 1 << 24

Array = NDArray[Any]

_BROADCAST = ("Add", "Sub", "Mul", "Div", "Pow", "Min", "Max", "Sum", "Where", "Equal", "Less",
              "Greater", "And", "Or", "Not", "Neg", "Abs", "Sqrt", "Reciprocal", "Exp", "Floor",
              "Ceil", "Clip", "Identity")  # fmt: skip
_MOVES = ("Concat", "Gather", "Slice", "Squeeze", "Unsqueeze", "Reshape", "Flatten", "Transpose",
          "Shape", "Size", "ReduceProd", "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin",
          "QuantizeLinear", "DequantizeLinear")  # fmt: skip
_MAKERS = ("Constant", "ConstantOfShape", "Expand", "Cast")
FOLDED = (*_BROADCAST, *_MOVES, *_MAKERS)
"""The operators that are computed where all their inputs are constants."""
_TYPES = {1: np.float32, 2: np.uint8, 3: np.int8, 4: np.uint16, 5: np.int16, 6: np.int32,
          7: np.int64, 9: np.bool_, 10: np.float16, 11: np.float64, 12: np.uint32,
          13: np.uint64}  # fmt: skip


def fold(node: OnnxNode, inputs: list[Array | None], opset: int) -> Array:
    """The only output of a node of constants, in its ONNX type.

    Raises Unsupported, naming the node, for operators that are not in ``FOLDED``, results above
    2^24 entries, casts and divisions whose result depends on the machine, and NaN.
    """
    if node.operator not in FOLDED:
        raise node.refusal("this operation on constants is not computed")
    if any(node.outputs[1:]):
        raise node.refusal("only its first output is read")
    if _size(node, inputs) > MAXIMUM_ENTRIES:
        raise node.refusal(f"a constant of more than {MAXIMUM_ENTRIES:,} entries")
    with np.errstate(all="ignore"):
        if node.operator == "Constant":
            result = _constant(node)
        elif node.operator == "Cast":
            result = _cast(node, inputs)
        else:
            result = _reference(node, inputs, opset)
    if result.dtype.kind not in "biuf":
        raise node.refusal("a constant of a type that is not read")
    if result.dtype.kind == "f" and np.isnan(result).any():
        raise node.refusal("its result holds NaN")
    return result


def _size(node: OnnxNode, inputs: list[Array | None]) -> int:
    """At most as many entries the result has. Raises Unsupported for shapes that do not fit."""
    arrays = [array for array in inputs if array is not None]
    try:
        if node.operator in ("ConstantOfShape", "Expand"):
            sizes = [int(size) for size in arrays[-1].reshape(-1)]
            if min(sizes, default=1) < 0:
                raise node.refusal("it makes a constant of a negative size")
            return prod(sizes) * (arrays[0].size if node.operator == "Expand" else 1)
        if node.operator == "Gather":
            return arrays[0].size * max(1, arrays[1].size)
        if node.operator in _BROADCAST:
            return prod(np.broadcast_shapes(*(array.shape for array in arrays)))
    except (ValueError, IndexError):
        raise node.refusal("its constants do not fit each other") from None
    return sum(array.size for array in arrays)


def _constant(node: OnnxNode) -> Array:
    """The value of a Constant."""
    kinds = {"value": None, "value_float": np.float32, "value_floats": np.float32,
             "value_int": np.int64, "value_ints": np.int64}  # fmt: skip
    given = [name for name in node.attributes if name in kinds]
    if len(given) != 1 or len(node.attributes) != 1:
        raise node.refusal("a constant of a kind that is not read")
    return np.asarray(node.attributes[given[0]], kinds[given[0]])


def _cast(node: OnnxNode, inputs: list[Array | None]) -> Array:
    """Cast between the types of numpy. Raises Unsupported where machines differ."""
    values, target = inputs[0], _TYPES.get(node.attributes["to"])
    if values is None or target is None:
        raise node.refusal("a cast to a type that is not read")
    result: Array = values.astype(target)
    whole = np.dtype(target).kind in "iu"
    if whole and values.dtype.kind == "f" and not np.array_equal(result, np.trunc(values)):
        raise node.refusal("a cast of numbers that the integers do not hold")
    return result


def _reference(node: OnnxNode, inputs: list[Array | None], opset: int) -> Array:
    """The result of onnx's reference implementation. Raises Unsupported where it fails."""
    from onnx import TensorProto, helper, numpy_helper
    from onnx.reference import ReferenceEvaluator

    arrays = [array for array in inputs if array is not None]
    if (
        node.operator == "Div"
        and any(array.dtype.kind in "iu" for array in arrays)
        and not (all((array >= 0).all() for array in arrays) and arrays[-1].all())
    ):
        raise node.refusal("a division of integers by zero or of negative ones")
    names = [f"i{k}" if array is not None else "" for k, array in enumerate(inputs)]
    attributes = {
        name: numpy_helper.from_array(value) if isinstance(value, np.ndarray) else value
        for name, value in node.attributes.items()
        if not (isinstance(value, list) and not value)
    }
    try:
        made = helper.make_node(node.operator, names, ["o"], **attributes)
        values = {name: array for name, array in zip(names, inputs, strict=True) if name}
        graph = helper.make_graph(
            [made],
            "constant",
            [
                helper.make_tensor_value_info(
                    name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
                )
                for name, array in values.items()
                if array is not None
            ],
            [helper.make_tensor_value_info("o", TensorProto.UNDEFINED, None)],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
        (result,) = ReferenceEvaluator(model).run(None, values)
        return np.asarray(result)
    except Exception:  # the reference raises whatever numpy does
        raise node.refusal("its constants do not fit the operation") from None
