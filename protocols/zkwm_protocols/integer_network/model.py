"""An integer network: tables and nodes that were checked against each other (SPEC.md 16.1, 16.2).

An ``IntegerNetwork`` that exists is valid: shapes fit, bounds hold, so that equality over F_p is
equality of integers. Its file is in ``codec``, its evaluation in ``evaluate``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from zkwm_protocols.errors import Malformed
from zkwm_protocols.integer_network.bounds import argmax_bits, require_bounds
from zkwm_protocols.integer_network.nodes import (
    Activation,
    Concatenation,
    Convolution,
    Maximum,
    Node,
    Reshape,
    Shape,
    Sum,
    Table,
    sources_of,
)
from zkwm_protocols.integer_network.shapes import infer_shapes

__all__ = [
    "Activation",
    "Concatenation",
    "Convolution",
    "IntegerNetwork",
    "Maximum",
    "Node",
    "Reshape",
    "Shape",
    "Sum",
    "Table",
    "sources_of",
]

MAXIMUM_WEIGHT = 511


@dataclass(frozen=True, eq=False)
class IntegerNetwork:
    """A valid integer network; value 0 is the image, value i is made by ``nodes[i - 1]``.

    Raises, with the node's number and why: Malformed with the check ``network.format``,
    ``network.weights`` or ``network.table``; Unsupported with ``network.size``,
    ``network.overflow`` or ``network.logits``.
    """

    shape: Shape
    tables: tuple[Table, ...]
    nodes: tuple[Node, ...]
    shapes: tuple[Shape, ...] = field(init=False)
    """Of every value, (channels, height, width)."""
    of_bytes: tuple[bool, ...] = field(init=False)
    """Whether a value is of bytes, for every value."""
    magnitudes: tuple[int, ...] = field(init=False)
    """The largest absolute bound of every value."""

    def __post_init__(self) -> None:
        if not all(isinstance(field, tuple) for field in (self.shape, self.tables, self.nodes)):
            raise Malformed("shape, tables and nodes are tuples", check="network.format")
        if not all(isinstance(table, Table) for table in self.tables) or not all(
            isinstance(node, Node) for node in self.nodes
        ):
            raise Malformed("something that is no table or no node", check="network.format")
        shapes, of_bytes = infer_shapes(self.shape, len(self.tables), self.nodes)
        for number, node in enumerate(self.nodes, start=1):
            if isinstance(node, Convolution) and _largest(node) > MAXIMUM_WEIGHT:
                raise Malformed(
                    f"node {number}: a weight above {MAXIMUM_WEIGHT} in absolute value",
                    check="network.weights",
                )
        object.__setattr__(self, "shapes", shapes)
        object.__setattr__(self, "of_bytes", of_bytes)
        magnitudes = require_bounds(self.tables, self.nodes, shapes, of_bytes)
        object.__setattr__(self, "magnitudes", magnitudes)

    @property
    def outputs(self) -> int:
        """O, the number of logits."""
        return self.shapes[-1][0]

    @property
    def logit_bound(self) -> int:
        """Zabs, the largest absolute bound of a logit."""
        return self.magnitudes[-1]

    @property
    def argmax_bits(self) -> int:
        """B of SPEC.md 17.3, at least 1."""
        return argmax_bits(self.outputs, self.logit_bound)


def _largest(node: Convolution) -> int:
    return max(int(node.weights.max()), -int(node.weights.min()))
