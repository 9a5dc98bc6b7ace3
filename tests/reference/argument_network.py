"""The integer network of SPEC.md section 16, in plain Python: reading, shapes, bounds.

A network is checked once, by walking it with intervals (section 16.2); the relation walks it
again with affine expressions in place of numbers (`linear` is what both share).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, TypeVar

from tests.reference.argument_field import P
from tests.reference.cbor import write

Shape = tuple[int, int, int]
Term = TypeVar("Term")


class NetworkError(Exception):
    """The map is not a network that a reader may accept."""


def demand(condition: bool, message: str) -> None:
    """Raise `NetworkError` with the message unless the condition holds."""
    if not condition:
        raise NetworkError(message)


@dataclass(frozen=True)
class Network:
    """A checked network: ``shapes`` of value 0, 1, ...; nodes as in the file."""

    digest: bytes
    shape: Shape
    tables: tuple[tuple[int, bytes], ...]
    nodes: tuple[dict[str, Any], ...]
    shapes: tuple[Shape, ...]
    largest_logit: int

    @property
    def outputs(self) -> int:
        """O, the number of logits."""
        return self.shapes[-1][0]


def integers(value: Any, count: int, low: int, high: int = 2**32) -> list[int]:
    """A list of ``count`` integers in a range; raises `NetworkError`."""
    demand(type(value) is list and len(value) == count, f"not a list of {count}")
    demand(all(type(x) is int and low <= x <= high for x in value), "an integer out of range")
    return list(value)


def integer(value: Any, low: int, high: int) -> int:
    """An integer in a range; raises `NetworkError`."""
    return integers([value], 1, low, high)[0]


def signed(data: Any, size: int) -> list[int]:
    """Little-endian signed integers of ``size`` bytes each; raises `NetworkError`."""
    demand(type(data) is bytes and len(data) % size == 0, "not an array of integers")
    return [
        int.from_bytes(data[i : i + size], "little", signed=True) for i in range(0, len(data), size)
    ]


def keys(value: Any, *names: str) -> None:
    """Raise `NetworkError` unless the value is a map with exactly these keys."""
    demand(type(value) is dict and set(value) == set(names), f"not a map of {names}")


KEYS = {
    "convolution": "source weights sizes stride pads dilation groups bias",
    "sum": "sources",
    "concatenation": "sources",
    "reshape": "source shape",
    "activation": "source shift table",
    "maximum": "source kernel stride pads",
}


def sources(node: dict[str, Any]) -> list[int]:
    """The values that a node reads."""
    return list(node["sources"]) if "sources" in node else [node["source"]]


def window(
    shape: Shape, kernel: list[int], node: dict[str, Any], dilation: list[int]
) -> tuple[int, int]:
    """Height and width of the output of a convolution or maximum; raises `NetworkError`."""
    top, left, bottom, right = integers(node["pads"], 4, 0, 1023)
    stride = integers(node["stride"], 2, 1, 1024)
    integers([*kernel, *dilation], 4, 1, 1024)
    free_height = shape[1] + top + bottom - dilation[0] * (kernel[0] - 1) - 1
    free_width = shape[2] + left + right - dilation[1] * (kernel[1] - 1) - 1
    demand(free_height >= 0 and free_width >= 0, "the kernel is larger than its source")
    return free_height // stride[0] + 1, free_width // stride[1] + 1


def windows(
    shape: Shape, kernel: list[int], node: dict[str, Any], dilation: list[int]
) -> list[list[tuple[int, int] | None]]:
    """For each output position in C order the (row, column) under each kernel entry, or None."""
    height, width = window(shape, kernel, node, dilation)
    top, left = node["pads"][:2]
    result: list[list[tuple[int, int] | None]] = []
    for y in range(height):
        for x in range(width):
            places: list[tuple[int, int] | None] = []
            for dy in range(kernel[0]):
                for dx in range(kernel[1]):
                    row = y * node["stride"][0] - top + dy * dilation[0]
                    column = x * node["stride"][1] - left + dx * dilation[1]
                    inside = 0 <= row < shape[1] and 0 <= column < shape[2]
                    places.append((row, column) if inside else None)
            result.append(places)
    return result


def node_shape(node: dict[str, Any], given: list[Shape], tables: int) -> Shape:
    """The shape of a node's value, its sources' shapes given; raises `NetworkError`."""
    kind, first = node["kind"], given[0]
    if kind == "convolution":
        made, per_group, kh, kw = integers(node["sizes"], 4, 1)
        groups = integer(node["groups"], 1, 2**24)
        demand(made % groups == 0 and per_group * groups == first[0], "channels do not fit")
        shape = (made, *window(first, [kh, kw], node, integers(node["dilation"], 2, 1, 1024)))
        weights, bias = signed(node["weights"], 2), signed(node["bias"], 4)
        demand(len(weights) == prod(node["sizes"]), "not that many weights")
        demand(max(map(abs, weights)) <= 511, "a weight is too large")
        demand(len(bias) in (made, prod(shape)), "not that many biases")
        return shape
    if kind == "sum":
        demand(all(shape == first for shape in given), "shapes of a sum differ")
        return first
    if kind == "concatenation":
        demand(all(shape[1:] == first[1:] for shape in given), "sizes of a concatenation differ")
        return (sum(shape[0] for shape in given), first[1], first[2])
    if kind == "reshape":
        channels, height, width = integers(node["shape"], 3, 1)
        demand(channels * height * width == prod(first), "a reshape changes the entries")
        return (channels, height, width)
    if kind == "activation":
        integer(node["shift"], 0, 16)
        integer(node["table"], 0, tables - 1)
        return first
    kernel = integers(node["kernel"], 2, 1, 1024)
    return (first[0], *window(first, kernel, node, [1, 1]))


def linear(
    node: dict[str, Any],
    given: list[Shape],
    values: list[list[Term]],
    combine: Callable[[list[tuple[int, Term]], int], Term],
) -> list[Term]:
    """The value of a linear node; combine makes the sum of (factor, entry) plus a constant."""
    kind, first = node["kind"], values[0]
    if kind == "sum":
        columns = zip(*values, strict=True)
        return [combine([(1, entry) for entry in column], 0) for column in columns]
    if kind == "concatenation":
        return [entry for value in values for entry in value]
    if kind == "reshape":
        return first
    made, per_group, kh, kw = node["sizes"]
    shape = given[0]
    weights, bias = signed(node["weights"], 2), signed(node["bias"], 4)
    places = windows(shape, [kh, kw], node, node["dilation"])
    result = []
    for channel in range(made):
        start = channel // (made // node["groups"]) * per_group
        for position, under in enumerate(places):
            terms = []
            for i in range(per_group):
                for k, place in enumerate(under):
                    weight = weights[(channel * per_group + i) * kh * kw + k]
                    if place is not None and weight:
                        index = ((start + i) * shape[1] + place[0]) * shape[2] + place[1]
                        terms.append((weight, first[index]))
            whole = len(bias) == made
            offset = bias[channel if whole else channel * len(places) + position]
            result.append(combine(terms, offset))
    return result


Interval = tuple[int, int]


def _interval(terms: list[tuple[int, Interval]], offset: int) -> Interval:
    low = sum(w * (bound[0] if w > 0 else bound[1]) for w, bound in terms)
    high = sum(w * (bound[1] if w > 0 else bound[0]) for w, bound in terms)
    return low + offset, high + offset


def _check_activation(
    node: dict[str, Any], table: tuple[int, bytes], source: list[Interval]
) -> None:
    first, values = table
    last = first + len(values) - 1
    shift = node["shift"]
    low, high = min(b[0] for b in source), max(b[1] for b in source)
    half = 2**shift // 2
    demand(first <= (low + half) >> shift, "a table begins too late")
    demand((high + half) >> shift <= last, "a table ends too early")
    largest = max(abs(first), abs(last))
    demand(max(abs(low), abs(high)) + 2**shift * (largest + 1) < P, "quotients could wrap around")


def read_network(value: Any) -> Network:
    """Check the map of section 16.1 by 16.2 (but for the rows of all tables, which the relation
    knows); raises `NetworkError`.
    """
    keys(value, "type", "version", "shape", "tables", "nodes")
    demand(value["type"] == "zkwm-network", "another type")
    demand(integer(value["version"], 1, 1) == 1, "another version")
    channels, height, width = integers(value["shape"], 3, 1, 65535)
    demand(channels in (1, 3), "an image has 1 or 3 channels")
    demand(type(value["tables"]) is list and len(value["tables"]) <= 64, "not a list of tables")
    tables = []
    for table in value["tables"]:
        keys(table, "first", "values")
        integer(table["first"], -(2**30), 2**30)
        demand(type(table["values"]) is bytes, "values of a table are not bytes")
        demand(1 <= len(table["values"]) <= 2**20, "a table has 1 to 2^20 values")
        tables.append((table["first"], table["values"]))
    nodes = value["nodes"]
    demand(type(nodes) is list and 1 <= len(nodes) <= 1000, "not 1 to 1000 nodes")
    shapes: list[Shape] = [(channels, height, width)]
    of_bytes = [True]
    bounds: list[list[Interval]] = [[(0, 255)] * prod(shapes[0])]
    multiplications = 0
    for number, node in enumerate(nodes, start=1):
        demand(type(node) is dict and node.get("kind") in KEYS, "not a node")
        kind = node["kind"]
        keys(node, "kind", *KEYS[kind].split())
        if "sources" in node:
            demand(type(node["sources"]) is list, "sources are not a list")
            demand(2 <= len(node["sources"]) <= 64, "not 2 to 64 sources")
        read = integers(sources(node), len(sources(node)), 0, number - 1)
        given = [shapes[source] for source in read]
        shape = node_shape(node, given, len(tables))
        shapes.append(shape)
        demand(prod(shape) <= 2**24, "a value is too large")
        demand(sum(map(prod, shapes)) <= 2**26, "all values together are too large")
        if kind == "convolution":
            multiplications += prod(shape) * prod(node["sizes"][1:])
        if kind == "activation":
            _check_activation(node, tables[node["table"]], bounds[read[0]])
        if kind == "maximum":
            multiplications += prod(shape) * prod(node["kernel"])
            demand(of_bytes[read[0]], "a maximum of what are not bytes")
        demand(multiplications <= 2**36, "too many multiplications")
        if kind in ("activation", "maximum"):
            of_bytes.append(True)
            bounds.append([(0, 255)] * prod(shape))
        else:
            of_bytes.append(kind in ("reshape", "concatenation") and all(of_bytes[s] for s in read))
            bounds.append(linear(node, given, [bounds[s] for s in read], _interval))
        demand(max(max(-b[0], b[1]) for b in bounds[-1]) <= 2**30, "a bound is too large")
    used = {source for node in nodes for source in sources(node)}
    demand(used >= set(range(len(nodes))), "a value is not used")
    outputs = shapes[-1][0]
    demand(shapes[-1][1:] == (1, 1) and 2 <= outputs <= 65535, "the last value is not logits")
    largest = max(max(abs(low), abs(high)) for low, high in bounds[-1])
    demand(2 * outputs * largest + outputs - 1 < 2**29, "logits could be too large")
    digest = hashlib.sha256(b"zkwm-network-1" + write(value)).digest()
    return Network(digest, shapes[0], tuple(tables), tuple(nodes), tuple(shapes), largest)


def argument_of_largest(logits: Sequence[int]) -> int:
    """The label of section 16.3: the smallest index among the largest."""
    return max(range(len(logits)), key=lambda i: (logits[i], -i))
