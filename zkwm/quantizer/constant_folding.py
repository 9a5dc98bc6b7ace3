"""Compute the nodes whose inputs are all constants, in the types of the file.

Exporters spread shapes, weights and factors over many small nodes. Each is evaluated by the
reference implementation of the onnx package, so rounding, overflow and casts are those of the file
and nothing is cut or ignored. Only operators of ``FOLDED`` run, after a check of their size.

What IEEE 754 leaves open is not left to processors and libraries (SPEC.md 16.5): exponentials and
powers are computed in decimals, sums have one order, maxima have no sign of zero.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkwm.quantizer.expressions import X, apply, evaluate, power
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
_OF_FLOATS = ("Sqrt", "Reciprocal", "Exp", "Floor", "Ceil", "ReduceMean")
"""The operators that are computed of floating point numbers only."""
_SUMS = {"ReduceSum": np.add, "ReduceMean": np.add, "ReduceProd": np.multiply}
_SIGN_OF_ZERO = ("Max", "Min", "Clip", "ReduceMax", "ReduceMin", "Floor", "Ceil")
"""The operators whose zeros have a sign that depends on the processor."""
_LEVELS = ("QuantizeLinear", "DequantizeLinear")
_FIRST_AXIS, _FIRST_REFERENCE = 13, 19
_EXACT_POWERS = (-1.0, 0.5, 1.0, 2.0)
_MOST_LEVELS, _MOST_HALF_LEVELS = 2.0**30, 2.0**15
"""Quotients of a QuantizeLinear: larger ones do not fit int32, or float16."""


def fold(node: OnnxNode, inputs: list[Array | None], opset: int) -> Array:
    """The only output of a node of constants, in its ONNX type.

    Raises Unsupported, naming the node, for operators that are not in ``FOLDED``, results above
    2^24 entries, casts and divisions whose result depends on the machine, and NaN.
    """
    _require_size(node, inputs)
    floats = bool(inputs) and inputs[0] is not None and inputs[0].dtype.kind == "f"
    if node.operator in _OF_FLOATS and not floats:
        raise node.refusal("it is computed of floating point numbers only")
    with np.errstate(all="ignore"):
        if node.operator == "Constant":
            result = _constant(node)
        elif node.operator == "Cast":
            result = _cast(node, inputs)
        elif node.operator == "Exp":
            result = _exponential(inputs)
        elif node.operator == "Pow":
            result = _power(node, inputs)
        elif node.operator in _SUMS and floats:
            result = _in_order(node, inputs)
        else:
            result = _reference(node, inputs, opset)
    if result.dtype not in _TYPES.values():
        raise node.refusal("a constant of a type that is not read")
    if node.operator in _SIGN_OF_ZERO and result.dtype.kind == "f":
        result = np.asarray(result + result.dtype.type(0))
    if result.dtype.kind == "f" and np.isnan(result).any():
        raise node.refusal("its result holds NaN")
    return result


def decimals(node: OnnxNode, inputs: list[Array | None]) -> int:
    """How many entries of the result are computed in decimals, which costs time.

    Raises Unsupported as ``fold`` does for results that are too large.
    """
    size = _require_size(node, inputs)
    if node.operator == "Pow":
        base, exponent = (np.asarray(value) for value in inputs)
        return size if base.dtype.kind == "f" and _exact_power(exponent) is None else 0
    return size if node.operator == "Exp" else 0


def _require_size(node: OnnxNode, inputs: list[Array | None]) -> int:
    """At most as many entries the result has. Raises Unsupported for another operator or more."""
    if node.operator not in FOLDED:
        raise node.refusal("this operation on constants is not computed")
    if any(node.outputs[1:]):
        raise node.refusal("only its first output is read")
    size = _size(node, inputs)
    if size > MAXIMUM_ENTRIES:
        raise node.refusal(f"a constant of more than {MAXIMUM_ENTRIES:,} entries")
    return size


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
    if np.dtype(target).kind in "iu" and values.dtype.kind == "f":
        whole, limits = np.trunc(values.astype(np.float64)), np.iinfo(target)
        if not ((whole >= float(limits.min)) & (whole < float(limits.max + 1))).all():
            raise node.refusal("a cast of numbers that the integers do not hold")
    return result


def _exponential(inputs: list[Array | None]) -> Array:
    """Exp in decimals, rounded to double precision and that to the type."""
    values = np.asarray(inputs[0])
    found = evaluate(apply("exp", X), values.astype(np.float64).reshape(-1))
    return found.reshape(values.shape).astype(values.dtype)


def _exact_power(exponent: Array) -> float | None:
    """The one exponent for which a power is one operation of IEEE 754, None for others."""
    value = float(exponent.reshape(-1)[0]) if exponent.size == 1 else None
    return value if value in _EXACT_POWERS else None


def _power(node: OnnxNode, inputs: list[Array | None]) -> Array:
    """Pow in the type of its base. Raises Unsupported for integers with others than 0 to 63."""
    base, exponent = (np.asarray(value) for value in inputs)
    result: Array
    if base.dtype.kind != "f":
        if exponent.dtype.kind not in "iu" or not ((exponent >= 0) & (exponent < 64)).all():
            raise node.refusal("a power of integers whose exponent is no integer from 0 to 63")
        result = np.power(base, exponent.astype(base.dtype))
        return np.asarray(result)
    shape = np.broadcast_shapes(base.shape, exponent.shape)
    exact = _exact_power(exponent)
    if exact is not None:
        same = np.broadcast_to(base, shape)
        if exact == 2.0:
            result = same * same
        elif exact == 1.0:
            result = same.copy()
        else:
            result = np.sqrt(same + base.dtype.type(0)) if exact == 0.5 else 1 / same
        return np.asarray(result, base.dtype)
    pairs = (np.broadcast_to(v, shape).reshape(-1).astype(np.float64) for v in (base, exponent))
    return power(*pairs).reshape(shape).astype(base.dtype)


def _in_order(node: OnnxNode, inputs: list[Array | None]) -> Array:
    """ReduceSum, ReduceMean or ReduceProd of floats: in double precision, one after the other.

    In C order of the axes that are reduced, rounded to the type at the end.
    """
    data = np.asarray(inputs[0])
    given = inputs[1] if len(inputs) > 1 else node.attributes.get("axes")
    axes = [] if given is None else np.asarray(given, np.int64).reshape(-1).tolist()
    if not axes and node.attributes.get("noop_with_empty_axes", 0):
        return data
    if not all(-data.ndim <= axis < data.ndim for axis in axes):
        raise node.refusal("its constants do not fit the operation")
    reduced = sorted({axis % data.ndim for axis in axes}) if axes else list(range(data.ndim))
    kept = [axis for axis in range(data.ndim) if axis not in reduced]
    count = prod(data.shape[axis] for axis in reduced)
    if len(axes) not in (0, len(reduced)) or not count:
        raise node.refusal("its constants do not fit the operation")
    rows = data.transpose(*kept, *reduced).reshape(*(data.shape[axis] for axis in kept), count)
    result = _SUMS[node.operator].accumulate(rows, axis=-1, dtype=np.float64)[..., -1]
    if node.operator == "ReduceMean":
        result = result / float(count)
    if node.attributes.get("keepdims", 1):
        result = np.expand_dims(result, tuple(reduced))
    return np.asarray(result, data.dtype)


def _require_levels(node: OnnxNode, inputs: list[Array | None], opset: int) -> int:
    """The opset to compute a QuantizeLinear or DequantizeLinear in: onnx has none before 19.

    Raises Unsupported for several scales before opset 13, which has the attribute ``axis`` first,
    and where a quotient is too large for the integers in between.
    """
    values, scale = (np.asarray(value, np.float64) for value in inputs[:2])
    if opset < _FIRST_AXIS and scale.size != 1:
        raise node.refusal(f"opset {opset} knows one scale only")
    opset = max(opset, _FIRST_REFERENCE)
    if node.operator == "DequantizeLinear":
        return opset
    least = np.abs(scale).min(initial=np.inf)
    half = any(np.asarray(value).dtype == np.float16 for value in inputs[:2])
    most = (_MOST_HALF_LEVELS if half else _MOST_LEVELS) * least
    if node.attributes.get("precision", 0) or not np.abs(values).max(initial=0.0) < most:
        raise node.refusal("it rounds in another precision, or numbers far beyond its scale")
    return opset


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
    if node.operator in _LEVELS:
        opset = _require_levels(node, inputs, opset)
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
