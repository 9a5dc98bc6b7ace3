"""An integer network: tables and nodes that were checked against each other.

::

    value 0 = image --> node 1 --> value 1 --> node 2 --> value 2 ... --> value L = logits [O, 1, 1]
                          reads any values below its number

An ``IntegerNetwork`` that exists is valid: shapes fit and bounds hold, so that equality over F_p is
equality of integers. Its file is in ``codec``, its evaluation in ``evaluate``. SPEC.md 16.1, 16.2.
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
    inputs_of,
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
    "inputs_of",
]

MAXIMUM_WEIGHT = 511


@dataclass(frozen=True, eq=False)
class IntegerNetwork:
    """A valid integer network; value 0 is the image, value i is made by ``nodes[i - 1]``.

    Args:
        shape: channels, height, width of the image.
        tables: the functions of its activations.
        nodes: in order of evaluation.

    Raises:
        Malformed: network.format, network.weights or network.table, with the node's number.
        Unsupported: network.size, network.overflow or network.logits, with the node's number.
    """

    shape: Shape
    tables: tuple[Table, ...]
    nodes: tuple[Node, ...]
    shapes: tuple[Shape, ...] = field(init=False)
    """(channels, height, width) of every value."""
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
            raise Malformed("expected tables and nodes", check="network.format")
        shapes, of_bytes = infer_shapes(self.shape, len(self.tables), self.nodes)
        for number, node in enumerate(self.nodes, start=1):
            if isinstance(node, Convolution) and _largest(node) > MAXIMUM_WEIGHT:
                raise Malformed(
                    f"node {number}: a weight is above {MAXIMUM_WEIGHT} in absolute value",
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
    """The largest absolute weight."""
    return max(int(node.weights.max()), -int(node.weights.min()))
