"""The classifier over real numbers, as a list of layers: what lies between ONNX and integers.

Shapes are (channels, height, width) of one image. A layer reads layers before it, by number; layer
0 is the image as the model gets it. Everything linear is one kind of layer: a sum of convolutions.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import prod
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from zkwm.quantizer.expressions import Expression
from zkwm_protocols.integer_network.windows import Windows

Pair: TypeAlias = tuple[int, int]
Shape: TypeAlias = tuple[int, int, int]
Pads: TypeAlias = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Kernel:
    """A convolution: ``weights`` float64 (O, I / groups, kh, kw); pads are top, left, ..."""

    weights: NDArray[np.float64]
    stride: Pair = (1, 1)
    pads: Pads = (0, 0, 0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1

    @property
    def sides(self) -> Pair:
        """Height and width."""
        return self.weights.shape[2], self.weights.shape[3]

    @property
    def is_scaling(self) -> bool:
        """Whether each channel is only multiplied by a number."""
        return (
            self.is_per_channel
            and self.sides == self.stride == (1, 1)
            and self.pads == (0, 0, 0, 0)
        )

    @property
    def is_per_channel(self) -> bool:
        """Whether each channel goes into one channel, its own."""
        return self.weights.shape[:2] == (self.groups, 1)

    def by_input(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values (I,) of the input's channels as an array that broadcasts with the weights."""
        outputs, inputs = self.weights.shape[:2]
        by_group = np.repeat(values.reshape(self.groups, inputs), outputs // self.groups, axis=0)
        return by_group.reshape(outputs, inputs, 1, 1)

    def windows(self, source: Shape, result: Shape) -> Windows:
        """Where it slides between values of these shapes."""
        return Windows(source[1:], result[1:], self.sides, self.stride, self.pads, self.dilation)


@dataclass(frozen=True, eq=False)
class Term:
    """A convolution of a layer."""

    source: int
    kernel: Kernel


@dataclass(frozen=True, eq=False)
class Image:
    """The model's input."""

    shape: Shape


@dataclass(frozen=True, eq=False)
class Linear:
    """The sum of ``terms`` plus ``bias`` float64 (channels,)."""

    shape: Shape
    terms: tuple[Term, ...]
    bias: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Function:
    """``expression`` of every entry."""

    shape: Shape
    source: int
    expression: Expression


@dataclass(frozen=True, eq=False)
class Maxima:
    """The maximum over windows; entries outside do not count."""

    shape: Shape
    source: int
    kernel: Pair
    stride: Pair
    pads: Pads


@dataclass(frozen=True, eq=False)
class Joined:
    """Layers one behind the other along the channels."""

    shape: Shape
    sources: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Reshaped:
    """The same entries in C order."""

    shape: Shape
    source: int


Layer: TypeAlias = Image | Linear | Function | Maxima | Joined | Reshaped


@dataclass(frozen=True, eq=False)
class Layers:
    """All layers; the last one that counts is ``output``, the logits. ``notes`` are for people."""

    layers: tuple[Layer, ...]
    output: int
    notes: tuple[str, ...] = ()


def scaling(source: int, shape: Shape, factor: NDArray[np.float64]) -> Term:
    """The term that multiplies each channel of a layer by its entry of ``factor`` (channels,)."""
    return Term(source, Kernel(factor.reshape(-1, 1, 1, 1), groups=shape[0]))


def sources_of(layer: Layer) -> tuple[int, ...]:
    """The layers that a layer reads."""
    if isinstance(layer, Image):
        return ()
    if isinstance(layer, Linear):
        return tuple(term.source for term in layer.terms)
    return layer.sources if isinstance(layer, Joined) else (layer.source,)


def use_counts(layers: list[Layer], output: int) -> Counter[int]:
    """How often each layer is read by those that lead to the output, or is it."""
    counts = Counter({output: 1})
    for number in range(output, -1, -1):
        if counts[number]:
            counts.update(sources_of(layers[number]))
    return counts


def multiplications(layers: list[Layer], output: int) -> int:
    """Multiplications of all convolutions for one image."""
    counts = use_counts(layers, output)
    return sum(
        prod(layer.shape) * prod(term.kernel.weights.shape[1:])
        for number, layer in enumerate(layers)
        if counts[number] and isinstance(layer, Linear)
        for term in layer.terms
    )
