"""Types, ranks and constant axes of the values of an ONNX file.

Runs inside the worker (``zkwm.suspects.onnx_worker``): the file is an adversary's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import onnx

_MOST_AXES = 16
_SHORT = 1024
_OPERATORS = ("ai.onnx", "com.microsoft", "com.ms.")
"""How the domains begin whose operators ONNX Runtime has itself; another is empty."""

Dimensions: TypeAlias = tuple[int, ...]
"""Of a value whose rank is known; 0 where a size is not."""
Types: TypeAlias = dict[str, tuple[int, Dimensions | None]]
"""By the name of a value the number of its element type, 0 where it is not known, and its sizes."""


def with_types(model: onnx.ModelProto) -> onnx.ModelProto:
    """The network without functions of its own, the types of its values written down.

    Functions stay that are not plain (``_plain``) or of another version. Ranks that the file states
    are not taken: ONNX Runtime runs a file that states others than its values have. Large weights
    are taken out meanwhile, whose values no type depends on. Raises what onnx does, and ``model``
    is then as it was.
    """
    import onnx
    from onnx import inliner, shape_inference

    weights = {one.name: one.raw_data for one in model.graph.initializer
               if len(one.raw_data) > _SHORT and one.data_type != one.INT64}  # fmt: skip
    for one in model.graph.initializer:
        if one.name in weights:
            one.ClearField("raw_data")
    try:
        typed = onnx.ModelProto()
        inlined = model.functions and _plain(model.functions)
        typed.CopyFrom(inliner.inline_local_functions(model) if inlined else model)
        stated = _take_stated(typed)
        typed = shape_inference.infer_shapes(typed)
        _put_back(typed, stated)
    finally:
        _fill(model, weights)
    _fill(typed, weights)
    return typed


def _plain(functions: Iterable[onnx.FunctionProto]) -> bool:
    """Whether onnx puts in the functions that ONNX Runtime runs.

    It leaves out what an attribute is where nobody gives it, and takes a function for an operator
    of the same name, which ONNX Runtime prefers.
    """
    return not any(
        one.attribute_proto or not one.domain or one.domain.startswith(_OPERATORS)
        for one in functions
    )


def _fill(model: onnx.ModelProto, weights: dict[str, bytes]) -> None:
    """Put weights back."""
    for one in model.graph.initializer:
        if one.name in weights:
            one.raw_data = weights[one.name]


def all_graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """Yield a graph and those inside of it, however nested."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            own = [attribute.g] if attribute.HasField("g") else []
            for inner in (*own, *attribute.graphs):
                yield from all_graphs(inner)


def _take_stated(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """Take out the sizes that a file states, but for those of its input, which are asked.

    Inputs and outputs of all graphs are returned as they were. Weights that are inputs, too, have
    their own sizes.
    """
    import onnx

    weights = {one.name: one.dims for one in model.graph.initializer}
    stated = []
    for graph in all_graphs(model.graph):
        del graph.value_info[:]
        for value in _ends(graph):
            before = onnx.ValueInfoProto()
            before.CopyFrom(value)
            stated.append(before)
            if value.type.HasField("tensor_type"):
                value.type.tensor_type.ClearField("shape")
    for value, before in zip(model.graph.input, stated, strict=False):
        if value.name not in weights:
            value.CopyFrom(before)
            continue
        for size in weights[value.name]:
            value.type.tensor_type.shape.dim.add(dim_value=size)
    return stated


def _put_back(model: onnx.ModelProto, stated: list[onnx.ValueInfoProto]) -> None:
    """State again what ONNX Runtime needs in loops; what was inferred stands beside it."""
    before = iter(stated)
    for graph in all_graphs(model.graph):
        graph.value_info.extend(_ends(graph))
        for value in _ends(graph):
            value.CopyFrom(next(before))


def _ends(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """Inputs and outputs of a graph."""
    return [*graph.input, *graph.output]


def types_of(graph: onnx.GraphProto) -> Types:
    """Element type and sizes of every value of a graph of which they are known.

    ``graph`` is of a network ``with_types``.
    """
    found: Types = {}
    for value in graph.value_info:
        tensor = value.type.tensor_type
        sizes = tuple(max(one.dim_value, 0) for one in tensor.shape.dim)
        if tensor.elem_type:
            found[value.name] = tensor.elem_type, sizes if tensor.HasField("shape") else None
    return found | {one.name: (one.data_type, tuple(one.dims)) for one in graph.initializer}


def weights_of(graph: onnx.GraphProto, *, inner: bool) -> dict[str, Dimensions]:
    """The sizes of the weights of a graph; none under a name that a node has, too.

    An older file names weights as inputs, too, which nobody gives; in an inner graph these change.
    """
    twice = {name for node in graph.node for name in node.output}
    twice |= {value.name for value in graph.input if inner}
    return {one.name: tuple(one.dims) for one in graph.initializer if one.name not in twice}


def axes_of(graph: onnx.GraphProto) -> dict[str, list[int]]:
    """The constants of a graph that can be axes; none under a name that two things have."""
    from onnx import numpy_helper

    tensors = {one.name: one for one in graph.initializer}
    twice = {value.name for value in graph.input}
    twice |= {name for node in graph.node for name in node.output if name in tensors}
    tensors |= {
        node.output[0]: attribute.t
        for node in graph.node if node.op_type == "Constant"
        for attribute in node.attribute if attribute.name == "value"
    }  # fmt: skip
    return {
        name: numpy_helper.to_array(one).reshape(-1).tolist()
        for name, one in tensors.items()
        if name not in twice
        and one.data_type == one.INT64
        and sum(one.dims) <= _MOST_AXES
        and len(one.dims) < 2
    }
