"""The classifier over real numbers as a list of layers, between ONNX and integers.

Shapes are (channels, height, width) of one image. A layer reads earlier layers, by number; layer 0
is the model's input. Every linear operation is one kind of layer: a sum of convolutions.
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

FINE_TAPS = 1 << 11

Pair: TypeAlias = tuple[int, int]
Shape: TypeAlias = tuple[int, int, int]
Pads: TypeAlias = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Kernel:
    """A convolution: ``weights`` float64 (O, I / groups, kh, kw).

    ``pads`` are top, left, bottom, right; padding is the real number 0.
    """

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
        """Whether it multiplies each channel by a number and does nothing else."""
        return (
            self.is_per_channel
            and self.sides == self.stride == (1, 1)
            and self.pads == (0, 0, 0, 0)
        )

    @property
    def is_per_channel(self) -> bool:
        """Whether it maps each channel to itself (depthwise, without multiplier)."""
        return self.weights.shape[:2] == (self.groups, 1)

    def by_input(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values float64 (I,) of the input's channels, broadcastable with the weights."""
        outputs, inputs = self.weights.shape[:2]
        by_group = np.repeat(values.reshape(self.groups, inputs), outputs // self.groups, axis=0)
        return by_group.reshape(outputs, inputs, 1, 1)

    def windows(self, input: Shape, result: Shape) -> Windows:
        """The windows between an input and a result of these shapes."""
        return Windows(input[1:], result[1:], self.sides, self.stride, self.pads, self.dilation)


@dataclass(frozen=True, eq=False)
class Term:
    """A convolution of the layer ``input``."""

    input: int
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
    input: int
    expression: Expression


@dataclass(frozen=True, eq=False)
class Maxima:
    """The maximum over windows; padding does not count."""

    shape: Shape
    input: int
    kernel: Pair
    stride: Pair
    pads: Pads


@dataclass(frozen=True, eq=False)
class Joined:
    """Layers concatenated along the channels."""

    shape: Shape
    inputs: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Reshaped:
    """The same entries in C order, in another shape."""

    shape: Shape
    input: int


@dataclass(frozen=True, eq=False)
class Product:
    """The product of two layers of this shape, entry by entry."""

    shape: Shape
    inputs: tuple[int, int]


Layer: TypeAlias = Image | Linear | Function | Maxima | Joined | Reshaped | Product


@dataclass(frozen=True, eq=False)
class Layers:
    """All layers of a classifier.

    Attributes:
        layers: each reads earlier ones.
        output: the number of the logits.
        notes: what was left out, for people.
        last: the functions between logits and scores, in order: ``softmax``, ``logsoftmax`` or
            ``sigmoid``.
    """

    layers: tuple[Layer, ...]
    output: int
    notes: tuple[str, ...] = ()
    last: tuple[str, ...] = ()


def scaling(input: int, shape: Shape, factor: NDArray[np.float64]) -> Term:
    """The term that multiplies each channel of a layer by its entry of ``factor`` (channels,)."""
    return Term(input, Kernel(factor.reshape(-1, 1, 1, 1), groups=shape[0]))


def inputs_of(layer: Layer) -> tuple[int, ...]:
    """The numbers of the layers that a layer reads."""
    if isinstance(layer, Image):
        return ()
    if isinstance(layer, Linear):
        return tuple(term.input for term in layer.terms)
    return layer.inputs if isinstance(layer, Joined | Product) else (layer.input,)


def use_counts(layers: list[Layer], output: int) -> Counter[int]:
    """How often each layer is read on the way to the output, which counts once itself."""
    counts = Counter({output: 1})
    for number in range(output, -1, -1):
        if counts[number]:
            counts.update(inputs_of(layers[number]))
    return counts


def multiplications(layers: list[Layer], output: int) -> int:
    """The number of multiplications of all convolutions for one image."""
    counts = use_counts(layers, output)
    return sum(
        prod(layer.shape) * prod(term.kernel.weights.shape[1:])
        for number, layer in enumerate(layers)
        if counts[number] and isinstance(layer, Linear)
        for term in layer.terms
    )


def coarse_layers(graph: Layers) -> set[int]:
    """The layers that stay bytes: what maxima read, and what very large kernels read.

    A sum of very many fine values leaves too few of its 30 bits to the weights.
    """
    coarse: set[int] = set()
    uses = use_counts(list(graph.layers), graph.output)
    for number in range(graph.output, -1, -1):
        layer = graph.layers[number]
        if not uses[number]:
            continue
        passes = isinstance(layer, Joined | Reshaped | Maxima)
        if isinstance(layer, Linear):
            kernels = [term.kernel for term in layer.terms]
            passes = len(kernels) == 1 and kernels[0].is_scaling
            taps = sum(prod(kernel.weights.shape[1:]) for kernel in kernels)
            if taps > FINE_TAPS:
                coarse.update(inputs_of(layer))
        if isinstance(layer, Maxima) or (passes and number in coarse):
            coarse.update(inputs_of(layer))
    return coarse
