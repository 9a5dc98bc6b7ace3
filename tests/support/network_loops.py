"""Integer networks by plain loops over Python integers (SPEC.md 16.1 to 16.3)."""

from __future__ import annotations

import itertools
from typing import Any

from zkwm_protocols.integer_network.model import (
    Activation,
    Concatenation,
    Convolution,
    IntegerNetwork,
    Maximum,
    Reshape,
    Sum,
)

Value = dict[tuple[int, int, int], Any]
"""Entry by (channel, row, column)."""


def positions(shape: tuple[int, int, int]) -> list[tuple[int, int, int]]:
    return list(itertools.product(*(range(side) for side in shape)))


def convolve(node: Convolution, entries: Value, shape: tuple[int, int, int]) -> Value:
    outputs, inputs, kernel_height, kernel_width = node.weights.shape
    per_group = outputs // node.groups
    result = {}
    for o, y, x in positions(shape):
        total = int(node.bias[o] if node.bias.ndim == 1 else node.bias[o, y, x])
        for i, ky, kx in positions((inputs, kernel_height, kernel_width)):
            row = y * node.stride[0] + ky * node.dilation[0] - node.pads[0]
            column = x * node.stride[1] + kx * node.dilation[1] - node.pads[1]
            channel = o // per_group * inputs + i
            total += int(node.weights[o, i, ky, kx]) * entries.get((channel, row, column), 0)
        result[o, y, x] = total
    return result


def maximum(node: Maximum, entries: Value, shape: tuple[int, int, int]) -> Value:
    result = {}
    for c, y, x in positions(shape):
        window = []
        for ky, kx in itertools.product(range(node.kernel[0]), range(node.kernel[1])):
            row = y * node.stride[0] + ky - node.pads[0]
            column = x * node.stride[1] + kx - node.pads[1]
            window.append(entries.get((c, row, column), 0))
        result[c, y, x] = max(window)
    return result


def evaluate(network: IntegerNetwork, image: Value) -> list[Value]:
    """Every value, the image first."""
    values = [image]
    for number, node in enumerate(network.nodes, start=1):
        shape = network.shapes[number]
        if isinstance(node, Convolution):
            values.append(convolve(node, values[node.input], shape))
        elif isinstance(node, Maximum):
            values.append(maximum(node, values[node.input], shape))
        elif isinstance(node, Activation):
            table = network.tables[node.table]
            result = {}
            for place, z in values[node.input].items():
                q = (z + 2 ** (node.shift - 1)) // 2**node.shift if node.shift else z
                result[place] = int(table.values[q - table.first])
            values.append(result)
        elif isinstance(node, Sum):
            values.append(
                {place: sum(values[i][place] for i in node.inputs) for place in positions(shape)}
            )
        elif isinstance(node, Concatenation):
            result, channel = {}, 0
            for i in node.inputs:
                for c, y, x in positions(network.shapes[i]):
                    result[channel + c, y, x] = values[i][c, y, x]
                channel += network.shapes[i][0]
            values.append(result)
        elif isinstance(node, Reshape):
            old = positions(network.shapes[node.input])
            places = zip(positions(shape), old, strict=True)
            values.append({new: values[node.input][place] for new, place in places})
    return values
