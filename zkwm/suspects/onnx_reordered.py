"""The same network with its sums added up in another order (SPEC.md 20.4).

In which order a sum is added up, ONNX leaves to the processor. What an answer owes to it can be
seen on one machine: channels, positions and columns are handed to a sum in another order, with
their weights, so that nothing but its rounding changes. What sums inside of itself or approximates,
and of which no order is known here, has instead its places moved by some last bits each.

Runs inside the worker (``zkwm.suspects.onnx_worker``): the file is an adversary's.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zkwm.suspects.onnx_contents import all_nodes
from zkwm.suspects.onnx_rewriting import NodeWriter
from zkwm.suspects.onnx_settled import OWN_DOMAINS, settled
from zkwm.suspects.onnx_value_types import Dimensions, axes_of, types_of, weights_of, with_types

if TYPE_CHECKING:
    import onnx

_OLDEST = 11
"""The first version of the operators in which Slice has steps and Concat negative axes."""
_COARSE = (10, 16)
"""Types in which some processors add up, and others in float32."""
_REDUCTIONS = frozenset((
    "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMean", "ReduceSum",
    "ReduceSumSquare",
))  # fmt: skip
_PRODUCTS = frozenset((
    "Attention", "Conv", "ConvTranspose", "DeformConv", "Einsum", "GRU", "LSTM", "RNN",
    "ScatterElements", "ScatterND",
))  # fmt: skip
"""Operators that sum what not only their first input holds."""


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
    rewriting.whole(model.graph)
    return model, Reordered(rewriting.moved, rewriting.left)


class _Rewriting(NodeWriter):
    """One pass over a network, which counts what it moves."""

    def __init__(self, model: onnx.ModelProto, order: int) -> None:
        super().__init__(model, order)
        self._axes: ChainMap[str, list[int]] = ChainMap()
        self.moved = self.left = 0

    def whole(self, graph: onnx.GraphProto) -> None:
        """Rewrite the network's own graph."""
        self._graph(graph, ChainMap(), ChainMap(), ChainMap())

    def _graph(
        self,
        graph: onnx.GraphProto,
        types: ChainMap[str, tuple[int, Dimensions | None]],
        axes: ChainMap[str, list[int]],
        weights: ChainMap[str, Dimensions],
    ) -> None:
        """Rewrite a graph; its surroundings know these types, constant axes and sizes of weights.

        What it names itself hides what they name so.
        """
        own = [name for node in graph.node for name in node.output]
        own += [value.name for value in (*graph.input, *graph.initializer)]
        types = types.new_child(dict.fromkeys(own, (0, None)) | types_of(graph))
        axes = axes.new_child({name: list[int]() for name in own} | axes_of(graph))
        weights = weights.new_child(dict.fromkeys(own, ()) | weights_of(graph, inner=bool(weights)))
        nodes: list[onnx.NodeProto] = []
        constants: dict[bytes, str] = {}
        for node in graph.node:
            for attribute in node.attribute:
                for inner in (attribute.g, *attribute.graphs):
                    if inner.node:
                        self._graph(inner, types, axes, weights)
            self._nodes, self._constants = nodes, constants
            self._types, self._axes, self._weights = types, axes, weights
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
        elif self._reordered(moved) or self._moved_apart(moved):
            self.moved += 1
        else:
            self.left += 1

    def _reordered(self, node: onnx.NodeProto) -> bool:
        """Append a node whose sums are in another order; False where none is known.

        One of which some sums keep their order is moved by last bits, too.
        """
        moves: dict[str, Callable[[onnx.NodeProto], bool]] = {
            "MatMul": self._matmul, "Gemm": self._gemm, "Conv": self._conv,
            "GlobalAveragePool": self._global_pool,
        }  # fmt: skip
        moves |= dict.fromkeys(_REDUCTIONS, self._reduction)
        move = moves.get(node.op_type) if node.domain in OWN_DOMAINS else None
        if move is None:
            return False
        wanted, given = node.output[0], list(node.input)
        partly = node.op_type == "Conv" and not self._whole(node)
        if partly and not all(map(self._floats, (wanted, *given[:2]))):
            return False
        longer = partly or self._type(wanted)[0] in _COARSE
        if longer:
            node.output[0] = self._twin(wanted)
        if partly:
            node.input[:2] = [self._apart(one) for one in given[:2]]
        sums = node.output[0]
        if move(node):
            if longer:
                self._longer(sums, wanted)
            return True
        node.output[0], node.input[:] = wanted, given
        return False

    def _moved_apart(self, node: onnx.NodeProto) -> bool:
        """Append a node, its inputs and its outputs moved; False where no output is."""
        for place, name in enumerate(node.input):
            if self._floats(name) and (place == 0 or node.op_type in _PRODUCTS):
                node.input[place] = self._apart(name)
        wanted = {}
        for place, name in enumerate(node.output):
            if name and self._floats(name):
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
        self._permute(node, -1, -1 if len(sizes) == 1 else -2)
        self._nodes.append(node)
        return True

    def _gemm(self, node: onnx.NodeProto) -> bool:
        """As a matrix product, either factor transposed.

        ONNX Runtime takes a vector, too, whose only axis is not always summed over.
        """
        if any(len(self._type(factor)[1] or ()) != 2 for factor in node.input[:2]):
            return False
        turned = {one.name: one.i for one in node.attribute}
        self._permute(node, 0 if turned.get("transA") else 1, 1 if turned.get("transB") else 0)
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
            self._permute(node, 1, 1)
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


def _groups(fields: Mapping[str, onnx.AttributeProto]) -> int:
    """The groups of a convolution."""
    return int(fields["group"].i) if "group" in fields else 1


def _turns(fields: Mapping[str, onnx.AttributeProto]) -> bool:
    """Whether a convolution can be turned round: its strides are 1, its padding is in numbers."""
    strides = set(fields["strides"].ints) if "strides" in fields else {1}
    padded = "auto_pad" in fields and fields["auto_pad"].s not in (b"NOTSET", b"VALID")
    return strides == {1} and not padded
