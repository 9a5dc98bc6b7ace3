"""The arg-max part of the relation: g_l = 1 only where l is the label (SPEC.md 17.3, item 4).

It says nothing where g is 0. The logits are the network part's affine expressions: the gradient in
them goes from here into the network part's reverse pass.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.relation.gadget import Group, lookup_count
from zkwm_protocols.argument.relation.lookup_tables import Tables
from zkwm_protocols.errors import UsageError
from zkwm_protocols.field.scalar import DEGREE, Element, P, scale, subtract
from zkwm_protocols.field.vector import Array, from_element, multiply_base, subtract_arrays, sum_all
from zkwm_protocols.field.vector import multiply as multiply_arrays
from zkwm_protocols.integer_network.model import IntegerNetwork


class ArgmaxPart:
    """The arg-max of a network's logits; its cells begin at ``first_cell``."""

    def __init__(self, network: IntegerNetwork, first_cell: int) -> None:
        self.outputs = network.outputs
        self.bits = network.argmax_bits
        self.limbs = (self.bits + 7) // 8
        self.first_cell = first_cell
        lower = (self.limbs - 1) * self.outputs
        self.cell_count = 1 + self.outputs + 2 * lower
        limbs = [Group("range:8", lower)] if lower else []
        limbs.append(Group(f"range:{self.bits - 8 * (self.limbs - 1)}", self.outputs))
        self.groups: tuple[Group, ...] = (Group("range:1", self.outputs), *limbs, *limbs)
        self.lookup_count = lookup_count(self.groups)

    def g_cell(self, output: int) -> int:
        """The cell g_l of output l."""
        return self.first_cell + 1 + output

    def pull_back(
        self, weights: Array, alphas: Sequence[Element], cells: Array
    ) -> tuple[Array, Element]:
        """Add the gradient of the weighted values; return that in the logits, and the constant.

        ``weights`` (5, ``lookup_count``) over K; ``alphas`` from alpha^1. Adds into ``cells``
        (5, J); the first result, (5, O), is for ``NetworkPart.pull_back``. No public cell is used.
        """
        outputs, lower = self.outputs, (self.limbs - 1) * self.outputs
        scaled = multiply_arrays(weights, from_element(alphas[0]).reshape(DEGREE, 1))
        own = cells[:, self.first_cell : self.first_cell + self.cell_count]
        total = own.copy()
        total[:, 1 : 1 + outputs] += scaled[:, :outputs]
        tops = []
        for side in range(2):
            first = (1 + side * self.limbs) * outputs
            limbs = scaled[:, first : first + lower]
            top = scaled[:, first + lower : first + lower + outputs]
            top = multiply_base(top, _scalar(pow(256, -(self.limbs - 1), P)))
            powers = np.uint64(256) ** np.arange(self.limbs - 1, dtype=np.uint64)
            carried = multiply_base(top[:, np.newaxis, :], powers[:, np.newaxis])
            begin = 1 + outputs + side * lower
            total[:, begin : begin + lower] += subtract_arrays(
                limbs, carried.reshape(DEGREE, lower)
            )
            tops.append(top)
        difference = subtract_arrays(tops[0], tops[1])
        total[:, 0] += from_element(sum_all(difference))
        most = (1 << self.bits) - 1
        total[:, 1 : 1 + outputs] += multiply_base(tops[1], _scalar(P - most))
        own[:] = total % np.uint64(P)
        offsets = np.uint64(outputs - 1) - np.arange(outputs, dtype=np.uint64)
        result = subtract(
            scale(sum_all(tops[1]), most), sum_all(multiply_base(difference, offsets))
        )
        return multiply_base(difference, _scalar(P - outputs)), result

    def fill(
        self,
        logits: NDArray[np.int64],
        outputs: NDArray[np.int64],
        chosen: NDArray[np.bool_],
        cells: NDArray[np.uint32],
        rows: NDArray[np.int32],
        tables: Tables,
        first_lookup: int,
    ) -> None:
        """The prover's cells, and the table row of every look-up.

        ``logits`` int64 (n, O); where ``chosen`` (n,) is set, g of ``outputs`` (n,) is 1, all
        others are 0. Writes into ``cells`` (J, n) and the columns of ``rows`` (n, M) from
        ``first_lookup`` on. Raises UsageError where an output is chosen that is not the label.
        """
        count, lower = len(logits), (self.limbs - 1) * self.outputs
        triggers = np.flatnonzero(chosen)
        if not np.array_equal(np.argmax(logits[triggers], axis=1), outputs[triggers]):
            raise UsageError("a trigger is to count as a match whose label is another")
        order = self.outputs - 1 - np.arange(self.outputs, dtype=np.int64)
        ranked = (self.outputs * logits + order).T
        highest = ranked.max(axis=0)
        g = np.zeros((self.outputs, count), dtype=np.int64)
        g[outputs[triggers], triggers] = 1
        distance = highest - ranked
        own = cells[self.first_cell : self.first_cell + self.cell_count]
        own[0] = highest % P
        own[1 : 1 + self.outputs] = g
        numbers = [tables.first_row("range:1") + g]
        for side, value in enumerate((distance, (1 - g) * ((1 << self.bits) - 1) - distance)):
            split = [(value >> 8 * limb) & 255 for limb in range(self.limbs)]
            begin = 1 + self.outputs + side * lower
            if lower:
                own[begin : begin + lower] = np.concatenate(split[:-1])
            numbers += [tables.first_row("range:8") + limb for limb in split[:-1]]
            numbers.append(tables.first_row(self.groups[-1].table) + split[-1])
        rows[:, first_lookup : first_lookup + self.lookup_count] = np.concatenate(numbers).T

    def look_up_values(self, cells: NDArray[np.uint32], logits: Array) -> list[Array]:
        """The value of every look-up for any cells: residues of shape (1, n) for each.

        ``cells`` (J, n) and ``logits`` (O, n), of ``NetworkPart.logit_values``, are residues. Slow:
        for tests.
        """
        own = [[int(x) for x in row] for row in cells[self.first_cell :][: self.cell_count]]
        count, lower = cells.shape[1], (self.limbs - 1) * self.outputs
        g = own[1 : 1 + self.outputs]
        values = list(g)
        for side in range(2):
            begin = 1 + self.outputs + side * lower
            values += own[begin : begin + lower]
            for output in range(self.outputs):
                top = []
                for b in range(count):
                    rank = self.outputs * int(logits[output, b]) + self.outputs - 1 - output
                    value = own[0][b] - rank
                    if side:
                        value = (1 - g[output][b]) * (2**self.bits - 1) - value
                    for limb in range(self.limbs - 1):
                        value -= 256**limb * own[begin + limb * self.outputs + output][b]
                    top.append(value * pow(256, 1 - self.limbs, P) % P)
                values.append(top)
        return [np.array([row], dtype=np.uint64) for row in values]


def _scalar(residue: int) -> Array:
    return np.array(residue, dtype=np.uint64)
