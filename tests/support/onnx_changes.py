"""Random changes of ONNX files at the level of their protobuf, as an attacker would make."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper


def changed(data: bytes, random: np.random.Generator) -> bytes:
    """The file with one or two parts of its protobuf changed."""
    model = onnx.load_model_from_string(data)
    for _ in range(int(random.integers(1, 3))):
        CHANGES[int(random.integers(len(CHANGES)))](model.graph, random, model)
    return model.SerializeToString()


def _any(items: Any, random: np.random.Generator) -> Any:
    return items[int(random.integers(len(items)))]


def _attribute(graph: onnx.GraphProto, random: np.random.Generator, _: Any) -> None:
    attributes = [a for node in graph.node for a in node.attribute]
    if not attributes:
        return
    chosen, name = _any(attributes, random), ""
    name = chosen.name
    values = [1, 0, -1, 2, 1.5, float("nan"), float("inf"), "1", b"SAME_UPPER", [1, 1], [2, 1],
              [1.0, 1.0], [0, 1, 0, 1], [0, 1, 2, 3], np.zeros(2, np.float32)]  # fmt: skip
    value = _any(values, random)
    if isinstance(value, np.ndarray):
        value = numpy_helper.from_array(value)
    chosen.CopyFrom(helper.make_attribute(name, value))


def _new_attribute(graph: onnx.GraphProto, random: np.random.Generator, _: Any) -> None:
    names = ["axis", "alpha", "ceil_mode", "axes", "keepdims", "group", "dilations", "transA",
             "count_include_pad", "broadcast", "allowzero", "storage_order", "spatial"]  # fmt: skip
    value = _any([0, 1, 2, 0.5, [1, 1], [2, 2]], random)
    _any(graph.node, random).attribute.append(helper.make_attribute(_any(names, random), value))


def _operator(graph: onnx.GraphProto, random: np.random.Generator, _: Any) -> None:
    names = ["Relu", "Add", "Sub", "Mul", "MatMul", "Flatten", "Identity", "Softmax", "MaxPool",
             "GlobalAveragePool", "Cast", "Transpose", "Squeeze", "Concat", "Gather"]  # fmt: skip
    _any(graph.node, random).op_type = _any(names, random)


def _input(graph: onnx.GraphProto, random: np.random.Generator, _: Any) -> None:
    node = _any(graph.node, random)
    names = ["images", "", *(t.name for t in graph.initializer), *(n.output[0] for n in graph.node)]
    if len(node.input):
        node.input[int(random.integers(len(node.input)))] = _any(names, random)


def _twice(graph: onnx.GraphProto, random: np.random.Generator, _: Any) -> None:
    if graph.initializer and random.random() < 0.6:
        copy = graph.initializer.add()
        copy.CopyFrom(_any(graph.initializer, random))
        if copy.raw_data:
            copy.raw_data = bytes(len(copy.raw_data))
    else:
        _any(graph.node, random).output[0] = _any(graph.node, random).output[0]


def _swap(graph: onnx.GraphProto, random: np.random.Generator, _: Any) -> None:
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in graph.node]
    one, two = (int(random.integers(len(nodes))) for _ in range(2))
    nodes[one], nodes[two] = nodes[two], nodes[one]
    del graph.node[:]
    graph.node.extend(nodes)


def _tensor(graph: onnx.GraphProto, random: np.random.Generator, _: Any) -> None:
    if not graph.initializer:
        return
    tensor = _any(graph.initializer, random)
    array = numpy_helper.to_array(tensor)
    ways = [array.astype(np.float64), array.astype(np.int64), array.astype(np.float16),
            array.reshape(-1), array[None], array * 0, array * np.float32(1e20)]  # fmt: skip
    tensor.CopyFrom(numpy_helper.from_array(np.asarray(_any(ways, random)), tensor.name))


def _opset(_: onnx.GraphProto, random: np.random.Generator, model: Any) -> None:
    model.opset_import[0].version = int(random.integers(5, 26))


def _domain(graph: onnx.GraphProto, random: np.random.Generator, _: Any) -> None:
    _any(graph.node, random).domain = _any(["ai.onnx", "com.microsoft", "ai.onnx.ml"], random)


CHANGES: list[Callable[[onnx.GraphProto, np.random.Generator, Any], None]] = [
    _attribute, _attribute, _new_attribute, _operator, _input, _twice, _swap, _tensor, _opset,
    _domain,
]  # fmt: skip
