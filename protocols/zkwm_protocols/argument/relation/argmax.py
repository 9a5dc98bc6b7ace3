"""The argmax gadget shows that the logit of a marked output is the largest (SPEC.md 17.3, item 4).

::

    z'_l = O z_l + O - 1 - l            logits made distinct: ties belong to the smaller index
    s_l  = V - z'_l                     in [0, 2^B): V is at least every z'_l
    s'_l = (1 - g_l)(2^B - 1) - s_l     in [0, 2^B): where g_l = 1, s_l = 0 and V = z'_l

    cells     V | g_0 .. g_(O-1) | lower limbs of s_l        | lower limbs of s'_l
              1   O                (m-1) O, limb by limb       (m-1) O
    lookups   range:1 of g_l | range:8 of the lower limbs, range:(B-8(m-1)) of the highest, of s_l
                             | the same of s'_l

    limbs have 8 bits; the highest is no cell but (s - sum of 256^i limb_i) / 256^(m-1)

Where g is 0 nothing is claimed. The logits z_l are affine expressions of the network gadget's
cells, so the gradient in them is handed to that gadget's reverse pass.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.relation.gadget import Gradient, LookupGroup, lookup_count
from zkwm_protocols.argument.relation.lookup_tables import Tables
from zkwm_protocols.argument.relation.lookup_weights import LookupWeights
from zkwm_protocols.errors import UsageError
from zkwm_protocols.field.scalar import DEGREE, Element, P, scale, subtract
from zkwm_protocols.field.vector import Array, from_element, multiply_base, subtract_arrays, sum_all
from zkwm_protocols.integer_network.model import IntegerNetwork


class ArgmaxGadget:
    """The argmax of a network's logits; its cells begin at ``first_cell``."""

    def __init__(self, network: IntegerNetwork, first_cell: int) -> None:
        self.outputs = network.outputs
        self.bits = network.argmax_bits
        self.limbs = (self.bits + 7) // 8
        self.first_cell = first_cell
        lower = (self.limbs - 1) * self.outputs
        self.cell_count = 1 + self.outputs + 2 * lower
        limbs = [LookupGroup("range:8", lower)] if lower else []
        limbs.append(LookupGroup(f"range:{self.bits - 8 * (self.limbs - 1)}", self.outputs))
        self.groups: tuple[LookupGroup, ...] = (
            LookupGroup("range:1", self.outputs),
            *limbs,
            *limbs,
        )
        self.lookup_count = lookup_count(self.groups)

    def g_cell(self, output: int) -> int:
        """The cell g_l of output l, 1 if this trigger counts as a match of label l."""
        return self.first_cell + 1 + output

    def pull_back(
        self, weights: LookupWeights, first_lookup: int, gradient: Gradient
    ) -> tuple[Array, Element]:
        """Add the gradient of the weighted values; return that in the logits, and the constant.

        Args:
            weights: of all lookups of the trigger.
            first_lookup: the gadget's first.
            gradient (uint32 or uint64, (5, J)): added to, for the cells.

        Returns:
            The gradient in the logits (5, O), for ``NetworkGadget.pull_back``; the constant term.
        """
        outputs, lower = self.outputs, (self.limbs - 1) * self.outputs
        scaled = weights.part(first_lookup, self.lookup_count, 1)
        own = gradient[:, self.first_cell : self.first_cell + self.cell_count]
        total = own.astype(np.uint64)
        total[:, 1 : 1 + outputs] += scaled[:, :outputs]
        tops = []
        for side in range(2):  # s, then s'
            first = (1 + side * self.limbs) * outputs
            limbs = scaled[:, first : first + lower]
            # the highest limb is s / 256^(m-1) minus 256^(i-m+1) of each lower limb i
            top = scaled[:, first + lower : first + lower + outputs]
            top = multiply_base(top, _scalar(pow(256, -(self.limbs - 1), P)))
            powers = np.uint64(256) ** np.arange(self.limbs - 1, dtype=np.uint64)
            carried = multiply_base(top[:, np.newaxis, :], powers[:, np.newaxis])
            begin = 1 + outputs + side * lower
            total[:, begin : begin + lower] += subtract_arrays(
                limbs, carried.reshape(DEGREE, lower)
            )
            tops.append(top)
        # s_l has V - z'_l with the weight of s minus that of s'
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
        """Write the prover's cells, and the table row of every lookup.

        Args:
            logits (int64, (n, O)): of the integer network.
            outputs (int64, (n,)): the output that stands for each trigger's label.
            chosen (bool, (n,)): where g of that output is 1; all other g are 0.
            cells (uint32, (J, n)): written, the gadget's rows.
            rows (int32, (n, M)): written, the columns from ``first_lookup`` on.
            tables: the relation's tables.
            first_lookup: the gadget's first lookup.

        Raises:
            UsageError: a chosen trigger's label is not its argmax.
        """
        count, lower = len(logits), (self.limbs - 1) * self.outputs
        triggers = np.flatnonzero(chosen)
        if not np.array_equal(np.argmax(logits[triggers], axis=1), outputs[triggers]):
            raise UsageError("a trigger chosen as a match does not get its label")
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


def _scalar(residue: int) -> Array:
    """A residue as an array without axes."""
    return np.array(residue, dtype=np.uint64)
