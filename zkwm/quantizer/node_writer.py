"""Write the nodes and tables of an integer network, from value 1 on (SPEC.md 16.5)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from zkwm.quantizer.calibrate import Sums
from zkwm.quantizer.expressions import X
from zkwm.quantizer.integers import DIGIT
from zkwm.quantizer.layers import Maxima, Shape
from zkwm.quantizer.scales import BYTE, Curve
from zkwm_protocols.errors import Unsupported
from zkwm_protocols.integer_network.model import (
    Activation,
    Concatenation,
    Convolution,
    IntegerNetwork,
    Maximum,
    Node,
    Reshape,
    Sum,
)
from zkwm_protocols.integer_network.nodes import Pads, Pair, inputs_of

MOST_TERMS = 64
TABLE_ROWS = 1 << 21
MOST_PARTS_TOGETHER = 1 << 24
"""Rows times parts of the tables of all layers."""


class NodeWriter:
    """The nodes and tables written so far."""

    def __init__(self) -> None:
        self._nodes: list[Node] = []
        self._tables: dict[Curve, tuple[int, int]] = {}
        self._parts_computed = 0

    def network(self, shape: Shape) -> IntegerNetwork:
        """The network for images of a shape. Raises Unsupported where it exceeds SPEC.md 16.2."""
        tables = tuple(curve.table(*ends) for curve, ends in self._tables.items())
        if sum(table.values.size for table in tables) > TABLE_ROWS:
            raise Unsupported("the tables of the model's functions have more than 2^21 rows")
        return IntegerNetwork(shape, tables, tuple(self._nodes))

    def add(self, node: Node) -> int:
        """Append a node; return the number of its value."""
        self._nodes.append(node)
        return len(self._nodes)

    def sum(self, sums: Sums) -> int:
        """Append a sum; the bias goes to the first convolution. Returns the number of its value."""
        values, outputs = [], sums.shape[0]
        bias = sums.bias.astype(np.int32)
        for one in sums.scaled:
            kernel = one.part.kernel
            shape = (kernel.stride, kernel.pads, kernel.dilation, kernel.groups)
            for weights, factor in one.pieces:
                source, small = one.part.input.value, weights.astype(np.int16)
                value = self.add(Convolution(source, small, bias, *shape))
                bias = np.zeros(outputs, np.int32)
                values.append(self._multiplied(value, outputs, factor))
        while len(values) > MOST_TERMS:
            values = [self.add(Sum(tuple(values[:MOST_TERMS]))), *values[MOST_TERMS:]]
        return values[0] if len(values) == 1 else self.add(Sum(tuple(values)))

    def look_up(
        self, sums: Sums, curve: Curve
    ) -> tuple[NDArray[np.uint8] | NDArray[np.uint16], int]:
        """Append the lookups of a curve at shifted sums, two where its entries are fine values.

        Returns the entries of the calibration images (O, height, width, n) and the number of the
        value. Raises Unsupported where the tables are too large.
        """
        ends = sums.ends()
        source = self.sum(sums)
        if curve.expression != X:
            rows = min(ends[1] - ends[0], 2 * curve.reach) + 1
            self._parts_computed += rows * curve.expression.size
        if self._parts_computed > MOST_PARTS_TOGETHER:
            raise Unsupported("the tables of the model's functions take too long to compute")
        entries = curve.entries_of(sums.quotients())
        if curve.top <= BYTE.top:
            return entries, self.add(Activation(source, sums.shift, self._table(curve, ends)))
        high = self._table(replace(curve, digit=1), ends)
        value = self.add(Activation(source, sums.shift, high))
        value = self._multiplied(value, sums.shape[0], DIGIT)
        low = self.add(Activation(source, sums.shift, self._table(curve, ends)))
        return entries, self.add(Sum((value, low)))

    def maxima(self, source: int, shape: Shape, layer: Maxima) -> int:
        """Append maxima of a value of bytes of this shape; return the number of their value."""
        for kernel, stride, pads in _steps(shape, layer):
            source = self.add(Maximum(source, kernel, stride, pads))
        return source

    def of_bytes(self, value: int) -> bool:
        """Whether a value is of bytes by SPEC.md 16.1: what a sum copied is not."""
        if value == 0:
            return True
        node = self._nodes[value - 1]
        if isinstance(node, Reshape | Concatenation):
            return all(self.of_bytes(number) for number in inputs_of(node))
        return isinstance(node, Activation | Maximum)

    def _multiplied(self, value: int, channels: int, factor: int) -> int:
        """The number of a value times a factor, all channels alike."""
        if factor == 1:
            return value
        times = np.full((channels, 1, 1, 1), factor, np.int16)
        return self.add(Convolution(value, times, np.zeros(channels, np.int32), groups=channels))

    def _table(self, curve: Curve, ends: tuple[int, int]) -> int:
        """The number of a curve's table, which covers ``ends`` from now on."""
        before = self._tables.get(curve, ends)
        self._tables[curve] = (min(ends[0], before[0]), max(ends[1], before[1]))
        return list(self._tables).index(curve)


def _steps(shape: Shape, layer: Maxima) -> list[tuple[Pair, Pair, Pads]]:
    """Kernel, stride and pads of one maximum, or of two where those need fewer lookups.

    A maximum over a window is one over its rows of those over their entries, and of windows that
    overlap, neighbors share these. An entry of a value takes a lookup for each tap but the first.
    """
    (_, height, width), (_, rows, columns) = shape, layer.shape
    (high, wide), (down, across), (top, left, bottom, right) = (
        layer.kernel,
        layer.stride,
        layer.pads,
    )
    of_rows: tuple[Pair, Pair, Pads] = ((1, wide), (1, across), (0, left, 0, right))
    of_columns: tuple[Pair, Pair, Pads] = ((high, 1), (down, 1), (top, 0, bottom, 0))
    ways = (
        ((high * wide - 1) * rows * columns, [(layer.kernel, layer.stride, layer.pads)]),
        ((wide - 1) * height * columns + (high - 1) * rows * columns, [of_rows, of_columns]),
        ((high - 1) * rows * width + (wide - 1) * rows * columns, [of_columns, of_rows]),
    )
    return min(ways, key=lambda way: way[0])[1]
