"""The shape of every value of an integer network, and the limits on sizes.

::

    node            shape of its value
    convolution     [O, floor((h + pads - dilation (kh - 1) - 1) / stride) + 1, likewise w]
    maximum         [C, likewise, likewise]
    sum             that of its terms            concatenation   channels added
    reshape         as written                   activation      that of what it reads

Only integers are looked at and nothing is allocated: a reader calls this before any evaluation.
SPEC.md 16.1, 16.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from zkwm_protocols.errors import Malformed, Unsupported, ZkwmError
from zkwm_protocols.integer_network.nodes import (
    Activation,
    Concatenation,
    Convolution,
    Maximum,
    Node,
    Pads,
    Pair,
    Reshape,
    Shape,
    Sum,
    inputs_of,
)

MAXIMUM_NODES = 4000
MAXIMUM_TABLES = 64
MAXIMUM_ENTRIES = 1 << 24
MAXIMUM_ENTRIES_TOGETHER = 1 << 26
MAXIMUM_MULTIPLICATIONS = 1 << 36
MAXIMUM_OUTPUTS = 65_535


def infer_shapes(
    shape: Shape, table_count: int, nodes: Sequence[Node]
) -> tuple[tuple[Shape, ...], tuple[bool, ...]]:
    """The shape of every value and whether it is of bytes, the image first.

    Args:
        shape: channels, height, width of the image.
        table_count: the number of tables.
        nodes: in order.

    Raises:
        Malformed: sizes or numbers do not fit each other (network.format), with the node's number.
        Unsupported: a size is above its limit (network.size), with the node's number.
    """
    if not 1 <= len(nodes) <= MAXIMUM_NODES or table_count > MAXIMUM_TABLES:
        raise _too_large(f"1 to {MAXIMUM_NODES} nodes and at most {MAXIMUM_TABLES} tables")
    _require_entries(shape)
    if shape[0] not in (1, 3):
        raise _malformed("an image has 1 or 3 channels")
    shapes, of_bytes, used = [shape], [True], {len(nodes)}
    entries, multiplications = prod(shape), 0
    for number, node in enumerate(nodes, start=1):
        try:
            inputs = inputs_of(node)
            if not all(0 <= place < number for place in inputs):
                raise _malformed("an input is not a value below the node's")
            used.update(inputs)
            result = shape_of(node, [shapes[place] for place in inputs])
            _require_entries(result)
            if isinstance(node, Activation) and not 0 <= node.table < table_count:
                raise _malformed("there is no such table")
            if isinstance(node, Maximum) and not of_bytes[node.input]:
                raise _malformed("a maximum is taken of bytes only")
        except ZkwmError as error:
            raise type(error)(f"node {number}: {error.message}", check=error.check) from None
        entries += prod(result)
        multiplications += _multiplications(node, result)
        if entries > MAXIMUM_ENTRIES_TOGETHER:
            raise _too_large(f"node {number}: values have more than 2^26 entries together")
        if multiplications > MAXIMUM_MULTIPLICATIONS:
            raise _too_large(f"node {number}: more than 2^36 multiplications")
        shapes.append(result)
        of_bytes.append(
            isinstance(node, Activation | Maximum)
            or (isinstance(node, Reshape | Concatenation) and all(of_bytes[i] for i in inputs))
        )
    unused = set(range(len(shapes))) - used
    if unused:
        raise _malformed(f"value {min(unused)} is used by no node")
    if shapes[-1][1:] != (1, 1) or not 2 <= shapes[-1][0] <= MAXIMUM_OUTPUTS:
        raise _malformed(
            f"node {len(nodes)}: the last value has shape [O, 1, 1], O from 2 to {MAXIMUM_OUTPUTS}"
        )
    return tuple(shapes), tuple(of_bytes)


def work_of(nodes: Sequence[Node], shapes: Sequence[Shape]) -> tuple[int, int]:
    """The multiplications of all nodes, and the entries of all values, for one image.

    Args:
        nodes: in order.
        shapes: of every value, the image first.
    """
    made = zip(nodes, shapes[1:], strict=True)
    return sum(_multiplications(*one) for one in made), sum(map(prod, shapes))


def _multiplications(node: Node, result: Shape) -> int:
    """Entries of the result times taps, padding included."""
    if isinstance(node, Convolution):
        return prod(result) * prod(node.weights.shape[1:])
    return prod(result) * prod(node.kernel) if isinstance(node, Maximum) else 0


def shape_of(node: Node, inputs: Sequence[Shape]) -> Shape:
    """The shape of a node's value, from the shapes of the values that it reads.

    Raises:
        Malformed: they do not fit the node (network.format).
    """
    first = inputs[0]
    if isinstance(node, Convolution):
        outputs, channels, *_ = node.weights.shape
        if channels * node.groups != first[0] or outputs % node.groups:
            raise _malformed("channels do not fit weights and groups")
        sides = result_sides(first, node.kernel, node.stride, node.pads, node.dilation)
        if node.bias.shape not in ((outputs,), (outputs, *sides)):
            raise _malformed("the bias has another size")
        return (outputs, *sides)
    if isinstance(node, Maximum):
        return (first[0], *result_sides(first, node.kernel, node.stride, node.pads, (1, 1)))
    if isinstance(node, Sum):
        if any(shape != first for shape in inputs):
            raise _malformed("the terms of a sum have different shapes")
        return first
    if isinstance(node, Concatenation):
        if any(shape[1:] != first[1:] for shape in inputs):
            raise _malformed("the parts of a concatenation have different heights or widths")
        return (sum(shape[0] for shape in inputs), first[1], first[2])
    if isinstance(node, Reshape):
        if min(node.shape) < 1 or prod(node.shape) != prod(first):
            raise _malformed("a reshape changes the number of entries")
        return node.shape
    return first


def result_sides(shape: Shape, kernel: Pair, stride: Pair, pads: Pads, dilation: Pair) -> Pair:
    """Height and width of the result of sliding windows.

    Args:
        shape: what they slide over.
        kernel: its sides.
        stride: down, across.
        pads: top, left, bottom, right.
        dilation: down, across.

    Raises:
        Malformed: the kernel does not fit once (network.format).
    """
    sides = []
    for axis in range(2):
        room = shape[axis + 1] + pads[axis] + pads[axis + 2]
        room -= dilation[axis] * (kernel[axis] - 1) + 1
        if room < 0:
            raise _malformed("the kernel is larger than what it slides over")
        sides.append(room // stride[axis] + 1)
    return (sides[0], sides[1])


def _require_entries(shape: Shape) -> None:
    """A shape is three positive integers with a product of at most 2^24."""
    if len(shape) != 3 or any(type(side) is not int or side < 1 for side in shape):
        raise _malformed("a shape is [channels, height, width], each at least 1")
    if prod(shape) > MAXIMUM_ENTRIES:
        raise _too_large("a value of more than 2^24 entries")


def _malformed(message: str) -> Malformed:
    """A refusal with the check of the form."""
    return Malformed(message, check="network.format")


def _too_large(message: str) -> Unsupported:
    """A refusal with the check of sizes."""
    return Unsupported(message, check="network.size")
