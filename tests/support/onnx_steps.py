"""Steps of random ONNX classifiers that fewer exporters make: int8 graphs, cuts, other functions.

``tests.support.onnx_graphs`` has the usual ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.support.growing_graph import Growing


def rounded(g: Growing) -> None:
    """A QuantizeLinear and a DequantizeLinear, as QDQ exporters put them around activations."""
    kinds = [np.uint8, np.int8] + ([np.uint16, np.int16] if g.opset >= 21 else [])
    kind = g.choice(kinds)
    limits = np.iinfo(kind)
    if g.chance(0.3) and g.scales:  # exporters share one scale around maxima and reshapes
        scale, zero, kind = g.choice(g.scales)
    else:
        scale = np.float32(g.random.uniform(0.5, 8) / (limits.max - int(limits.min)))
        middle = (limits.max + int(limits.min) + 1) // 2
        zero = g.choice([int(limits.min), middle, int(g.random.integers(limits.min, limits.max))])
        g.scales.append((scale, zero, kind))
    facts = [g.whole(scale)]
    if kind != np.uint8 or zero or g.chance(0.7):
        facts.append(g.whole(np.array(zero, kind)))
    options: dict[str, Any] = {}
    if g.opset >= 13 and g.chance(0.2):
        options["axis"] = g.choice([0, 1, -1])
    g.then("QuantizeLinear", *facts, **options)
    g.then("DequantizeLinear", *facts, **options)
    if g.chance(0.2):
        g.then("Relu")


def weights(g: Growing, values: np.ndarray, axis: int = 0) -> str:
    """Weights as the graph stores them: floats, or integers and their scale or scales."""
    if not g.quantized:
        return g.constant(values)
    kind = g.choice([np.int8, np.uint8])
    zero = g.choice([0, 0, 3]) if kind == np.int8 else 128
    per_channel = g.opset >= 13 and g.chance(0.5)
    others = tuple(k for k in range(values.ndim) if k != axis)
    most = np.abs(values).max(axis=others if per_channel else None)
    scales = np.asarray(np.maximum(most, 1e-3) / 120, np.float32)
    zeros = np.full(scales.shape, zero, kind)
    along = [1] * values.ndim
    along[axis] = -1
    wide = scales.reshape(along) if per_channel else scales
    options: dict[str, Any] = {"axis": g.choice([axis, axis - values.ndim])} if per_channel else {}
    facts = [g.whole(scales), g.whole(zeros)]
    if g.chance(0.2):  # fake-quantized: floats that the graph rounds itself
        stored = g.node("QuantizeLinear", g.constant(values), *facts, **options)
    else:
        levels = np.clip(np.rint(values / wide) + zero, np.iinfo(kind).min, np.iinfo(kind).max)
        stored = g.whole(levels.astype(kind))
    return g.node("DequantizeLinear", stored, *facts, **options)


def bias(g: Growing, values: np.ndarray) -> str:
    """A bias as floats, or as integers of 32 bits with scale and zero."""
    if not g.quantized or g.chance(0.3):
        return g.constant(values)
    scale = np.float32(1e-3)
    stored = g.whole(np.rint(values / scale).astype(np.int32))
    facts = [g.whole(scale)] + ([g.whole(np.array(0, np.int32))] if g.chance(0.5) else [])
    return g.node("DequantizeLinear", stored, *facts)


def magnifying(g: Growing) -> None:
    """Logarithms, roots and reciprocals of numbers away from zero, and functions with a step."""
    operator = g.choice(["Log", "Sqrt", "Reciprocal", "ThresholdedRelu", "Swish", "Exp"])
    if operator in ("Log", "Sqrt", "Reciprocal"):
        g.then(g.choice(["Abs", "Relu", "Sigmoid"]))
        g.then("Add", g.constant(float(g.random.uniform(0.2, 1.5))))
    options: dict[str, Any] = {}
    if operator in ("ThresholdedRelu", "Swish") and g.chance(0.7):
        options["alpha"] = float(g.random.uniform(0.1, 1.2))
    if (operator == "ThresholdedRelu" and g.opset < 10) or (operator == "Swish" and g.opset < 24):
        operator, options = "Sqrt", {}
        g.then("Abs")
        g.then("Add", g.constant(0.5))
    g.then(operator, **options)


def cut(g: Growing) -> None:
    """A Slice along one axis."""
    axis = int(g.random.integers(len(g.dims)))
    size, step = g.dims[axis], g.choice([1, 1, 2, -1])
    start = int(g.random.integers(0, max(1, size - 1)))
    end = int(g.random.integers(start + 1, size + 1))
    if step < 0:
        start, end = end - 1, (start - 1 if start else -size - 1)
    elif end == size and g.chance(0.5):
        end = g.choice([2**31, 2**63 - 1])
    kept = len(range(size)[slice(start, None if end < -size else end, step)])
    number = g.choice([axis + 1, axis - len(g.dims)])
    if g.opset >= 10:
        lists = [g.constant([value], np.int64) for value in (start, end, number, step)]
        g.then("Slice", *lists[: 4 if step != 1 or g.chance(0.5) else 3])
    else:
        if step != 1:
            return
        g.then("Slice", starts=[start], ends=[min(end, 2**31)], axes=[axis + 1])
    g.dims = (*g.dims[:axis], kept, *g.dims[axis + 1 :])


def split(g: Growing) -> None:
    """A Split of the channels, one part of which goes on, or both added up or joined again."""
    channels = g.dims[0]
    if channels < 2:
        return
    even = channels % 2 == 0
    sizes = [channels // 2] * 2 if even else [1, channels - 1]
    names = [f"v{len(g.nodes)}", f"v{len(g.nodes)}_more"]
    options: dict[str, Any] = {"axis": g.choice([1, -len(g.dims)])}
    inputs = [g.last]
    if g.opset < 13:
        if not even or g.chance(0.5):
            options["split"] = sizes
    elif not even or g.chance(0.5):
        inputs.append(g.constant(sizes, np.int64))
        names = [f"v{len(g.nodes)}", f"v{len(g.nodes)}_more"]
    elif g.opset >= 18:
        options["num_outputs"] = 2
    g.outputs("Split", inputs, names, **options)
    way = g.choice(["first", "second", "Add", "Mul", "Min", "Concat"])
    if way == "Concat":
        g.last = g.node("Concat", names[1], names[0], axis=1)
    elif way in ("Add", "Mul", "Min") and even and (way != "Min" or g.opset >= 8):
        g.last, g.dims = g.node(way, *names), (sizes[0], *g.dims[1:])
    else:
        chosen = int(way == "second")
        g.last, g.dims = names[chosen], (sizes[chosen], *g.dims[1:])


def padded(g: Growing) -> None:
    """Zeros around images."""
    around = [int(g.random.integers(0, 2)) for _ in range(4)]
    pads = [0, 0, *around[:2], 0, 0, *around[2:]]
    if g.opset < 11:
        g.then("Pad", pads=pads)
    elif g.opset >= 18 and g.chance(0.5):
        g.then("Pad", g.constant(around, np.int64), "", g.constant([2, 3], np.int64))
    elif g.chance(0.5):
        g.then("Pad", g.constant(pads, np.int64), g.constant(0.0))
    else:
        g.then("Pad", g.constant(pads, np.int64))
    g.dims = (g.dims[0], g.dims[1] + around[0] + around[2], g.dims[2] + around[1] + around[3])


def reduced(g: Growing) -> None:
    """A maximum, sum or mean over one or two axes."""
    operator = g.choice(["ReduceMax", "ReduceSum", "ReduceMean"])
    axes = g.choice([[1], [2], [3], [-1], [2, 3], [1, 2]])
    keep = int(g.chance(0.7) or len(axes) > 1)
    since = 13 if operator == "ReduceSum" else 18
    if g.opset >= since:
        g.then(operator, g.constant(axes, np.int64), keepdims=keep)
    else:
        g.then(operator, axes=axes, keepdims=keep)
    chosen = {axis % 4 - 1 for axis in axes}
    sizes = [1 if k in chosen else size for k, size in enumerate(g.dims)]
    g.dims = tuple(sizes)
    if not keep:
        axis = next(iter(chosen)) + 1
        g.last = g.squeeze(g.last, [axis], "Unsqueeze")


def several(g: Growing) -> None:
    """Functions of one tensor that are added up, compared, or joined along any axis."""
    parts = [g.node(operator, g.last) for operator in ("Relu", "Tanh", "Neg")]
    if g.chance(0.3):
        parts.append(g.constant(float(g.random.uniform(-1, 1))))
    operator = g.choice(["Sum", "Sum", "Max", "Min", "Concat"])
    if operator == "Concat":
        axis = int(g.random.integers(len(g.dims)))
        g.last = g.node("Concat", *parts[:2], axis=axis + 1)
        g.dims = (*g.dims[:axis], 2 * g.dims[axis], *g.dims[axis + 1 :])
    elif g.opset >= 8:
        g.last = g.node(operator, *parts)
