"""Translate an ONNX graph to layers: the table of operators, and the end of the graph."""

from __future__ import annotations

from collections.abc import Callable

from zkwm.quantizer import arithmetic, elementwise, linear, pooling, rounding, shaping, slicing
from zkwm.quantizer.constant_folding import FOLDED, decimals, fold
from zkwm.quantizer.layers import Layers, Shape
from zkwm.quantizer.onnx_file import OnnxGraph, OnnxNode
from zkwm.quantizer.open_shapes import OpenShape, move, shape_of
from zkwm.quantizer.quantized import HINT
from zkwm.quantizer.translation import ReadsUnknown, Tensor, Translation, Unknown, Value
from zkwm.quantizer.views import plain
from zkwm.suspects.input_layouts import fitting_layouts
from zkwm_protocols.errors import Unsupported, UsageError

MAXIMUM_EXPRESSION = 100
MAXIMUM_LAYERS = 2000
MOST_NAMED = 20
"""Of several refused nodes so many are named."""

_Translator = Callable[[Translation, OnnxNode], Value]


class NodesRefused(Unsupported):
    """Nodes without an integer counterpart; ``refusals`` has the sentence about each of them."""

    def __init__(self, refusals: list[Unsupported]) -> None:
        self.refusals = tuple(refusal.message for refusal in refusals)
        more = len(refusals) - MOST_NAMED
        named = "; ".join(self.refusals[:MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")
        message = (
            named if len(refusals) == 1 else f"{len(refusals)} nodes stand in the way: {named}"
        )
        first = refusals[0]
        super().__init__(message, hint=first.hint or HINT, check=first.check)


# Each is called where at least one input is computed: what reads constants alone is folded.
OPERATORS: dict[str, _Translator] = {
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
    "Flatten": shaping.flatten,
    "Reshape": shaping.reshape,
    **dict.fromkeys(("Squeeze", "Unsqueeze"), shaping.squeeze),
    "Transpose": shaping.transpose,
    "Concat": shaping.concatenate,
    "Slice": slicing.cut,
    "Split": slicing.split,
    "Pad": slicing.pad,
    "QuantizeLinear": rounding.quantize,
    "DequantizeLinear": rounding.dequantize,
}  # fmt: skip
LAST = ("Softmax", "LogSoftmax", "Sigmoid")
"""Increasing functions keep the largest score the largest: at the end they are left out."""
ENDING = (*LAST, "Identity")


def translate(graph: OnnxGraph, shape: Shape, layout: str, order: str = "rgb") -> Layers:
    """Translate a classifier of images of ``shape`` (channels, height, width) to layers.

    ``layout`` is ``nchw`` or ``nhwc``, ``order`` that of the model's channels, ``rgb`` or ``bgr``;
    the image itself is rgb. Raises Unsupported, naming the node, for an operation
    without an integer counterpart, and UsageError for a model of other images.
    """
    channels, height, width = shape
    if not graph.dims or layout not in fitting_layouts(graph.dims[1:], shape):
        declared = " x ".join("?" if size is None else str(size) for size in graph.dims)
        raise UsageError(
            f"the model's input is {declared or 'a scalar'}, which does not take images of "
            f"{channels} x {height} x {width} in the layout {layout}"
        )
    _require_cast(graph)
    translation = Translation(graph, shape, layout, order)
    nodes = list(graph.nodes)
    ending: list[str] = []
    output_name = graph.output
    while nodes and nodes[-1].operator in ENDING and output_name in nodes[-1].outputs[:1]:
        last = nodes.pop()
        if last.fault:
            raise last.refusal(last.fault)
        output_name = last.inputs[0]
        if last.operator == "Identity":
            continue
        if last.operator != "Sigmoid" and last.attributes.get("axis", -1) not in (1, -1):
            raise last.refusal("it does not run over the scores")
        ending.insert(0, last.operator.lower())
        translation.notes.append(f"{last.operator} at the end left out: it changes no label")
    _translate_nodes(translation, nodes, graph.opset)
    output = translation.names.get(output_name)
    if not isinstance(output, Tensor) or len(output.dims) != 1 or output.dims[0] < 2 or not nodes:
        raise Unsupported(
            "the model's output is not a matrix of at least two scores for each image"
        )
    if output.grid is not None:
        raise nodes[-1].refusal("the model's scores are quantized integers")
    end = nodes[-1]
    number = translation.layer_of(end, plain(translation, end, output))
    return Layers(tuple(translation.layers), number, tuple(translation.notes), tuple(ending))


def _require_cast(graph: OnnxGraph) -> None:
    """Raise Unsupported where a model computes with pixels of uint8, which wrap around."""
    for node in graph.nodes if graph.input_type == "uint8" else ():
        if graph.input in node.inputs and node.operator != "Cast":
            raise node.refusal("it computes with pixels of uint8; only a Cast may read them")


def require_counterpart(node: OnnxNode) -> None:
    """Raise Unsupported for an operator that is never translated, whatever the images' size."""
    if node.fault:
        raise node.refusal(node.fault)
    if node.operator not in OPERATORS and node.operator not in FOLDED:
        raise node.refusal("this operation has no integer counterpart")


def _translate_nodes(translation: Translation, nodes: list[OnnxNode], opset: int) -> None:
    """Translate nodes in order; go on after a refusal, to name every node that stands in the way.

    Raises NodesRefused with all refusals that are no consequence of others.
    """
    refusals: list[Unsupported] = []
    for node in nodes:
        try:
            require_counterpart(node)
            value = _value(translation, node, opset)
            if isinstance(value, Tensor) and value.expression.size > MAXIMUM_EXPRESSION:
                raise node.refusal(f"a function of more than {MAXIMUM_EXPRESSION} parts")
            translation.names[node.outputs[0]] = value
        except (ReadsUnknown, Unsupported) as error:
            if isinstance(error, Unsupported):
                refusals.append(error)
            translation.names.update(dict.fromkeys(node.outputs, Unknown()))
        if len(translation.layers) > MAXIMUM_LAYERS:
            refusals.append(node.refusal(f"more than {MAXIMUM_LAYERS} layers"))
            break
    if refusals:
        raise NodesRefused(refusals)


def _value(translation: Translation, node: OnnxNode, opset: int) -> Value | OpenShape:
    """The value of a node: a constant, a shape, or a tensor of layers. Raises Unsupported."""
    inputs = [translation.stored(node, index) for index in range(len(node.inputs))]
    if node.operator == "Shape" and isinstance(inputs[0], Tensor):
        return shape_of(node, inputs[0].dims)
    if not any(isinstance(value, Tensor) for value in inputs):
        constants = [value for value in inputs if not isinstance(value, OpenShape | Tensor)]
        if len(constants) < len(inputs):
            return move(node, [v for v in inputs if not isinstance(v, Tensor)], opset)
        translation.price(node, decimals(node, constants))
        return translation.folded(node, fold(node, constants, opset))
    if node.operator not in OPERATORS:
        raise node.refusal("this operation has no integer counterpart")
    quantized = any(isinstance(value, Tensor) and value.grid is not None for value in inputs)
    if quantized and node.operator != "DequantizeLinear":
        raise node.refusal("it computes with quantized integers; only a DequantizeLinear may")
    return OPERATORS[node.operator](translation, node)
