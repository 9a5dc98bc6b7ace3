"""Sums that cancel inside of operators whose order is not known: other orders show it."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from zkwm.suspects.onnx_reordered import Reordered, reorder
from zkwm.suspects.onnx_rewriting import ORDERS
from zkwm.suspects.onnx_worker import open_session

TERMS = 64
LARGE = np.random.default_rng(6).normal(size=TERMS).astype(np.float32)
LARGE[[0, -1]] = 1e8, -1e8


def network(
    nodes: list[onnx.NodeProto], shape: tuple[int, ...], **tensors: NDArray[Any]
) -> onnx.ModelProto:
    """A network from "x" to "y"."""
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", *shape))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def one(kind: str, *inputs: str, **fields: Any) -> list[onnx.NodeProto]:
    """One node to "y"."""
    return [helper.make_node(kind, [*inputs], ["y"], **fields)]


def of_terms(kind: str, *inputs: str, **fields: Any) -> list[onnx.NodeProto]:
    """One node from the terms, "t", to "y"."""
    return [helper.make_node("Mul", ["x", "w"], ["t"]), *one(kind, "t", *inputs, **fields)]


ROW, COLUMN = (TERMS,), (1, TERMS, 1)
SHAPED = {"w": LARGE.reshape(1, *COLUMN)}
NONE = np.zeros((1, 1), np.float32)
LAST = {"first": np.array([TERMS - 1]), "end": np.array([TERMS]), "axis": np.array([1])}
NETWORKS = {
    "Einsum": network(one("Einsum", "x", "w", equation="ab,b->a"), ROW, w=LARGE),
    "Einsum of the second": network(one("Einsum", "x", "w", equation="ab,c->a"), ROW, w=LARGE),
    "ConvTranspose": network(
        one("ConvTranspose", "x", "w"), (TERMS, 1, 1), w=LARGE.reshape(TERMS, 1, 1, 1)
    ),
    "a strided convolution": network(one("Conv", "x", "w", strides=[2, 1]), COLUMN, **SHAPED),
    "AveragePool": network(of_terms("AveragePool", kernel_shape=[TERMS, 1]), COLUMN, **SHAPED),
    "CumSum": network(
        [
            *of_terms("CumSum", "last")[:1],
            helper.make_node("CumSum", ["t", "last"], ["sums"]),
            *one("Slice", "sums", "first", "end", "axis"),
        ],
        ROW, w=LARGE, last=np.array(1), **LAST,
    ),
    "ScatterElements": network(
        [
            *of_terms("Relu")[:1],
            *one("ScatterElements", "none", "places", "t", axis=1, reduction="add"),
        ],
        ROW, w=LARGE, none=NONE, places=np.zeros((1, TERMS), np.int64),
    ),
    "the state of an LSTM": network(
        [
            helper.make_node("ReduceMax", ["x", "last"], ["one"]),
            helper.make_node("Unsqueeze", ["one", "first"], ["row"]),
            *one("LSTM", "row", "W", "R", "", "", "state", hidden_size=TERMS),
        ],
        ROW,
        last=np.array([1]), first=np.array([0]),
        W=np.zeros((1, 4 * TERMS, 1), np.float32),
        R=np.tile(LARGE / 100, (1, 4 * TERMS, 1)).astype(np.float32),
        state=np.ones((1, 1, TERMS), np.float32),
    ),
}  # fmt: skip


def value(model: onnx.ModelProto) -> float:
    """The first value that ONNX Runtime computes of ones."""
    sizes = [size.dim_value for size in model.graph.input[0].type.tensor_type.shape.dim[1:]]
    given = np.ones((1, *sizes), np.float32)
    found = open_session(model.SerializeToString()).run(None, {"x": given})[0]
    assert isinstance(found, np.ndarray)
    return float(found.reshape(-1)[0])


@pytest.mark.parametrize("name", NETWORKS)
def test_terms_are_moved_apart(name: str) -> None:
    """Two large ones cancel, and absorb the others: their last bits are all that there is."""
    model, others = NETWORKS[name], []
    for order in range(1, ORDERS + 1):
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        other, moved = reorder(copy, order)
        assert moved.moved > 0
        assert moved.left == 0
        others.append(value(other))
    assert np.ptp(others) > 0.01


def test_what_is_scattered_without_sums_stays() -> None:
    nodes = one("ScatterElements", "none", "places", "x", axis=1)
    model = network(nodes, (1,), none=NONE, places=np.zeros((1, 1), np.int64))
    assert reorder(model, 1)[1] == Reordered(0, 0)


def test_values_of_no_place_stay() -> None:
    """A softmax of nothing, beside what is asked."""
    nodes = [
        helper.make_node("Slice", ["x", "end", "end", "axis"], ["nothing"]),
        helper.make_node("Softmax", ["nothing"], ["still"]),
        *one("Concat", "x", "still", axis=1),
    ]
    model = network(nodes, ROW, **LAST)
    other, moved = reorder(model, 3)
    assert moved == Reordered(1, 0)
    assert value(other) == 1
