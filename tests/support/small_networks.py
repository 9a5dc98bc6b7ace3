"""Tiny random integer networks that are valid, for tests (SPEC.md 16).

``NetworkBuilder`` adds nodes one by one with random weights, biases and tables, and keeps tables as
wide as a coarse bound of their arguments demands.
"""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

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
)
from zkwm_protocols.integer_network.shapes import shape_of

Shape = tuple[int, int, int]


class NetworkBuilder:
    """Each method adds a node and returns the number of its value; 0 is the image."""

    def __init__(self, shape: Shape, seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        self.shapes: list[Shape] = [shape]
        self.bounds = [255]
        self.tables: list[Table] = []
        self.nodes: list[Node] = []

    def convolution(
        self,
        value: int,
        outputs: int,
        kernel: tuple[int, int] = (1, 1),
        *,
        stride: tuple[int, int] = (1, 1),
        pads: tuple[int, int, int, int] = (0, 0, 0, 0),
        dilation: tuple[int, int] = (1, 1),
        groups: int = 1,
        bias_by_position: bool = False,
        weight_limit: int = 9,
        bias_limit: int = 100,
    ) -> int:
        sizes = (outputs, self.shapes[value][0] // groups, *kernel)
        weights = self.random.integers(-weight_limit, weight_limit + 1, sizes).astype(np.int16)
        bias = self.random.integers(-bias_limit, bias_limit + 1, outputs).astype(np.int32)
        node = Convolution(value, weights, bias, stride, pads, dilation, groups)
        if bias_by_position:
            whole = shape_of(node, [self.shapes[value]])
            bias = self.random.integers(-bias_limit, bias_limit + 1, whole).astype(np.int32)
            node = Convolution(value, weights, bias, stride, pads, dilation, groups)
        fan_in = int(np.abs(weights.astype(np.int64)).sum(axis=(1, 2, 3)).max())
        return self.add(node, fan_in * self.bounds[value] + bias_limit)

    def activation(self, value: int, shift: int) -> int:
        half = 1 << shift >> 1
        first = (half - self.bounds[value]) >> shift
        last = (half + self.bounds[value]) >> shift
        values = self.random.integers(0, 256, last - first + 1).astype(np.uint8)
        self.tables.append(Table(first, values))
        return self.add(Activation(value, shift, len(self.tables) - 1), 255)

    def maximum(
        self,
        value: int,
        kernel: tuple[int, int],
        stride: tuple[int, int],
        pads: tuple[int, int, int, int] = (0, 0, 0, 0),
    ) -> int:
        return self.add(Maximum(value, kernel, stride, pads), 255)

    def sum(self, *inputs: int) -> int:
        return self.add(Sum(inputs), sum(self.bounds[i] for i in inputs))

    def concatenation(self, *inputs: int) -> int:
        return self.add(Concatenation(inputs), max(self.bounds[i] for i in inputs))

    def reshape(self, value: int, shape: Shape) -> int:
        return self.add(Reshape(value, shape), self.bounds[value])

    def flatten(self, value: int) -> int:
        return self.reshape(value, (prod(self.shapes[value]), 1, 1))

    def add(self, node: Node, bound: int) -> int:
        inputs = node.inputs if isinstance(node, Sum | Concatenation) else (node.input,)
        self.shapes.append(shape_of(node, [self.shapes[i] for i in inputs]))
        self.bounds.append(bound)
        self.nodes.append(node)
        return len(self.nodes)

    def build(self) -> IntegerNetwork:
        return IntegerNetwork(self.shapes[0], tuple(self.tables), tuple(self.nodes))

    def images(self, count: int) -> NDArray[np.uint8]:
        return self.random.integers(0, 256, (count, *self.shapes[0])).astype(np.uint8)


def small_network(seed: int = 0, outputs: int = 3) -> IntegerNetwork:
    """One channel of 6x5; every kind of node, strides, pads, dilation, groups, shifts 0 to 3."""
    builder = NetworkBuilder((1, 6, 5), seed)
    first = builder.convolution(0, 4, (3, 2), pads=(1, 0, 2, 1), bias_by_position=True)
    left = builder.activation(first, 3)
    second = builder.convolution(left, 4, (2, 2), dilation=(2, 1), pads=(1, 1, 1, 0), groups=2)
    joined = builder.sum(first, second, first)
    right = builder.activation(joined, 2)
    both = builder.concatenation(left, right, left)
    pooled = builder.maximum(both, (3, 2), (2, 2), (1, 0, 0, 1))
    mean = builder.convolution(pooled, 12, (2, 2), groups=12, stride=(1, 2))
    plain = builder.activation(mean, 0)
    flat = builder.flatten(plain)
    builder.convolution(flat, outputs)
    return builder.build()


def random_network(seed: int) -> IntegerNetwork:
    """A network of a random image shape and up to six random layers, all tiny."""
    random = np.random.default_rng(seed)
    sides = [int(side) for side in random.integers(2, 6, 2)]
    builder = NetworkBuilder((int(random.choice([1, 3])), sides[0], sides[1]), seed)
    value = 0
    for _ in range(int(random.integers(0, 4))):
        channels, height, width = builder.shapes[value]
        kernel = (int(random.integers(1, height + 1)), int(random.integers(1, width + 1)))
        stride = (int(random.integers(1, 3)), int(random.integers(1, 3)))
        top, left, bottom, right = (int(pad) for pad in random.integers(0, 3, 4))
        pads = (top, left, bottom, right)
        if random.integers(3) == 0:
            value = builder.maximum(value, kernel, stride, pads)
            continue
        groups = channels if random.integers(2) else 1
        value = builder.convolution(
            value,
            groups * int(random.integers(1, 4 if groups == 1 else 2)),
            kernel,
            stride=stride,
            pads=pads,
            groups=groups,
            bias_by_position=bool(random.integers(2)),
        )
        if random.integers(2):
            value = builder.sum(value, value)
        value = builder.activation(value, int(random.integers(0, 5)))
        if random.integers(3) == 0:
            value = builder.concatenation(value, value)
    builder.convolution(builder.flatten(value), int(random.integers(2, 6)))
    return builder.build()


def two_class_network() -> IntegerNetwork:
    """Two pixels in steps of 64 are the logits of two outputs: many ties."""
    builder = NetworkBuilder((1, 1, 2))
    builder.tables.append(Table(0, (np.arange(256) // 64).astype(np.uint8)))
    flat = builder.flatten(builder.add(Activation(0, 0, 0), 255))
    weights = np.eye(2, dtype=np.int16).reshape(2, 2, 1, 1)
    builder.add(Convolution(flat, weights, np.zeros(2, np.int32)), 255)
    return builder.build()


def constant_network(*logits: int) -> IntegerNetwork:
    """One pixel, and logits that do not depend on it: B is small, at most 8 for few outputs."""
    weights = np.zeros((len(logits), 1, 1, 1), np.int16)
    return IntegerNetwork((1, 1, 1), (), (Convolution(0, weights, np.array(logits, np.int32)),))
