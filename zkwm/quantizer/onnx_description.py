"""Describe a foreign ONNX file for people: inputs, outputs, operators, what refuses an argument.

Runs inside ``zkwm.quantizer.quantizer_worker``, like all that parses the file. Not normative.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any

from zkwm.quantizer.layers import Shape
from zkwm.quantizer.onnx_file import MAXIMUM_NODES, OnnxGraph, parse_onnx, read_onnx
from zkwm.quantizer.quantized import FILE_LIMIT
from zkwm.quantizer.quantizer import require_size
from zkwm.quantizer.simplify import simplify
from zkwm.quantizer.translate import NodesRefused, require_counterpart, translate
from zkwm.suspects.foreign_text import printable
from zkwm.suspects.onnx_contents import all_nodes, all_tensors
from zkwm_protocols.errors import Malformed, Unsupported, ZkwmError

if TYPE_CHECKING:
    import onnx

MOST_VALUES = 100
"""Inputs, outputs and dimensions that are described; no classifier has so many."""
MOST_OPERATORS = 1_000
MOST_ASKED = 8
"""Outputs whose argument is looked into; each takes as long as the only one of other files."""
MOST_REFUSALS = MAXIMUM_NODES
_LONGEST_NAME = 100
_CHANNELS = (1, 3, 4)


@dataclass(frozen=True)
class OnnxValue:
    """An input or output: its name, its type in ONNX, and its dimensions, open ones as text."""

    name: str
    type: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class ArgumentOutlook:
    """Whether the scores of one output can be argued about in zero knowledge.

    Attributes:
        output: the name of the output.
        possible: whether every node on the way to it has an integer counterpart; None where the
            file leaves the size of its images open.
        refusals: what stands in the way, each node by name.
    """

    output: str
    possible: bool | None
    refusals: tuple[str, ...] = ()


@dataclass(frozen=True)
class OnnxDescription:
    """The content of an ONNX file.

    Attributes:
        inputs: what it takes, initializers left out.
        outputs: what it gives.
        opset: the version of ONNX's operators; 0 where it names none.
        operators: how often each operator stands in the file, in nested graphs too.
        parameters: the number of values that it stores, weights and constants.
        arguments: one outlook for each of the first outputs.
    """

    inputs: tuple[OnnxValue, ...]
    outputs: tuple[OnnxValue, ...]
    opset: int
    operators: dict[str, int]
    parameters: int
    arguments: tuple[ArgumentOutlook, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return asdict(self)


def describe(data: bytes) -> OnnxDescription:
    """Describe the content of an ONNX file, its weights in it. Raises Malformed."""
    model = parse_onnx(data)
    graph = model.graph
    counts = Counter(
        printable(f"{node.domain}.{node.op_type}" if node.domain else node.op_type, _LONGEST_NAME)
        for node in all_nodes(model)
    )
    initializers = {tensor.name for tensor in graph.initializer}
    inputs = [item for item in graph.input if item.name not in initializers]
    outputs = list(graph.output)[:MOST_VALUES]
    opsets = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    return OnnxDescription(
        inputs=tuple(_value(item) for item in inputs[:MOST_VALUES]),
        outputs=tuple(_value(item) for item in outputs),
        opset=int(opsets[0]) if opsets else 0,
        operators=dict(counts.most_common(MOST_OPERATORS)),
        # a damaged tensor may declare any size: it holds at most two numbers (int4) in each byte
        parameters=sum(
            min(abs(prod(tensor.dims)), 2 * tensor.ByteSize()) for tensor in all_tensors(model)
        ),
        arguments=tuple(_outlook(data, item.name) for item in outputs[:MOST_ASKED]),
    )


def _value(item: onnx.ValueInfoProto) -> OnnxValue:
    """An input or output as plain data."""
    import onnx

    tensor = item.type.tensor_type
    names = onnx.TensorProto.DataType
    kind = names.Name(tensor.elem_type).lower() if tensor.elem_type in names.values() else "other"
    shape = [
        int(size.dim_value) if size.dim_value > 0 else printable(size.dim_param, 20) or "?"
        for size in tensor.shape.dim[:MOST_VALUES]
    ]
    name = printable(item.name, _LONGEST_NAME)
    return OnnxValue(name, {"float": "float32", "double": "float64"}.get(kind, kind), tuple(shape))


def _outlook(data: bytes, output: str) -> ArgumentOutlook:
    """Translate the file up to ``output``, as the quantizer would, and tell what refuses it."""
    shown = printable(output, _LONGEST_NAME)
    try:
        if len(data) > FILE_LIMIT:
            raise Malformed(f"an ONNX file of more than {FILE_LIMIT} bytes is not quantized")
        graph = read_onnx(data, output)
        images = _images(graph.dims)
        if images is None:
            return _without_images(graph, shown)
        require_size(simplify(translate(graph, *images)))
    except NodesRefused as error:
        return ArgumentOutlook(shown, False, error.refusals[:MOST_REFUSALS])
    except ZkwmError as error:
        return ArgumentOutlook(shown, False, (error.message,))
    return ArgumentOutlook(shown, True)


def _without_images(graph: OnnxGraph, output: str) -> ArgumentOutlook:
    """What is known where the images' size is open: operators that are never translated."""
    refusals = []
    for node in graph.nodes:
        try:
            require_counterpart(node)
        except Unsupported as error:
            refusals.append(error.message)
    return ArgumentOutlook(output, False if refusals else None, tuple(refusals[:MOST_REFUSALS]))


def _images(dims: tuple[int | None, ...]) -> tuple[Shape, str] | None:
    """The declared (channels, height, width) and the layout; None where one of them is open.

    A row of pixels counts as one channel: what can be translated does not depend on it.
    """
    sizes = [size for size in dims[1:] if size is not None]
    if not 1 <= len(sizes) <= 3 or len(sizes) != len(dims) - 1:
        return None
    if len(sizes) == 3 and sizes[0] not in _CHANNELS and sizes[2] in _CHANNELS:
        return (sizes[2], sizes[0], sizes[1]), "nhwc"
    channels, height, width = (1,) * (3 - len(sizes)) + tuple(sizes)
    return (channels, height, width), "nchw"
