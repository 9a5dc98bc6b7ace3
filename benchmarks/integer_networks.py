"""Integer networks with random weights, for measuring the cost of the argument (SPEC.md 16).

The cost depends on shapes only: weights fill their ten bits, and shifts bring sums to the size of a
byte, as the quantizer's do. These networks have learned nothing; their labels are arbitrary.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log2, prod

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.integer_network.model import (
    Activation,
    Convolution,
    IntegerNetwork,
    Maximum,
    Node,
    Reshape,
    Shape,
    Sum,
    Table,
    inputs_of,
)
from zkwm_protocols.integer_network.shapes import shape_of

LARGEST_WEIGHT = 511
_BYTE_SIZE, _WEIGHT_DEVIATION = 100.0, 128.0
_OUTPUT_SIZE = 85.0
_LARGEST_BIAS = 1000
_LARGEST_LOGIT_WEIGHTS = 8000
"""Beyond as many they are smaller, so that an argmax can take their sums."""


class Layers:
    """A chain of layers on an image; every method appends one, ``block`` a whole block."""

    def __init__(self, shape: Shape, seed: int = 1) -> None:
        self._random = np.random.default_rng(seed)
        self._image = shape
        self._shape = shape
        self._nodes: list[Node] = []
        self._tables: list[Table] = []

    def convolution(
        self, outputs: int, side: int, *, same: bool = False, stride: int = 1
    ) -> Layers:
        """A kernel of ``side`` by ``side``, then ReLU; ``same`` keeps height and width."""
        self._sum(outputs, side, side // 2 if same else 0, stride)
        return self._relu()

    def dense(self, outputs: int) -> Layers:
        """Fully connected, then ReLU."""
        self._flatten()
        self._sum(outputs, 1, 0, 1)
        return self._relu()

    def pool(self) -> Layers:
        """The maximum of every two by two."""
        self._add(Maximum(len(self._nodes), (2, 2), (2, 2)))
        return self

    def overlapping_pool(self) -> Layers:
        """The maximum of every three by three with stride 2 and pad 1, across and then down."""
        self._add(Maximum(len(self._nodes), (1, 3), (1, 2), (0, 1, 0, 1)))
        self._add(Maximum(len(self._nodes), (3, 1), (2, 1), (1, 0, 1, 0)))
        return self

    def block(self, outputs: int, stride: int = 1) -> Layers:
        """Two kernels of 3 by 3, to which the block's input is added, by 1 by 1 where it shrinks.

        Nodes are those of the quantizer: an addition is a sum of two convolutions.
        """
        first, before = len(self._nodes), self._shape
        self.convolution(outputs, 3, same=True, stride=stride)._sum(outputs, 3, 1, 1)
        return self._shortcut(first, before, outputs, stride)

    def bottleneck(self, outputs: int, stride: int = 1) -> Layers:
        """Kernels of 1, 3 and 1, the inner two a quarter as wide, and the block's input.

        The stride is that of the kernel of 3 by 3, as in torchvision.
        """
        first, before = len(self._nodes), self._shape
        self.convolution(outputs // 4, 1).convolution(outputs // 4, 3, same=True, stride=stride)
        self._sum(outputs, 1, 0, 1)
        return self._shortcut(first, before, outputs, stride)

    def _shortcut(self, first: int, before: Shape, outputs: int, stride: int) -> Layers:
        """Add value ``first``, of shape ``before``, to the last one; then ReLU."""
        second, after = len(self._nodes), self._shape
        self._shape = before
        if before == after:
            alike = np.full((outputs, 1, 1, 1), LARGEST_WEIGHT, np.int16)
            self._add(Convolution(first, alike, np.zeros(outputs, np.int32), groups=outputs))
        else:
            self._sum(outputs, 1, 0, stride, source=first)
        self._add(Sum((second, len(self._nodes))))
        return self._relu()

    def mean(self) -> Layers:
        """The mean of each channel."""
        channels, *sides = self._shape
        alike = np.full((channels, 1, *sides), _WEIGHT_DEVIATION, np.int16)
        nothing = np.zeros(channels, np.int32)
        self._add(Convolution(len(self._nodes), alike, nothing, groups=channels))
        return self._relu()

    def logits(self, outputs: int = 10) -> IntegerNetwork:
        """A dense layer without ReLU ends the network."""
        self._flatten()
        fan_in = self._shape[0]
        smaller = min(1.0, _LARGEST_LOGIT_WEIGHTS / (fan_in * outputs))
        self._sum(outputs, 1, 0, 1, _WEIGHT_DEVIATION * smaller)
        return IntegerNetwork(self._image, tuple(self._tables), tuple(self._nodes))

    def _sum(
        self,
        outputs: int,
        side: int,
        pad: int,
        stride: int,
        deviation: float = _WEIGHT_DEVIATION,
        source: int | None = None,
    ) -> None:
        """Append a convolution of the last value, or of ``source``, with random weights."""
        sizes = (outputs, self._shape[0], side, side)
        weights = np.rint(self._random.normal(0.0, deviation, sizes))
        whole = np.clip(weights, -LARGEST_WEIGHT, LARGEST_WEIGHT).astype(np.int16)
        bias = self._random.integers(-_LARGEST_BIAS, _LARGEST_BIAS + 1, outputs).astype(np.int32)
        source = len(self._nodes) if source is None else source
        self._add(Convolution(source, whole, bias, (stride, stride), (pad, pad, pad, pad)))

    def _relu(self) -> Layers:
        """Append a ReLU with the shift that brings sums to the size of a byte."""
        weights = self._last_weights()
        sums = _BYTE_SIZE * _WEIGHT_DEVIATION * weights.shape[1] ** 0.5
        shift = max(1, round(log2(sums / _OUTPUT_SIZE)))
        largest = int(np.abs(weights.astype(np.int64)).sum(axis=1).max()) * 255 + 2 * _LARGEST_BIAS
        bound = (largest >> shift) + 1
        quotients = np.arange(-bound, bound + 1)
        self._tables.append(Table(-bound, np.clip(quotients, 0, 255).astype(np.uint8)))
        self._add(Activation(len(self._nodes), shift, len(self._tables) - 1))
        return self

    def _last_weights(self) -> NDArray[np.int16]:
        """The weights (outputs, fan-in) of the sum that was just appended."""
        last = self._nodes[-1]
        chosen = (
            [self._nodes[place - 1] for place in last.inputs] if isinstance(last, Sum) else [last]
        )
        weights = [node.weights for node in chosen if isinstance(node, Convolution)]
        return np.concatenate([one.reshape(len(one), -1) for one in weights], axis=1)

    def _flatten(self) -> None:
        """Append a reshape to one axis, where there is more than one."""
        if self._shape[1:] != (1, 1):
            self._add(Reshape(len(self._nodes), (prod(self._shape), 1, 1)))

    def _add(self, node: Node) -> None:
        """Append a node and update the shape."""
        self._nodes.append(node)
        self._shape = shape_of(node, [self._shape] * len(inputs_of(node)))


def tiny() -> IntegerNetwork:
    """One of every kind of layer, to compile the kernels."""
    return Layers((1, 8, 8)).convolution(2, 3, same=True).pool().dense(8).logits(4)


def dense() -> IntegerNetwork:
    """784-512-512-10, as ``zkwm.build_model`` has it."""
    return Layers((1, 28, 28)).dense(512).dense(512).logits()


def lenet5() -> IntegerNetwork:
    """LeNet-5 on 28x28 as ``zkwm.build_model`` has it; the ReLU is taken before the maximum."""
    features = Layers((1, 28, 28)).convolution(6, 5, same=True).pool().convolution(16, 5).pool()
    return features.dense(120).dense(84).logits()


def cifar() -> IntegerNetwork:
    """32C3-32C3-MP2-64C3-64C3-MP2-512-10 on 3x32x32, padded to keep height and width."""
    layers = Layers((3, 32, 32))
    for outputs in (32, 64):
        layers.convolution(outputs, 3, same=True).convolution(outputs, 3, same=True).pool()
    return layers.dense(512).logits()


def resnet18() -> IntegerNetwork:
    """ResNet-18 in the form for 3x32x32: no maximum, the first kernel 3 by 3."""
    layers = Layers((3, 32, 32)).convolution(64, 3, same=True)
    for outputs, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        layers.block(outputs, stride).block(outputs)
    return layers.mean().logits()


def resnet18_224() -> IntegerNetwork:
    """ResNet-18 of torchvision: 3x224x224, a thousand classes."""
    layers = Layers((3, 224, 224)).convolution(64, 7, same=True, stride=2).overlapping_pool()
    for outputs, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        layers.block(outputs, stride).block(outputs)
    return layers.mean().logits(1000)


def resnet50_224() -> IntegerNetwork:
    """ResNet-50 of torchvision: 3x224x224, a thousand classes."""
    layers = Layers((3, 224, 224)).convolution(64, 7, same=True, stride=2).overlapping_pool()
    for outputs, stride, count in ((256, 1, 3), (512, 2, 4), (1024, 2, 6), (2048, 2, 3)):
        for number in range(count):
            layers.bottleneck(outputs, 1 if number else stride)
    return layers.mean().logits(1000)


def wide(channels: int) -> IntegerNetwork:
    """784 activations for each of ``channels``, each of few weights, and 496 more."""
    layers = Layers((1, 28, 28)).convolution(channels, 3, same=True)
    return layers.convolution(10, 4, stride=4).logits()


def heavy(side: int) -> IntegerNetwork:
    """Always 12,544 and 6,272 activations; 128 weights for each of ``side`` squared, and more."""
    layers = Layers((1, 28, 28)).convolution(16, 3, same=True)
    return layers.convolution(8, side, same=True).logits()


NAMED: dict[str, Callable[[], IntegerNetwork]] = {
    "tiny": tiny,
    "dense": dense,
    "lenet5": lenet5,
    "cifar": cifar,
    "resnet18": resnet18,
    "resnet18-224": resnet18_224,
    "resnet50-224": resnet50_224,
}
WITH_SIZE: dict[str, Callable[[int], IntegerNetwork]] = {"wide": wide, "heavy": heavy}


def network(name: str) -> IntegerNetwork:
    """By name, ``dense``, or by name and size, ``wide:16``."""
    kind, _, size = name.partition(":")
    return WITH_SIZE[kind](int(size)) if size else NAMED[kind]()


def activations(chosen: IntegerNetwork) -> int:
    """Entries of all activations and maxima of one image."""
    return sum(
        prod(shape)
        for node, shape in zip(chosen.nodes, chosen.shapes[1:], strict=True)
        if isinstance(node, Activation | Maximum)
    )


def products(chosen: IntegerNetwork) -> int:
    """Multiplications of weights with entries of one image, those with padding included."""
    return sum(
        prod(shape) * prod(node.weights.shape[1:])
        for node, shape in zip(chosen.nodes, chosen.shapes[1:], strict=True)
        if isinstance(node, Convolution)
    )


def weights(chosen: IntegerNetwork) -> int:
    """Weights of the network, biases aside."""
    return sum(node.weights.size for node in chosen.nodes if isinstance(node, Convolution))
