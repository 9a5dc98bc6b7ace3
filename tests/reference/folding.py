"""Folding of SPEC.md 19.4 in plain Python, for linear layers with ReLUs between them."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from math import sqrt

Row = list[float]
LEVELS = (1e-4, 1e-3, 1e-2)


@dataclass
class Layer:
    """Weights [output][input], and biases."""

    weight: list[Row]
    bias: Row


def folded(layers: list[Layer], sizes: list[int]) -> list[Layer]:
    """The layers with these numbers of hidden neurons, where the rules lead that far."""
    layers = copy.deepcopy(layers)
    wholes = [[[abs(w) for w in row] for row in layer.weight] for layer in layers]
    for level in LEVELS:
        for _ in range(30):
            moved = [
                _fold(layers, wholes, group, sizes[group], level) for group in range(len(sizes))
            ]
            if not any(moved):
                break
        if all(len(layers[group].bias) <= size for group, size in enumerate(sizes)):
            break
    for group, size in enumerate(sizes):
        while len(layers[group].bias) < size:
            layers[group].weight.append([0.0] * len(layers[group].weight[0]))
            layers[group].bias.append(0.0)
            for row in layers[group + 1].weight:
                row.append(0.0)
    return layers


def _scales(layers: list[Layer]) -> list[Row]:
    """Of each layer's neurons; those of the last layer are no neurons."""
    found, before = [], [1.0] * len(layers[0].weight[0])
    for layer in layers[:-1]:
        before = [
            _length([w * s for w, s in zip(row, before, strict=True)]) for row in layer.weight
        ]
        before = [length if length > 0 else 1.0 for length in before]
        found.append(before)
    return found


def _fold(
    layers: list[Layer], wholes: list[list[Row]], group: int, size: int, level: float
) -> bool:
    """Steps 1 and 2 for one group; whether a neuron was left out."""
    scales, layer, reader = _scales(layers), layers[group], layers[group + 1]
    columns = scales[group - 1] if group else [1.0] * len(layer.weight[0])
    count = len(layer.bias)
    weights = [[w * s for w, s in zip(row, columns, strict=True)] for row in layer.weight]
    inputs = [[*row, bias] for row, bias in zip(weights, layer.bias, strict=True)]
    lengths = [_length(row) for row in inputs]
    fixed = [_length(row) <= 1e-4 * whole for row, whole in zip(weights, lengths, strict=True)]
    for j in range(count):
        if fixed[j] and layer.bias[j] <= 0:
            lengths[j] = 0.0

    def read(matrix: list[Row], *, centered: bool) -> list[Row]:
        """What reads each neuron."""
        last = group + 2 == len(layers)
        found = []
        for j in range(count):
            column = [row[j] for row in matrix]
            if not last:
                column = [w / s for w, s in zip(column, scales[group + 1], strict=True)]
            elif centered:
                middle = sum(column) / len(column)
                column = [w - middle for w in column]
            found.append(column)
        return found

    outputs = read(reader.weight, centered=True)
    parts = [
        length * _length(column)
        for length, column in zip(lengths, read(wholes[group + 1], centered=False), strict=True)
    ]
    alive = [True] * count
    for gone, kept in _pairs(inputs, lengths, outputs, level):
        if level > LEVELS[0] and sum(alive) <= size:
            break
        if alive[gone] and alive[kept]:
            share = lengths[gone] / lengths[kept]
            for matrix in (reader.weight, wholes[group + 1]):
                for row in matrix:
                    row[kept] += share * row[gone]
            for k, value in enumerate(outputs[gone]):
                outputs[kept][k] += share * value
            parts[kept] += parts[gone]
            alive[gone] = False
    effects = [length * _length(column) for length, column in zip(lengths, outputs, strict=True)]
    for j in sorted(range(count), key=lambda number: effects[number]):
        if sum(alive) <= size:
            break
        if not alive[j]:
            continue
        if effects[j] <= 1e-6 * parts[j]:
            alive[j] = False
        elif fixed[j] and layer.bias[j] > 0:
            for k, row in enumerate(reader.weight):
                reader.bias[k] += layer.bias[j] * row[j]
            alive[j] = False
    left = [j for j in range(count) if alive[j]]
    layer.weight[:] = [layer.weight[j] for j in left]
    wholes[group][:] = [wholes[group][j] for j in left]
    layer.bias[:] = [layer.bias[j] for j in left]
    for matrix in (reader.weight, wholes[group + 1]):
        matrix[:] = [[row[j] for j in left] for row in matrix]
    return len(left) < count


def _pairs(
    inputs: list[Row], lengths: Row, outputs: list[Row], level: float
) -> list[tuple[int, int]]:
    """(Left out, kept), the nearest first."""
    effects = [length * _length(column) for length, column in zip(lengths, outputs, strict=True)]
    found = []
    for a in range(len(inputs)):
        for b in range(a + 1, len(inputs)):
            if lengths[a] == 0 or lengths[b] == 0:
                continue
            one, other = ([w / lengths[j] for w in inputs[j]] for j in (a, b))
            apart = _length([v - w for v, w in zip(one, other, strict=True)])
            if apart <= level and _alike(one, other, level):
                found.append((apart, (a, b) if effects[b] > effects[a] else (b, a)))
    return [pair for _, pair in sorted(found, key=lambda one: one[0])]


def _alike(one: Row, other: Row, level: float) -> bool:
    """Whether two rows are near in their small weights too."""
    order = [j for j in sorted(range(len(one)), key=lambda j: abs(one[j])) if one[j] != 0]
    for part in range(1, 9):
        places = order[: len(order) * part // 8]
        apart = _length([one[j] - other[j] for j in places])
        if apart > 20 * level * _length([one[j] for j in places]):
            return False
    return True


def _length(values: Row) -> float:
    return sqrt(sum(value * value for value in values))
