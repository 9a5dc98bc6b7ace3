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

from zkwm_protocols.argument.relation.argmax import ArgmaxGadget
from zkwm_protocols.argument.relation.gadget import PUBLIC_CELLS
from zkwm_protocols.argument.relation.network_form import NetworkForm, network_form
from zkwm_protocols.argument.relation.relation import Relation
from zkwm_protocols.field.equality import Equality
from zkwm_protocols.field.scalar import DEGREE, Element, add
from zkwm_protocols.field.vector import (
    Array,
    multiply_base,
    subtract_arrays,
    sum_all,
)
from zkwm_protocols.field.vector import add as add_arrays


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
        gradient (uint64, (5, J)): of the cells.
        public (uint64, (5, 34)): of the public cells.
        constant: the constant term.
    """

    gradient: Array
    public: Array
    constant: Element

    def evaluate(self, point: Sequence[Element]) -> Element:
        """The multilinear extension of the cells' coefficients at a point."""
        return Equality(point).inner(0, self.gradient)


@dataclass(frozen=True)
class LookupForm:
    """A form whose coefficients are written out for image, leaf and argmax only.

    Args:
        first (uint64, (5, m)): of the cells of image and leaf, the first m.
        network: of the pixels and the network's cells.
        last (uint64, (5, J - last_cell)): of the argmax's cells.
        last_cell: the first of these.
        public (uint64, (5, 34)): of the public cells.
        constant: the constant term.
    """

    first: Array
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
        gradient = np.zeros((DEGREE, size), dtype=np.uint64)
        gradient[:, : self.first.shape[1]] = self.first
        gradient[:, self.last_cell :] = self.last
        for cell, piece in self.network.pieces:
            own = gradient[:, cell : cell + prod(piece.shape)]
            own[:] = add_arrays(own, piece.dense().reshape(DEGREE, -1))
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

    Arguments as above. Written out where sides of the network are no powers of two: its blocks
    of the equality table are not products.
    """
    sizes = (prod(shape[1:]) for shape in relation.network.network.shapes)
    if any(size & (size - 1) for size in sizes):
        weights = columns.part(0, relation.lookup_count)
        return GradientForm(*relation.pull_back(weights, alphas))
    places = relation.first_lookups
    network, argmax = relation.network, relation.argmax
    first = np.zeros((DEGREE, network.first_cell), dtype=np.uint64)
    public = np.zeros((DEGREE, PUBLIC_CELLS), dtype=np.uint64)
    of_image = columns.part(0, places["leaf"])
    constant = relation.image.pull_back(of_image, alphas, first, public)
    of_leaf = columns.part(places["leaf"], relation.leaf.lookup_count)
    constant = add(constant, relation.leaf.pull_back(of_leaf, alphas, first, public))
    # the argmax's cells alone, from 0 on; it gives the network its gradient in the logits
    own = ArgmaxGadget(network.network, first_cell=0)
    last = np.zeros((DEGREE, argmax.cell_count), dtype=np.uint64)
    of_argmax = columns.part(places["argmax"], argmax.lookup_count)
    logits, term = own.pull_back(of_argmax, alphas, last)
    form = network_form(network, columns, places["network"], alphas, logits)
    for more in (term, form.constant, _tag_terms(relation, columns)):
        constant = add(constant, more)
    return LookupForm(first, form, last, argmax.first_cell, public, constant)


def _tag_terms(relation: Relation, columns: Equality) -> Element:
    """The sum over lookups of weight times the tag of its table."""
    tables, groups = relation.tables, relation.groups
    by_table = {key: tables.tag(key) for key in {group.table for group in groups}}
    counts = np.array([group.count for group in groups], dtype=np.int64)
    tags = np.array([by_table[group.table] for group in groups], dtype=np.uint64)
    sums = columns.sums(np.concatenate([[0], np.cumsum(counts)]))
    return sum_all(multiply_base(subtract_arrays(sums[:, 1:], sums[:, :-1]), tags))
