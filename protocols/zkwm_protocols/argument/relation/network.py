"""The network gadget shows every quotient, remainder and maximum of the integer network.

::

    node          cells                      lookups                      value of the node
    activation    E remainders r             range:s of r                 y
      shift s     E results y                network:t of (q, y)
    activation    E results y                network:t of (Z, y)          y
      shift 0
    maximum       (k - 1) E positive parts   positive of                  x_0 + e_1 + e_2 + ...
      k taps      e_i                        (x_i - x_0 - e_1 .. - e_(i-1), e_i)
    all others    none                       none                         affine in values before

    Z the value that an activation reads, q = (Z + 2^(s-1) - r) / 2^s
    E entries of the node's value; nodes in order, tap by tap in a maximum

Every value between cells is an affine expression of them and never written out. The gradient of
the lookups is one reverse pass through the network, as in backpropagation. SPEC.md 17.3, item 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.relation.gadget import Gradient, LookupGroup, add_to, lookup_count
from zkwm_protocols.argument.relation.lookup_tables import Tables
from zkwm_protocols.argument.relation.lookup_weights import LookupWeights
from zkwm_protocols.field.blas import in_threads
from zkwm_protocols.field.scalar import DEGREE, Element, P, add, constant, scale
from zkwm_protocols.field.vector import Array, multiply_base, subtract_arrays, sum_all
from zkwm_protocols.field.vector import add as add_arrays
from zkwm_protocols.integer_network.adjoint import transpose
from zkwm_protocols.integer_network.evaluate import Value, batches, walk
from zkwm_protocols.integer_network.model import Activation, IntegerNetwork, Maximum, inputs_of
from zkwm_protocols.integer_network.windows import Windows, tap_entries

_P = np.uint64(P)


@dataclass(frozen=True)
class _OwnWeights:
    """Weights of the gadget's lookups, counted from its first; see ``LookupWeights``."""

    weights: LookupWeights
    first: int

    def part(self, lookup: int, count: int, power: int) -> Array:
        """The weights of ``count`` lookups times alpha^power, uint64 (5, count)."""
        return self.weights.part(self.first + lookup, count, power)


@dataclass(frozen=True)
class Place:
    """Where the cells and lookups of an activation or a maximum begin.

    Args:
        cell: counted from the trigger's first cell.
        lookup: counted from the gadget's first lookup.
        entries: entries of the node's value.
    """

    cell: int
    lookup: int
    entries: int


class NetworkGadget:
    """The nodes of an integer network; cells from ``first_cell``, pixels from ``pixel_cell`` on."""

    def __init__(self, network: IntegerNetwork, first_cell: int, pixel_cell: int = 0) -> None:
        self.network = network
        self.first_cell = first_cell
        self.pixel_cell = pixel_cell
        self.places: dict[int, Place] = {}
        """By the number of the node, from 1; activations and maxima only."""
        cell = first_cell
        groups: list[LookupGroup] = []
        for number, node in enumerate(network.nodes, start=1):
            if not isinstance(node, Activation | Maximum):
                continue
            entries = prod(network.shapes[number])
            self.places[number] = Place(cell, lookup_count(groups), entries)
            if isinstance(node, Maximum):
                cells = (prod(node.kernel) - 1) * entries
                added = [LookupGroup("positive", cells)] if cells else []
            else:
                cells = (2 if node.shift else 1) * entries
                added = [LookupGroup(f"range:{node.shift}", entries)] if node.shift else []
                added.append(LookupGroup(f"network:{node.table}", entries))
            cell += cells
            groups += added
        self.cell_count = cell - first_cell
        self.groups: tuple[LookupGroup, ...] = tuple(groups)
        self.lookup_count = lookup_count(groups)

    def pull_back(
        self,
        weights: LookupWeights,
        first_lookup: int,
        gradient: Gradient,
        logit_gradient: Array,
    ) -> Element:
        """Add the gradient of the weighted values; return the constant term.

        One pass backwards, in which each convolution is transposed once. No public cell is read.

        Args:
            weights: of all lookups of the trigger.
            first_lookup: the gadget's first.
            gradient (uint32 or uint64, (5, J)): added to, for the cells.
            logit_gradient (uint64, (5, O)): the gradient in the logits, of the argmax gadget.
        """
        network = self.network
        own = _OwnWeights(weights, first_lookup)
        # in the value of each node, summed over all nodes that read it
        gradients = {len(network.nodes): logit_gradient.reshape(DEGREE, *network.shapes[-1])}
        result = constant(0)
        for number in range(len(network.nodes), 0, -1):
            node, of_value = network.nodes[number - 1], gradients.pop(number)
            term = constant(0)
            pieces: tuple[Array, ...]
            if isinstance(node, Activation):
                piece, term = self._activation(number, node, of_value, own, gradient)
                pieces = (piece,)
            elif isinstance(node, Maximum):
                pieces = (self._maximum(number, node, of_value, own, gradient),)
            else:
                pieces, term = transpose(network, number, of_value)
            result = add(result, term)
            for place, piece in zip(inputs_of(node), pieces, strict=True):
                gradients[place] = (
                    add_arrays(gradients[place], piece) if place in gradients else piece
                )
        add_to(gradient, self.pixel_cell, gradients[0])
        return result

    def _activation(
        self,
        number: int,
        node: Activation,
        of_value: Array,
        weights: _OwnWeights,
        gradient: Gradient,
    ) -> tuple[Array, Element]:
        """The gradient in what the activation reads, and the constant; cells are added to.

        Args:
            number: the node's number, from 1.
            node: the activation.
            of_value (uint64, (5, c, h, w)): the gradient in its value.
            weights: of the gadget's lookups.
            gradient (uint32 or uint64, (5, J)): added to, for the cells.
        """
        place = self.places[number]
        entries, cell, lookup = place.entries, place.cell, place.lookup
        if not node.shift:
            results, quotients, term = cell, weights.part(lookup, entries, 1), constant(0)
        else:
            # q = 2^-s (Z + 2^(s-1) - r): the weight of q goes to Z, to -r and to the constant
            of_table, results = lookup + entries, cell + entries
            quotients = multiply_base(
                weights.part(of_table, entries, 1), np.array(pow(2, -node.shift, P), np.uint64)
            )
            remainders = subtract_arrays(weights.part(lookup, entries, 1), quotients)
            add_to(gradient, cell, remainders)
            term = scale(sum_all(quotients), 1 << (node.shift - 1))
            lookup = of_table
        add_to(gradient, results, weights.part(lookup, entries, 2))
        add_to(gradient, results, of_value)
        return quotients.reshape(DEGREE, *self.network.shapes[node.input]), term

    def _maximum(
        self,
        number: int,
        node: Maximum,
        of_value: Array,
        weights: _OwnWeights,
        gradient: Gradient,
    ) -> Array:
        """The gradient (5, c, h, w) in what the maximum reads; cells are added to.

        Arguments as above.
        """
        place, network = self.places[number], self.network
        windows = Windows.of(node, network.shapes[node.input], network.shapes[number])
        places = {tap: slices for tap, *slices in windows.taps()}
        result = np.zeros((DEGREE, *network.shapes[node.input]), dtype=np.uint64)
        # lookup i is of d_i = x_i - x_0 - e_1 - ... - e_(i-1) and e_i, i = 1 .. taps - 1: e_i is in
        # the value, in its own lookup and, negative, in all later differences, as x_0 is in all
        rest = of_value
        for tap in range(prod(node.kernel) - 1, -1, -1):
            piece = rest
            if tap:
                lookup = place.lookup + (tap - 1) * place.entries
                cell = place.cell + (tap - 1) * place.entries
                add_to(gradient, cell, weights.part(lookup, place.entries, 2))
                add_to(gradient, cell, rest)
                piece = weights.part(lookup, place.entries, 1).reshape(of_value.shape)
                rest = subtract_arrays(rest, piece)
            if tap in places:
                (rows, across), (out_rows, out_across) = places[tap]
                # below 2^52: a window has at most 2^20 taps
                result[:, :, rows, across] += piece[:, :, out_rows, out_across]
        return result % _P

    def fill(
        self,
        images: NDArray[np.uint8],
        cells: NDArray[np.uint32],
        rows: NDArray[np.int32],
        tables: Tables,
        first_lookup: int,
    ) -> NDArray[np.int64]:
        """Write the prover's cells, and the table row of every lookup.

        Args:
            images (uint8, (n, c, h, w)): the triggers.
            cells (uint32, (J, n)): written, the gadget's rows.
            rows (int32, (n, M)): written, the columns from ``first_lookup`` on.
            tables: the relation's tables.
            first_lookup: the gadget's first lookup.

        Returns:
            The logits, int64 (n, O).

        Raises:
            UsageError: images of another shape or dtype.
        """
        logits = np.empty((len(images), self.network.outputs), dtype=np.int64)

        def run(part: slice) -> None:
            own_cells, own_rows = cells[:, part], rows[part, first_lookup:]
            for number, inputs, value in walk(self.network, images[part]):
                node = self.network.nodes[number - 1]
                if isinstance(node, Activation):
                    pair = inputs[0], value
                    self._fill_activation(node, number, pair, own_cells, own_rows, tables)
                elif isinstance(node, Maximum):
                    self._fill_maximum(node, number, inputs[0], own_cells, own_rows, tables)
            logits[part] = value[:, 0, 0].T

        in_threads(run, batches(self.network, images))
        return logits

    def _fill_activation(
        self,
        node: Activation,
        number: int,
        values: tuple[Value, Value],
        cells: NDArray[np.uint32],
        rows: NDArray[np.int32],
        tables: Tables,
    ) -> None:
        """Remainders, results and their rows for some triggers.

        ``values`` (c, h, w, n) each: what the node reads, and its own.
        """
        place = self.places[number]
        entries, cell, lookup = place.entries, place.cell, place.lookup
        quotient = values[0].reshape(entries, -1).astype(np.int32)
        if node.shift:
            # arithmetic shift and mask: floor and remainder of negative values, too
            quotient += 1 << (node.shift - 1)
            remainder = quotient & ((1 << node.shift) - 1)
            quotient >>= node.shift
            cells[cell : cell + entries] = remainder
            remainder += tables.first_row(f"range:{node.shift}")
            rows[:, lookup : lookup + entries] = remainder.T
            cell, lookup = cell + entries, lookup + entries
        cells[cell : cell + entries] = values[1].reshape(entries, -1)
        first = self.network.tables[node.table].first
        quotient += tables.first_row(f"network:{node.table}") - first
        rows[:, lookup : lookup + entries] = quotient.T

    def _fill_maximum(
        self,
        node: Maximum,
        number: int,
        value: Value,
        cells: NDArray[np.uint32],
        rows: NDArray[np.int32],
        tables: Tables,
    ) -> None:
        """Positive parts and their rows for some triggers; ``value`` (c, h, w, n) is read."""
        place = self.places[number]
        windows = Windows.of(node, self.network.shapes[node.input], self.network.shapes[number])
        running, *others = tap_entries(value.astype(np.int16), windows)
        cell, lookup = place.cell, place.lookup
        for entry in others:
            difference = (entry - running).reshape(place.entries, -1)
            positive = np.maximum(difference, 0)
            cells[cell : cell + place.entries] = positive
            # row d + 255 of the table holds the difference d
            numbers = difference.astype(np.int32) + (tables.first_row("positive") + 255)
            rows[:, lookup : lookup + place.entries] = numbers.T
            running += positive.reshape(running.shape)
            cell, lookup = cell + place.entries, lookup + place.entries
