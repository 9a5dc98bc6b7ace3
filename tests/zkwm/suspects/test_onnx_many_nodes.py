"""Networks of many operators: another order takes few nodes more, and no longer than it has to."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from zkwm.suspects import onnx_reordered
from zkwm.suspects.onnx_reordered import reorder
from zkwm.suspects.onnx_rewriting import ORDERS
from zkwm.suspects.onnx_worker import open_session

FLOAT, COUNT, SIZE = TensorProto.FLOAT, 40, 35
GIVEN = np.random.default_rng(4).normal(size=(2, SIZE)).astype(np.float32)
WEIGHTS = np.random.default_rng(5).normal(size=(SIZE, SIZE)).astype(np.float32) / 6


def network(nodes: list[onnx.NodeProto], *, older: bool = False) -> onnx.ModelProto:
    """A network from "x" to "y" with the weights "w", which an older file has as an input, too."""
    inputs = [helper.make_tensor_value_info("x", FLOAT, ("n", SIZE))]
    if older:
        inputs.append(helper.make_tensor_value_info("w", FLOAT, WEIGHTS.shape))
    graph = helper.make_graph(
        nodes,
        "network",
        inputs,
        [helper.make_tensor_value_info("y", FLOAT, None)],
        [numpy_helper.from_array(WEIGHTS, "w"), numpy_helper.from_array(np.float32(0), "zero")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def products() -> list[onnx.NodeProto]:
    """One product after the other."""
    names = ["x", *(f"v{number}" for number in range(1, COUNT)), "y"]
    return [
        helper.make_node("MatMul" if number % 2 else "Gemm", [before, "w"], [after])
        for number, (before, after) in enumerate(pairwise(names))
    ]


def values(model: onnx.ModelProto) -> np.ndarray:
    """What ONNX Runtime computes."""
    found = open_session(model.SerializeToString()).run(None, {"x": GIVEN})[0]
    assert isinstance(found, np.ndarray)
    return found


@pytest.mark.parametrize("older", [False, True])
def test_an_order_of_weights_takes_one_node(older: bool) -> None:
    """Many slices would make a file so large that no other order of it is opened in time."""
    model = network(products(), older=older)
    expected = values(model)
    for order in range(1, ORDERS + 1):
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        other, moved = reorder(copy, order)
        assert (moved.moved, moved.left) == (COUNT, 0)
        kinds = Counter(node.op_type for node in other.graph.node)
        assert kinds == {"MatMul": COUNT // 2, "Gemm": COUNT // 2, "Gather": 2 * COUNT,
                         "Constant": 1}  # fmt: skip
        found = values(other)
        atol = 1e-4 * np.abs(expected).max()
        np.testing.assert_allclose(found, expected, rtol=0, atol=atol)
        assert not np.array_equal(found, expected)


def branch(name: str, number: int) -> onnx.GraphProto:
    """A product in a graph of its own."""
    node = helper.make_node("MatMul", ["x", "w"], [f"{name}{number}"])
    output = helper.make_tensor_value_info(f"{name}{number}", FLOAT, None)
    return helper.make_graph([node], name, [], [output])


def test_what_is_known_outside_is_not_copied_into_each_graph(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """For thousands of conditions that took longer than a file may take to be opened."""
    nodes = [helper.make_node("Greater", ["zero", "zero"], ["more"])]
    for number in range(COUNT):
        graphs = {name: branch(name, number) for name in ("then_branch", "else_branch")}
        output = "y" if number == COUNT - 1 else f"v{number}"
        nodes.append(helper.make_node("If", ["more"], [output], **graphs))
    sizes = []
    rewrite = onnx_reordered._Rewriting._node

    def watched(self: onnx_reordered._Rewriting, node: onnx.NodeProto) -> None:
        sizes.append(len(self._types.maps[0]))
        rewrite(self, node)

    monkeypatch.setattr(onnx_reordered._Rewriting, "_node", watched)
    model = network(nodes)
    expected = values(model)
    other, moved = reorder(model, 3)
    assert (moved.moved, moved.left) == (2 * COUNT, 0)
    assert sum(size > 3 for size in sizes) == COUNT + 1
    np.testing.assert_allclose(values(other), expected, rtol=0, atol=1e-5)
