"""The weighted fingerprints of all lookups of a trigger: an affine form in its cells.

::

    sum over u of  eq(rho_u, u) fingerprint(u)   =   constant
                                                     + <public,   public cells>   34
                                                     + <gradient, cells>          J

    written out     ``gradient_form``   all J coefficients: the prover's sumcheck folds them
    as a recipe     ``lookup_form``     their extension at one point: what the verifier needs

                    | image, leaf        | network                   | argmax      |
    ``lookup_form`` | written out        | sums of products          | written out |

The coefficients of the network are products of equality tables and weights. Where sides are powers
of two they are never written out, which makes the verifier's work that of reading the network. Both
forms are the same function, which tests compare. SPEC.md 17.6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.relation.argmax import ArgmaxGadget
from zkwm_protocols.argument.relation.blake2s_lookups import block_template
from zkwm_protocols.argument.relation.gadget import PUBLIC_CELLS, add_to
from zkwm_protocols.argument.relation.lookup_weights import EqualityWeights
from zkwm_protocols.argument.relation.network_form import NetworkForm, network_form
from zkwm_protocols.argument.relation.relation import Relation
from zkwm_protocols.field.equality import Equality
from zkwm_protocols.field.scalar import DEGREE, ZERO, Element, P, add
from zkwm_protocols.field.vector import (
    Array,
    multiply,
    multiply_base,
    subtract_arrays,
    sum_all,
)
from zkwm_protocols.integer_network.model import Activation, Maximum

MOST_POSITIONS = 1 << 20
"""Lookups of one channel of every layer up to which gradients are sums of products.

Each product holds a factor as long as a channel. A suspect of one channel of 2048 x 2048 took 22
processor seconds and 9 GB so, written out 0.7 s and 0.6 GB.
"""
MOST_ENTRIES = 1 << 22
"""Entries over K (160 MiB) of a network's products that are no reason to write gradients out.

Beyond that, products are not to be longer than the gradient. 31 layers of 1,024 channels with
kernels of 32 x 31 held 4.8 GB so, written out 0.6 GB.
"""


class CellForm(Protocol):
    """An affine form in the cells and public cells of a trigger."""

    @property
    def constant(self) -> Element:
        """The constant term."""

    @property
    def public(self) -> Array:
        """The coefficients of the public cells, uint64 (5, 34)."""

    def evaluate(self, point: Sequence[Element]) -> Element:
        """The multilinear extension of the cells' coefficients at a point."""


@dataclass(frozen=True)
class GradientForm:
    """A form with all its coefficients.

    Args:
        gradient (uint32, (5, J)): of the cells.
        public (uint64, (5, 34)): of the public cells.
        constant: the constant term.
    """

    gradient: NDArray[np.uint32]
    public: Array
    constant: Element

    def evaluate(self, point: Sequence[Element]) -> Element:
        """The multilinear extension of the cells' coefficients at a point."""
        return Equality(point).inner(0, self.gradient)


@dataclass(frozen=True)
class LookupForm:
    """A form whose coefficients are written out for image, leaf and argmax only.

    Args:
        first (uint32, (5, m)): of the cells of image and leaf, the first m.
        network: of the pixels and the network's cells.
        last (uint64, (5, J - last_cell)): of the argmax's cells.
        last_cell: the first of these.
        public (uint64, (5, 34)): of the public cells.
        constant: the constant term.
    """

    first: NDArray[np.uint32]
    network: NetworkForm
    last: Array
    last_cell: int
    public: Array
    constant: Element

    def evaluate(self, point: Sequence[Element]) -> Element:
        """The multilinear extension of the cells' coefficients at a point."""
        cells = Equality(point)
        total = add(self.network.evaluate(cells), cells.inner(0, self.first))
        return add(total, cells.inner(self.last_cell, self.last))

    def written_out(self) -> GradientForm:
        """The same form with all its coefficients."""
        size = self.last_cell + self.last.shape[1]
        gradient = np.zeros((DEGREE, size), dtype=np.uint32)
        gradient[:, : self.first.shape[1]] = self.first
        gradient[:, self.last_cell :] = self.last
        for cell, piece in self.network.pieces:
            add_to(gradient, cell, piece.dense())
        return GradientForm(gradient, self.public, self.constant)


def gradient_form(relation: Relation, columns: Equality, alphas: Sequence[Element]) -> GradientForm:
    """The form of all weighted fingerprints, written out.

    Args:
        relation: of the trigger.
        columns: the weight of each lookup.
        alphas: the powers of alpha, from alpha^1 to alpha^8.
    """
    form = lookup_form(relation, columns, alphas)
    return form.written_out() if isinstance(form, LookupForm) else form


def lookup_form(
    relation: Relation, columns: Equality, alphas: Sequence[Element]
) -> LookupForm | GradientForm:
    """The form of all weighted fingerprints, for its value at one point.

    Arguments as above. Written out where sides of the network are no powers of two, for its blocks
    of the equality table are not products, or few channels are long, or products would be longer.
    """
    sizes = [prod(shape[1:]) for shape in relation.network.network.shapes]
    weights = EqualityWeights(columns, alphas)
    if any(size & (size - 1) for size in sizes) or _positions(relation) > MOST_POSITIONS:
        return _written_out(relation, weights)
    places = relation.first_lookups
    network, argmax = relation.network, relation.argmax
    # the argmax's cells alone, from 0 on; it gives the network its gradient in the logits
    own = ArgmaxGadget(network.network, first_cell=0)
    last = np.zeros((DEGREE, argmax.cell_count), dtype=np.uint64)
    logits, term = own.pull_back(weights, places["argmax"], last)
    most = max(MOST_ENTRIES, relation.cell_count // 2)  # 40 bytes each, a cell's coefficient 20
    form = network_form(network, columns, places["network"], alphas, logits, most)
    if form is None:
        return _written_out(relation, weights)
    first = np.zeros((DEGREE, network.first_cell), dtype=np.uint32)
    public = np.zeros((DEGREE, PUBLIC_CELLS), dtype=np.uint64)
    relation.image.pull_back(weights, first)
    constant = relation.leaf.pull_back(weights, places["leaf"], first, public)
    constant = add(add(constant, _tag_terms(relation, columns)), add(term, form.constant))
    return LookupForm(first, form, last, argmax.first_cell, public, constant)


def _written_out(relation: Relation, weights: EqualityWeights) -> GradientForm:
    """The form with all its coefficients, tags among its constant."""
    gradient, public, constant = relation.pull_back(weights)
    return GradientForm(gradient, public, add(constant, _tag_terms(relation, weights.columns)))


def _positions(relation: Relation) -> int:
    """Lookups of one channel of every activation and maximum."""
    gadget, total = relation.network, 0
    for number, place in gadget.places.items():
        node = gadget.network.nodes[number - 1]
        if isinstance(node, Maximum):
            lookups = prod(node.kernel) - 1
        else:
            lookups = 2 if isinstance(node, Activation) and node.shift else 1
        total += lookups * place.entries // gadget.network.shapes[number][0]
    return total


def _tag_terms(relation: Relation, columns: Equality) -> Element:
    """The sum over lookups of weight times the tag of its table."""
    tables, first = relation.tables, relation.first_lookups
    total = ZERO
    for groups, begin in (
        (relation.image.groups, first["image"]),
        (relation.network.groups + relation.argmax.groups, first["network"]),
    ):
        counts = np.array([group.count for group in groups], dtype=np.int64)
        tags = np.array([tables.tag(group.table) for group in groups], dtype=np.uint64)
        sums = columns.sums(begin + np.concatenate([[0], np.cumsum(counts)]))
        of_groups = multiply_base(subtract_arrays(sums[:, 1:], sums[:, :-1]), tags)
        total = add(total, sum_all(of_groups))
    # the leaf's groups are those of a block, again and again
    block = block_template().groups
    tags = np.concatenate([np.full(group.count, tables.tag(group.table)) for group in block])
    for _, factors, parts in columns.windows(first["leaf"], len(tags), relation.leaf.blocks):
        weighted = multiply_base(parts, tags.astype(np.uint64)).sum(axis=2) % np.uint64(P)
        total = add(total, sum_all(multiply(factors, weighted[:, None])))
    return total
