"""Models without an integer network are refused by name; hostile files do no harm."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.support.small_models import RAW, SHAPE, Sketch, network_of
from zkwm.quantizer import declared_shape, quantize
from zkwm.quantizer.onnx_file import MAXIMUM_NODES, read_onnx
from zkwm_protocols.errors import CouldNotCheck, Malformed, Unsupported, UsageError
from zkwm_protocols.suspect_identity import Preprocessing


def refused(sketch: Sketch, data: bytes, node: str = "culprit") -> str:
    with pytest.raises(Unsupported) as caught:
        network_of(data, sketch.shape)
    assert f"node '{node}'" in caught.value.message
    assert "`Judge.challenge`" in caught.value.hint
    return caught.value.message


def test_an_unknown_operation() -> None:
    sketch = Sketch()
    sketch.convolution(3, 4)
    sketch.add("Det", name="culprit")
    assert "(Det)" in refused(sketch, sketch.flat(144))


@pytest.mark.parametrize(
    ("operator", "attributes"),
    [
        (
            "AveragePool",
            {
                "kernel_shape": [2, 2],
                "strides": [2, 2],
                "pads": [1, 1, 0, 0],
                "ceil_mode": 1,
                "count_include_pad": 1,
            },
        ),
        ("AveragePool", {"kernel_shape": [2, 2], "dilations": [2, 2]}),
        ("MaxPool", {"kernel_shape": [2, 2], "dilations": [2, 2]}),
        ("MaxPool", {"kernel_shape": [20, 20]}),
        ("MaxPool", {"kernel_shape": [2, 2], "pads": [0, 0, -1, 0]}),
        ("MaxPool", {"kernel_shape": [2, 2], "auto_pad": "SOME"}),
        ("Transpose", {"perm": [1, 0, 2, 3]}),
        ("Flatten", {"axis": 2}),
        ("Cast", {"to": TensorProto.INT32}),
        ("BitShift", {"direction": "LEFT"}),
    ],
)
def test_operations_in_forms_that_are_not_supported(operator: str, attributes: dict) -> None:
    sketch = Sketch()
    sketch.convolution(3, 4)
    sketch.add(operator, name="culprit", **attributes)
    sketch.add("GlobalAveragePool")
    assert f"({operator})" in refused(sketch, sketch.flat(4))


def test_averages_with_many_borders() -> None:
    sketch = Sketch((1, 32, 32))
    pool = {"kernel_shape": [9, 9], "pads": [4, 4, 4, 4]}
    sketch.add("AveragePool", name="culprit", **pool)
    assert "too many" in refused(sketch, sketch.flat(1024))


def test_quotients_of_computed_tensors() -> None:
    sketch = Sketch()
    x = sketch.convolution(3, 4)
    sketch.last = "images"
    sketch.add("Div", x, sketch.convolution(3, 4), name="culprit")
    assert "quotient" in refused(sketch, sketch.flat(144))


def test_an_order_that_no_convolution_copies() -> None:
    sketch = Sketch()
    sketch.convolution(3, 4)
    sketch.add("Transpose", perm=[0, 2, 1, 3])
    sketch.add("GlobalAveragePool", name="culprit")
    assert "another order" in refused(sketch, sketch.flat(6))


@pytest.mark.parametrize("sizes", [(6, 6), (4, 1, 6), (3, 1, 1), (1, 1, 4, 1, 1)])
def test_constants_that_are_not_per_channel(sizes: tuple[int, ...]) -> None:
    sketch = Sketch()
    sketch.convolution(3, 4)
    values = np.arange(np.prod(sizes)).reshape(sizes)
    sketch.add("Add", sketch.last, sketch.constant(values), name="culprit")
    refused(sketch, sketch.flat(144))


@pytest.mark.parametrize(
    "build",
    [
        lambda s: s.add("Conv", s.last, s.weights(4, 2, 3, 3), name="culprit"),
        lambda s: s.add("Conv", s.last, s.weights(4, 1, 3, 3), group=3, name="culprit"),
        lambda s: s.add("Conv", s.last, s.weights(4, 3, 3, 3), s.weights(3), name="culprit"),
        lambda s: s.add("Conv", s.last, s.last, name="culprit"),
        lambda s: s.add("Conv", "nothing", s.weights(4, 3, 3, 3), name="culprit"),
        lambda s: s.add("Gemm", s.last, s.weights(4, 2), name="culprit"),
        lambda s: s.add("Clip", s.last, s.constant(1.0), s.constant(0.0), name="culprit"),
        lambda s: s.add("Div", s.last, s.constant(0.0), name="culprit"),
        lambda s: s.add("Pow", s.last, s.constant(0.3), name="culprit"),
        lambda s: s.add("Reshape", s.last, s.constant([8, -1], np.int64), name="culprit"),
        lambda s: s.add("Reshape", s.last, s.constant([-1, 7], np.int64), name="culprit"),
        lambda s: s.add("Concat", s.last, s.last, axis=2, name="culprit"),
        lambda s: s.add("Squeeze", s.last, s.constant([2], np.int64), name="culprit"),
        lambda s: s.add("Unsqueeze", s.last, s.constant([0], np.int64), name="culprit"),
        lambda s: s.add("ReduceMean", s.last, s.constant([1], np.int64), name="culprit"),
        lambda s: s.add(
            "BatchNormalization", s.last, *[s.constant([1.0, -1.0])] * 4, name="culprit"
        ),
    ],
)
def test_nodes_that_do_not_fit(build: object) -> None:
    sketch = Sketch()
    build(sketch)
    sketch.add("GlobalAveragePool")
    refused(sketch, sketch.flat(3))


def test_softmax_over_something_else_and_in_the_middle() -> None:
    sketch = Sketch()
    sketch.flat(192)
    sketch.add("Softmax", axis=0, name="culprit")
    refused(sketch, sketch.file())
    sketch = Sketch()
    sketch.flat(192)
    sketch.add("Softmax", name="culprit")
    sketch.dense(5)
    refused(sketch, sketch.file())


def test_softmax_at_the_end_is_left_out_and_said() -> None:
    sketch = Sketch()
    data = sketch.flat(192)
    made = quantize(data, shape=SHAPE, preprocessing=RAW)
    assert made.notes == ()
    sketch.add("LogSoftmax", axis=1)
    sketch.add("Softmax")
    more = quantize(sketch.file(), shape=SHAPE, preprocessing=RAW)
    assert [note.split()[0] for note in more.notes] == ["Softmax", "LogSoftmax"]
    assert np.array_equal(more.network.nodes[-1].weights, made.network.nodes[-1].weights)


def test_another_domain() -> None:
    sketch = Sketch()
    sketch.flat(192)
    sketch.add("Relu", domain="com.example", name="culprit")
    assert "com.example" in refused(sketch, sketch.file())


def test_weights_in_another_file() -> None:
    sketch = Sketch()
    model = onnx.load_model_from_string(sketch.flat(192))
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    with pytest.raises(Unsupported, match="another file"):
        read_onnx(model.SerializeToString())


@pytest.mark.parametrize("data", [b"", b"hello", b"\x08\x07", b"\xff" * 50])
def test_other_files(data: bytes) -> None:
    with pytest.raises(Malformed):
        read_onnx(data)


def test_damaged_weights() -> None:
    for change in ({"dims": [1 << 40]}, {"raw_data": b"\x00\x00\xc0\x7f" * 960}):
        sketch = Sketch()
        model = onnx.load_model_from_string(sketch.flat(192))
        tensor = next(t for t in model.graph.initializer if list(t.dims) == [5, 192])
        if "dims" in change:
            del tensor.dims[:]
            tensor.dims.extend(change["dims"])
        else:
            tensor.raw_data = change["raw_data"]
        with pytest.raises(Malformed):
            read_onnx(model.SerializeToString())


def test_missing_file(tmp_path: object) -> None:
    with pytest.raises(CouldNotCheck):
        read_onnx(f"{tmp_path}/none.onnx")


def test_several_inputs_outputs_and_nodes() -> None:
    sketch = Sketch()
    model = onnx.load_model_from_string(sketch.flat(192))
    model.graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, (1,)))
    with pytest.raises(Unsupported, match="2 inputs"):
        read_onnx(model.SerializeToString())
    model = onnx.load_model_from_string(sketch.file())
    model.graph.output.append(helper.make_tensor_value_info("v0", TensorProto.FLOAT, ("n", 192)))
    with pytest.raises(Unsupported, match="2 outputs"):
        read_onnx(model.SerializeToString())
    model = onnx.load_model_from_string(sketch.file())
    model.graph.node.extend(
        helper.make_node("Relu", [model.graph.output[0].name], [f"r{i}"])
        for i in range(MAXIMUM_NODES)
    )
    with pytest.raises(Unsupported, match="nodes"):
        read_onnx(model.SerializeToString())


def test_images_and_preprocessing_that_do_not_fit() -> None:
    data = Sketch().flat(192)
    with pytest.raises(UsageError, match="does not take images"):
        quantize(data, shape=(3, 8, 9), preprocessing=RAW)
    with pytest.raises(UsageError, match="layout nhwc"):
        quantize(data, shape=SHAPE, preprocessing=Preprocessing("nhwc"))
    with pytest.raises(Malformed, match="means"):
        quantize(data, shape=SHAPE, preprocessing=Preprocessing(mean=("0",), std=("1",)))
    for images in (np.zeros((4, *SHAPE)), np.zeros((4, 1, 8, 8), np.uint8)):
        with pytest.raises(UsageError, match="images"):
            quantize(data, shape=SHAPE, preprocessing=RAW, calibration=images)
    none = np.zeros((0, *SHAPE), np.uint8)
    with pytest.raises(UsageError, match="needed"):
        quantize(data, shape=SHAPE, preprocessing=RAW, calibration=none)
    far = Preprocessing(scale="raw", mean=("40000",), std=("1",))
    with pytest.raises(Unsupported, match="pixel steps"):
        quantize(Sketch((1, 8, 8)).flat(64), shape=(1, 8, 8), preprocessing=far)


def test_declared_shape() -> None:
    assert declared_shape(Sketch().flat(192), "nchw") == SHAPE
    assert declared_shape(Sketch((3, 4, 5), layout="nhwc").flat(60), "nhwc") == (3, 4, 5)


@pytest.mark.parametrize("factor", [1e-30, 1e30, 0.0])
def test_weights_out_of_all_proportion(factor: float) -> None:
    sketch = Sketch()
    sketch.add("Flatten")
    sketch.add("Gemm", sketch.last, sketch.constant(np.full((5, 192), factor)), transB=1)
    data = sketch.file()
    if factor:
        network_of(data)
    else:
        with pytest.raises(Unsupported, match="do not depend"):
            network_of(data)
    for _ in range(3):
        sketch.add("Mul", sketch.last, sketch.constant(factor))
    with pytest.raises(Unsupported):
        network_of(sketch.file())


def test_functions_and_networks_that_grow_without_end() -> None:
    sketch = Sketch()
    for step in range(60):
        sketch.add("Add", sketch.last, sketch.last, name="culprit" if step == 5 else "")
    assert "100 parts" in refused(sketch, sketch.flat(192))
    sketch = Sketch((1, 8, 8))
    for _ in range(2000):
        sketch.add("Mul", sketch.last, sketch.constant(np.ones((1, 1, 1, 1))))
        sketch.add("GlobalAveragePool", name="culprit")
    assert "2000 layers" in refused(sketch, sketch.flat(1))


def test_a_network_that_is_too_large() -> None:
    sketch = Sketch((1, 1024, 1024))
    weights = sketch.constant(np.zeros((16, 1, 80, 80)))
    sketch.add("Conv", sketch.last, weights, auto_pad="SAME_UPPER")
    sketch.add("Relu")
    sketch.add("GlobalAveragePool")
    with pytest.raises(Unsupported, match="too large"):
        network_of(sketch.flat(16), sketch.shape)
