"""Random ONNX classifiers, by number: operators, opsets, attributes, shapes, damaged files.

``graph(n)`` is always the same file. Most are valid; one in four is changed at the level of its
protobuf, as a person would who looks for two readers that differ.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from tests.support.growing_graph import Growing
from tests.support.onnx_changes import changed
from tests.support.onnx_steps import (
    bias,
    cut,
    magnifying,
    padded,
    reduced,
    rounded,
    several,
    split,
    weights,
)

CHANGED = 0.25


def convolution(g: Growing) -> None:
    channels, height, width = g.dims
    groups = channels if g.chance(0.25) else 1
    outputs = groups * g.choice([1, 2, 3])
    sides = [g.choice([1, 2, 3]), g.choice([1, 2, 3])]
    if sides[0] > height or sides[1] > width:
        return
    options: dict[str, Any] = {"group": groups} if groups > 1 or g.chance(0.3) else {}
    way = g.random.random()
    if way < 0.3:
        options["pads"] = [int(g.random.integers(0, 2)) for _ in range(4)]
    elif way < 0.5:
        options["auto_pad"] = g.choice(["SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"])
    if g.chance(0.4):
        options["strides"] = [g.choice([1, 2]), g.choice([1, 2, 3])]
    if g.chance(0.2) and "auto_pad" not in options:
        options["dilations"] = [g.choice([1, 2]), 1]
        if 2 * sides[0] > height:
            options.pop("dilations")
    if g.chance(0.5):
        options["kernel_shape"] = sides
    inputs = [weights(g, g.normal(outputs, channels // groups, *sides))]
    if g.chance(0.7):
        inputs.append(bias(g, g.normal(outputs)))
    g.then("Conv", *inputs, **options)
    window(g, outputs, sides, options)


def window(g: Growing, channels: int, sides: list[int], options: dict[str, Any]) -> None:
    result = []
    for axis in range(2):
        size, stride = g.dims[axis + 1], options.get("strides", [1, 1])[axis]
        reach = options.get("dilations", [1, 1])[axis] * (sides[axis] - 1) + 1
        pads = options.get("pads", [0, 0, 0, 0])
        if options.get("auto_pad", "").startswith("SAME"):
            result.append(-(-size // stride))
            continue
        room = size + pads[axis] + pads[axis + 2] - reach
        count = room // stride + 1
        if options.get("ceil_mode") and room % stride and count * stride < size + pads[axis]:
            count += 1
        result.append(count)
    g.dims = (channels, *result)


def pool(g: Growing) -> None:
    operator = g.choice(["MaxPool", "AveragePool"])
    sides = [g.choice([1, 2, 3]), g.choice([1, 2])]
    if sides[0] > g.dims[1] or sides[1] > g.dims[2]:
        return
    options: dict[str, Any] = {"kernel_shape": sides}
    if g.chance(0.7):
        options["strides"] = [g.choice([1, 2]), g.choice([1, 2])]
    if g.chance(0.3):
        options["pads"] = [int(g.random.integers(0, min(sides))) for _ in range(4)]
        if operator == "AveragePool":
            options["count_include_pad"] = g.choice([0, 1])
    elif g.chance(0.2):
        options["auto_pad"] = g.choice(["SAME_UPPER", "SAME_LOWER", "VALID"])
    if g.chance(0.2) and g.opset >= 10 and "auto_pad" not in options:
        options["ceil_mode"] = 1
    g.then(operator, **options)
    window(g, g.dims[0], sides, options)


def entrywise(g: Growing) -> None:
    operator = g.choice(["Relu", "Relu", "Sigmoid", "Tanh", "Erf", "LeakyRelu", "Elu", "Clip",
                         "HardSigmoid", "HardSwish", "Gelu", "Neg", "Abs", "Softplus", "Exp",
                         "Mish", "PRelu", "Selu", "Softsign", "Celu"])  # fmt: skip
    since = {"Erf": 9, "HardSwish": 14, "Gelu": 20, "Mish": 18, "Celu": 12}
    if g.opset < since.get(operator, 7):
        operator = "Relu"
    options: dict[str, Any] = {}
    inputs: list[str] = []
    if operator in ("LeakyRelu", "Elu") and g.chance(0.7):
        options["alpha"] = float(g.random.uniform(0.01, 1.2))
    if operator == "HardSigmoid" and g.chance(0.7):
        options = {"alpha": 0.3, "beta": 0.4}
    if operator == "Gelu" and g.chance(0.5):
        options["approximate"] = g.choice(["tanh", "none"])
    if operator == "PRelu":
        inputs = [g.constant(g.random.uniform(0, 1, (g.dims[0], *[1] * (len(g.dims) - 1))))]
    if operator == "Clip":
        low, high = g.choice([(0.0, 6.0), (-1.0, 1.0), (0.0, np.inf), (0.1, 0.5)])
        if g.opset < 11:
            options = {"min": low} if np.isinf(high) else {"min": low, "max": high}
        elif g.chance(0.3):
            inputs = ["", g.constant(high)]
        else:
            inputs = [g.constant(low), g.constant(high)][: g.choice([1, 2])]
    g.then(operator, *inputs, **options)


def arithmetic(g: Growing) -> None:
    operator = g.choice(["Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Sum"])
    if operator == "Pow":
        g.then("Pow", g.constant(float(g.choice([1, 2, 3, 0.5]))))
        return
    sizes = g.choice(
        [(), (1,), (g.dims[0], *[1] * (len(g.dims) - 1)), (1, g.dims[0], *[1] * (len(g.dims) - 1)),
         g.dims[-1:]]
    )  # fmt: skip
    values = g.random.uniform(0.3, 2.0, sizes) * g.choice([1, 1, -1])
    other = g.constant(values)
    if operator in ("Max", "Min") and g.opset < 8:
        return
    if g.chance(0.3):
        g.last = g.node(operator, other, g.last)
    else:
        g.then(operator, other)


def branch(g: Growing) -> None:
    start = g.last
    operator = g.choice(["Relu", "Tanh", "Sigmoid", "Identity"])
    g.then(operator)
    other = g.last
    if g.chance(0.4) and len(g.dims) == 3:
        weights = g.constant(g.normal(g.dims[0], g.dims[0], 1, 1))
        other = g.node("Conv", other, weights)
    way = g.choice(["Add", "Add", "Sub", "Mul", "Concat", "Div", "Max"])
    if way == "Max" and g.opset < 8:
        way = "Add"
    if way == "Concat":
        g.last = g.node("Concat", start, other, axis=1)
        g.dims = (2 * g.dims[0], *g.dims[1:])
    else:
        g.last = g.node(way, start, other)


def norm(g: Growing) -> None:
    spread = [g.random.uniform(0.5, 2, g.dims[0]) for _ in range(2)]
    moved = [g.random.normal(size=g.dims[0]) * 0.3 for _ in range(2)]
    facts = [g.constant(v) for v in (spread[0], *moved, spread[1])]
    options = {"epsilon": float(g.choice([1e-5, 0.1]))} if g.chance(0.5) else {}
    g.then("BatchNormalization", *facts, **options)


def passing(g: Growing) -> None:
    operator = g.choice(["Identity", "Dropout", "Cast", "Transpose", "Unsqueeze", "Pad"])
    if operator == "Cast":
        g.then("Cast", to=g.choice([1, 1, 1, 11, 10, 6]))
        if g.nodes[-1].attribute[0].i != 1:
            g.then("Cast", to=1)
    elif operator == "Transpose":
        order = [0, *(1 + g.random.permutation(len(g.dims)))]
        g.then("Transpose", perm=[int(k) for k in order])
        g.dims = tuple(g.dims[k - 1] for k in order[1:])
    elif operator == "Unsqueeze":
        g.last = g.squeeze(g.squeeze(g.last, [2], "Unsqueeze"), [2])
    elif operator == "Pad" and g.opset >= 11:
        pads = np.zeros(2 * len(g.dims) + 2, np.int64)
        g.then("Pad", g.constant(pads, np.int64))
    elif operator != "Pad":
        g.then(operator)


def reduce(g: Growing) -> None:
    way = g.choice(["GlobalAveragePool", "GlobalMaxPool", "ReduceMean", "Squeeze"])
    if way == "ReduceMean":
        keep = int(g.chance(0.5))
        axes = g.choice([[2, 3], [-1, -2], [3, 2]])
        if g.opset >= 18:
            g.then("ReduceMean", g.constant(axes, np.int64), keepdims=keep)
        else:
            g.then("ReduceMean", axes=axes, keepdims=keep)
        g.dims = (g.dims[0], 1, 1) if keep else g.dims[:1]
        return
    g.then(way if way != "Squeeze" else "GlobalAveragePool")
    g.dims = (g.dims[0], 1, 1)
    if way == "Squeeze":
        g.last = g.squeeze(g.last, g.choice([[2, 3], [-1, -2]]))
        g.dims = g.dims[:1]


def flatten(g: Growing) -> None:
    total = prod(g.dims)
    way = g.choice(["Flatten", "constant", "shape", "size"])
    if way == "Flatten":
        g.then("Flatten", **({"axis": 1} if g.chance(0.3) else {}))
    elif way == "constant":
        target = g.choice([[-1, total], [0, -1], [1, -1], [0, total]])
        g.then("Reshape", g.constant(target, np.int64))
    else:
        size = g.node("Gather", g.node("Shape", g.last), g.constant(0, np.int64))
        if way == "size" and g.opset >= 15:
            size = g.node("Shape", g.last, start=0, end=1)
        else:
            size = g.squeeze(size, [0], "Unsqueeze")
        rest = g.constant([g.choice([-1, total])], np.int64)
        g.then("Reshape", g.node("Concat", size, rest, axis=0))
    g.dims = (total,)


def head(g: Growing, outputs: int) -> None:
    inputs = g.dims[0]
    if g.chance(0.6):
        options: dict[str, Any] = {}
        matrix = g.normal(outputs, inputs)
        if g.chance(0.5):
            options["transB"] = 1
        else:
            matrix = matrix.T
        if g.chance(0.3):
            options |= {"alpha": 0.7, "beta": float(g.choice([0.0, 1.5]))}
        sizes = g.choice([(outputs,), (1, outputs), (1,), ()])
        stored = weights(g, matrix, axis=0 if "transB" in options else 1)
        g.then("Gemm", stored, bias(g, g.random.normal(size=sizes)), **options)
    else:
        g.then("MatMul", weights(g, g.normal(inputs, outputs), axis=1))
        if g.chance(0.7):
            g.then("Add", g.constant(g.random.normal(size=(outputs,))))
    g.dims = (outputs,)


Step = Callable[[Growing], None]
SPATIAL: list[Step] = [convolution, convolution, convolution, pool, entrywise, entrywise,
                       arithmetic, branch, norm, passing, cut, split, padded, reduced, several,
                       magnifying]  # fmt: skip
FLAT: list[Step] = [entrywise, entrywise, arithmetic, branch, passing, cut, split, several,
                    magnifying]  # fmt: skip


def then_rounded(step: Step, g: Growing) -> None:
    """One step, and in a quantized graph as a rule its result rounded."""
    step(g)
    if (g.quantized and g.chance(0.8)) or (g.opset >= 10 and g.chance(0.02)):
        rounded(g)


def grown(seed: int) -> Growing:
    """A valid classifier, as a rule."""
    g = Growing(seed)
    if g.quantized and g.chance(0.8):
        rounded(g)
    if g.chance(0.1):
        g.then("Mul", g.constant(g.random.uniform(0.5, 2, (g.dims[0], 1, 1))))
    for _ in range(int(g.random.integers(0, 5))):
        then_rounded(g.choice(SPATIAL), g)
    if g.chance(0.3):
        reduce(g)
    if len(g.dims) > 1 or g.chance(0.1):
        then_rounded(flatten, g)
    for _ in range(int(g.random.integers(0, 2))):
        then_rounded(lambda g: head(g, g.choice([3, 6])), g)
        for _ in range(int(g.random.integers(0, 3))):
            then_rounded(g.choice(FLAT), g)
    if len(g.dims) > 1:
        flatten(g)
    head(g, g.classes)
    if g.quantized and g.chance(0.8):
        rounded(g)
    if g.chance(0.5):
        g.then(g.choice(["Softmax", "LogSoftmax", "Sigmoid", "Identity", "Relu"]))
    return g


def graph(seed: int) -> tuple[bytes, tuple[int, int, int]]:
    """A file and the shape of its images."""
    g = grown(seed)
    data = g.file()
    return (changed(data, g.random) if g.chance(CHANGED) else data), g.shape
