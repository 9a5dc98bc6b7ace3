"""The reader refuses, by name, what two readers could read in two ways (attacks of SPEC 12)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.support.small_models import RAW, SHAPE, Sketch
from zkwm.quantizer.layers import Layers
from zkwm.quantizer.onnx_file import read_onnx
from zkwm.quantizer.real_network import real_scores
from zkwm.quantizer.translate import translate
from zkwm_protocols.errors import CouldNotCheck, Malformed, Unsupported


def layers_of(data: bytes) -> Layers:
    return translate(read_onnx(data), SHAPE, RAW.layout)


def refusal(data: bytes) -> str:
    with pytest.raises(CouldNotCheck) as caught:
        layers_of(data)
    assert caught.value.message
    return caught.value.message


def batch_in_arithmetic(sketch: Sketch) -> None:
    scores = sketch.last
    shape = sketch.add("Shape", "images")
    sketch.add("Gather", shape, sketch.constant(0, np.int64))
    number = sketch.add("Cast", to=TensorProto.FLOAT, name="culprit")
    sketch.add("Mul", scores, number)


def half(sketch: Sketch) -> None:
    sketch.add("Mul", sketch.last, sketch.constant(1e6))
    sketch.add("Cast", to=TensorProto.FLOAT16, name="culprit")
    sketch.add("Cast", to=TensorProto.FLOAT)


def infinite_factor(sketch: Sketch) -> None:
    sketch.add("Mul", sketch.last, sketch.constant(np.inf), name="culprit")


def batch_as_second_size(sketch: Sketch) -> None:
    scores = sketch.last
    shape = sketch.add("Shape", "images", start=0, end=1)
    target = sketch.add("Concat", sketch.constant([5], np.int64), shape, axis=0)
    sketch.add("Reshape", scores, target, name="culprit")


def old_squeeze(sketch: Sketch) -> None:
    sketch.add("Squeeze", sketch.last, axes=[1], name="culprit")


@pytest.mark.parametrize(
    "attack", [batch_in_arithmetic, half, infinite_factor, batch_as_second_size, old_squeeze]
)
def test_two_faced_graphs(attack: Callable[[Sketch], None]) -> None:
    sketch = Sketch()
    sketch.flat(192)
    attack(sketch)
    assert "node 'culprit'" in refusal(sketch.file())


@pytest.mark.parametrize("which", ["initializer", "node output", "constant and output", "input"])
def test_names_given_twice(which: str) -> None:
    sketch = Sketch()
    sketch.add("Relu")
    model = onnx.load_model_from_string(sketch.flat(192))
    graph = model.graph
    if which == "initializer":
        graph.initializer.append(graph.initializer[0])
    elif which == "node output":
        graph.node.append(helper.make_node("Neg", ["images"], [graph.node[0].output[0]]))
    elif which == "constant and output":
        graph.node.append(helper.make_node("Neg", ["images"], [graph.initializer[0].name]))
    else:
        graph.node.append(helper.make_node("Neg", ["v0"], ["images"]))
    with pytest.raises(Malformed, match="two values"):
        read_onnx(model.SerializeToString())


@pytest.mark.parametrize("name", [b"images", b"v0", b"Relu", b"Flatten"])
def test_names_that_are_not_utf8(name: bytes) -> None:
    sketch = Sketch()
    sketch.add("Relu")
    data = sketch.flat(192)
    assert name in data
    with pytest.raises(Malformed, match="not UTF-8"):
        read_onnx(data.replace(name, b"\xff" * len(name)))


def test_nodes_out_of_order() -> None:
    sketch = Sketch()
    sketch.add("Relu", name="culprit")
    sketch.add("Tanh")
    model = onnx.load_model_from_string(sketch.flat(192))
    first, second, *rest = [onnx.NodeProto.FromString(n.SerializeToString())
                            for n in model.graph.node]  # fmt: skip
    del model.graph.node[:]
    model.graph.node.extend([second, first, *rest])
    assert "no earlier node" in refusal(model.SerializeToString())


def change(name: str, **values: object) -> Callable[[onnx.NodeProto], None]:
    def edit(node: onnx.NodeProto) -> None:
        kept = [a for a in node.attribute if a.name != name]
        del node.attribute[:]
        node.attribute.extend(kept)
        node.attribute.add(name=name, **values)

    return edit


KINDS = onnx.AttributeProto


@pytest.mark.parametrize(
    "edit",
    [
        change("group", type=KINDS.FLOAT, f=1.5),
        change("group", type=KINDS.FLOAT, f=float("nan")),
        change("group", type=KINDS.STRING, s=b"1"),
        change("strides", type=KINDS.INT, i=1),
        change("strides", type=KINDS.FLOATS, floats=[1.0, 1.0]),
        change("pads", type=KINDS.TENSOR, t=numpy_helper.from_array(np.zeros(4, np.int64))),
        change("kernel_shape", type=KINDS.STRING, s=b"3"),
        change("transA", type=KINDS.INT, i=0),
        change("group"),
        change("group", type=KINDS.INT, i=1, ref_attr_name="outer"),
        lambda node: node.attribute.extend([helper.make_attribute("group", 1)] * 2),
        lambda node: node.input.extend(["images"] * 5),
        lambda node: node.ClearField("output"),
    ],
)
def test_attributes_that_the_schema_does_not_know(edit: Callable[[onnx.NodeProto], None]) -> None:
    sketch = Sketch()
    sketch.convolution(3, 4)
    sketch.add("Relu")
    model = onnx.load_model_from_string(sketch.flat(144))
    model.graph.node[0].name = "culprit"
    edit(model.graph.node[0])
    message = refusal(model.SerializeToString())
    assert "culprit" in message or "no earlier node" in message


@pytest.mark.parametrize(("operator", "name"), [("LeakyRelu", "alpha"), ("Elu", "alpha")])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_attributes_that_are_no_numbers(operator: str, name: str, value: float) -> None:
    sketch = Sketch()
    sketch.add(operator, name="culprit", **{name: value})
    assert "NaN or infinite" in refusal(sketch.flat(192))


def test_an_attribute_of_a_later_opset() -> None:
    sketch = Sketch(opset=9)
    sketch.add("AveragePool", kernel_shape=[2, 2], ceil_mode=1, name="culprit")
    assert "ceil_mode" in refusal(sketch.flat(147))


@pytest.mark.parametrize("opset", [6, 99])
def test_opsets(opset: int) -> None:
    with pytest.raises(Unsupported, match="opset"):
        read_onnx(Sketch(opset=opset).flat(192))


def test_types_of_the_input() -> None:
    model = onnx.load_model_from_string(Sketch().flat(192))
    kind = model.graph.input[0].type.tensor_type
    kind.elem_type = TensorProto.FLOAT16
    with pytest.raises(Unsupported, match="type that is not read"):
        read_onnx(model.SerializeToString())
    kind.elem_type = TensorProto.UINT8
    assert "uint8" in refusal(model.SerializeToString())


def test_every_node_in_the_way_is_named() -> None:
    sketch = Sketch()
    sketch.convolution(3, 4)
    for number in range(25):
        sketch.add("Cos", name=f"culprit {number}")
        sketch.add("Relu")
    message = refusal(sketch.flat(144))
    assert message.startswith("25 nodes")
    assert all(f"'culprit {number}'" in message for number in range(20))
    assert message.endswith("and 5 more")


def constant_file(build: Callable[[Sketch], str]) -> Layers:
    """A model whose scores are multiplied by a constant that nodes compute."""
    sketch = Sketch()
    sketch.flat(192)
    scores = sketch.last
    sketch.add("Mul", scores, build(sketch))
    return layers_of(sketch.file())


@pytest.mark.parametrize(
    ("build", "factor"),
    [
        (lambda s: s.add("Cast", s.add("Cast", s.constant(2.7), to=7), to=1), 2.0),
        (lambda s: s.add("Cast", s.add("Cast", s.constant(2.7), to=9), to=1), 1.0),
        (lambda s: s.add("Cast", s.add("Cast", s.constant(2.7), to=10), to=1), 2.69921875),
        (lambda s: s.add("Gather", s.constant([0.25, 2.5]), s.constant(1, np.int64)), 2.5),
        (lambda s: s.add("Div", s.constant(3.0), s.constant(2.0)), 1.5),
        (lambda s: s.add("Sub", s.add("Add", s.constant(1.0), s.constant(3e7)),
                         s.constant(3e7)), 0.0 + np.float32(np.float32(1) + np.float32(3e7))
         - np.float32(3e7)),
        (lambda s: s.add("Cast", s.add("Gather", s.add("Shape", "images"),
                                       s.constant(1, np.int64)), to=1), 3.0),
    ],
)  # fmt: skip
def test_constants_are_computed_in_their_own_types(
    build: Callable[[Sketch], str], factor: float
) -> None:
    if factor == 0.0:
        with pytest.raises(Unsupported, match="depend"):
            constant_file(build)
        return
    images = np.random.default_rng(1).random((5, *SHAPE))
    plain = real_scores(layers_of(Sketch().flat(192)), images)
    np.testing.assert_allclose(real_scores(constant_file(build), images), factor * plain, rtol=1e-6)


@pytest.mark.parametrize(
    "build",
    [
        lambda s: s.add("ConstantOfShape", s.constant([1 << 20, 1 << 20], np.int64)),
        lambda s: s.add("Expand", s.constant(1.0), s.constant([1 << 40], np.int64)),
        lambda s: s.add("Cast", s.constant(3e30), to=7),
        lambda s: s.add("Log", s.constant(-1.0)),
        lambda s: s.add("Sqrt", s.constant(-1.0)),
        lambda s: s.add("Cast", s.add("Div", s.constant(1, np.int64), s.constant(0, np.int64)),
                        to=1),
        lambda s: s.add("RandomNormal", shape=[1], dtype=1),
    ],
)  # fmt: skip
def test_constants_that_are_not_computed(build: Callable[[Sketch], str]) -> None:
    with pytest.raises(Unsupported):
        constant_file(build)


def test_quantized_weights_are_read_and_quantized_tensors_are_named() -> None:
    sketch = Sketch()
    weights = sketch.constant(np.arange(-96, 96)[:, None] * np.ones((1, 5)), np.int8)
    scale, zero = sketch.constant(0.01), sketch.constant(3, np.int8)
    sketch.add("Flatten")
    flat = sketch.last
    sketch.add("MatMul", flat, sketch.add("DequantizeLinear", weights, scale, zero))
    data = sketch.file()
    images = np.random.default_rng(2).random((4, *SHAPE))
    exact = images.reshape(4, -1) @ ((np.arange(-96, 96) - 3) * 0.01)
    np.testing.assert_allclose(real_scores(layers_of(data), images)[:, 0], exact, rtol=1e-6)
    sketch.add("QuantizeLinear", sketch.last, scale, zero)
    sketch.add("Neg", sketch.last, name="culprit")
    assert "'culprit'" in refusal(sketch.file())
