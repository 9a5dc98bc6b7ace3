"""The transposes of the linear nodes over K: gradients of inputs from those of results.

::

    convolution     correlate_transposed with the weights; constant: gradient * bias
    sum             the same gradient for every term
    concatenation   the gradient, cut along the channels
    reshape         the gradient, reshaped

    residues of K as float64, centered to +-p/2; two halves of 16 bits where sums would pass 2^53

Activations and maxima are not linear: the argument's network gadget handles them. SPEC.md 16.1,
17.6.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.field.scalar import DEGREE, ZERO, Element, P
from zkwm_protocols.field.vector import (
    Array,
    from_integers,
    multiply_base,
    reduce_doubles,
    sum_all,
)
from zkwm_protocols.integer_network.correlation import correlate_transposed, splits
from zkwm_protocols.integer_network.model import (
    Concatenation,
    Convolution,
    IntegerNetwork,
    Reshape,
    Sum,
    inputs_of,
)
from zkwm_protocols.integer_network.windows import Windows

_HALF = 65536.0


def transpose(
    network: IntegerNetwork, number: int, gradient: Array
) -> tuple[tuple[Array, ...], Element]:
    """The gradients that a linear node hands to the values that it reads, and the constant term.

    Args:
        network: the network.
        number: the node's number, from 1.
        gradient (uint64, (5, c, h, w)): over K, in the node's value.

    Returns:
        One gradient for each value that the node reads, in its shape; the inner product of
        ``gradient`` and the bias.

    Raises:
        ValueError: the node is not linear.
    """
    node = network.nodes[number - 1]
    shapes = [network.shapes[place] for place in inputs_of(node)]
    if isinstance(node, Convolution):
        windows = Windows.of(node, shapes[0], network.shapes[number])
        return (transpose_dense(node, gradient, windows),), _bias_term(node, gradient)
    if isinstance(node, Sum):
        return (gradient,) * len(shapes), ZERO
    if isinstance(node, Concatenation):
        cuts = np.cumsum([shape[0] for shape in shapes])[:-1]
        return tuple(np.split(gradient, cuts, axis=1)), ZERO
    if isinstance(node, Reshape):
        return (gradient.reshape(DEGREE, *shapes[0]),), ZERO
    raise ValueError(f"node {number} is not linear")


def transpose_dense(node: Convolution, gradient: Array, windows: Windows) -> Array:
    """A convolution's transpose by exact products of doubles.

    Args:
        node: the convolution.
        gradient (uint64, (5, O, height, width)): over K, in its value.
        windows: its windows.

    Returns:
        uint64 (5, c, h, w), in what it reads.
    """
    weights = node.weights.astype(np.float64)
    # the five coefficients are the last axis: one matrix product for all of them
    centered = np.ascontiguousarray(np.moveaxis(gradient, 0, -1)).astype(np.float64)
    centered -= P * (centered > P // 2)
    # 512 more than a residue, so that sums of 2^22 weights or more are below 2^53 - p
    if splits(weights, P // 2 + 512, transposed=True, groups=node.groups):
        high = np.floor(centered / _HALF)
        low = correlate_transposed(centered - high * _HALF, weights, windows, node.groups)
        high = correlate_transposed(high, weights, windows, node.groups)
        result = _residues(high) * np.uint64(1 << 16) + _residues(low)
        return _coefficients_first(result % np.uint64(P))
    return _coefficients_first(
        _residues(correlate_transposed(centered, weights, windows, node.groups))
    )


def _bias_term(node: Convolution, gradient: Array) -> Element:
    """The inner product of gradient (5, c, h, w) and bias, which is (c,) or (c, h, w)."""
    bias = from_integers(node.bias)
    if node.bias.ndim == 1:
        gradient = gradient.sum(axis=(2, 3)) % np.uint64(P)  # at most 2^24 residues: exact
    return sum_all(multiply_base(gradient, bias))


def _residues(values: NDArray[np.float64]) -> Array:
    """Integers below 2^53 - p in absolute value, as doubles of any shape, modulo p; overwritten."""
    return reduce_doubles(values).astype(np.uint64)


def _coefficients_first(values: Array) -> Array:
    """(..., 5) as (5, ...)."""
    return np.ascontiguousarray(np.moveaxis(values, -1, 0))
