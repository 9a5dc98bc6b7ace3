"""The network part's affine expressions, evaluated forwards over F_p from any cells.

SPEC.md 17.3, item 3. Slow and plain: what a cheating prover's look-ups would say, and a reference
for the reverse pass. An honest prover's cells come from ``NetworkPart.fill``.
"""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.field.scalar import P
from zkwm_protocols.field.vector import Array, from_integers, subtract_arrays
from zkwm_protocols.integer_network.model import (
    Activation,
    Concatenation,
    Convolution,
    IntegerNetwork,
    Maximum,
    Reshape,
    Shape,
    Sum,
    sources_of,
)
from zkwm_protocols.integer_network.windows import Windows, tap_entries

_P = np.uint64(P)


def expression_values(
    network: IntegerNetwork, cells: NDArray[np.uint32], pixel_cell: int, first_cell: int
) -> tuple[list[Array], list[Array]]:
    """(the look-ups' values, every value of the network), from cells (J, n) of any residues.

    For each look-up residues (values, n), in the order of SPEC.md 17.3; for each value of the
    network residues (channels, height, width, n).
    """
    residues = cells.astype(np.uint64)
    image = residues[pixel_cell : pixel_cell + prod(network.shape)]
    values = [image.reshape(*network.shape, -1)]
    lookups: list[Array] = []
    for number, node in enumerate(network.nodes, start=1):
        shape = network.shapes[number]
        sources = [values[source] for source in sources_of(node)]
        if isinstance(node, Activation):
            entries = prod(shape)
            quotient = sources[0].reshape(entries, -1)
            if node.shift:
                remainder = residues[first_cell : first_cell + entries]
                lookups += list(remainder[:, np.newaxis])
                quotient = subtract_arrays(quotient + np.uint64(1 << (node.shift - 1)), remainder)
                quotient = quotient * np.uint64(pow(2, -node.shift, P)) % _P
                first_cell += entries
            result = residues[first_cell : first_cell + entries]
            lookups += list(np.stack([quotient, result], axis=1))
            first_cell += entries
            values.append(result.reshape(*shape, -1))
        elif isinstance(node, Maximum):
            windows = Windows.of(node, network.shapes[node.source], shape)
            running, *others = tap_entries(sources[0], windows)
            for entry in others:
                positive = residues[first_cell : first_cell + prod(shape)].reshape(running.shape)
                pair = np.stack([subtract_arrays(entry, running), positive], axis=3)
                lookups += list(pair.reshape(prod(shape), 2, -1))
                running = (running + positive) % _P
                first_cell += prod(shape)
            values.append(running)
        elif isinstance(node, Convolution):
            values.append(_convolution(node, sources[0], shape))
        elif isinstance(node, Sum):
            values.append(np.sum(sources, axis=0) % _P)
        elif isinstance(node, Concatenation):
            values.append(np.concatenate(sources))
        elif isinstance(node, Reshape):
            values.append(sources[0].reshape(*shape, -1))
    return lookups, values


def _convolution(node: Convolution, source: Array, shape: Shape) -> Array:
    """Tap by tap and channel by channel, modulo p after every step."""
    windows = Windows.of(node, (source.shape[0], source.shape[1], source.shape[2]), shape)
    outputs, inputs = shape[0] // node.groups, node.weights.shape[1]
    weights = from_integers(node.weights).reshape(shape[0], inputs, -1)
    bias = from_integers(node.bias).reshape(shape[0], *(node.bias.shape[1:] or (1, 1)), 1)
    result = np.zeros((*shape, source.shape[3]), dtype=np.uint64) + bias
    for tap, entry in enumerate(tap_entries(source, windows)):
        for group in range(node.groups):
            own = slice(group * outputs, (group + 1) * outputs)
            for channel in range(inputs):
                factor = weights[own, channel, tap].reshape(-1, 1, 1, 1)
                term = factor * entry[group * inputs + channel] % _P
                result[own] = (result[own] + term) % _P
    return result
