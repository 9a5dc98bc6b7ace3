"""Values known up to pads, and linear relations between committed cells (SPEC.md 17.7).

::

    message = value - pad             so     value = message + pad      (``Affine``)

    relation:   sum of coefficients * cells of pads, left, right, product  =  constant

    combined:   coefficients (4, 5, h):   pads    c_0 c_1 ...            sum over relations of
                                          left    ...                    gamma * coefficient
                                          right   ...
                                          product ...

A verifier cannot compute with values that are masked; it computes with these forms instead, and the
opening proves the combined relation about the committed pads.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from zkwm_protocols.argument.parameters import PADS
from zkwm_protocols.field.scalar import ONE, ZERO, Element, add, multiply, subtract
from zkwm_protocols.field.vector import Array

Term = tuple[int, int, Element]
"""(row, cell, coefficient); the rows are ``PADS``, ``LEFT``, ``RIGHT`` and ``PRODUCT``."""


class RelationKind(StrEnum):
    """The kinds of relations of SPEC.md 17.7, in their order; gammas are found by them."""

    LEVEL = "level"
    GRADIENT = "gradient"
    CELLS = "cells"
    MULTIPLICITIES = "multiplicities"
    MATCHES = "matches"


@dataclass(frozen=True)
class Affine:
    """A value known up to pads: a constant plus coefficients times committed cells."""

    constant: Element
    terms: tuple[Term, ...]

    def scaled(self, factor: Element) -> Affine:
        """This times an element of K."""
        return Affine(
            multiply(self.constant, factor),
            tuple((row, cell, multiply(value, factor)) for row, cell, value in self.terms),
        )

    def plus(self, other: Affine) -> Affine:
        """The sum of two."""
        return Affine(add(self.constant, other.constant), self.terms + other.terms)


@dataclass(frozen=True)
class LinearRelation:
    """The claim that the sum of coefficients times cells is ``constant`` (SPEC.md 17.7)."""

    kind: RelationKind
    terms: tuple[Term, ...]
    constant: Element


def combine_relations(
    relations: list[LinearRelation], gammas: list[Element], pad_row: int
) -> tuple[Array, Element]:
    """The weighted sum of relations: coefficients on pads, left, right, product, and constant.

    Args:
        relations: in the order of SPEC.md 17.7.
        gammas: one weight for each.
        pad_row: h.

    Returns:
        The coefficients, uint64 (4, 5, h), and the constant.
    """
    totals: dict[tuple[int, int], Element] = {}
    known = ZERO
    for relation, gamma in zip(relations, gammas, strict=True):
        known = add(known, multiply(gamma, relation.constant))
        for row, cell, value in relation.terms:
            place = (row, cell)
            totals[place] = add(totals.get(place, ZERO), multiply(gamma, value))
    coefficients = np.zeros((4, 5, pad_row), dtype=np.uint64)
    for (row, cell), value in totals.items():
        coefficients[row - PADS, :, cell] = value
    return coefficients, known


def between(at_zero: Affine, at_one: Affine, mu: Element) -> Affine:
    """The line through two values, at mu."""
    return at_zero.scaled(subtract(ONE, mu)).plus(at_one.scaled(mu))
