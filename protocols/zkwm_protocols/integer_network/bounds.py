"""Lower and upper bounds of every entry of every value, and what they must satisfy.

::

    value                    bounds
    bytes                    [0, 255]
    convolution              positive weights * [low, high] + negative weights * [high, low] + bias
    sum, concatenation, ..   entry by entry

    |bound| <= 2^30, tables cover all quotients, logits fit the argmax   ->  equality modulo p
                                                                            is equality of integers

Exact interval arithmetic over the integers; the bounds hold for every image. SPEC.md 16.2.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.errors import Malformed, Unsupported
from zkwm_protocols.field.scalar import P
from zkwm_protocols.integer_network.correlation import correlate, splits
from zkwm_protocols.integer_network.nodes import (
    MAXIMUM_BOUND,
    Activation,
    Concatenation,
    Convolution,
    Node,
    Shape,
    Sum,
    Table,
    inputs_of,
)
from zkwm_protocols.integer_network.windows import Windows

Interval = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Lower and upper bounds, each (channels, height, width); integers."""

MAXIMUM_TABLE_ROWS = 1 << 22
FIXED_TABLE_ROWS = 3 * 65_536 + 1_296 + 511
"""Rows of the tables 1 to 5 of SPEC.md 17.3."""


def require_bounds(
    tables: Sequence[Table],
    nodes: Sequence[Node],
    shapes: Sequence[Shape],
    of_bytes: Sequence[bool],
) -> tuple[int, ...]:
    """The largest absolute bound of every value, the image first.

    Args:
        tables: of the network.
        nodes: of the network.
        shapes: of every value, the image first.
        of_bytes: whether a value is of bytes, for every value.

    Raises:
        Unsupported: a rule of SPEC.md 16.2 is broken: network.overflow, network.logits or
            network.size.
        Malformed: a table does not cover what its activation reads (network.table).
    """
    intervals: dict[int, Interval] = {0: _bytes(shapes[0])}
    last_use = {place: i for i, node in enumerate(nodes, 1) for place in inputs_of(node)}
    magnitudes = [255]
    for number, node in enumerate(nodes, start=1):
        inputs = [intervals[place] for place in inputs_of(node)]
        if isinstance(node, Activation):
            _require_table(number, node, tables[node.table], inputs[0])
        interval = (
            _bytes(shapes[number])
            if of_bytes[number]
            else _interval(node, inputs, shapes[inputs_of(node)[0]], shapes[number])
        )
        magnitude = max(-float(interval[0].min()), float(interval[1].max()))
        if magnitude > MAXIMUM_BOUND:
            raise Unsupported(
                f"node {number}: values may reach {magnitude:.0f}, above 2^30",
                check="network.overflow",
            )
        magnitudes.append(int(magnitude))
        intervals[number] = interval
        # values may be large: an interval is dropped after its last use
        for place in set(inputs_of(node)):
            if last_use[place] == number:
                del intervals[place]
    bits = (2 * shapes[-1][0] * magnitudes[-1] + shapes[-1][0] - 1).bit_length()
    if bits > 29:
        raise Unsupported(
            f"node {len(nodes)}: logits up to {magnitudes[-1]} are too large for an argmax",
            check="network.logits",
        )
    _require_table_rows(tables, nodes, argmax_bits(shapes[-1][0], magnitudes[-1]))
    return tuple(magnitudes)


def argmax_bits(outputs: int, logit_bound: int) -> int:
    """B of SPEC.md 17.3: the bit length of 2 O Zabs + O - 1, at least 1.

    It bounds the differences of the distinct logits O z_l + O - 1 - l.
    """
    return max(1, (2 * outputs * logit_bound + outputs - 1).bit_length())


def _bytes(shape: Shape) -> Interval:
    """The bounds of a value of bytes."""
    return np.zeros(shape), np.full(shape, 255.0)


def _interval(node: Node, inputs: list[Interval], input_shape: Shape, shape: Shape) -> Interval:
    """The bounds of a value that is not of bytes; ``input_shape`` is of the first."""
    if isinstance(node, Convolution):
        return _convolution(node, inputs[0], Windows.of(node, input_shape, shape))
    lower = [interval[0] for interval in inputs]
    upper = [interval[1] for interval in inputs]
    if isinstance(node, Sum):
        return np.sum(lower, axis=0), np.sum(upper, axis=0)
    if isinstance(node, Concatenation):
        return np.concatenate(lower), np.concatenate(upper)
    return lower[0].reshape(shape), upper[0].reshape(shape)


def _convolution(node: Convolution, interval: Interval, windows: Windows) -> Interval:
    """The bounds of a convolution; both bounds go through one correlation, as two "images"."""
    weights = node.weights.astype(np.float64)
    positive, negative = np.maximum(weights, 0.0), np.minimum(weights, 0.0)
    both = np.stack(interval, axis=-1)
    magnitude = int(np.abs(both).max())
    if splits(weights, magnitude):
        high = np.floor(both / 65536.0)
        # past 2^53 the sum is rounded, but such a bound is far above 2^30 and refused anyway
        result = _ordered(high, positive, negative, windows, node.groups) * 65536.0
        result += _ordered(both - high * 65536.0, positive, negative, windows, node.groups)
    else:
        result = _ordered(both, positive, negative, windows, node.groups)
    bias = node.bias.astype(np.float64).reshape(
        node.bias.shape[0], *(node.bias.shape[1:] or (1, 1))
    )
    result += bias[..., np.newaxis]
    return result[..., 0], result[..., 1]


def _ordered(
    both: NDArray[np.float64],
    positive: NDArray[np.float64],
    negative: NDArray[np.float64],
    windows: Windows,
    groups: int,
) -> NDArray[np.float64]:
    """Positive weights times the bounds (c, h, w, 2), negative ones times the bounds exchanged."""
    result = correlate(both, positive, windows, groups)
    result += correlate(both[..., ::-1], negative, windows, groups)
    return result


def _require_table(number: int, node: Activation, table: Table, interval: Interval) -> None:
    """The table covers all quotients, and 2^s q + r cannot wrap around modulo p."""
    lowest, highest = int(interval[0].min()), int(interval[1].max())
    half = 1 << (node.shift - 1) if node.shift else 0
    first, last = (lowest + half) >> node.shift, (highest + half) >> node.shift
    if not table.first <= first <= last <= table.last:
        raise Malformed(
            f"node {number}: table {node.table} covers {table.first} to {table.last}, "
            f"not {first} to {last}",
            check="network.table",
        )
    largest = max(abs(table.first), abs(table.last))
    if max(abs(lowest), abs(highest)) + (largest + 1 << node.shift) >= P:
        raise Unsupported(
            f"node {number}: table {node.table} is too wide for a shift of {node.shift}",
            check="network.overflow",
        )


def _require_table_rows(tables: Sequence[Table], nodes: Sequence[Node], bits: int) -> None:
    """All tables of SPEC.md 17.3 together have at most 2^22 rows; ``bits`` is B of the argmax."""
    rows = table_rows(tables, nodes, bits)
    if rows > MAXIMUM_TABLE_ROWS:
        raise Unsupported(f"tables of {rows:,} rows, at most 2^22", check="network.size")


def table_rows(tables: Sequence[Table], nodes: Sequence[Node], bits: int) -> int:
    """The rows of all tables of SPEC.md 17.3, before any is built."""
    widths = {1, 8, bits - 8 * ((bits + 7) // 8 - 1)}
    widths |= {node.shift for node in nodes if isinstance(node, Activation) and node.shift}
    rows = FIXED_TABLE_ROWS + sum(table.values.size for table in tables)
    return rows + sum(1 << width for width in widths)
