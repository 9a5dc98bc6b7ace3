"""Nodes that put the places of a value in another order, or move their last bits (SPEC.md 20.5).

Runs inside the worker (``zkwm.suspects.onnx_worker``): the file is an adversary's.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zkwm.suspects.onnx_contents import all_nodes
from zkwm.suspects.onnx_settled import OWN_DOMAINS
from zkwm.suspects.onnx_value_types import Dimensions, all_graphs

if TYPE_CHECKING:
    import onnx

ORDERS = 7
"""How many other orders there are: 1 to 7."""
STRIDES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 16}
"""Of each order: the places 0, s, 2s and so on come first, then 1, 1 + s; odd orders backwards."""
MOVES = {1: 1, 2: -1, 3: 2, 4: -2, 5: 3, 6: -3, 7: 4}
"""Of each order: by how many last bits of 1 the others are made longer."""
PERIODS = {1: 251, 2: 257, 3: 263, 4: 269, 5: 271, 6: 277, 7: 281}
"""Of each order: after how many places the last bits by which these are moved apart repeat."""
_LAST_BITS = {1: 23, 10: 10, 11: 52, 16: 7}
"""Bits after the point of a 1 in float32, float16, float64 and bfloat16, by their numbers."""
_EMPTY_SHAPES = 14
"""The first version of the operators in which Reshape gives values of no place."""
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1


class NodeWriter:
    """Writes the nodes of a network in one order, 1 to 7."""

    def __init__(self, model: onnx.ModelProto, order: int) -> None:
        self._order = order
        self._backwards = order % 2 == 1
        self._stride = STRIDES[order]
        self._version = max(one.version for one in model.opset_import if one.domain in OWN_DOMAINS)
        self._names = 0
        self._known = {one.name for graph in all_graphs(model.graph)
                       for one in (*graph.initializer, *graph.input, *graph.output)}  # fmt: skip
        self._known |= {name for one in all_nodes(model) for name in (*one.input, *one.output)}
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[bytes, str] = {}
        self._types: ChainMap[str, tuple[int, Dimensions | None]] = ChainMap()
        self._weights: ChainMap[str, Dimensions] = ChainMap()

    def _permute(self, node: onnx.NodeProto, first: int, second: int) -> None:
        """Put an axis of the first input, and one of the second, in this order; both are one size.

        The size of weights gives the places by number, in one node; others take many.
        """
        sizes = self._weights.get(node.input[1]) or self._weights.get(node.input[0], ())
        axis = second if self._weights.get(node.input[1]) else first
        for place, own in enumerate((first, second)):
            if sizes:
                order = self._number(self._order_of(sizes[axis]))
                node.input[place] = self._add("Gather", [node.input[place], order], axis=own)
            else:
                node.input[place] = self._permuted(node.input[place], own)

    def _order_of(self, size: int) -> list[int]:
        """The places of an axis of this size in this order."""
        places = list(range(size))[:: -1 if self._backwards else 1]
        return [one for first in range(self._stride) for one in places[first :: self._stride]]

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
        return self._add("Slice", [value, *map(self._number, ([start], [end], [axis], [step]))])

    def _longer(self, value: str, output: str = "") -> str:
        """A value, of a known type, times 1 and some last bits."""
        kind = self._type(value)[0]
        return self._add("Mul", [value, self._factors(kind, np.zeros(()))], output=output)

    def _apart(self, value: str) -> str:
        """A value, of a known type, each place times 1 and some last bits of its own.

        So terms come apart that cancel each other in whatever order they are added up.
        """
        import onnx

        period = PERIODS[self._order]
        places = np.arange(period)
        factors = self._factors(self._type(value)[0], places * places % period % 5 - 2)
        count = self._add("Size", [value])
        every = self._add("Range", [self._number(0), count, self._number(1)])
        own = self._add("Gather", [factors, self._add("Mod", [every, self._number(period)])])
        shaped = self._add("Reshape", [own, self._add("Shape", [value])])
        if self._version >= _EMPTY_SHAPES:
            self._nodes[-1].attribute.append(onnx.helper.make_attribute("allowzero", 1))
        return self._add("Mul", [value, shaped])

    def _factors(self, kind: int, bits: NDArray[Any]) -> str:
        """The constant 1 with the order's last bits and these besides, in a type."""
        import onnx

        factors = 1 + (MOVES[self._order] + bits) * 2.0 ** -_LAST_BITS[kind]
        return self._constant(
            onnx.helper.make_tensor("", kind, factors.shape, factors.reshape(-1).tolist())
        )

    def _twin(self, value: str) -> str:
        """The name of a new value of the same type."""
        name = self._name()
        self._types[name] = self._type(value)
        return name

    def _number(self, number: int | list[int]) -> str:
        """A constant, int64, of no axis or one."""
        import onnx

        return self._constant(onnx.numpy_helper.from_array(np.array(number, np.int64)))

    def _constant(self, value: onnx.TensorProto) -> str:
        """A constant of the graph, made once."""
        key = value.SerializeToString(deterministic=True)
        if key not in self._constants:
            self._constants[key] = self._add("Constant", [], value=value)
        return self._constants[key]

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

    def _floats(self, value: str) -> bool:
        """Whether a value is known to hold floating-point numbers."""
        return self._type(value)[0] in _LAST_BITS
