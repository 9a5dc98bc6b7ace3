"""Simplify layers (SPEC.md 16.5): fold scalings and averages, move maxima last.

Each rule preserves the function over the real numbers and saves lookups in the argument. All
arithmetic is on single entries, so that it is the same on every machine.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from zkwm.quantizer.expressions import is_monotone
from zkwm.quantizer.layers import (
    Function,
    Kernel,
    Layer,
    Layers,
    Linear,
    Maxima,
    Reshaped,
    Term,
    use_counts,
)
from zkwm_protocols.integer_network.nodes import MAXIMUM_WINDOW

MAXIMUM_TERMS = 64
MAXIMUM_TAPS = 1 << 11
MAXIMUM_WEIGHTS = 1 << 24


def simplify(graph: Layers) -> Layers:
    """Apply the rules, layer by layer, until none changes anything."""
    layers = list(graph.layers)
    changed = True
    while changed:
        changed = False
        for number in range(graph.output + 1):
            for rule in (_swap_maximum, _fold_scaling, _reshape_to_kernel, _fold_average):
                uses = use_counts(layers, graph.output)
                while uses[number] and rule(layers, number, uses):
                    changed = True
                    uses = use_counts(layers, graph.output)
    return replace(graph, layers=tuple(layers))


def _swap_maximum(layers: list[Layer], number: int, uses: Counter[int]) -> bool:
    """Swap a nondecreasing function (or scaling) with the maxima that it reads."""
    layer = layers[number]
    if isinstance(layer, Function) and is_monotone(layer.expression):
        before = layer.input
    elif isinstance(layer, Linear) and _is_rising(layer):
        before = layer.terms[0].input
    else:
        return False
    maxima = layers[before]
    if (
        not isinstance(maxima, Maxima)
        or uses[before] != 1
        or not isinstance(layers[maxima.input], Linear)
    ):
        return False
    shape = layers[maxima.input].shape
    if isinstance(layer, Function):
        layers[before] = replace(layer, shape=shape, input=maxima.input)
    else:
        term = replace(layer.terms[0], input=maxima.input)
        layers[before] = replace(layer, shape=shape, terms=(term,))
    layers[number] = replace(maxima, input=before)
    return True


def _is_rising(layer: Linear) -> bool:
    """Whether a layer only multiplies channels by positive numbers (and adds a bias)."""
    kernel = layer.terms[0].kernel
    return len(layer.terms) == 1 and kernel.is_scaling and bool((kernel.weights > 0).all())


def _fold_scaling(layers: list[Layer], number: int, uses: Counter[int]) -> bool:
    """Fold a scaling into the weights of a linear layer that nothing else reads."""
    layer = layers[number]
    if not isinstance(layer, Linear):
        return False
    for index, term in enumerate(layer.terms):
        inner = layers[term.input]
        if (
            not isinstance(inner, Linear)
            or uses[term.input] != 1
            or not term.kernel.is_scaling
            or len(layer.terms) + len(inner.terms) - 1 > MAXIMUM_TERMS
        ):
            continue
        factor = term.kernel.weights
        folded = tuple(
            replace(t, kernel=replace(t.kernel, weights=t.kernel.weights * factor))
            for t in inner.terms
        )
        terms = (*layer.terms[:index], *folded, *layer.terms[index + 1 :])
        bias = inner.bias * factor.reshape(-1) + layer.bias
        layers[number] = replace(layer, terms=terms, bias=bias)
        return True
    return False


def _reshape_to_kernel(layers: list[Layer], number: int, _: Counter[int]) -> bool:
    """Turn a dense layer over a flattened average into a convolution as large as its input."""
    layer = layers[number]
    if not isinstance(layer, Linear):
        return False
    for index, term in enumerate(layer.terms):
        flat = layers[term.input]
        if not isinstance(flat, Reshaped) or flat.shape[1:] != (1, 1):
            continue
        before = layers[flat.input]
        plain = term.kernel.groups == 1 and term.kernel.sides == (1, 1)
        if not plain or not _is_average(layers, flat.input) or max(before.shape) > MAXIMUM_WINDOW:
            continue
        weights = term.kernel.weights.reshape(-1, *before.shape)
        layers[number] = _with_term(layer, index, Term(flat.input, Kernel(weights)))
        return True
    return False


def _fold_average(layers: list[Layer], number: int, _: Counter[int]) -> bool:
    """Fold averages over disjoint windows of bytes into a convolution with a larger kernel."""
    layer = layers[number]
    if not isinstance(layer, Linear):
        return False
    for index, term in enumerate(layer.terms):
        inner = layers[term.input]
        if not isinstance(inner, Linear) or not _is_average(layers, term.input):
            continue
        average, kernel = inner.terms[0], term.kernel
        window, before = average.kernel.sides, layers[average.input].shape
        reach = [kernel.dilation[k] * (kernel.sides[k] - 1) + 1 for k in range(2)]
        sides = (reach[0] * window[0], reach[1] * window[1])
        left_over = any(before[k + 1] % window[k] and kernel.pads[k + 2] for k in range(2))
        top, left, bottom, right = kernel.pads
        pads = (top * window[0], left * window[1], bottom * window[0], right * window[1])
        stride = (kernel.stride[0] * window[0], kernel.stride[1] * window[1])
        if left_over or max(*sides, *stride) > MAXIMUM_WINDOW or max(pads) >= MAXIMUM_WINDOW:
            continue
        if kernel.weights.shape[1] * prod(sides) > MAXIMUM_TAPS:
            continue
        if prod(kernel.weights.shape[:2]) * prod(sides) > MAXIMUM_WEIGHTS:
            continue
        spread = Kernel(_spread(kernel, average.kernel), stride, pads, groups=kernel.groups)
        layers[number] = _with_term(layer, index, Term(average.input, spread))
        return True
    return False


def _is_average(layers: list[Layer], number: int) -> bool:
    """Whether it sums disjoint windows, each channel by itself, of a layer that is not linear."""
    layer = layers[number]
    if not isinstance(layer, Linear) or len(layer.terms) != 1 or layer.bias.any():
        return False
    kernel = layer.terms[0].kernel
    return (
        kernel.is_per_channel
        and kernel.sides == kernel.stride != (1, 1)
        and kernel.pads == (0, 0, 0, 0)
        and kernel.dilation == (1, 1)
        and not isinstance(layers[layer.terms[0].input], Linear)
    )


def _spread(kernel: Kernel, average: Kernel) -> NDArray[np.float64]:
    """Weights (O, I / groups, ...) of ``kernel`` after ``average``, each a single product."""
    outputs, inputs, rows, columns = kernel.weights.shape
    height, width = average.sides
    down, across = kernel.dilation
    weights = np.zeros(
        (outputs, inputs, (down * (rows - 1) + 1) * height, (across * (columns - 1) + 1) * width)
    )
    for row in range(height):
        for column in range(width):
            factor = kernel.by_input(average.weights[:, 0, row, column])
            weights[:, :, row :: down * height, column :: across * width] = kernel.weights * factor
    return weights


def _with_term(layer: Linear, index: int, term: Term) -> Linear:
    """The layer with another term at ``index``."""
    return replace(layer, terms=(*layer.terms[:index], term, *layer.terms[index + 1 :]))
