"""Unit form and alignment of SPEC.md section 19.4 in plain Python; matchings by trying all.

For networks of a few neurons. A network is given as tensors by name and an outline: its layers in
order, with what each is for.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from itertools import permutations
from math import fsum, sqrt
from typing import Any

EPS = 1e-5
MOST_PASSES = 30


@dataclass
class Norm:
    """A batch norm, one number for each channel."""

    weight: list[float]
    bias: list[float]
    mean: list[float]
    variance: list[float]


@dataclass
class Layer:
    """Weights [output][input neuron][tap]; a bias or a batch norm, or neither.

    ``role`` is `plain`, `conv1`, `conv2` or `shortcut` (of a residual block), or `last`.
    """

    role: str
    weight: list[list[list[float]]]
    bias: list[float] | None = None
    norm: Norm | None = None


@dataclass
class Network:
    """The image's std, and the layers in order."""

    std: list[float]
    layers: list[Layer]


@dataclass(frozen=True)
class Group:
    """Neurons with the layers that make them, the first one first, and those that read them."""

    makers: list[int]
    readers: list[int]


def groups(network: Network) -> list[Group]:
    """In an order in which the first maker of each reads the image or earlier groups."""
    found: list[Group] = []
    stream = inner = Group([], [])
    for number, layer in enumerate(network.layers):
        after = network.layers[number + 1 :]
        if layer.role == "plain":
            stream.readers.append(number)
            stream = Group([number], [])
            found.append(stream)
        elif layer.role == "conv1":
            stream.readers.append(number)
            if len(after) > 1 and after[1].role == "shortcut":
                stream.readers.append(number + 2)
                stream = Group([number + 2], [])
                found.append(stream)
            inner = Group([number], [])
            found.append(inner)
        elif layer.role == "conv2":
            inner.readers.append(number)
            stream.makers.append(number)
        elif layer.role == "last":
            stream.readers.append(number)
    return found


@dataclass
class Lost:
    """What unit form took from a network: numbers of each layer and of each group."""

    std: list[float]
    spread: dict[int, list[float]]
    mean: dict[int, list[float]]
    row: dict[int, list[float]]
    scale: list[list[float]]
    moved: dict[int, list[float]]
    last_mean: list[list[float]]
    last_bias: float
    length: float


def length(row: list[list[float]]) -> float:
    """The Euclidean length of a neuron's weights; 0 counts as 1."""
    return sqrt(fsum(w * w for taps in row for w in taps)) or 1.0


def times(row: list[list[float]], factor: float) -> list[list[float]]:
    """Weights of a neuron, multiplied."""
    return [[w * factor for w in taps] for taps in row]


def scale_inputs(layer: Layer, factors: list[float]) -> None:
    """Multiply what a layer reads."""
    layer.weight = [
        [[w * factor for w in taps] for taps, factor in zip(row, factors, strict=True)]
        for row in layer.weight
    ]


def scale_group(network: Network, group: Group, factors: list[float]) -> None:
    """Divide neurons of a group, and multiply what reads them."""
    for number in group.makers:
        layer = network.layers[number]
        if layer.norm is not None:
            layer.norm.weight = [v / f for v, f in zip(layer.norm.weight, factors, strict=True)]
            layer.norm.bias = [v / f for v, f in zip(layer.norm.bias, factors, strict=True)]
        else:
            layer.weight = [times(r, 1 / f) for r, f in zip(layer.weight, factors, strict=True)]
            assert layer.bias is not None
            layer.bias = [v / f for v, f in zip(layer.bias, factors, strict=True)]
    for number in group.readers:
        scale_inputs(network.layers[number], factors)


def unit_form(given: Network) -> tuple[Network, Lost]:
    """The network in unit form, and what has to be given back to undo it."""
    network = copy.deepcopy(given)
    layers = network.layers
    lost = Lost(network.std, {}, {}, {}, [], {}, [], 0.0, 1.0)
    scale_inputs(layers[0], [1 / s for s in network.std])
    network.std = [1.0] * len(network.std)

    def before_norm(number: int) -> None:
        norm, layer = layers[number].norm, layers[number]
        if norm is None or number in lost.row:
            return
        spread = [sqrt(v + EPS) for v in norm.variance]
        norm.weight = [w / s for w, s in zip(norm.weight, spread, strict=True)]
        norm.variance = [1 - EPS] * len(spread)
        norm.bias = [b - m * w for b, m, w in zip(norm.bias, norm.mean, norm.weight, strict=True)]
        lost.spread[number], lost.mean[number] = spread, norm.mean
        norm.mean = [0.0] * len(spread)
        rows = [
            length(row) * (-1 if w < 0 else 1)
            for row, w in zip(layer.weight, norm.weight, strict=True)
        ]
        layer.weight = [times(row, 1 / f) for row, f in zip(layer.weight, rows, strict=True)]
        norm.weight = [w * f for w, f in zip(norm.weight, rows, strict=True)]
        lost.row[number] = rows

    for group in groups(network):
        before_norm(group.makers[0])
        first = layers[group.makers[0]]
        factors = (
            [length(row) for row in first.weight]
            if first.norm is None
            else [abs(w) or 1.0 for w in first.norm.weight]
        )
        scale_group(network, group, factors)
        lost.scale.append(factors)
    for number, layer in enumerate(layers):
        before_norm(number)
        if layer.role == "shortcut":
            shortcut, second = layer.norm, layers[number - 1].norm
            assert shortcut is not None
            assert second is not None
            lost.moved[number] = shortcut.bias
            second.bias = [a + b for a, b in zip(second.bias, shortcut.bias, strict=True)]
            shortcut.bias = [0.0] * len(shortcut.bias)
    last = layers[-1]
    assert last.bias is not None
    rows = last.weight
    lost.last_mean = [
        [fsum(row[i][t] for row in rows) / len(rows) for t in range(len(rows[0][i]))]
        for i in range(len(rows[0]))
    ]
    lost.last_bias = fsum(last.bias) / len(rows)
    last.weight = [
        [
            [w - m for w, m in zip(taps, means, strict=True)]
            for taps, means in zip(row, lost.last_mean, strict=True)
        ]
        for row in rows
    ]
    lost.length = length([taps for row in last.weight for taps in row])
    last.weight = [times(row, 1 / lost.length) for row in last.weight]
    last.bias = [(b - lost.last_bias) / lost.length for b in last.bias]
    return network, lost


def give_back(network: Network, lost: Lost) -> None:
    """Undo a unit form, in place: from its last step to its first."""
    layers = network.layers
    last = layers[-1]
    assert last.bias is not None
    last.weight = [
        [
            [w * lost.length + m for w, m in zip(taps, means, strict=True)]
            for taps, means in zip(row, lost.last_mean, strict=True)
        ]
        for row in last.weight
    ]
    last.bias = [b * lost.length + lost.last_bias for b in last.bias]
    for number, moved in lost.moved.items():
        shortcut, second = layers[number].norm, layers[number - 1].norm
        assert shortcut is not None
        assert second is not None
        shortcut.bias = [a + b for a, b in zip(shortcut.bias, moved, strict=True)]
        second.bias = [a - b for a, b in zip(second.bias, moved, strict=True)]
    for group, factors in zip(groups(network), lost.scale, strict=True):
        scale_group(network, group, [1 / f for f in factors])
    for number, factors in lost.row.items():
        layer = layers[number]
        norm = layer.norm
        assert norm is not None
        layer.weight = [times(row, f) for row, f in zip(layer.weight, factors, strict=True)]
        norm.weight = [w / f for w, f in zip(norm.weight, factors, strict=True)]
        norm.mean = lost.mean[number]
        norm.bias = [b + m * w for b, m, w in zip(norm.bias, norm.mean, norm.weight, strict=True)]
        norm.variance = [s * s - EPS for s in lost.spread[number]]
        norm.weight = [w * s for w, s in zip(norm.weight, lost.spread[number], strict=True)]
    scale_inputs(layers[0], lost.std)
    network.std = lost.std


def inner(left: Any, right: Any) -> float:
    """The inner product of two nested lists of numbers."""
    if isinstance(left, float):
        return left * float(right)
    return fsum(inner(a, b) for a, b in zip(left, right, strict=True))


def column(layer: Layer, neuron: int) -> list[list[float]]:
    """All weights that read one neuron."""
    return [row[neuron] for row in layer.weight]


def permute(network: Network, group: Group, order: tuple[int, ...]) -> None:
    """Put neuron order[n] of a group in place n."""
    for number in group.makers:
        layer = network.layers[number]
        layer.weight = [layer.weight[n] for n in order]
        if layer.bias is not None:
            layer.bias = [layer.bias[n] for n in order]
        if layer.norm is not None:
            for name, values in vars(layer.norm).items():
                setattr(layer.norm, name, [values[n] for n in order])
    for number in group.readers:
        layer = network.layers[number]
        layer.weight = [[row[n] for n in order] for row in layer.weight]


def best_order(gain: list[list[float]]) -> tuple[int, ...]:
    """The assignment with the largest sum; gain[place][neuron]."""
    return max(
        permutations(range(len(gain))),
        key=lambda order: fsum(gain[place][neuron] for place, neuron in enumerate(order)),
    )


def match(suspect: Network, reference: Network) -> None:
    """Permute a suspect's groups, in place; both are in unit form."""
    parts = groups(reference)
    made_by = {number: g for g, group in enumerate(parts) for number in group.makers}
    read_by = {number: g for g, group in enumerate(parts) for number in group.readers}
    assert len(made_by) == len(reference.layers) - 1

    def gains(makers: list[int], readers: list[int], size: int) -> list[list[float]]:
        ours, theirs = suspect.layers, reference.layers
        return [
            [
                fsum(inner(theirs[m].weight[place], ours[m].weight[n]) for m in makers)
                + fsum(inner(column(theirs[r], place), column(ours[r], n)) for r in readers)
                for n in range(size)
            ]
            for place in range(size)
        ]

    def size_of(group: Group) -> int:
        return len(reference.layers[group.makers[0]].weight)

    for number, group in enumerate(parts):
        known = [m for m in group.makers if read_by.get(m, -1) < number]
        permute(suspect, group, best_order(gains(known, [], size_of(group))))
    for _ in range(MOST_PASSES):
        changed = False
        for group in parts:
            order = best_order(gains(group.makers, group.readers, size_of(group)))
            changed = changed or order != tuple(range(len(order)))
            permute(suspect, group, order)
        if not changed:
            return


def aligned(suspect: Network, reference: Network) -> Network:
    """The suspect, aligned to the reference; before rounding to float32."""
    found, _ = unit_form(suspect)
    fixed, lost = unit_form(reference)
    match(found, fixed)
    give_back(found, lost)
    return found
