"""What an ONNX file holds besides its shape: weights in other files, operators that draw at random.

Runs inside the worker (``zkwm.suspects.onnx_worker``): the file is an adversary's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

_RANDOM = frozenset(
    ("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform",
     "RandomUniformLike")
)  # fmt: skip
_BUFFER = 1 << 31


class RefusedError(Exception):
    """The model, or its answer, cannot be used; the text says why, ``hint`` what helps."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.hint = hint


def external_files(model: onnx.ModelProto) -> list[str]:
    """The names of the files that hold weights of the model, ascending; none for a whole file."""
    return sorted({_fields(tensor).get("location", "") for tensor in all_tensors(model)
                   if _is_external(tensor)})  # fmt: skip


def merge(model: onnx.ModelProto, files: Mapping[str, bytes]) -> None:
    """Put the weights that lie in ``files`` into the model. Raises RefusedError."""
    for tensor in all_tensors(model):
        if not _is_external(tensor):
            continue
        fields = _fields(tensor)
        data = files[fields.get("location", "")]
        try:
            start = int(fields.get("offset", "0"))
            size = int(fields.get("length", str(len(data) - start)))
        except ValueError:
            raise RefusedError("it says no place in its files of weights") from None
        if not 0 <= start <= start + size <= len(data):
            raise RefusedError(
                "its weights lie beyond the end of their file",
                "get the model and its files of weights again, of one and the same export",
            )
        tensor.ClearField("external_data")
        tensor.ClearField("data_location")
        tensor.raw_data = data[start : start + size]
    if model.ByteSize() >= _BUFFER:
        raise RefusedError("with its files of weights it has more than 2 GiB")


def require_deterministic(model: onnx.ModelProto) -> None:
    """Raise RefusedError, naming the node, where the model draws its answers at random."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in all_nodes(model):
        if node.op_type in _RANDOM or _drops(node, constants):
            raise RefusedError(
                f"its node {node.name or ''.join(node.output[:1])!r} ({node.op_type}) draws at "
                "random, so that it has no answer that could be checked again",
                "get the model as it is used for inference, or ask the service that runs it",
            )


def _drops(node: onnx.NodeProto, constants: Mapping[str, onnx.TensorProto]) -> bool:
    """Whether a Dropout may run in training mode: its third input is not a constant ``false``."""
    if node.op_type != "Dropout" or len(node.input) < 3 or not node.input[2]:
        return False
    mode = constants.get(node.input[2])
    return mode is None or any(mode.raw_data) or any(mode.int32_data)


def all_nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """Yield every node of the file, in graphs and functions, however nested."""
    yield from _nested(model.graph.node)
    for function in model.functions:
        yield from _nested(function.node)


def _nested(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """Yield the nodes, and those of graphs inside them."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                yield from _nested(graph.node)


def all_tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Yield every tensor of the file, in graphs, functions and attributes, however nested."""
    yield from _graph_tensors(model.graph)
    for training in model.training_info:
        yield from _graph_tensors(training.initialization)
        yield from _graph_tensors(training.algorithm)
    for function in model.functions:
        yield from _attribute_tensors(function.attribute_proto)
        for node in function.node:
            yield from _attribute_tensors(node.attribute)


def _graph_tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Yield the tensors of a graph."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        yield from _attribute_tensors(node.attribute)


def _attribute_tensors(attributes: Iterable[onnx.AttributeProto]) -> Iterator[onnx.TensorProto]:
    """Yield the tensors of attributes, and of graphs inside them."""
    for attribute in attributes:
        yield attribute.t
        yield from attribute.tensors
        for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
            yield from (sparse.values, sparse.indices)
        for graph in (attribute.g, *attribute.graphs):
            yield from _graph_tensors(graph)


def _fields(tensor: onnx.TensorProto) -> dict[str, str]:
    """Where the data of an external tensor lie: location, offset, length."""
    return {entry.key: entry.value for entry in tensor.external_data}


def _is_external(tensor: onnx.TensorProto) -> bool:
    """Whether a tensor's data lie outside the file."""
    return bool(tensor.data_location == tensor.EXTERNAL or tensor.external_data)
