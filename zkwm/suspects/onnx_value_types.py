"""Types, ranks and constant axes of the values of an ONNX file.

Runs inside the worker (``zkwm.suspects.onnx_worker``): the file is an adversary's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import onnx

_MOST_AXES = 16
_SHORT = 1024

Types: TypeAlias = dict[str, tuple[int, int | None]]
"""By the name of a value the number of its element type, 0 where it is not known, and its rank."""


def with_types(model: onnx.ModelProto) -> onnx.ModelProto:
    """The network without functions of its own, the types of its values written down.

    Large weights are taken out meanwhile, whose values no type depends on. Raises what onnx does.
    """
    from onnx import inliner, shape_inference

    weights = {one.name: one.raw_data for one in model.graph.initializer
               if len(one.raw_data) > _SHORT}  # fmt: skip
    for one in model.graph.initializer:
        if one.name in weights:
            one.ClearField("raw_data")
    try:
        typed = inliner.inline_local_functions(model) if model.functions else model
        typed = shape_inference.infer_shapes(typed)
    finally:
        _fill(model, weights)
    _fill(typed, weights)
    return typed


def _fill(model: onnx.ModelProto, weights: dict[str, bytes]) -> None:
    """Put weights back."""
    for one in model.graph.initializer:
        if one.name in weights:
            one.raw_data = weights[one.name]


def types_of(graph: onnx.GraphProto) -> Types:
    """Element type and rank of every value of a graph of which they are known."""
    found: Types = {one.name: (one.data_type, len(one.dims)) for one in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        tensor = value.type.tensor_type
        rank = len(tensor.shape.dim) if tensor.HasField("shape") else None
        if tensor.elem_type:
            found[value.name] = tensor.elem_type, rank
    return found


def axes_of(graph: onnx.GraphProto) -> dict[str, list[int]]:
    """The constants of a graph that can be axes."""
    from onnx import numpy_helper

    tensors = {one.name: one for one in graph.initializer}
    tensors |= {
        node.output[0]: attribute.t
        for node in graph.node if node.op_type == "Constant"
        for attribute in node.attribute if attribute.name == "value"
    }  # fmt: skip
    return {
        name: numpy_helper.to_array(one).reshape(-1).tolist()
        for name, one in tensors.items()
        if one.data_type == one.INT64 and sum(one.dims) <= _MOST_AXES and len(one.dims) < 2
    }
