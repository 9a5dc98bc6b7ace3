"""Describe an integer network for people: sizes, layers, lookups. Not normative."""

from __future__ import annotations

from math import prod
from typing import Any

from zkwm_protocols.integer_network.codec import digest
from zkwm_protocols.integer_network.model import (
    Activation,
    Convolution,
    IntegerNetwork,
    Maximum,
    Node,
)


def facts(network: IntegerNetwork) -> dict[str, Any]:
    """Digest, sizes, layers and lookups for an image (SPEC.md 17.3) as JSON values."""
    return {
        "digest": digest(network).hex(),
        "shape": list(network.shape),
        "outputs": network.outputs,
        "lookups_per_image": lookups(network),
        "table_rows": sum(table.values.size for table in network.tables),
        "layers": [
            f"{number} {_describe(node)} -> {' x '.join(map(str, network.shapes[number]))}"
            for number, node in enumerate(network.nodes, start=1)
        ],
    }


def lookups(network: IntegerNetwork) -> int:
    """The number of lookups for one image in network and argmax, without image and leaf."""
    limbs = (network.argmax_bits + 7) // 8
    total = network.outputs * (1 + 2 * limbs)
    for node, shape in zip(network.nodes, network.shapes[1:], strict=True):
        if isinstance(node, Activation):
            total += prod(shape) * (2 if node.shift else 1)
        elif isinstance(node, Maximum):
            total += prod(shape) * (prod(node.kernel) - 1)
    return total


def _describe(node: Node) -> str:
    """One node in a few words."""
    name = type(node).__name__.lower()
    if isinstance(node, Convolution):
        groups = f", groups {node.groups}" if node.groups > 1 else ""
        return f"{name} {'x'.join(map(str, node.weights.shape))}{groups}"
    if isinstance(node, Activation):
        return f"{name} by table {node.table}, shift {node.shift}"
    if isinstance(node, Maximum):
        return f"{name} {node.kernel[0]}x{node.kernel[1]}"
    return name
