"""The network part of the relation: quotients, remainders and maxima (SPEC.md 17.3, item 3).

Cells are remainders and results of activations, and positive parts of maxima; every other value is
an affine expression of them, never written out. The arg-max is a part of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.relation.gadget import Group, lookup_count
from zkwm_protocols.argument.relation.lookup_tables import Tables
from zkwm_protocols.argument.relation.network_expressions import expression_values
from zkwm_protocols.field.scalar import DEGREE, Element, P, add, constant, scale
from zkwm_protocols.field.vector import Array, from_element, multiply_base, subtract_arrays, sum_all
from zkwm_protocols.field.vector import add as add_arrays
from zkwm_protocols.field.vector import multiply as multiply_arrays
from zkwm_protocols.integer_network.adjoint import transpose
from zkwm_protocols.integer_network.evaluate import Value, batches, trace
from zkwm_protocols.integer_network.model import Activation, IntegerNetwork, Maximum, sources_of
from zkwm_protocols.integer_network.windows import Windows, tap_entries

_P = np.uint64(P)


@dataclass(frozen=True)
class Place:
    """Where an activation's or a maximum's cells and look-ups begin; ``entries`` of the value.

    ``cell`` counts from the trigger's first cell, ``lookup`` from the part's first look-up.
    """

    cell: int
    lookup: int
    entries: int


class NetworkPart:
    """The network part; its cells begin at ``first_cell``, the image's pixels at ``pixel_cell``."""

    def __init__(self, network: IntegerNetwork, first_cell: int, pixel_cell: int = 0) -> None:
        self.network = network
        self.first_cell = first_cell
        self.pixel_cell = pixel_cell
        self.places: dict[int, Place] = {}
        """By the number of the node."""
        cell = first_cell
        groups: list[Group] = []
        for number, node in enumerate(network.nodes, start=1):
            if not isinstance(node, Activation | Maximum):
                continue
            entries = prod(network.shapes[number])
            self.places[number] = Place(cell, lookup_count(groups), entries)
            if isinstance(node, Maximum):
                cells = (prod(node.kernel) - 1) * entries
                added = [Group("positive", cells)] if cells else []
            else:
                cells = (2 if node.shift else 1) * entries
                added = [Group(f"range:{node.shift}", entries)] if node.shift else []
                added.append(Group(f"network:{node.table}", entries))
            cell += cells
            groups += added
        self.cell_count = cell - first_cell
        self.groups: tuple[Group, ...] = tuple(groups)
        self.lookup_count = lookup_count(groups)

    def pull_back(
        self, weights: Array, alphas: Sequence[Element], cells: Array, logits: Array
    ) -> Element:
        """Add the gradient of the weighted values; return the constant term.

        ``weights`` (5, ``lookup_count``) over K; ``alphas`` from alpha^1; ``logits`` (5, O) is a
        gradient in the logits from elsewhere (``ArgmaxPart.pull_back``). Adds into ``cells``
        (5, J). No public cell is used. One pass backwards, each convolution transposed once.
        """
        network = self.network
        first = multiply_arrays(weights, from_element(alphas[0]).reshape(DEGREE, 1))
        second = from_element(alphas[1]).reshape(DEGREE, 1)
        gradients = {len(network.nodes): logits.reshape(DEGREE, *network.shapes[-1])}
        result = constant(0)
        for number in range(len(network.nodes), 0, -1):
            node, gradient = network.nodes[number - 1], gradients.pop(number)
            if isinstance(node, Activation):
                piece, term = self._activation(
                    number, node, gradient, weights, first, second, cells
                )
                pieces: tuple[Array, ...] = (piece,)
            elif isinstance(node, Maximum):
                pieces = (self._maximum(number, node, gradient, weights, first, second, cells),)
                term = constant(0)
            else:
                pieces, term = transpose(network, number, gradient)
            result = add(result, term)
            for source, piece in zip(sources_of(node), pieces, strict=True):
                known = gradients.get(source)
                gradients[source] = piece if known is None else add_arrays(known, piece)
        _add_to(cells, self.pixel_cell, gradients[0])
        return result

    def _activation(
        self,
        number: int,
        node: Activation,
        gradient: Array,
        weights: Array,
        first: Array,
        second: Array,
        cells: Array,
    ) -> tuple[Array, Element]:
        """Its source's gradient and the constant; q = 2^-s (Z + 2^(s-1) - r)."""
        place = self.places[number]
        entries, cell, lookup = place.entries, place.cell, place.lookup
        if not node.shift:
            span = slice(lookup, lookup + entries)
            results, quotients, term = cell, first[:, span], constant(0)
        else:
            span = slice(lookup + entries, lookup + 2 * entries)
            results = cell + entries
            quotients = multiply_base(
                first[:, span], np.array(pow(2, -node.shift, P), dtype=np.uint64)
            )
            remainders = subtract_arrays(first[:, lookup : lookup + entries], quotients)
            _add_to(cells, cell, remainders)
            term = scale(sum_all(quotients), 1 << (node.shift - 1))
        _add_to(cells, results, multiply_arrays(weights[:, span], second))
        _add_to(cells, results, gradient)
        return quotients.reshape(DEGREE, *self.network.shapes[node.source]), term

    def _maximum(
        self,
        number: int,
        node: Maximum,
        gradient: Array,
        weights: Array,
        first: Array,
        second: Array,
        cells: Array,
    ) -> Array:
        """Its source's gradient; the value is x_0 + e_1 + e_2 + ... ."""
        place, network = self.places[number], self.network
        shape, taps = network.shapes[number], prod(node.kernel)
        span = slice(place.lookup, place.lookup + (taps - 1) * place.entries)
        # of x_i, from the look-ups of d_i = x_i - x_0 - e_1 - ... - e_(i-1), i = 1 ..
        differences = first[:, span].reshape(DEGREE, taps - 1, *shape)
        later = np.zeros((DEGREE, *shape), dtype=np.uint64)
        positive = multiply_arrays(weights[:, span], second)
        positive = positive.reshape(DEGREE, taps - 1, *shape)
        own = cells[:, place.cell : place.cell + (taps - 1) * place.entries]
        own = own.reshape(DEGREE, taps - 1, *shape)
        for tap in range(taps - 2, -1, -1):
            own[:, tap] = (own[:, tap] + positive[:, tap] + gradient + (_P - later)) % _P
            later = add_arrays(later, differences[:, tap])
        head = subtract_arrays(gradient, later)
        windows = Windows.of(node, network.shapes[node.source], shape)
        result = np.zeros((DEGREE, *network.shapes[node.source]), dtype=np.uint64)
        for tap, (rows, across), (out_rows, out_across) in windows.taps():
            piece = head if tap == 0 else differences[:, tap - 1]
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
        """The prover's cells, and the table row of every look-up; returns the logits, int64 (n, O).

        ``images`` uint8 (n, c, h, w); writes into ``cells`` (J, n) and the columns of ``rows``
        (n, M) from ``first_lookup`` on. Raises UsageError for images of another shape.
        """
        logits = np.empty((len(images), self.network.outputs), dtype=np.int64)
        for part in batches(self.network, images):
            values = trace(self.network, images[part])
            logits[part] = values[-1][:, 0, 0].T
            own_cells, own_rows = cells[:, part], rows[part, first_lookup:]
            for number, place in self.places.items():
                node = self.network.nodes[number - 1]
                if isinstance(node, Activation):
                    self._fill_activation(node, place, values, number, own_cells, own_rows, tables)
                elif isinstance(node, Maximum):
                    self._fill_maximum(node, place, values, number, own_cells, own_rows, tables)
        return logits

    def _fill_activation(
        self,
        node: Activation,
        place: Place,
        values: list[Value],
        number: int,
        cells: NDArray[np.uint32],
        rows: NDArray[np.int32],
        tables: Tables,
    ) -> None:
        entries, cell, lookup = place.entries, place.cell, place.lookup
        source = values[node.source].reshape(entries, -1).astype(np.int32)
        if node.shift:
            source += 1 << (node.shift - 1)
            remainder = source & ((1 << node.shift) - 1)
            source >>= node.shift
            cells[cell : cell + entries] = remainder
            remainder += tables.first_row(f"range:{node.shift}")
            rows[:, lookup : lookup + entries] = remainder.T
            cell, lookup = cell + entries, lookup + entries
        cells[cell : cell + entries] = values[number].reshape(entries, -1)
        first = self.network.tables[node.table].first
        source += tables.first_row(f"network:{node.table}") - first
        rows[:, lookup : lookup + entries] = source.T

    def _fill_maximum(
        self,
        node: Maximum,
        place: Place,
        values: list[Value],
        number: int,
        cells: NDArray[np.uint32],
        rows: NDArray[np.int32],
        tables: Tables,
    ) -> None:
        windows = Windows.of(node, self.network.shapes[node.source], self.network.shapes[number])
        running, *others = tap_entries(values[node.source].astype(np.int16), windows)
        cell, lookup = place.cell, place.lookup
        for entry in others:
            difference = (entry - running).reshape(place.entries, -1)
            positive = np.maximum(difference, 0)
            cells[cell : cell + place.entries] = positive
            numbers = difference.astype(np.int32) + (tables.first_row("positive") + 255)
            rows[:, lookup : lookup + place.entries] = numbers.T
            running += positive.reshape(running.shape)
            cell, lookup = cell + place.entries, lookup + place.entries

    def look_up_values(self, cells: NDArray[np.uint32], public: NDArray[np.uint8]) -> list[Array]:
        """The values of every look-up for any cells, honest or not: residues (values, n) for each.

        ``cells`` (J, n) are residues; no public cell is used. Slow: for tests.
        """
        return expression_values(self.network, cells, self.pixel_cell, self.first_cell)[0]

    def logit_values(self, cells: NDArray[np.uint32]) -> Array:
        """The logits for any cells (J, n), honest or not: residues (O, n). Slow: for tests."""
        values = expression_values(self.network, cells, self.pixel_cell, self.first_cell)[1]
        return values[-1][:, 0, 0]


def _add_to(cells: Array, first: int, values: Array) -> None:
    """Add an array over K, flattened, to the cells from ``first`` on."""
    flat = values.reshape(DEGREE, -1)
    own = cells[:, first : first + flat.shape[1]]
    own[:] = add_arrays(own, flat)
