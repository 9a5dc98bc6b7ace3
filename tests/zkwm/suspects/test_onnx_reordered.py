"""An ONNX file whose sums are added up in another order: the same function, rounded otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.support.case_files import SHAPE
from tests.support.rounded_lookup import RAW, save_rounded_lookup
from zkwm.suspects import OnnxLimits, onnx_worker
from zkwm.suspects.onnx_reordered import Reordered, reorder
from zkwm.suspects.onnx_rewriting import ORDERS
from zkwm.suspects.onnx_suspect import OnnxSuspect
from zkwm.suspects.onnx_worker import open_session

FLOAT = TensorProto.FLOAT
RANDOM = np.random.default_rng(3)


def normal(*shape: int) -> NDArray[np.float32]:
    """Normally distributed values."""
    return RANDOM.normal(size=shape).astype(np.float32)


def network(
    nodes: list[onnx.NodeProto],
    shape: tuple[int, ...],
    *,
    kind: int = FLOAT,
    opset: int = 18,
    **tensors: NDArray[Any],
) -> onnx.ModelProto:
    """A network from "x" to "y"."""
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", kind, ("n", *shape))],
        [helper.make_tensor_value_info("y", FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


def one(kind: str, *inputs: str, **fields: Any) -> list[onnx.NodeProto]:
    """One node, from its inputs to "y"."""
    return [helper.make_node(kind, [*inputs], ["y"], **fields)]


def branches() -> list[onnx.NodeProto]:
    """Sums in both branches of a condition."""
    graphs = {
        name: helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], [f"{name}_y"])],
            name,
            [],
            [helper.make_tensor_value_info(f"{name}_y", FLOAT, None)],
        )
        for name in ("then_branch", "else_branch")
    }
    return [
        helper.make_node("ReduceMax", ["x"], ["most"], keepdims=0),
        helper.make_node("Greater", ["most", "zero"], ["more"]),
        helper.make_node("If", ["more"], ["y"], **graphs),
    ]


IMAGE, ROW = (3, 9, 11), (33,)
NETWORKS = {
    "padded and dilated": network(
        one("Conv", "x", "w", "b", pads=[1, 2, 0, 3], dilations=[1, 2]),
        IMAGE, w=normal(5, 3, 3, 4), b=normal(5),
    ),
    "strided": network(
        one("Conv", "x", "w", strides=[2, 3], pads=[1, 2, 0, 3], kernel_shape=[3, 4]),
        IMAGE, w=normal(5, 3, 3, 4),
    ),
    "padded by itself": network(
        one("Conv", "x", "w", auto_pad="SAME_UPPER"), IMAGE, w=normal(5, 3, 2, 4)
    ),
    "by channel": network(one("Conv", "x", "w", group=3), IMAGE, w=normal(6, 1, 3, 3)),
    "of one channel": network(one("Conv", "x", "w"), (1, 9, 9), w=normal(6, 1, 5, 5)),
    "of a row": network(one("Conv", "x", "w"), (3, 40), w=normal(6, 3, 5)),
    "of a row of one channel": network(one("Conv", "x", "w"), (1, 90), w=normal(6, 1, 80)),
    "of groups": network(one("Conv", "x", "w", group=3), (60, 4, 5), w=normal(6, 20, 1, 1)),
    "strided, of one channel and column": network(
        one("Conv", "x", "w", strides=[2, 1]), (1, 90, 1), w=normal(9, 1, 80, 1)
    ),
    "product": network(one("Gemm", "x", "w", "b", transB=1), ROW, w=normal(6, 33), b=normal(6)),
    "with a vector": network(one("MatMul", "x", "w"), ROW, w=normal(33)),
    "mean of images": network(one("GlobalAveragePool", "x"), IMAGE),
    "mean of a column": network(one("GlobalAveragePool", "x"), (3, 90, 1)),
    "mean of axes": network(one("ReduceMean", "x", "a"), IMAGE, a=np.array([1, -1])),
    "sum of all": network(one("ReduceSum", "x", keepdims=1), ROW),
    "approximation": network(one("Softmax", "x"), ROW),
    "branches": network(branches(), ROW, w=normal(33, 5), zero=np.float32(0)),
}  # fmt: skip


def values(model: onnx.ModelProto, given: NDArray[Any]) -> NDArray[Any]:
    """What ONNX Runtime computes."""
    found = open_session(model.SerializeToString()).run(None, {"x": given})[0]
    assert isinstance(found, np.ndarray)
    return found


def reordered(model: onnx.ModelProto, order: int) -> tuple[onnx.ModelProto, Reordered]:
    """Another order of a copy."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return reorder(copy, order)


@pytest.mark.parametrize("name", NETWORKS)
def test_nothing_but_last_bits_changes(name: str) -> None:
    model = NETWORKS[name]
    sizes = [size.dim_value for size in model.graph.input[0].type.tensor_type.shape.dim[1:]]
    given = normal(2, *sizes)
    expected = values(model, given)
    changes = 0
    for order in range(1, ORDERS + 1):
        other, moved = reordered(model, order)
        assert moved.moved > 0
        assert moved.left == 0
        found = values(other, given)
        np.testing.assert_allclose(found, expected, rtol=0, atol=3e-6 * np.abs(expected).max())
        changes += not np.array_equal(found, expected)
    assert changes >= 4


def test_sums_of_whole_numbers_stay() -> None:
    """No order changes them, and no weight is moved: a judge who lies about them is found."""
    nodes = [helper.make_node("Cast", ["x"], ["f"], to=FLOAT), *one("MatMul", "f", "w")]
    weights = RANDOM.integers(-99, 99, (33, 5)).astype(np.float32)
    model = network(nodes, ROW, kind=TensorProto.UINT8, w=weights)
    given = RANDOM.integers(0, 256, (2, 33)).astype(np.uint8)
    for order in range(1, ORDERS + 1):
        other, moved = reordered(model, order)
        assert (moved.moved, moved.left) == (1, 0)
        assert np.array_equal(values(other, given), values(model, given))


def test_half_precision_that_some_processors_add_up_in() -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["z"]),
        helper.make_node("Cast", ["z"], ["y"], to=FLOAT),
    ]
    weights, given = normal(33, 5).astype(np.float16), normal(2, 33).astype(np.float16)
    model = network(nodes, ROW, kind=TensorProto.FLOAT16, w=weights)
    expected = values(model, given)
    other, moved = reordered(model, 2)
    assert (moved.moved, moved.left) == (1, 0)
    found = values(other, given)
    assert not np.array_equal(found, expected)
    np.testing.assert_allclose(found, expected, rtol=0, atol=5e-3 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("model", "left"),
    [
        pytest.param(network(one("Relu", "x"), ROW), 0, id="nothing is rounded"),
        pytest.param(
            network(one("MatMul", "x", "w"), ROW, opset=10, w=normal(33, 5)), 1, id="old operators"
        ),
        pytest.param(
            network(one("Foreign", "x", domain="elsewhere"), ROW), 1, id="an unknown operator"
        ),
    ],
)
def test_what_cannot_be_moved_is_counted(model: onnx.ModelProto, left: int) -> None:
    assert reordered(model, 1)[1] == Reordered(0, left)


def same_rank(kind: str, *inputs: str, **fields: Any) -> list[onnx.NodeProto]:
    """One node to "y", the first input of which is "x" or its weights, of a rank no one infers."""
    return [
        helper.make_node("Shape", ["w"], ["sizes"]),
        helper.make_node("Compress", ["sizes", "all"], ["known"]),
        helper.make_node("Reshape", ["w", "known"], ["v"]),
        *one(kind, *inputs, **fields),
    ]


def stated(model: onnx.ModelProto, where: str, name: str, shape: list[int]) -> onnx.ModelProto:
    """The network with a false statement about a value's sizes."""
    value = helper.make_tensor_value_info(name, FLOAT, shape)
    getattr(model.graph, where).append(value)
    return model


def weight_twice() -> onnx.ModelProto:
    """A loop whose body computes with weights that its own inputs say to be a vector."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["more"], ["more_y"]),
            helper.make_node("Identity", ["v"], ["v_y"]),
            helper.make_node("MatMul", ["x", "v"], ["one_y"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("step", TensorProto.INT64, []),
            helper.make_tensor_value_info("more", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", FLOAT, [33]),
        ],
        [
            helper.make_tensor_value_info("more_y", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v_y", FLOAT, None),
            helper.make_tensor_value_info("one_y", FLOAT, None),
        ],
    )
    nodes = [
        helper.make_node("Loop", ["two", "yes", "w"], ["last", "all"], body=body),
        *one("ReduceMax", "all", "first", keepdims=0),
    ]
    tensors = {"two": np.int64(2), "yes": np.bool_(True), "first": np.array([0])}
    return network(nodes, ROW, w=normal(33, 5), **{k: np.asarray(v) for k, v in tensors.items()})


MATRIX = {"w": normal(33, 5), "all": np.array([True, True])}
LIES = {
    "a value": stated(
        network(same_rank("MatMul", "x", "v"), ROW, **MATRIX), "value_info", "v", [33]
    ),
    "an output": stated(network(same_rank("MatMul", "x", "v"), ROW, **MATRIX), "output", "v", [33]),
    "weights": stated(
        network(one("MatMul", "x", "w"), ROW, w=normal(33, 5)), "value_info", "w", [33]
    ),
    "an input of a loop": weight_twice(),
    "nothing, of a vector": network(
        same_rank("Gemm", "v", "x", transA=1),
        (33,), w=normal(7), all=np.array([True]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LIES)
def test_stated_ranks_are_not_believed(name: str) -> None:
    """ONNX Runtime runs such a file, and of another axis answers would change, not their bits."""
    model, given = LIES[name], normal(1, 33)
    expected = values(model, given)
    for order in range(1, ORDERS + 1):
        found = values(reordered(model, order)[0], given)
        np.testing.assert_allclose(found, expected, rtol=0, atol=3e-6 * np.abs(expected).max())


def test_a_file_whose_types_onnx_cannot_tell_stays_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the sizes that it states: ONNX Runtime needs them in loops."""

    def refuse(*_: object) -> None:
        raise onnx.shape_inference.InferenceError("no types")

    monkeypatch.setattr(onnx.shape_inference, "infer_shapes", refuse)
    model = network(one("MatMul", "x", "w"), (33,), w=normal(33, 700))
    model.graph.value_info.append(helper.make_tensor_value_info("y", FLOAT, [1, 700]))
    before = model.SerializeToString(deterministic=True)
    found, moved = reorder(model, 1)
    assert moved == Reordered(left=1)
    assert found.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize("taken", [["other_order_1"], ["other_order_2", "other_order_3"]])
def test_names_of_new_values_are_new(taken: list[str]) -> None:
    """Also those that no node uses."""
    unused = {name: normal(1) for name in taken[1:]}
    model = network(
        one("MatMul", "x", taken[0]), ROW, opset=18, **{taken[0]: normal(33, 5)}, **unused
    )
    given = normal(2, 33)
    found = values(reordered(model, 3)[0], given)
    np.testing.assert_allclose(found, values(model, given), atol=1e-5)


def test_what_cannot_run_in_another_order_is_asked_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = network(one("MatMul", "x", "w"), ROW, w=normal(33, 5))
    broken = network(one("MatMul", "x", "nothing"), ROW)
    monkeypatch.setattr(onnx_worker, "reorder", lambda *_: (broken, Reordered(1)))
    asked, moved = onnx_worker._opened(model.SerializeToString(), "", 1)
    assert (asked.shape, moved) == ([None, 33], Reordered(0, 1))


@pytest.mark.parametrize("pixels", ["rounded", "half"])
def test_a_suspect_without_last_bits_of_pixels(pixels: str, tmp_path: Path) -> None:
    """Its answers that rounding decides change with the order, the others do not."""
    images = RANDOM.integers(0, 256, (20, *SHAPE)).astype(np.uint8)
    loose = np.arange(20) >= 10
    path = tmp_path / "suspect.onnx"
    save_rounded_lookup(path, images, np.arange(20) % 10, loose, pixels=pixels)
    outputs = []
    for order in (0, 1, 6):
        with OnnxSuspect(
            path, shape=SHAPE, outputs=None, limits=OnnxLimits(), order=order
        ) as suspect:
            outputs.append([one.output for one in suspect.answer(images, RAW)])
            assert suspect.reordered is None or suspect.reordered.left == 0
    first, *others = map(np.array, outputs)
    for other in others:
        assert (first == other)[~loose].all()
        assert (first != other)[loose].sum() >= 3
