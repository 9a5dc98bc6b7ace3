"""Translate an ONNX graph to layers: the table of operators, and the end of the graph."""

from __future__ import annotations

from collections.abc import Callable

from zkwm.quantizer import arithmetic, elementwise, linear, pooling, shaping, slicing
from zkwm.quantizer.layers import Layers, Shape
from zkwm.quantizer.onnx_file import OnnxGraph, OnnxNode
from zkwm.quantizer.translation import Tensor, Translation, Value
from zkwm.quantizer.views import plain
from zkwm_protocols.errors import Unsupported, UsageError

MAXIMUM_EXPRESSION = 100
MAXIMUM_LAYERS = 2000

_Translator = Callable[[Translation, OnnxNode], Value]

_OPERATORS: dict[str, _Translator] = {
    **dict.fromkeys(
        ("Relu", "Sigmoid", "Tanh", "Erf", "LeakyRelu", "Elu", "Clip", "Gelu", "HardSigmoid",
         "HardSwish", "Abs", "Neg", "Exp", "Log", "Sqrt", "Reciprocal", "Softplus", "Softsign",
         "Mish", "Swish", "Selu", "Celu", "ThresholdedRelu"), elementwise.function),
    **dict.fromkeys(("Add", "Sub", "Mul", "Div"), arithmetic.arithmetic),
    **dict.fromkeys(("Max", "Min"), arithmetic.extreme),
    "Sum": arithmetic.add_up,
    "PRelu": arithmetic.parametric,
    "Pow": elementwise.power,
    "Conv": linear.convolution,
    **dict.fromkeys(("Gemm", "MatMul"), linear.dense),
    "BatchNormalization": linear.batch_normalization,
    "MaxPool": pooling.maximum_pool,
    "AveragePool": pooling.average_pool,
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), pooling.global_pool),
    **dict.fromkeys(("ReduceMean", "ReduceSum", "ReduceMax"), pooling.reduction),
    **dict.fromkeys(("Identity", "Dropout", "Cast"), shaping.passed_on),
    "Constant": shaping.constant_node,
    "Shape": shaping.shape_of,
    "Gather": shaping.gather,
    "Flatten": shaping.flatten,
    "Reshape": shaping.reshape,
    **dict.fromkeys(("Squeeze", "Unsqueeze"), shaping.squeeze),
    "Transpose": shaping.transpose,
    "Concat": shaping.concatenate,
    "Slice": slicing.cut,
    "Split": slicing.split,
    "Pad": slicing.pad,
}  # fmt: skip
_LAST = ("Softmax", "LogSoftmax", "Sigmoid")
"""Increasing functions keep the largest score the largest: at the end they are left out."""


def translate(graph: OnnxGraph, shape: Shape, layout: str) -> Layers:
    """Translate a classifier of images of ``shape`` (channels, height, width) to layers.

    ``layout`` is ``nchw`` or ``nhwc``. Raises Unsupported, naming the node, for an operation
    without an integer counterpart, and UsageError for a model of other images.
    """
    channels, height, width = shape
    expected = (height, width, channels) if layout == "nhwc" else shape
    if len(graph.dims) != 4 or any(
        size not in (None, want) for size, want in zip(graph.dims[1:], expected, strict=True)
    ):
        declared = " x ".join("?" if size is None else str(size) for size in graph.dims)
        raise UsageError(
            f"the model's input is {declared or 'a scalar'}, which does not take images of "
            f"{channels} x {height} x {width} in the layout {layout}"
        )
    translation = Translation(graph, shape, layout)
    nodes = _needed(graph)
    ending: list[str] = []
    while nodes and nodes[-1].operator in _LAST and nodes[-1].outputs[0] == graph.output:
        last = nodes.pop()
        if last.operator != "Sigmoid" and last.attributes.get("axis", -1) not in (1, -1):
            raise last.refusal("it does not run over the scores")
        ending.insert(0, last.operator.lower())
        translation.notes.append(f"{last.operator} at the end left out: it changes no label")
        graph_output = last.inputs[0]
        graph = OnnxGraph(graph.nodes, graph.constants, graph.input, graph.dims, graph_output)
    for node in nodes:
        if node.operator not in _OPERATORS:
            raise node.refusal("this operation has no integer counterpart")
        value = _OPERATORS[node.operator](translation, node)
        if isinstance(value, Tensor) and value.expression.size > MAXIMUM_EXPRESSION:
            raise node.refusal(f"a function of more than {MAXIMUM_EXPRESSION} parts")
        if len(translation.layers) > MAXIMUM_LAYERS:
            raise node.refusal(f"more than {MAXIMUM_LAYERS} layers")
        translation.names[node.outputs[0]] = value
    output = translation.names.get(graph.output)
    if not isinstance(output, Tensor) or len(output.dims) != 1 or output.dims[0] < 2:
        raise Unsupported(
            "the model's output is not a matrix of at least two scores for each image"
        )
    end = nodes[-1]
    number = translation.layer_of(end, plain(translation, end, output))
    return Layers(tuple(translation.layers), number, tuple(translation.notes), tuple(ending))


def _needed(graph: OnnxGraph) -> list[OnnxNode]:
    """The nodes on the way to the scores, in the file's order."""
    needed = {graph.output}
    kept = []
    for node in reversed(graph.nodes):
        if needed & set(node.outputs):
            needed |= set(node.inputs)
            kept.append(node)
    return kept[::-1]
