"""The network's share of a combined lookup claim, without a gradient of all cells.

::

    weights of lookups          eq(rho_u, first lookup + .)         blocks of an equality table
    reverse pass                ``NetworkGadget.pull_back``, with gradients as sums of products
    (first cell, gradient)      its pieces, one or two an activation, one a tap of a maximum
    value at r                  sum over pieces of  <gradient, eq(r, first cell + .)>

The same linear map as ``pull_back``, which the prover uses and tests compare; here each step's work
is about that of reading the weights. SPEC.md 17.3, item 3, and 17.6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np

from zkwm_protocols.argument.relation.network import NetworkGadget
from zkwm_protocols.field.equality import Equality
from zkwm_protocols.field.scalar import DEGREE, ZERO, Element, P, add, scale
from zkwm_protocols.field.vector import Array
from zkwm_protocols.integer_network.model import (
    Activation,
    Concatenation,
    Convolution,
    Maximum,
    Node,
    Reshape,
    Sum,
    inputs_of,
)
from zkwm_protocols.integer_network.separable import (
    Separable,
    bias_term,
    transpose_convolution,
)
from zkwm_protocols.integer_network.windows import Windows


class _TooLongError(Exception):
    """The products of a pass have more entries than they may."""


@dataclass
class NetworkForm:
    """An affine form in the cells of a network gadget, piece by piece.

    Args:
        constant: its constant term.
        pieces: the first cell of each piece, and the coefficients of the cells from there on.
    """

    constant: Element = ZERO
    pieces: list[tuple[int, Separable]] = field(default_factory=list)

    def evaluate(self, cells: Equality) -> Element:
        """The form without its constant where cell j is eq(r, j)."""
        total = ZERO
        for first, gradient in self.pieces:
            block = Separable.of_block(cells, first, gradient.shape)
            total = add(total, gradient.inner(block))
        return total


def network_form(
    gadget: NetworkGadget,
    columns: Equality,
    first_lookup: int,
    alphas: Sequence[Element],
    logit_gradient: Array,
    most: int,
) -> NetworkForm | None:
    """The form of the weighted fingerprints of a network gadget's lookups, tags aside.

    None where its products have too many entries: wide kernels make them longer than a gradient.

    Args:
        gadget: of the network.
        columns: the weights of all lookups.
        first_lookup: the gadget's first.
        alphas: the powers of alpha, from alpha^1.
        logit_gradient (uint64, (5, O)): the gradient in the logits, of the argmax gadget.
        most: entries over K, 40 bytes each, of all products that the pass makes.
    """
    try:
        return _Pass(gadget, columns, first_lookup, alphas, most).run(logit_gradient)
    except _TooLongError:
        return None


class _Pass:
    """One reverse pass; see ``network_form``."""

    def __init__(
        self,
        gadget: NetworkGadget,
        columns: Equality,
        first_lookup: int,
        alphas: Sequence[Element],
        most: int,
    ) -> None:
        self._left = most
        self._gadget = gadget
        self._shapes = gadget.network.shapes
        self._columns = columns
        self._first_lookup = first_lookup
        self._alphas = alphas
        self._form = NetworkForm()

    def run(self, logit_gradient: Array) -> NetworkForm:
        """The whole pass, from the logits to the pixels."""
        nodes = self._gadget.network.nodes
        logits = Separable.of_dense(logit_gradient.reshape(DEGREE, *self._shapes[-1]))
        # in the value of each node, from all nodes that read it
        gradients: dict[int, list[Separable]] = {len(nodes): [logits]}
        for number in range(len(nodes), 0, -1):
            node, parts = nodes[number - 1], gradients.pop(number)
            pieces = self._transpose(number, node, parts[0].plus(*parts[1:]))
            for place, piece in zip(inputs_of(node), pieces, strict=True):
                gradients.setdefault(place, []).append(self._counted(piece))
        first, *others = gradients[0]
        self._add_piece(self._gadget.pixel_cell, first.plus(*others))
        return self._form

    def _transpose(self, number: int, node: Node, gradient: Separable) -> Sequence[Separable]:
        """The gradient in each value that a node reads, from that in its own."""
        shapes = [self._shapes[place] for place in inputs_of(node)]
        if isinstance(node, Activation):
            return (self._activation(number, node, gradient),)
        if isinstance(node, Maximum):
            return (self._maximum(number, node, gradient),)
        if isinstance(node, Convolution):
            self._add_constant(bias_term(node, gradient))
            windows = Windows.of(node, shapes[0], self._shapes[number])
            return (transpose_convolution(node, gradient, windows),)
        if isinstance(node, Sum):
            return (gradient,) * len(shapes)
        if isinstance(node, Concatenation):
            return gradient.split([shape[0] for shape in shapes])
        if isinstance(node, Reshape):
            return (gradient.reshaped(shapes[0]),)
        raise AssertionError(f"node {number} is of no kind")

    def _activation(self, number: int, node: Activation, of_value: Separable) -> Separable:
        """As ``NetworkGadget._activation``: q = 2^-s (Z + 2^(s-1) - r)."""
        place, shape = self._gadget.places[number], self._shapes[number]
        results, lookup = place.cell, place.lookup
        if node.shift:
            results, lookup = results + place.entries, lookup + place.entries
        quotients = self._weights(lookup, shape, 0)
        if node.shift:
            quotients = quotients.scaled((pow(2, -node.shift, P), 0, 0, 0, 0))
            remainders = self._weights(place.lookup, shape, 0).minus(quotients)
            self._add_piece(place.cell, remainders)
            self._add_constant(scale(quotients.total(), 1 << (node.shift - 1)))
        self._add_piece(results, self._weights(lookup, shape, 1).plus(of_value))
        return quotients

    def _maximum(self, number: int, node: Maximum, of_value: Separable) -> Separable:
        """As ``NetworkGadget._maximum``: lookup i is of x_i - x_0 - e_1 - ... and e_i."""
        place, shape = self._gadget.places[number], self._shapes[number]
        windows = Windows.of(node, self._shapes[node.input], shape)
        differences = [
            self._weights(place.lookup + i * place.entries, shape, 0)
            for i in range(prod(node.kernel) - 1)
        ]
        head = of_value  # less all differences behind: first of an e, at the end of x_0
        for i in range(len(differences) - 1, -1, -1):
            positive = self._weights(place.lookup + i * place.entries, shape, 1)
            self._add_piece(place.cell + i * place.entries, positive.plus(head))
            head = head.minus(differences[i])
        taps = [head, *differences]
        parts = [
            self._counted(taps[tap].placed(windows, inside, positions))
            for tap, inside, positions in windows.taps()
        ]
        if not parts:  # every window lies outside: nothing is read
            parts.append(
                Separable.of_dense(np.zeros((DEGREE, *self._shapes[node.input]), dtype=np.uint64))
            )
        return parts[0].plus(*parts[1:])

    def _weights(self, lookup: int, shape: tuple[int, int, int], power: int) -> Separable:
        """Weights of lookups from ``lookup`` of the gadget on, times alpha^(power + 1)."""
        block = Separable.of_block(self._columns, self._first_lookup + lookup, shape)
        return self._counted(block.scaled(self._alphas[power]))

    def _add_piece(self, first_cell: int, gradient: Separable) -> None:
        """Add a piece to the form."""
        self._form.pieces.append((first_cell, self._counted(gradient)))

    def _counted(self, product: Separable) -> Separable:
        """The product, once its entries are counted. Raises _TooLongError for too many of all."""
        self._left -= (product.channels.size + product.planes.size) // DEGREE
        if self._left < 0:
            raise _TooLongError
        return product

    def _add_constant(self, term: Element) -> None:
        """Add to the form's constant."""
        self._form.constant = add(self._form.constant, term)
