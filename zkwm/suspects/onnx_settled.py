"""Operators of ONNX that every processor rounds alike (SPEC.md 20.5, item 3).

Runs inside the worker (``zkwm.suspects.onnx_worker``): the file is an adversary's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

OWN_DOMAINS = ("", "ai.onnx")
"""The two names of the domain of ONNX's own operators."""
_SETTLED = frozenset((
    "Abs", "Add", "And", "ArgMax", "ArgMin", "BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr",
    "BitwiseXor", "Cast", "CastLike", "Ceil", "Clip", "Compress", "Concat", "Constant",
    "ConstantOfShape", "ConvInteger", "DepthToSpace", "DequantizeLinear", "Div", "Dropout",
    "DynamicQuantizeLinear", "Equal", "Expand", "EyeLike", "Flatten", "Floor", "Gather",
    "GatherElements", "GatherND", "GlobalMaxPool", "Greater", "GreaterOrEqual", "Identity", "If",
    "IsInf", "IsNaN", "LeakyRelu", "Less", "LessOrEqual", "Loop", "MatMulInteger", "Max", "MaxPool",
    "MaxUnpool", "Min", "Mod", "Mul", "Neg", "NonZero", "Not", "OneHot", "Or", "PRelu", "Pad",
    "QLinearConv", "QLinearMatMul", "QuantizeLinear", "Range", "ReduceMax", "ReduceMin", "Relu",
    "Reshape", "ReverseSequence", "Round", "Scan", "Scatter", "ScatterElements", "ScatterND",
    "Shape", "Sign", "Size", "Slice", "SpaceToDepth", "Split", "Sqrt", "Squeeze", "Sub",
    "ThresholdedRelu", "Tile", "TopK", "Transpose", "Trilu", "Unique", "Unsqueeze", "Where", "Xor",
))  # fmt: skip
"""Operators whose results, or those of each of their steps, IEEE 754 or whole numbers settle."""


def settled(node: onnx.NodeProto) -> bool:
    """Whether no processor can round an operator otherwise.

    What is scattered to one place may be added up, or multiplied, in any order.
    """
    sums = any(one.name == "reduction" and one.s in (b"add", b"mul") for one in node.attribute)
    return node.domain in OWN_DOMAINS and node.op_type in _SETTLED and not sums
