"""The one linear claim that the dot test proves, and its polynomials A (SPEC.md 17.7).

::

    constant = gamma_3  sum over j, b of  eq(r, j) eq(rho_b, b) cell(b, j)         (3)  witness
             + gamma_4  sum over a, u of  eq(rho_b, n + a) eq(rho_u, u) mult(a, u)  (4)  tables
             + gamma_5  sum over b of     g of the label of b                       (5)  threshold
             + the gammas' share in pads, left, right, product                      (1) - (4)

    dot test:  f_i row i, A_i with the coefficient of cell e of row i at X^(R-1-e)
               then coefficient R - 1 of  sum over i of A_i f_i  is the sum over all cells

    rows of one kind share one polynomial:  A_i = weight_i * A
      witness         weight_i = gamma_3 eq(r_hi, i)          A: eq(rho_b, b) eq(r_lo, p)
                                                              at X^(R - 1 - b - n p)
      multiplicities  weight_i = gamma_4 eq(rho_b, n + a) eq(rho_u's high bits, .)
                                                              A: eq(rho_u's low bits, p)
                                                              at X^(R - 1 - p)

So the verifier evaluates A by products of a few factors, never by R terms. Prover and verifier both
use this module; it checks nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.parameters import Layout
from zkwm_protocols.field.polynomial import Points
from zkwm_protocols.field.scalar import Element
from zkwm_protocols.field.vector import (
    Array,
    add,
    equality_table,
    from_element,
    multiply,
    multiply_base,
    one_minus,
)


@dataclass(frozen=True)
class CombinedClaim:
    """The claim that a sum of coefficients times committed cells is ``constant``.

    Args:
        batch (uint64, (5, n)): eq(rho_b, b) for every trigger b.
        point: r, where the extension of the triggers' cells is claimed.
        cells_factor: the gamma of relation (3).
        chunk_weights (uint64, (5, A)): eq(rho_b, n + a) for every chunk a of the tables.
        column_point: rho_u.
        multiplicity_factor: the gamma of relation (4).
        match_cells (int64, (n,)): the cell g_(o_b) of every trigger b.
        match_factor: the gamma of relation (5).
        pad_coefficients (uint64, (4, 5, h)): on the cells of pads, left, right and product.
        constant: what the sum is claimed to be.
    """

    batch: Array
    point: Sequence[Element]
    cells_factor: Element
    chunk_weights: Array
    column_point: Sequence[Element]
    multiplicity_factor: Element
    match_cells: NDArray[np.int64]
    match_factor: Element
    pad_coefficients: Array
    constant: Element


@dataclass(frozen=True)
class MatchPlaces:
    """Where the cells g_(o_b) lie: the witness rows, and the exponents of A, int64 (n,) each."""

    rows: NDArray[np.int64]
    exponents: NDArray[np.int64]


def witness_weights(claim: CombinedClaim, layout: Layout) -> Array:
    """The weights of the witness rows, gamma_3 eq(r_hi, i): uint64 (5, witness_rows)."""
    table = equality_table(claim.point[layout.row_positions_log :])[:, : layout.witness_rows]
    return multiply(from_element(claim.cells_factor), table)


def multiplicity_weights(claim: CombinedClaim, layout: Layout) -> Array:
    """The weights of the multiplicity rows: uint64 (5, multiplicity_rows).

    Row i holds the table rows i 2^w + p = 2^U a + u. Its weight is gamma_4 eq(rho_b, n + a)
    eq(rho_u, u) without the factors of the low w bits of u, which are those of p.
    """
    high = equality_table(claim.column_point[layout.multiplicity_log :])
    table = multiply(claim.chunk_weights[:, :, None], high[:, None, :]).reshape(5, -1)
    return multiply(from_element(claim.multiplicity_factor), table[:, : layout.multiplicity_rows])


def witness_polynomial(claim: CombinedClaim, layout: Layout) -> Array:
    """The polynomial A of the witness rows, uint64 (5, R).

    eq(rho_b, b) eq(r_lo, p) is at X^(R - 1 - b - n p).
    """
    positions = equality_table(claim.point[: layout.row_positions_log])
    # both axes reversed: cell b + n p is at R - 1 - (b + n p)
    table = multiply(claim.batch[:, None, ::-1], positions[:, ::-1, None])
    return table.reshape(5, layout.row_length)


def multiplicity_polynomial(claim: CombinedClaim, layout: Layout) -> Array:
    """The polynomial A of the multiplicity rows, uint64 (5, R).

    eq(rho_u's low bits, p) is at X^(R - 1 - p).
    """
    width = 1 << layout.multiplicity_log
    result = np.zeros((5, layout.row_length), dtype=np.uint64)
    table = equality_table(claim.column_point[: layout.multiplicity_log])
    result[:, layout.row_length - width :] = table[:, ::-1]
    return result


def evaluate_witness_polynomial(claim: CombinedClaim, layout: Layout, points: Points) -> Array:
    """``witness_polynomial`` at the points, uint64 (5, t), without its R terms."""
    # sum over b of eq(rho_b, b) x^(n-1-b), times sum over p of eq(r_lo, p) (x^n)^(2^a-1-p)
    return multiply(
        points.evaluate(claim.batch[:, ::-1]),
        _evaluate_reversed_equality(
            claim.point[: layout.row_positions_log], points.power(np.array([layout.triggers]))[0]
        ),
    )


def evaluate_multiplicity_polynomial(claim: CombinedClaim, layout: Layout, points: Points) -> Array:
    """``multiplicity_polynomial`` at the points, uint64 (5, t), without its 2^w terms."""
    w = layout.multiplicity_log
    shift = points.power(np.array([layout.row_length - (1 << w)]))[0]
    return multiply_base(_evaluate_reversed_equality(claim.column_point[:w], points.values), shift)


def match_places(claim: CombinedClaim, layout: Layout) -> MatchPlaces:
    """Rows and exponents of the cells in relation (5), one for each trigger."""
    positions = claim.match_cells & ((1 << layout.row_positions_log) - 1)
    triggers = np.arange(layout.triggers)
    return MatchPlaces(
        rows=claim.match_cells >> layout.row_positions_log,
        exponents=layout.row_length - 1 - triggers - layout.triggers * positions,
    )


def _evaluate_reversed_equality(point: Sequence[Element], base: Array) -> Array:
    """The equality table of a point, as a polynomial in reverse order, at y.

    That is the sum over p of eq(point, p) y^(2^len - 1 - p), as a product over the bits of p. Bit i
    contributes (1 - point_i) y^(2^i) + point_i: where the bit is 1, the exponent lacks 2^i.
    ``base``: y over F_p, uint64 (t,); the result is (5, t).
    """
    factors = []
    for coordinate in point:
        at_zero = multiply_base(from_element(one_minus(coordinate))[:, None], base)
        factors.append(add(at_zero, from_element(coordinate)[:, None]))
        base = multiply_base(base, base)
    one = np.zeros((5, len(base)), dtype=np.uint64)
    one[0] = 1
    return reduce(multiply, factors, one)
