"""The file of an integer network, and its digest (SPEC.md 16.1).

::

    zkwm-network/1 | CBOR {type, version, shape [c, h, w],
                           tables [{first, values}, ...],
                           nodes  [{kind, source(s), ...}, ...]}      node i makes value i

    digest = SHA-256(zkwm-network-1, CBOR)                            what a challenge names

Reading checks form and sizes before arrays are made, and then everything that ``IntegerNetwork``
demands: a network that was read is valid.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from zkwm_protocols.encoding import Value, hash_large, pack, unpack
from zkwm_protocols.errors import Malformed, ZkwmError
from zkwm_protocols.integer_network.model import (
    Activation,
    Concatenation,
    Convolution,
    IntegerNetwork,
    Maximum,
    Node,
    Reshape,
    Sum,
    Table,
    inputs_of,
)
from zkwm_protocols.integer_network.nodes import (
    MAXIMUM_BOUND,
    MAXIMUM_INPUTS,
    MAXIMUM_SHIFT,
    MAXIMUM_WINDOW,
    Pads,
    Pair,
    Shape,
)
from zkwm_protocols.integer_network.shapes import (
    MAXIMUM_ENTRIES,
    MAXIMUM_NODES,
    MAXIMUM_TABLES,
    result_sides,
    shape_of,
)
from zkwm_protocols.schema import (
    require_bytes,
    require_constants,
    require_integer,
    require_list,
    require_map,
    require_text,
)

KIND = "network"
MAXIMUM_FILE = 256 << 20
DIGEST_PREFIX = b"zkwm-network-1"

_CONSTANTS: dict[str, str | int] = {"type": "zkwm-network", "version": 1}
_KEYS = {
    "convolution": "source weights sizes stride pads dilation groups bias",
    "sum": "sources",
    "concatenation": "sources",
    "reshape": "source shape",
    "activation": "source shift table",
    "maximum": "source kernel stride pads",
}


def to_bytes(network: IntegerNetwork) -> bytes:
    """The network's file.

    Raises:
        Malformed: more than 256 MiB (network.size).
    """
    data = pack(KIND, _value(network))
    if len(data) > MAXIMUM_FILE:
        raise Malformed("a network of more than 256 MiB", check="network.size")
    return data


def from_bytes(data: bytes) -> IntegerNetwork:
    """Read a network's file.

    Raises:
        Malformed: the file does not have the form (network.format), or as ``IntegerNetwork``.
        Unsupported: as ``IntegerNetwork``.
    """
    try:
        return _network(unpack(KIND, data, limit=MAXIMUM_FILE))
    except ZkwmError as error:
        error.check = error.check or "network.format"
        raise


def digest(network: IntegerNetwork) -> bytes:
    """SHA-256 of the network, 32 bytes: what a challenge names."""
    return hash_large(DIGEST_PREFIX, _value(network))


def _value(network: IntegerNetwork) -> Value:
    """The CBOR map of a network."""
    tables = [{"first": table.first, "values": table.values.tobytes()} for table in network.tables]
    nodes = [_node_value(node) for node in network.nodes]
    return {**_CONSTANTS, "shape": list(network.shape), "tables": tables, "nodes": nodes}


def _node_value(node: Node) -> Value:
    """The CBOR map of a node; arrays little-endian in C order."""
    if isinstance(node, Convolution):
        return {
            "kind": "convolution",
            "source": node.input,
            "weights": node.weights.astype("<i2").tobytes(),
            "sizes": list(node.weights.shape),
            "stride": list(node.stride),
            "pads": list(node.pads),
            "dilation": list(node.dilation),
            "groups": node.groups,
            "bias": node.bias.astype("<i4").tobytes(),
        }
    if isinstance(node, Sum):
        return {"kind": "sum", "sources": list(node.inputs)}
    if isinstance(node, Concatenation):
        return {"kind": "concatenation", "sources": list(node.inputs)}
    if isinstance(node, Reshape):
        return {"kind": "reshape", "source": node.input, "shape": list(node.shape)}
    if isinstance(node, Activation):
        return {
            "kind": "activation",
            "source": node.input,
            "shift": node.shift,
            "table": node.table,
        }
    return {
        "kind": "maximum",
        "source": node.input,
        "kernel": list(node.kernel),
        "stride": list(node.stride),
        "pads": list(node.pads),
    }


def _network(value: Value) -> IntegerNetwork:
    """A network from its CBOR map."""
    fields = require_map(value, "type version shape tables nodes", "network")
    require_constants(fields, _CONSTANTS, "a network")
    shape = _shape(fields["shape"])
    tables = require_list(fields["tables"], 0, MAXIMUM_TABLES)
    nodes = require_list(fields["nodes"], 1, MAXIMUM_NODES)
    return IntegerNetwork(
        shape, tuple(_table(table) for table in tables), tuple(_nodes(nodes, shape))
    )


def _table(value: Value) -> Table:
    """A table from its CBOR map."""
    fields = require_map(value, "first values", "table")
    first = require_integer(fields["first"], MAXIMUM_BOUND, -MAXIMUM_BOUND)
    return Table(first, np.frombuffer(require_bytes(fields["values"]), dtype=np.uint8))


def _nodes(values: list[Any], shape: Shape) -> list[Node]:
    """The nodes; shapes are inferred on the way, for they say how a bias is read."""
    shapes: list[Shape] = [shape]
    nodes: list[Node] = []
    for number, value in enumerate(values, start=1):
        try:
            nodes.append(_node(value, shapes))
            shapes.append(shape_of(nodes[-1], [shapes[i] for i in inputs_of(nodes[-1])]))
        except ZkwmError as error:
            check = error.check or "network.format"
            raise type(error)(f"node {number}: {error.message}", check=check) from None
    return nodes


def _node(value: Value, shapes: list[Shape]) -> Node:
    """A node from its CBOR map; ``shapes`` are those of all values before it."""
    if not isinstance(value, dict):
        raise Malformed("expected a map")
    kind = require_text(value.get("kind"), 32)
    if kind not in _KEYS:
        raise Malformed("a node of an unknown kind")
    fields = require_map(value, f"kind {_KEYS[kind]}", "node")
    last = len(shapes) - 1
    if kind in ("sum", "concatenation"):
        listed = require_list(fields["sources"], 2, MAXIMUM_INPUTS)
        inputs = tuple(require_integer(number, last) for number in listed)
        return Sum(inputs) if kind == "sum" else Concatenation(inputs)
    number = require_integer(fields["source"], last)
    if kind == "convolution":
        return _convolution(fields, number, shapes[number])
    if kind == "reshape":
        return Reshape(number, _shape(fields["shape"]))
    if kind == "activation":
        shift = require_integer(fields["shift"], MAXIMUM_SHIFT)
        return Activation(number, shift, require_integer(fields["table"], MAXIMUM_TABLES))
    return Maximum(number, _pair(fields["kernel"]), _pair(fields["stride"]), _pads(fields["pads"]))


def _convolution(fields: dict[str, Any], number: int, shape: Shape) -> Convolution:
    """A convolution of value ``number`` of ``shape``; lengths are checked before arrays exist."""
    sizes = _sides(fields["sizes"], 4, 1, MAXIMUM_ENTRIES)
    weights = np.frombuffer(require_bytes(fields["weights"], 2 * prod(sizes)), dtype="<i2")
    stride, dilation = _pair(fields["stride"]), _pair(fields["dilation"])
    pads, groups = _pads(fields["pads"]), require_integer(fields["groups"], MAXIMUM_ENTRIES, 1)
    sides = result_sides(shape, (sizes[2], sizes[3]), stride, pads, dilation)
    data = require_bytes(fields["bias"])
    whole = (sizes[0], *sides)
    if len(data) not in (4 * sizes[0], 4 * prod(whole)):
        raise Malformed("the bias has another size")
    bias = np.frombuffer(data, dtype="<i4").astype(np.int32, copy=False)
    return Convolution(
        number,
        weights.astype(np.int16, copy=False).reshape(sizes),
        bias if len(data) == 4 * sizes[0] else bias.reshape(whole),
        stride,
        pads,
        dilation,
        groups,
    )


def _pair(value: Value) -> Pair:
    """A kernel, stride or dilation: down, across."""
    first, second = _sides(value, 2, 1, MAXIMUM_WINDOW)
    return (first, second)


def _pads(value: Value) -> Pads:
    """Pads: top, left, bottom, right."""
    top, left, bottom, right = _sides(value, 4, 0, MAXIMUM_WINDOW - 1)
    return (top, left, bottom, right)


def _shape(value: Value) -> Shape:
    """A shape: channels, height, width."""
    channels, height, width = _sides(value, 3, 1, MAXIMUM_ENTRIES)
    return (channels, height, width)


def _sides(value: Value, count: int, least: int, most: int) -> list[int]:
    """A list of ``count`` integers from ``least`` to ``most``."""
    return [require_integer(side, most, least) for side in require_list(value, count, count)]
