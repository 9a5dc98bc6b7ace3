"""Random small networks of every operator whose sums get another order: the same function stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from zkwm.suspects.onnx_contents import RefusedError
from zkwm.suspects.onnx_reordered import reorder
from zkwm.suspects.onnx_rewriting import ORDERS
from zkwm.suspects.onnx_worker import open_session

Draw = Callable[[np.random.Generator], tuple[onnx.NodeProto, list[NDArray[Any]]]]
"""A node from "v0", "v1" and so on to "y", and their values."""
REDUCTIONS = ("L1", "L2", "LogSum", "LogSumExp", "Mean", "Sum", "SumSquare")
CLOSE = {"float16": 2e-2, "float32": 2e-5, "float64": 1e-12}
"""How far results may differ, as a share of the largest."""


def node(kind: str, count: int, **fields: Any) -> onnx.NodeProto:
    """A node with this many inputs."""
    return helper.make_node(kind, [f"v{place}" for place in range(count)], ["y"], **fields)


def sizes(random: np.random.Generator, count: int, least: int, most: int) -> list[int]:
    """Random sizes of axes."""
    return [int(one) for one in random.integers(least, most + 1, count)]


def convolution(random: np.random.Generator) -> tuple[onnx.NodeProto, list[NDArray[Any]]]:
    """Of one to three axes, with any groups, strides, dilations, padding and bias."""
    axes = int(random.integers(1, 4))
    groups = int(random.choice([1, 1, 2, 3]))
    inner, outer = sizes(random, 2, 1, 3)
    kernel = sizes(random, axes, 1, 3)
    fields: dict[str, Any] = {} if groups == 1 else {"group": groups}
    if random.random() < 0.5:
        fields["strides"] = sizes(random, axes, 1, 3)
    padding = str(random.choice(["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER", "numbers"]))
    if padding == "numbers":
        fields["pads"] = sizes(random, 2 * axes, 0, 2)
    else:
        fields["auto_pad"] = padding
    if not padding.startswith("SAME") and random.random() < 0.5:
        fields["dilations"] = sizes(random, axes, 1, 2)
    if random.random() < 0.5:
        fields["kernel_shape"] = kernel
    shapes = [[2, groups * inner, *sizes(random, axes, 5, 8)], [groups * outer, inner, *kernel]]
    shapes += [[groups * outer]] * int(random.integers(2))
    values = [random.normal(size=shape) for shape in shapes]
    return node("Conv", len(values), **fields), values


def product(random: np.random.Generator) -> tuple[onnx.NodeProto, list[NDArray[Any]]]:
    """``Gemm``, factors transposed or not, alpha and beta, and a bias of any rank."""
    rows, terms, columns = sizes(random, 3, 1, 40)
    turned = [int(one) for one in random.integers(0, 2, 2)]
    shapes = [[rows, terms][:: 1 - 2 * turned[0]], [terms, columns][:: 1 - 2 * turned[1]]]
    biases: list[list[int]] = [[], [columns], [1, columns], [rows, 1], [rows, columns], [1]]
    if place := int(random.integers(7)):
        shapes.append(biases[place - 1])
    fields = {"alpha": 0.5, "beta": 2.0, "transA": turned[0], "transB": turned[1]}
    values = [random.normal(size=shape) for shape in shapes]
    return node("Gemm", len(values), **fields), values


def matrices(random: np.random.Generator) -> tuple[onnx.NodeProto, list[NDArray[Any]]]:
    """``MatMul`` of vectors, matrices, and stacks of these that are broadcast."""
    terms = int(random.integers(1, 40))
    stack = sizes(random, 2, 1, 3)
    left = [*stack[int(random.integers(3)) :], int(random.integers(1, 4)), terms]
    right = [*stack[int(random.integers(3)) :], terms, int(random.integers(1, 4))]
    left = [terms] if random.random() < 0.2 else left
    right = [terms] if random.random() < 0.2 else right
    return node("MatMul", 2), [random.normal(size=shape) for shape in (left, right)]


def mean_of_all(random: np.random.Generator) -> tuple[onnx.NodeProto, list[NDArray[Any]]]:
    """``GlobalAveragePool`` of one to three axes, some with one place."""
    shape = [2, 3, *sizes(random, int(random.integers(1, 4)), 1, 9)]
    return node("GlobalAveragePool", 1), [random.normal(size=shape)]


def reduction(random: np.random.Generator) -> tuple[onnx.NodeProto, list[NDArray[Any]]]:
    """Over some, all or no axes, counted from either end."""
    rank = int(random.integers(1, 5))
    fields: dict[str, Any] = {"keepdims": int(random.integers(2))}
    values = [np.abs(random.normal(size=sizes(random, rank, 1, 6))) + 0.1]
    if (count := int(random.integers(rank + 2))) <= rank:
        axes = random.permutation(rank)[:count]
        values.append(np.where(random.random(count) < 0.5, axes, axes - rank).astype(np.int64))
        fields["noop_with_empty_axes"] = int(random.integers(2))
    return node(f"Reduce{random.choice(REDUCTIONS)}", len(values), **fields), values


def approximation(random: np.random.Generator) -> tuple[onnx.NodeProto, list[NDArray[Any]]]:
    """Operators that are made longer by last bits."""
    given = random.normal(size=(2, 3, 7, 8))
    window: dict[str, Any] = {"kernel_shape": [3, 2], "strides": sizes(random, 2, 1, 3)}
    window |= {"pads": [1, 0, 1, 1], "ceil_mode": int(random.integers(2))}
    nodes = [
        (node("AveragePool", 1, count_include_pad=int(random.integers(2)), **window), []),
        (node("Softmax", 1, axis=int(random.integers(-1, 4))), []),
        (node("ConvTranspose", 2, strides=sizes(random, 2, 1, 2)), [(3, 2, 3, 2)]),
        (node("InstanceNormalization", 3), [(3,), (3,)]),
        (node("Einsum", 2, equation="abcd,cd->ab"), [(7, 8)]),
    ]
    chosen, shapes = nodes[int(random.integers(len(nodes)))]
    return chosen, [given, *(random.normal(size=shape) for shape in shapes)]


def network(chosen: onnx.NodeProto, values: list[NDArray[Any]], constant: bool) -> onnx.ModelProto:
    """A network of one node; all but its first input and axes are constants of the file, or given.

    What is given states its rank alone.
    """
    kinds = [helper.np_dtype_to_tensor_dtype(one.dtype) for one in values]
    held = [
        place for place, one in enumerate(values) if place and (constant or one.dtype.kind == "i")
    ]
    graph = helper.make_graph(
        [chosen],
        "network",
        [
            helper.make_tensor_value_info(f"v{place}", kinds[place], [None] * one.ndim)
            for place, one in enumerate(values)
            if place not in held
        ],
        [helper.make_tensor_value_info("y", kinds[0], None)],
        [numpy_helper.from_array(values[place], f"v{place}") for place in held],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def answer(model: onnx.ModelProto, values: list[NDArray[Any]]) -> NDArray[np.float64]:
    """What ONNX Runtime computes."""
    session = open_session(model.SerializeToString())
    given = {one.name: values[int(one.name[1:])] for one in session.get_inputs()}
    found = session.run(None, given)[0]
    assert isinstance(found, np.ndarray)
    return found.astype(np.float64)


@pytest.mark.parametrize(
    "draw", [convolution, product, matrices, mean_of_all, reduction, approximation]
)
def test_the_function_stays(draw: Draw) -> None:
    random = np.random.default_rng(20)
    changed = 0
    for _ in range(60 if draw is convolution else 25):
        chosen, drawn = draw(random)
        dtype = "float32" if random.random() < 0.8 else str(random.choice(["float64", "float16"]))
        values = [one if one.dtype == np.int64 else one.astype(dtype) for one in drawn]
        model = network(chosen, values, random.random() < 0.5)
        try:
            expected = answer(model, values)
        except RefusedError as refused:  # ONNX Runtime has no such operator for this type
            if "NOT_IMPLEMENTED" not in str(refused):
                raise
            continue
        for order in {int(random.integers(1, ORDERS + 1)), int(random.integers(1, ORDERS + 1))}:
            copy = onnx.ModelProto()
            copy.CopyFrom(model)
            other, moved = reorder(copy, order)
            assert (moved.moved, moved.left) == (1, 0)
            found = answer(other, values)
            atol = CLOSE[dtype] * np.abs(expected).max()
            np.testing.assert_allclose(found, expected, rtol=0, atol=atol, err_msg=str(chosen))
            changed += not np.array_equal(found, expected)
    assert changed >= 10
