"""Read an ONNX file as plain data: typed nodes in order, constants, one input, the scores.

Only the protobuf is parsed; nothing of the file runs. Whatever two readers could read in two ways
is refused: names given twice, nodes out of order, attributes that the schema does not know.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from zkwm.files import read_limited
from zkwm.quantizer.onnx_schema import (
    SchemaFault,
    array_of,
    attributes_of,
    integer_inputs,
    is_onnx,
    opset_of,
)
from zkwm.quantizer.quantized import FILE_LIMIT, HINT
from zkwm.suspects.foreign_text import printable
from zkwm_protocols.errors import Malformed, Unsupported

if TYPE_CHECKING:
    import onnx

MAXIMUM_NODES = 10_000
MOST_WEIGHTS = 1 << 27
"""Weights that nodes read; all are widened to 8 bytes."""
INPUT_TYPES = {1: "float32", 11: "float64", 2: "uint8"}
"""Types of the input by their number in ONNX; others, as float16, are computed with otherwise."""


@dataclass(frozen=True)
class OnnxNode:
    """One operation.

    Attributes:
        name: the node's name, or its first output's.
        operator: the ONNX operator.
        inputs: names of its inputs, "" where an optional one is left out.
        outputs: names of its outputs.
        attributes: typed by the operator's schema, with its defaults: int, float, bytes, lists of
            these, or arrays.
        fault: why the node is not one of its schema; empty where it is.
        integer_inputs: the numbers of the inputs that are integers by the schema.
    """

    name: str
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    fault: str = ""
    integer_inputs: frozenset[int] = frozenset()

    def refusal(self, reason: str) -> Unsupported:
        """The error (check ``network.unsupported``) for a node without an integer counterpart."""
        return Unsupported(
            f"node {printable(self.name, 100)!r} ({printable(self.operator, 50)}): {reason}",
            hint=HINT,
            check="network.unsupported",
        )


@dataclass(frozen=True)
class OnnxGraph:
    """The graph of a classifier.

    Attributes:
        nodes: those on the way to the scores, in topological order.
        constants: arrays by name, in the file's own types.
        input: the name of the input.
        dims: the dimensions of the input, None where they are open.
        output: the name of the scores.
        opset: the version of ONNX's operators.
        input_type: ``float32``, ``float64`` or ``uint8``.
    """

    nodes: tuple[OnnxNode, ...]
    constants: dict[str, NDArray[Any]]
    input: str
    dims: tuple[int | None, ...]
    output: str
    opset: int
    input_type: str = field(default="float32")


def parse_onnx(data: bytes) -> onnx.ModelProto:
    """The protobuf of an ONNX file with at least one operation. Raises Malformed."""
    import onnx

    try:
        model = onnx.load_model_from_string(data)
    except Exception:  # protobuf's errors are an open list
        raise Malformed("this is not an ONNX file") from None
    if not model.graph.node:
        raise Malformed("this is not an ONNX file, or it has no operation")
    return model


def read_onnx(path_or_bytes: str | Path | bytes, output: str = "") -> OnnxGraph:
    """Read an ONNX file of at most 512 MiB; ``output`` names its scores, empty for the only one.

    Raises CouldNotCheck or Malformed for any other file, Unsupported for external data and for
    files with more than one input, or without that one output.
    """
    data = path_or_bytes
    if not isinstance(data, bytes):
        data = read_limited(data, FILE_LIMIT)
    if len(data) > FILE_LIMIT:
        raise Malformed(f"an ONNX file of more than {FILE_LIMIT} bytes")
    model = parse_onnx(data)
    graph = model.graph
    if len(graph.node) > MAXIMUM_NODES:
        raise Unsupported(f"more than {MAXIMUM_NODES} nodes", hint=HINT)
    _require_text(model)
    opset = opset_of(model)
    _require_single_names(graph)
    names = {tensor.name for tensor in graph.initializer}
    inputs = [item for item in graph.input if item.name not in names]
    if len(inputs) != 1:
        raise Unsupported(f"the model has {len(inputs)} inputs, not one", hint=HINT)
    input_type = INPUT_TYPES.get(inputs[0].type.tensor_type.elem_type)
    if input_type is None:
        raise Unsupported(
            f"the model's input is of a type that is not read; it can be {', '.join(_types())}",
            hint=HINT,
        )
    defined = {(function.domain, function.name) for function in model.functions}
    known = {"", inputs[0].name, *names}
    nodes = []
    for node in graph.node:
        nodes.append(_node(node, opset, defined, known))
        known.update(node.output)
    scores = _scores([item.name for item in graph.output], output)
    needed = _needed(nodes, scores)
    return OnnxGraph(
        nodes=needed,
        constants=_constants(graph, {scores, *(name for node in needed for name in node.inputs)}),
        input=inputs[0].name,
        dims=_dims(inputs[0]),
        output=scores,
        opset=opset,
        input_type=input_type,
    )


def _types() -> list[str]:
    """The types that an input may have."""
    return list(INPUT_TYPES.values())


def _require_text(model: onnx.ModelProto) -> None:
    """Raise Malformed where a name is not UTF-8: protobuf hands such names out as bytes."""
    graph = model.graph
    names = [
        *(name for node in graph.node for name in (*node.input, *node.output)),
        *(name for node in graph.node for name in (node.name, node.op_type, node.domain)),
        *(item.name for node in graph.node for item in node.attribute),
        *(item.name for item in (*graph.initializer, *graph.input, *graph.output)),
        *(item.domain for item in model.opset_import),
        *(name for function in model.functions for name in (function.domain, function.name)),
    ]
    if not all(isinstance(name, str) for name in names):
        raise Malformed(
            "a name in the ONNX file is not UTF-8",
            hint="export the model again; ONNX demands names in UTF-8",
        )


def _require_single_names(graph: onnx.GraphProto) -> None:
    """Raise Malformed where two things have one name: readers differ in which of them counts."""
    if graph.sparse_initializer:
        raise Unsupported("constants that are stored as sparse tensors", hint=HINT)
    initializers = [tensor.name for tensor in graph.initializer]
    seen: set[str] = set()
    for name in [
        *initializers,
        *(item.name for item in graph.input if item.name not in set(initializers)),
        *(name for node in graph.node for name in node.output if name),
    ]:
        if name in seen:
            raise Malformed(
                f"the name {printable(name, 100)!r} is given to two values of the graph",
                hint="export the model again; the ONNX checker refuses this file, too",
            )
        seen.add(name)


def _needed(nodes: list[OnnxNode], output: str) -> tuple[OnnxNode, ...]:
    """The nodes on the way to the scores, in the file's order."""
    needed, kept = {output}, []
    for node in reversed(nodes):
        if needed & set(node.outputs):
            needed |= set(node.inputs)
            kept.append(node)
    return tuple(kept[::-1])


def _constants(graph: onnx.GraphProto, read: set[str]) -> dict[str, NDArray[Any]]:
    """The weights among the names ``read``. Raises Unsupported for too many."""
    tensors = [tensor for tensor in graph.initializer if tensor.name in read]
    # A damaged tensor may declare any size: it holds at most two numbers (int4) in each byte.
    counts = (min(abs(prod(tensor.dims)), 2 * tensor.ByteSize()) for tensor in tensors)
    if sum(counts) > MOST_WEIGHTS:
        raise Unsupported(f"more than {MOST_WEIGHTS:,} weights", hint=HINT)
    return {tensor.name: array_of(tensor) for tensor in tensors}


def _scores(names: list[str], wanted: str) -> str:
    """The output ``wanted``, or the only one: the rule of SPEC.md 4.3 for the suspect itself."""
    if wanted and wanted not in names:
        raise Unsupported(f"the model has no output {printable(wanted, 100)!r}", hint=HINT)
    if not wanted and len(names) != 1:
        raise Unsupported(
            f"the model has {len(names)} outputs, not one", hint="name one (`output`)"
        )
    return wanted or str(names[0])


def _dims(item: onnx.ValueInfoProto) -> tuple[int | None, ...]:
    """The declared dimensions, None where they are open."""
    return tuple(
        int(size.dim_value) if size.dim_value > 0 else None
        for size in item.type.tensor_type.shape.dim
    )


def _node(
    node: onnx.NodeProto, opset: int, defined: set[tuple[str, str]], known: set[str]
) -> OnnxNode:
    """A node as plain data, with a ``fault`` where it is not one of ONNX's own or of its schema."""
    attributes: dict[str, Any] = {}
    fault, integers = "", frozenset[int]()
    if not is_onnx(node.domain) or (node.domain, node.op_type) in defined:
        fault = f"it is not of ONNX itself but of {printable(node.domain, 50)!r}"
    elif not known.issuperset(node.input):
        fault = "it reads a name that no earlier node outputs"
    else:
        try:
            attributes = dict(attributes_of(node, opset))
            integers = integer_inputs(node.op_type, opset)
        except SchemaFault as error:
            fault = str(error)
    return OnnxNode(
        name=node.name or (node.output[0] if node.output else ""),
        operator=node.op_type,
        inputs=tuple(node.input),
        outputs=tuple(node.output),
        attributes=attributes,
        fault=fault,
        integer_inputs=integers,
    )
