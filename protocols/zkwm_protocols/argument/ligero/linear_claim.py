"""What the dot test shows: one linear claim about committed cells, and its polynomials A.

SPEC.md 17.7, relations (1) to (5), combined with the gammas. The polynomial A_i of row i has the
coefficient of cell e at X^(R-1-e); all rows of one kind share one polynomial up to a factor. Prover
and verifier both use this; neither checks anything here.
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

(
    MASK_LOW,
    MASK_DOT_A,
    MASK_DOT_B,
    MASK_PADS_A,
    MASK_PADS_B,
    MASK_PRODUCT,
    PADS,
    LEFT,
    RIGHT,
    PRODUCT,
) = range(10)
"""The rows over K, in the order in which they follow witness and multiplicities."""


@dataclass(frozen=True)
class CombinedClaim:
    """The sum of coefficients times cells is ``constant``; arrays over K, canonical.

    ``batch`` (5, n): eq(rho_b, b). ``point``: r. ``cells_factor``: gamma of relation (3).
    ``chunk_weights`` (5, A): eq(rho_b, n + a). ``column_point``: rho_u. ``multiplicity_factor``:
    gamma of (4). ``match_cells`` (n,): the index of the cell g_(o_b) of trigger b.
    ``match_factor``: gamma of (5). ``pad_coefficients`` (4, 5, h): on the cells of the rows pads,
    left, right, product.
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
    """Where the cells g_(o_b) lie: witness rows (n,), and the exponents (n,) of A there."""

    rows: NDArray[np.int64]
    exponents: NDArray[np.int64]


def witness_weights(claim: CombinedClaim, layout: Layout) -> Array:
    """Factors of the witness rows: gamma eq(r_hi, i), (5, witness rows)."""
    table = equality_table(claim.point[layout.row_positions_log :])[:, : layout.witness_rows]
    return multiply(from_element(claim.cells_factor), table)


def multiplicity_weights(claim: CombinedClaim, layout: Layout) -> Array:
    """Factors of the multiplicity rows, (5, multiplicity rows).

    Row i holds table rows i 2^w + p = 2^U a + u: gamma eq(rho_b, n + a) eq(rho_u, u) without the
    low w coordinates of rho_u.
    """
    high = equality_table(claim.column_point[layout.multiplicity_log :])
    table = multiply(claim.chunk_weights[:, :, None], high[:, None, :]).reshape(5, -1)
    return multiply(from_element(claim.multiplicity_factor), table[:, : layout.multiplicity_rows])


def witness_polynomial(claim: CombinedClaim, layout: Layout) -> Array:
    """What witness rows share, (5, R): eq(rho_b, b) eq(r_lo, p) at R - 1 - b - n p."""
    positions = equality_table(claim.point[: layout.row_positions_log])
    table = multiply(claim.batch[:, None, ::-1], positions[:, ::-1, None])
    return table.reshape(5, layout.row_length)


def multiplicity_polynomial(claim: CombinedClaim, layout: Layout) -> Array:
    """What multiplicity rows share, (5, R): eq(the low coordinates of rho_u, p) at R - 1 - p."""
    width = 1 << layout.multiplicity_log
    result = np.zeros((5, layout.row_length), dtype=np.uint64)
    table = equality_table(claim.column_point[: layout.multiplicity_log])
    result[:, layout.row_length - width :] = table[:, ::-1]
    return result


def evaluate_witness_polynomial(claim: CombinedClaim, layout: Layout, points: Points) -> Array:
    """``witness_polynomial`` at the points, (5, t), without its R terms."""
    return multiply(
        points.evaluate(claim.batch[:, ::-1]),
        _evaluate_reversed_equality(
            claim.point[: layout.row_positions_log], points.power(np.array([layout.triggers]))[0]
        ),
    )


def evaluate_multiplicity_polynomial(claim: CombinedClaim, layout: Layout, points: Points) -> Array:
    """``multiplicity_polynomial`` at the points, (5, t), without its 2^w terms."""
    w = layout.multiplicity_log
    shift = points.power(np.array([layout.row_length - (1 << w)]))[0]
    return multiply_base(_evaluate_reversed_equality(claim.column_point[:w], points.values), shift)


def match_places(claim: CombinedClaim, layout: Layout) -> MatchPlaces:
    """Rows and exponents of relation (5)."""
    positions = claim.match_cells & ((1 << layout.row_positions_log) - 1)
    triggers = np.arange(layout.triggers)
    return MatchPlaces(
        rows=claim.match_cells >> layout.row_positions_log,
        exponents=layout.row_length - 1 - triggers - layout.triggers * positions,
    )


def _evaluate_reversed_equality(point: Sequence[Element], base: Array) -> Array:
    """sum over p of eq(point, p) y^(2^len - 1 - p), y over F_p (t,) -> (5, t), as a product."""
    factors = []
    for coordinate in point:
        at_zero = multiply_base(from_element(one_minus(coordinate))[:, None], base)
        factors.append(add(at_zero, from_element(coordinate)[:, None]))
        base = multiply_base(base, base)
    one = np.zeros((5, len(base)), dtype=np.uint64)
    one[0] = 1
    return reduce(multiply, factors, one)
