"""Read an ONNX file as plain data: nodes in order, constants as arrays, one input, the scores.

Only the protobuf is parsed; nothing of the file runs. External data, several inputs, functions
defined in the file, and everything above a limit are refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zkwm.files import read_limited
from zkwm.suspects.suspect import printable
from zkwm_protocols.errors import Malformed, Unsupported

if TYPE_CHECKING:
    import onnx

FILE_LIMIT = 1 << 29
MAXIMUM_NODES = 10_000
HINT = "open triggers instead: zkwm challenge --reveal queries the model itself, whatever it is"


@dataclass(frozen=True)
class OnnxNode:
    """One operation.

    Attributes:
        name: the node's name, or its first output's.
        operator: the ONNX operator.
        inputs: names of its inputs, "" where an optional one is left out.
        outputs: names of its outputs.
        attributes: int, float, bytes, lists of int or float, or arrays; None for other kinds.
    """

    name: str
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]

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
        nodes: in topological order.
        constants: arrays by name, float64 or int64.
        input: the name of the input.
        dims: the dimensions of the input, None where they are open.
        output: the name of the scores.
    """

    nodes: tuple[OnnxNode, ...]
    constants: dict[str, NDArray[Any]]
    input: str
    dims: tuple[int | None, ...]
    output: str


def read_onnx(path_or_bytes: str | Path | bytes) -> OnnxGraph:
    """Read an ONNX file of at most 512 MiB.

    Raises CouldNotCheck or Malformed for any other file, Unsupported for external data and for
    files with more than one input or matrix of scores.
    """
    import onnx

    data = path_or_bytes
    if not isinstance(data, bytes):
        data = read_limited(data, FILE_LIMIT)
    if len(data) > FILE_LIMIT:
        raise Malformed(f"an ONNX file of more than {FILE_LIMIT} bytes")
    try:
        model = onnx.load_model_from_string(data)
    except Exception:  # protobuf's errors are an open list
        raise Malformed("this is not an ONNX file") from None
    graph = model.graph
    if not graph.node:
        raise Malformed("this is not an ONNX file, or it has no operation")
    if len(graph.node) > MAXIMUM_NODES:
        raise Unsupported(f"more than {MAXIMUM_NODES} nodes", hint=HINT)
    defined = {(function.domain, function.name) for function in model.functions}
    constants = {tensor.name: _array(tensor) for tensor in graph.initializer}
    nodes = tuple(_node(node, defined) for node in graph.node)
    inputs = [item for item in graph.input if item.name not in constants]
    if len(inputs) != 1:
        raise Unsupported(f"the model has {len(inputs)} inputs, not one", hint=HINT)
    return OnnxGraph(
        nodes=nodes,
        constants=constants,
        input=inputs[0].name,
        dims=_dims(inputs[0]),
        output=_scores(list(graph.output)),
    )


def _scores(outputs: list[onnx.ValueInfoProto]) -> str:
    """The only output, by the rule of SPEC.md 4.3 that holds for the suspect itself."""
    if len(outputs) != 1:
        raise Unsupported(f"the model has {len(outputs)} outputs, not one", hint=HINT)
    return str(outputs[0].name)


def _dims(item: onnx.ValueInfoProto) -> tuple[int | None, ...]:
    """The declared dimensions, None where they are open."""
    return tuple(
        int(size.dim_value) if size.dim_value > 0 else None
        for size in item.type.tensor_type.shape.dim
    )


def _node(node: onnx.NodeProto, defined: set[tuple[str, str]]) -> OnnxNode:
    """A node as plain data. Raises Unsupported for operators that the file defines itself."""
    import onnx

    attributes: dict[str, Any] = {}
    kinds = onnx.AttributeProto
    for attribute in node.attribute:
        if attribute.type == kinds.TENSOR:
            attributes[attribute.name] = _array(attribute.t)
        elif attribute.type in (kinds.INT, kinds.FLOAT, kinds.STRING):
            attributes[attribute.name] = onnx.helper.get_attribute_value(attribute)
        elif attribute.type in (kinds.INTS, kinds.FLOATS):
            attributes[attribute.name] = list(onnx.helper.get_attribute_value(attribute))
        else:
            attributes[attribute.name] = None
    read = OnnxNode(
        name=node.name or (node.output[0] if node.output else ""),
        operator=node.op_type,
        inputs=tuple(node.input),
        outputs=tuple(node.output),
        attributes=attributes,
    )
    if node.domain not in ("", "ai.onnx") or (node.domain, node.op_type) in defined:
        raise read.refusal(f"it is not of ONNX itself but of {printable(node.domain, 50)!r}")
    return read


def _array(tensor: onnx.TensorProto) -> NDArray[Any]:
    """A constant, floats as float64, integers as int64. Raises Malformed or Unsupported."""
    from onnx import numpy_helper

    name = printable(tensor.name, 100)
    if tensor.data_location == tensor.EXTERNAL or tensor.external_data:
        raise Unsupported(
            f"the weights {name!r} lie in another file, which the model's digest does not cover",
            hint="save it as one file without external data",
        )
    try:
        array = numpy_helper.to_array(tensor)
    except Exception:  # onnx raises whatever numpy does
        raise Malformed(f"the constant {name!r} is damaged") from None
    if array.dtype.kind in "biu":
        return array.astype(np.int64)
    if array.dtype.kind != "f":
        raise Unsupported(f"the constant {name!r} has a type that is not supported", hint=HINT)
    values = array.astype(np.float64)
    # the limits of a Clip may be infinite; other operations refuse what is not a number
    if np.isnan(values).any() or (values.size != 1 and np.isinf(values).any()):
        raise Malformed(f"the constant {name!r} holds NaN or an infinity")
    return values
