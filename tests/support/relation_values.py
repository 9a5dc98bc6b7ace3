"""Values of every lookup of a relation, computed from any cells, honest or not.

The product needs no such thing: an honest prover knows the table row of each lookup, and a verifier
only needs gradients. Tests need it to name the lookups that a cheating witness breaks, and to check
the gradients. Slow and plain; everything is residues modulo p.
"""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.relation.argmax import ArgmaxGadget
from zkwm_protocols.argument.relation.blake2s_lookups import (
    NO_CELL,
    block_columns,
    block_template,
)
from zkwm_protocols.argument.relation.image import ImageGadget
from zkwm_protocols.argument.relation.leaf import LeafGadget
from zkwm_protocols.argument.relation.network import NetworkGadget
from zkwm_protocols.argument.relation.relation import Relation
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
    inputs_of,
)
from zkwm_protocols.integer_network.windows import Windows, tap_entries

Cells = NDArray[np.uint32]
Bytes = NDArray[np.uint8]

_P = np.uint64(P)
_ENTRIES_AT_ONCE = 1 << 22


def lookup_values(relation: Relation, cells: Cells, public: Bytes) -> list[Array]:
    """The values (width, n) of all lookups, from cells (J, n) and public cells (34, n)."""
    network, logits = network_values(relation.network, cells)
    return [
        *image_values(relation.image, cells),
        *leaf_values(relation.leaf, cells, public),
        *network,
        *argmax_values(relation.argmax, cells, logits),
    ]


def image_values(gadget: ImageGadget, cells: Cells) -> list[Array]:
    """For each lookup of the image gadget its one value, (1, n)."""
    return list(cells[: gadget.cell_count, None, :].astype(np.uint64))


def leaf_values(gadget: LeafGadget, cells: Cells, public: Bytes) -> list[Array]:
    """For each lookup of the leaf gadget its values, (values, n), block by block."""
    count, forms = cells.shape[1], block_template().values
    present, starts = np.unique(forms.values, return_index=True)
    ends = np.flatnonzero(np.diff(forms.lookups)) + 1
    step = max(1, _ENTRIES_AT_ONCE // len(forms.values))
    found: list[Array] = []
    for block in range(gadget.blocks):
        columns = block_columns(gadget.shape, gadget.first_cell, np.array([block]))
        inputs = np.repeat(columns.constants.T, count, axis=1)
        for numbers, source in ((columns.cells[0], cells), (columns.public[0], public)):
            inputs[numbers != NO_CELL] = source[numbers[numbers != NO_CELL]]
        values = np.zeros((len(forms.lookups), count), dtype=np.uint64)
        for first in range(0, count, step):
            part = slice(first, first + step)
            terms = inputs[forms.columns, part] * forms.coefficients[:, None] % _P
            values[present, part] = np.add.reduceat(terms, starts, axis=0) % _P
        found += np.split(values, ends)
    return found


def network_values(gadget: NetworkGadget, cells: Cells) -> tuple[list[Array], Array]:
    """For each lookup of the network gadget its values, (values, n); and the logits, (O, n)."""
    lookups, values = expression_values(gadget.network, cells, gadget.pixel_cell, gadget.first_cell)
    return lookups, values[-1][:, 0, 0]


def argmax_values(gadget: ArgmaxGadget, cells: Cells, logits: Array) -> list[Array]:
    """For each lookup of the argmax gadget its one value, (1, n); in Python integers."""
    own = [[int(x) for x in row] for row in cells[gadget.first_cell :][: gadget.cell_count]]
    count, lower = cells.shape[1], (gadget.limbs - 1) * gadget.outputs
    g = own[1 : 1 + gadget.outputs]
    values = list(g)
    for side in range(2):
        begin = 1 + gadget.outputs + side * lower
        values += own[begin : begin + lower]
        for output in range(gadget.outputs):
            top = []
            for b in range(count):
                rank = gadget.outputs * int(logits[output, b]) + gadget.outputs - 1 - output
                value = own[0][b] - rank
                if side:
                    value = (1 - g[output][b]) * (2**gadget.bits - 1) - value
                for limb in range(gadget.limbs - 1):
                    value -= 256**limb * own[begin + limb * gadget.outputs + output][b]
                top.append(value * pow(256, 1 - gadget.limbs, P) % P)
            values.append(top)
    return [np.array([row], dtype=np.uint64) for row in values]


def expression_values(
    network: IntegerNetwork, cells: Cells, pixel_cell: int, first_cell: int
) -> tuple[list[Array], list[Array]]:
    """(values of the network gadget's lookups, every value of the network), from cells (J, n).

    The affine expressions of SPEC.md 17.3, item 3, forwards over F_p. A value of the network is
    (channels, height, width, n).
    """
    residues = cells.astype(np.uint64)
    image = residues[pixel_cell : pixel_cell + prod(network.shape)]
    values = [image.reshape(*network.shape, -1)]
    lookups: list[Array] = []
    for number, node in enumerate(network.nodes, start=1):
        shape = network.shapes[number]
        inputs = [values[place] for place in inputs_of(node)]
        if isinstance(node, Activation):
            entries = prod(shape)
            quotient = inputs[0].reshape(entries, -1)
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
            windows = Windows.of(node, network.shapes[node.input], shape)
            running, *others = tap_entries(inputs[0], windows)
            for entry in others:
                positive = residues[first_cell : first_cell + prod(shape)].reshape(running.shape)
                pair = np.stack([subtract_arrays(entry, running), positive], axis=3)
                lookups += list(pair.reshape(prod(shape), 2, -1))
                running = (running + positive) % _P
                first_cell += prod(shape)
            values.append(running)
        elif isinstance(node, Convolution):
            values.append(_convolution(node, inputs[0], shape))
        elif isinstance(node, Sum):
            values.append(np.sum(inputs, axis=0) % _P)
        elif isinstance(node, Concatenation):
            values.append(np.concatenate(inputs))
        elif isinstance(node, Reshape):
            values.append(inputs[0].reshape(*shape, -1))
    return lookups, values


def _convolution(node: Convolution, value: Array, shape: Shape) -> Array:
    """Tap by tap and channel by channel, modulo p after every step."""
    windows = Windows.of(node, (value.shape[0], value.shape[1], value.shape[2]), shape)
    outputs, inputs = shape[0] // node.groups, node.weights.shape[1]
    weights = from_integers(node.weights).reshape(shape[0], inputs, -1)
    bias = from_integers(node.bias).reshape(shape[0], *(node.bias.shape[1:] or (1, 1)), 1)
    result = np.zeros((*shape, value.shape[3]), dtype=np.uint64) + bias
    for tap, entry in enumerate(tap_entries(value, windows)):
        for group in range(node.groups):
            own = slice(group * outputs, (group + 1) * outputs)
            for channel in range(inputs):
                factor = weights[own, channel, tap].reshape(-1, 1, 1, 1)
                term = factor * entry[group * inputs + channel] % _P
                result[own] = (result[own] + term) % _P
    return result
