"""The transposes of the linear nodes over K: gradients of a result become gradients of sources.

SPEC.md 16.1, 17.6. Exact products of doubles (``correlation``). Activations and maxima are not
linear; the argument's network part handles them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.field.scalar import DEGREE, ZERO, Element, P
from zkwm_protocols.field.vector import Array, from_integers, multiply_base, sum_all
from zkwm_protocols.integer_network.correlation import correlate_transposed, splits
from zkwm_protocols.integer_network.model import (
    Concatenation,
    Convolution,
    IntegerNetwork,
    Reshape,
    Sum,
    sources_of,
)
from zkwm_protocols.integer_network.windows import Windows

_HALF = 65536.0


def transpose(
    network: IntegerNetwork, number: int, gradient: Array
) -> tuple[tuple[Array, ...], Element]:
    """The gradients that a linear node gives its sources, and the constant term.

    ``gradient`` over K, (5, *shape of value ``number``); one result for each source, (5, *shape of
    the source). The constant is the inner product of ``gradient`` and the bias. Raises ValueError
    for a node that is not linear.
    """
    node = network.nodes[number - 1]
    sources = [network.shapes[source] for source in sources_of(node)]
    if isinstance(node, Convolution):
        windows = Windows.of(node, sources[0], network.shapes[number])
        return (_transpose_convolution(node, gradient, windows),), _bias_term(node, gradient)
    if isinstance(node, Sum):
        return (gradient,) * len(sources), ZERO
    if isinstance(node, Concatenation):
        cuts = np.cumsum([shape[0] for shape in sources])[:-1]
        return tuple(np.split(gradient, cuts, axis=1)), ZERO
    if isinstance(node, Reshape):
        return (gradient.reshape(DEGREE, *sources[0]),), ZERO
    raise ValueError(f"node {number} is not linear")


def _transpose_convolution(node: Convolution, gradient: Array, windows: Windows) -> Array:
    weights = node.weights.astype(np.float64)
    centred = np.ascontiguousarray(np.moveaxis(gradient, 0, -1)).astype(np.float64)
    centred -= P * (centred > P // 2)
    if splits(weights, P // 2 + 1, transposed=True, groups=node.groups):
        high = np.floor(centred / _HALF)
        low = correlate_transposed(centred - high * _HALF, weights, windows, node.groups)
        high = correlate_transposed(high, weights, windows, node.groups)
        result = _residues(high) * np.uint64(1 << 16) + _residues(low)
        return _coefficients_first(result % np.uint64(P))
    return _coefficients_first(
        _residues(correlate_transposed(centred, weights, windows, node.groups))
    )


def _bias_term(node: Convolution, gradient: Array) -> Element:
    bias = from_integers(node.bias)
    if node.bias.ndim == 1:
        gradient = gradient.sum(axis=(2, 3)) % np.uint64(P)  # at most 2^24 residues: exact
    return sum_all(multiply_base(gradient, bias))


def _residues(values: NDArray[np.float64]) -> Array:
    """Integers below 2^53 in absolute value, as doubles, modulo p."""
    return from_integers(values.astype(np.int64))


def _coefficients_first(values: Array) -> Array:
    return np.ascontiguousarray(np.moveaxis(values, -1, 0))
