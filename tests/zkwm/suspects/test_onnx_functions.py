"""Functions that an ONNX file defines: another order of sums is of the network that is run."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from zkwm.suspects.onnx_reordered import Reordered, reorder
from zkwm.suspects.onnx_rewriting import ORDERS
from zkwm.suspects.onnx_worker import open_session

GIVEN = np.random.default_rng(4).normal(size=(2, 33)).astype(np.float32)
WEIGHTS = np.random.default_rng(5).normal(size=(33, 5)).astype(np.float32)


def network(
    body: list[onnx.NodeProto],
    defaults: list[onnx.AttributeProto],
    kind: str = "Head",
    domain: str = "own",
    **given: Any,
) -> onnx.ModelProto:
    """A product, and of it a function from "a" to "b" with this body."""
    function = helper.make_function(
        domain, kind, ["a"], ["b"], body, [helper.make_opsetid("", 18)], ["slope"], defaults
    )
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["z"]),
            helper.make_node(kind, ["z"], ["y"], domain=domain, **given),
        ],
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", 33))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(WEIGHTS, "w")],
    )
    versions = {"": 18, domain: 1} if domain not in ("", "ai.onnx") else {"": 18}
    imported = [helper.make_opsetid(name, version) for name, version in versions.items()]
    return helper.make_model(graph, functions=[function], opset_imports=imported, ir_version=9)


def leaky() -> onnx.NodeProto:
    """``LeakyRelu`` with a slope that the call of the function gives."""
    node = helper.make_node("LeakyRelu", ["a"], ["b"])
    node.attribute.append(
        onnx.AttributeProto(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT)
    )
    return node


def values(model: onnx.ModelProto) -> np.ndarray:
    """What ONNX Runtime computes."""
    found = open_session(model.SerializeToString()).run(None, {"x": GIVEN})[0]
    assert isinstance(found, np.ndarray)
    return found


DEFAULT = helper.make_attribute("slope", -1.0)
OPPOSITE = helper.make_node("Neg", ["a"], ["b"])
FUNCTIONS = {
    "an attribute that is given": (network([leaky()], [], slope=0.5), Reordered(1, 0)),
    "an attribute by default": (network([leaky()], [DEFAULT]), Reordered(0, 2)),
    "an operator's name": (network([OPPOSITE], [], "Relu", ""), Reordered(0, 1)),
    "an operator's name, in full": (network([OPPOSITE], [], "Relu", "ai.onnx"), Reordered(0, 1)),
    "ONNX Runtime's own": (network([OPPOSITE], [], "Gelu", "com.microsoft"), Reordered(0, 2)),
    "a name of machine learning": (
        network([OPPOSITE], [], "Normalizer", "ai.onnx.ml"),
        Reordered(0, 2),
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_function_that_is_run_stays(name: str) -> None:
    """A plain one is put in, and its sums are ordered; others leave the network as it is."""
    model, moved = FUNCTIONS[name]
    expected = values(model)
    for order in range(1, ORDERS + 1):
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        other, found = reorder(copy, order)
        assert found == moved
        np.testing.assert_allclose(values(other), expected, rtol=0, atol=1e-5)
