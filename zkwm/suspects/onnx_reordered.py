"""The same network with its sums added up in another order (SPEC.md 20.4).

In which order a sum is added up, ONNX leaves to the processor. What an answer owes to it can be
seen on one machine: channels, positions and columns are handed to a sum in another order, with
their weights, so that nothing but its rounding changes. What sums inside of itself or approximates,
and of which no order is known here, is instead made longer or shorter by some last bits.

Runs inside the worker (``zkwm.suspects.onnx_worker``): the file is an adversary's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zkwm.suspects.onnx_contents import all_nodes
from zkwm.suspects.onnx_settled import OWN_DOMAINS, settled
from zkwm.suspects.onnx_value_types import (
    Dimensions,
    Types,
    all_graphs,
    axes_of,
    types_of,
    with_types,
)

if TYPE_CHECKING:
    import onnx

ORDERS = 7
"""How many other orders there are: 1 to 7."""
STRIDES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 16}
"""Of each order: the places 0, s, 2s and so on come first, then 1, 1 + s; odd orders backwards."""
MOVES = {1: 1, 2: -1, 3: 2, 4: -2, 5: 3, 6: -3, 7: 4}
"""Of each order: by how many last bits of 1 the others are made longer."""
_OLDEST = 11
"""The first version of the operators in which Slice has steps and Concat negative axes."""
_LAST_BITS = {1: 23, 10: 10, 11: 52, 16: 7}
"""Bits after the point of a 1 in float32, float16, float64 and bfloat16, by their numbers."""
_COARSE = (10, 16)
"""Types in which some processors add up, and others in float32."""
_REDUCTIONS = frozenset((
    "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMean", "ReduceSum",
    "ReduceSumSquare",
))  # fmt: skip
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1


@dataclass(frozen=True)
class Reordered:
    """How much of a network is rounded otherwise: places that were moved, and those that were not.

    Not moved is what an older file has, and where types of values, or axes of sums, are not known.
    """

    moved: int = 0
    left: int = 0


def reorder(model: onnx.ModelProto, order: int) -> tuple[onnx.ModelProto, Reordered]:
    """The network in another order of its sums, 1 to 7, and how much of it that moves.

    ``model`` is as the file has it, its weights merged; it may be changed.
    """
    left = sum(not settled(node) for node in all_nodes(model))
    try:
        model = with_types(model)
    except Exception:  # of onnx's many kinds, for files that ONNX Runtime runs all the same
        return model, Reordered(left=left)
    versions = [one.version for one in model.opset_import if one.domain in OWN_DOMAINS]
    if len(versions) != 1 or versions[0] < _OLDEST or model.functions:
        return model, Reordered(left=left)
    rewriting = _Rewriting(model, order)
    rewriting.graph(model.graph, {}, {})
    return model, Reordered(rewriting.moved, rewriting.left)


class _Rewriting:
    """One pass over a network, which counts what it moves."""

    def __init__(self, model: onnx.ModelProto, order: int) -> None:
        self._order = order
        self._backwards = order % 2 == 1
        self._stride = STRIDES[order]
        self._names = 0
        self._known = {one.name for graph in all_graphs(model.graph)
                       for one in (*graph.initializer, *graph.input, *graph.output)}  # fmt: skip
        self._known |= {name for one in all_nodes(model) for name in (*one.input, *one.output)}
        self._nodes: list[onnx.NodeProto] = []
        self._numbers: dict[int, str] = {}
        self._types: Types = {}
        self._axes: dict[str, list[int]] = {}
        self.moved = self.left = 0

    def graph(self, graph: onnx.GraphProto, types: Types, axes: dict[str, list[int]]) -> None:
        """Rewrite a graph; its surroundings know these types, and constants that can be axes."""
        own = {name for node in graph.node for name in node.output}
        own |= {value.name for value in (*graph.input, *graph.initializer)}
        types = {name: one for name, one in types.items() if name not in own} | types_of(graph)
        axes = {name: one for name, one in axes.items() if name not in own} | axes_of(graph)
        nodes: list[onnx.NodeProto] = []
        numbers: dict[int, str] = {}
        for node in graph.node:
            for attribute in node.attribute:
                for inner in (attribute.g, *attribute.graphs):
                    if inner.node:
                        self.graph(inner, types, axes)
            self._nodes, self._numbers, self._types, self._axes = nodes, numbers, types, axes
            self._node(node)
        del graph.node[:]
        graph.node.extend(nodes)

    def _node(self, node: onnx.NodeProto) -> None:
        """Append a node, with what moves it."""
        import onnx

        moved = onnx.NodeProto()
        moved.CopyFrom(node)
        if settled(node):
            self._nodes.append(moved)
        elif self._reordered(moved) or self._made_longer(moved):
            self.moved += 1
        else:
            self.left += 1

    def _reordered(self, node: onnx.NodeProto) -> bool:
        """Append a node whose sums are in another order; False where none is known.

        One of which some sums keep their order is made longer, too.
        """
        moves: dict[str, Callable[[onnx.NodeProto], bool]] = {
            "MatMul": self._matmul, "Gemm": self._gemm, "Conv": self._conv,
            "GlobalAveragePool": self._global_pool,
        }  # fmt: skip
        moves |= dict.fromkeys(_REDUCTIONS, self._reduction)
        move = moves.get(node.op_type) if node.domain in OWN_DOMAINS else None
        if move is None:
            return False
        wanted, given = node.output[0], node.input[0]
        partly = node.op_type == "Conv" and not self._whole(node)
        if partly and any(self._type(one)[0] not in _LAST_BITS for one in (wanted, given)):
            return False
        longer = partly or self._type(wanted)[0] in _COARSE
        if longer:
            node.output[0] = self._twin(wanted)
        if partly:
            node.input[0] = self._longer(given)
        sums = node.output[0]
        if move(node):
            if longer:
                self._longer(sums, wanted)
            return True
        node.output[0], node.input[0] = wanted, given
        return False

    def _made_longer(self, node: onnx.NodeProto) -> bool:
        """Append a node, its first input and its outputs longer; False where no output is."""
        if node.input and self._type(node.input[0])[0] in _LAST_BITS:
            node.input[0] = self._longer(node.input[0])
        wanted = {}
        for place, name in enumerate(node.output):
            if name and self._type(name)[0] in _LAST_BITS:
                node.output[place] = self._twin(name)
                wanted[node.output[place]] = name
        self._nodes.append(node)
        for given, name in wanted.items():
            self._longer(given, name)
        return bool(wanted)

    def _matmul(self, node: onnx.NodeProto) -> bool:
        """Columns of the first factor and rows of the second, both in another order."""
        sizes = self._type(node.input[1])[1]
        if sizes is None:
            return False
        node.input[0] = self._permuted(node.input[0], -1)
        node.input[1] = self._permuted(node.input[1], -1 if len(sizes) == 1 else -2)
        self._nodes.append(node)
        return True

    def _gemm(self, node: onnx.NodeProto) -> bool:
        """As a matrix product, either factor transposed.

        ONNX Runtime takes a vector, too, whose only axis is not always summed over.
        """
        if any(len(self._type(factor)[1] or ()) != 2 for factor in node.input[:2]):
            return False
        turned = {one.name: one.i for one in node.attribute}
        node.input[0] = self._permuted(node.input[0], 0 if turned.get("transA") else 1)
        node.input[1] = self._permuted(node.input[1], 1 if turned.get("transB") else 0)
        self._nodes.append(node)
        return True

    def _whole(self, node: onnx.NodeProto) -> bool:
        """Whether all terms of a convolution come in another order, and not channels alone."""
        fields = {one.name: one for one in node.attribute}
        sizes = self._type(node.input[1])[1]
        if sizes is None:
            return False
        channels = sizes[1:2] == (1,) or _groups(fields) == 1
        return channels and (_turns(fields) or set(sizes[2:]) == {1})

    def _conv(self, node: onnx.NodeProto) -> bool:
        """Channels in another order, every axis turned round; rows and columns exchanged."""
        fields = {one.name: one for one in node.attribute}
        rank = len(self._type(node.input[1])[1] or ())
        if rank < 3:
            return False
        if _groups(fields) == 1:
            node.input[0] = self._permuted(node.input[0], 1)
            node.input[1] = self._permuted(node.input[1], 1)
        turns = [axis for axis in range(2, rank) if self._order & (4 if axis == 3 else 2)]
        turns = turns if _turns(fields) else []
        for axis in turns:
            node.input[0] = self._backward(node.input[0], axis)
            node.input[1] = self._backward(node.input[1], axis)
            if "pads" in fields:
                pads, last = fields["pads"].ints, axis + rank - 4
                pads[axis - 2], pads[last] = pads[last], pads[axis - 2]
        exchanged = rank == 4 and (self._backwards or not turns)
        if exchanged:
            for place in (0, 1):
                node.input[place] = self._add("Transpose", [node.input[place]], perm=[0, 1, 3, 2])
            for name in ("kernel_shape", "strides", "dilations", "pads"):
                if name in fields:
                    values = list(fields[name].ints)
                    order = [1, 0, 3, 2][: len(values)]
                    fields[name].ints[:] = [values[place] for place in order]
        wanted = node.output[0]
        node.output[0] = self._name()
        self._nodes.append(node)
        result = node.output[0]
        if exchanged:
            result = self._add("Transpose", [result], perm=[0, 1, 3, 2])
        for axis in turns:
            result = self._backward(result, axis)
        self._add("Identity", [result], output=wanted)
        return True

    def _global_pool(self, node: onnx.NodeProto) -> bool:
        """Every axis after the second in another order."""
        axes = range(2, len(self._type(node.input[0])[1] or ()))
        for axis in axes:
            node.input[0] = self._permuted(node.input[0], axis)
        if axes:
            self._nodes.append(node)
        return bool(axes)

    def _reduction(self, node: onnx.NodeProto) -> bool:
        """Every axis that is summed over in another order."""
        axes = next((list(one.ints) for one in node.attribute if one.name == "axes"), None)
        if axes is None and len(node.input) > 1 and node.input[1]:
            axes = self._axes.get(node.input[1])
        elif axes is None:
            idle = any(one.name == "noop_with_empty_axes" and one.i for one in node.attribute)
            axes = [] if idle else list(range(len(self._type(node.input[0])[1] or ())))
        if not axes:
            return False
        for axis in axes:
            node.input[0] = self._permuted(node.input[0], axis)
        self._nodes.append(node)
        return True

    def _permuted(self, value: str, axis: int) -> str:
        """A value whose places along an axis are in this order."""
        if self._backwards:
            value = self._backward(value, axis)
        if self._stride == 1:
            return value
        parts = [self._slice(value, axis, first, _MOST, self._stride)
                 for first in range(self._stride)]  # fmt: skip
        return self._add("Concat", parts, axis=axis)

    def _backward(self, value: str, axis: int) -> str:
        """A value whose places along an axis are turned round."""
        return self._slice(value, axis, -1, _LEAST, -1)

    def _slice(self, value: str, axis: int, start: int, end: int, step: int) -> str:
        """Every ``step``-th place along an axis."""
        return self._add("Slice", [value, *map(self._number, (start, end, axis, step))])

    def _longer(self, value: str, output: str = "") -> str:
        """A value, of a known type, times 1 and some last bits."""
        import onnx

        kind = self._type(value)[0]
        factor = 1 + MOVES[self._order] * 2.0 ** -_LAST_BITS[kind]
        tensor = onnx.helper.make_tensor("", kind, (), [factor])
        return self._add("Mul", [value, self._add("Constant", [], value=tensor)], output=output)

    def _twin(self, value: str) -> str:
        """The name of a new value of the same type."""
        name = self._name()
        self._types[name] = self._type(value)
        return name

    def _number(self, number: int) -> str:
        """A constant of the graph, int64 (1,), made once."""
        import onnx

        if number not in self._numbers:
            value = onnx.numpy_helper.from_array(np.array([number], np.int64))
            self._numbers[number] = self._add("Constant", [], value=value)
        return self._numbers[number]

    def _add(self, kind: str, inputs: Sequence[str], *, output: str = "", **fields: object) -> str:
        """Append a new node; the name of its output."""
        import onnx

        name = output or self._name()
        node = onnx.helper.make_node(kind, list(inputs), [name])
        node.attribute.extend(onnx.helper.make_attribute(key, one) for key, one in fields.items())
        self._nodes.append(node)
        return name

    def _name(self) -> str:
        """A name that no value has."""
        while True:
            self._names += 1
            if (name := f"other_order_{self._names}") not in self._known:
                return name

    def _type(self, value: str) -> tuple[int, Dimensions | None]:
        """The element type, 0 where it is not known, and the sizes of a value."""
        return self._types.get(value, (0, None))


def _groups(fields: Mapping[str, onnx.AttributeProto]) -> int:
    """The groups of a convolution."""
    return int(fields["group"].i) if "group" in fields else 1


def _turns(fields: Mapping[str, onnx.AttributeProto]) -> bool:
    """Whether a convolution can be turned round: its strides are 1, its padding is in numbers."""
    strides = set(fields["strides"].ints) if "strides" in fields else {1}
    padded = "auto_pad" in fields and fields["auto_pad"].s not in (b"NOTSET", b"VALID")
    return strides == {1} and not padded
