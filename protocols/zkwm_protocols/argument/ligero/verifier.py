"""The verifier's side of the commitment: columns, claim, and four equations at opened points.

::

    1  root         recomputed from the opened columns            argument.columns
    2  relations    coefficient R - 1 of dot
                    + h (coefficients 0, h, 2h of pads)
                    = the claim's constant                        argument.relations
    3  equations    at the t opened points x = 3 w^c:
         low(x)     = mask_low + sum of rho f(x)                  argument.low_degree
         dot(x)     = mask_dot_a + x^R mask_dot_b
                      + sum of A(x) f(x)                          argument.dot
         pads(x)    = mask_pads_a + x^h mask_pads_b
                      + sum of A(x) f(x)                          argument.pads
         product(x) = mask_product
                      + zeta (left right - product) / (x^h - 1)   argument.product

Left sides are the combined rows that were sent, right sides come from the opened columns
(``ColumnEquations``). No matrix of a row's length by the number of columns is ever formed. NumPy
and hashlib only; parameters, soundness and canonical elements were checked by the reader of the
proof. SPEC.md 17.7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.ligero.column_tree import (
    CHECK,
    DIGEST_BYTES,
    NONCE_BYTES,
    hash_columns,
    recompute_root,
)
from zkwm_protocols.argument.ligero.linear_claim import (
    CombinedClaim,
    evaluate_multiplicity_polynomial,
    evaluate_witness_polynomial,
    match_places,
    multiplicity_weights,
    witness_weights,
)
from zkwm_protocols.argument.ligero.messages import (
    CombinationChallenge,
    CombinedRows,
    OpenedColumns,
)
from zkwm_protocols.argument.parameters import (
    LEFT,
    MASK_DOT_A,
    MASK_DOT_B,
    MASK_LOW,
    MASK_PADS_A,
    MASK_PADS_B,
    MASK_PRODUCT,
    PADS,
    PRODUCT,
    RIGHT,
    Layout,
)
from zkwm_protocols.errors import InvalidOpening, Malformed
from zkwm_protocols.field.polynomial import Points, interpolate
from zkwm_protocols.field.scalar import (
    GENERATOR,
    P,
    add,
    constant,
    multiply,
    root_of_unity,
)
from zkwm_protocols.field.vector import (
    Array,
    combine,
    from_element,
    inverse_base,
    multiply_base,
    power_base,
    subtract_arrays,
    sum_all,
    to_element,
)
from zkwm_protocols.field.vector import add as add_arrays
from zkwm_protocols.field.vector import multiply as multiply_arrays


@dataclass(frozen=True)
class OpenedRows:
    """The opened columns, taken apart row by row: values at the opened points.

    Args:
        witness (uint32, (witness_rows, t)): over F_p.
        multiplicities (uint32, (multiplicity_rows, t)): over F_p.
        extension (uint64, (5, 10, t)): over K, rows in the order of ``linear_claim``.
    """

    witness: NDArray[np.uint32]
    multiplicities: NDArray[np.uint32]
    extension: Array

    @classmethod
    def of(cls, layout: Layout, columns: NDArray[np.uint32]) -> OpenedRows:
        """From the elements of the columns, uint32 (t, base_rows)."""
        first = layout.witness_rows
        last = first + layout.multiplicity_rows
        extension = columns[:, last:].astype(np.uint64).reshape(layout.columns, -1, 5)
        return cls(
            witness=columns[:, :first].T,
            multiplicities=columns[:, first:last].T,
            extension=np.ascontiguousarray(extension.transpose(2, 1, 0)),
        )


def check_opening(
    layout: Layout,
    root: bytes,
    challenge: CombinationChallenge,
    combined: CombinedRows,
    opened: OpenedColumns,
    indices: Sequence[int] | NDArray[np.integer],
) -> None:
    """Accept the opening, or raise the check that failed.

    Args:
        layout: all sizes.
        root: of the column tree, 32 bytes.
        challenge: what the rows were to be combined with.
        combined: the four polynomials that the prover sent, canonical.
        opened: the columns that the prover sent.
        indices (integers, (t,)): the challenged columns, ascending and distinct.

    Raises:
        Malformed: other shapes than the layout's (argument.format).
        InvalidOpening: argument.columns, argument.relations, argument.low_degree, argument.dot,
            argument.pads or argument.product, in this order.
    """
    _require_shapes(layout, challenge, combined, opened)
    places = np.asarray(indices, dtype=np.int64)
    _check_root(layout, root, opened, places)
    _check_relations(layout, challenge.claim, combined)
    equations = ColumnEquations(layout, challenge, places)
    rows = OpenedRows.of(layout, opened.cells)
    evaluate = equations.points.evaluate
    _require_equal(evaluate(combined.low), equations.low(rows), "argument.low_degree")
    _require_equal(evaluate(combined.dot), equations.dot(rows), "argument.dot")
    _require_equal(evaluate(combined.pads), equations.pads(rows), "argument.pads")
    _require_equal(evaluate(combined.product), equations.product(rows), "argument.product")


class ColumnEquations:
    """What the four combined rows must be at the opened points, each uint64 (5, t).

    Args:
        layout: all sizes.
        challenge: what the rows are combined with.
        indices (int64, (t,)): the opened columns.
    """

    def __init__(
        self, layout: Layout, challenge: CombinationChallenge, indices: NDArray[np.int64]
    ) -> None:
        self._layout = layout
        self._challenge = challenge
        self.points = _opened_points(layout, indices)

    def low(self, rows: OpenedRows) -> Array:
        """The low-degree test: mask_low plus all rows, weighted with the rhos."""
        rhos = self._challenge.rhos
        first = self._layout.witness_rows
        last = first + self._layout.multiplicity_rows
        total = add_arrays(
            combine(rhos[:, :first], rows.witness),
            combine(rhos[:, first:last], rows.multiplicities),
        )
        of_extension = multiply_arrays(rhos[:, last:, None], rows.extension[:, MASK_LOW + 1 :])
        total = add_arrays(total, of_extension.sum(axis=1) % np.uint64(P))
        return add_arrays(total, rows.extension[:, MASK_LOW])

    def dot(self, rows: OpenedRows) -> Array:
        """The linear claim in witness and multiplicities."""
        layout, claim, points = self._layout, self._challenge.claim, self.points
        shift = points.power(np.array([layout.row_length]))[0]
        total = add_arrays(
            rows.extension[:, MASK_DOT_A], multiply_base(rows.extension[:, MASK_DOT_B], shift)
        )
        of_witness = multiply_arrays(
            evaluate_witness_polynomial(claim, layout, points),
            combine(witness_weights(claim, layout), rows.witness),
        )
        of_multiplicities = multiply_arrays(
            evaluate_multiplicity_polynomial(claim, layout, points),
            combine(multiplicity_weights(claim, layout), rows.multiplicities),
        )
        places = match_places(claim, layout)
        at_matches = multiply_base(
            points.power(places.exponents), rows.witness[places.rows].astype(np.uint64)
        )
        of_matches = multiply_base(
            from_element(claim.match_factor)[:, None], at_matches.sum(axis=0) % np.uint64(P)
        )
        return (total + of_witness + of_multiplicities + of_matches) % np.uint64(P)

    def pads(self, rows: OpenedRows) -> Array:
        """The linear claim in the rows pads, left, right and product."""
        layout, points = self._layout, self.points
        shift = points.power(np.array([layout.pad_row]))[0]
        total = add_arrays(
            rows.extension[:, MASK_PADS_A], multiply_base(rows.extension[:, MASK_PADS_B], shift)
        )
        # four rows over K are twenty polynomials over F_p, and A has degree below h
        coefficients = self._challenge.claim.pad_coefficients
        polynomials = interpolate(coefficients).reshape(20, layout.pad_row)
        weights = points.evaluate(polynomials).reshape(4, 5, -1).transpose(1, 0, 2)
        products = multiply_arrays(weights, rows.extension[:, PADS:])
        return add_arrays(total, products.sum(axis=1) % np.uint64(P))

    def product(self, rows: OpenedRows) -> Array:
        """That the row product is left times right on the h-th roots of unity."""
        points = self.points
        # x^h - 1 is never 0: no opened point is a root of unity
        vanishing = power_base(points.values, self._layout.pad_row) + np.uint64(P - 1)
        difference = subtract_arrays(
            multiply_arrays(rows.extension[:, LEFT], rows.extension[:, RIGHT]),
            rows.extension[:, PRODUCT],
        )
        quotient = multiply_base(difference, inverse_base(vanishing % np.uint64(P)))
        scaled = multiply_arrays(from_element(self._challenge.zeta)[:, None], quotient)
        return add_arrays(rows.extension[:, MASK_PRODUCT], scaled)


def _require_shapes(
    layout: Layout,
    challenge: CombinationChallenge,
    combined: CombinedRows,
    opened: OpenedColumns,
) -> None:
    """Raise Malformed (argument.format) unless all arrays have the layout's sizes."""
    r, h, t = layout.row_length, layout.pad_row, layout.columns
    if (
        challenge.rhos.shape != (5, layout.combined_rows)
        or combined.low.shape != (5, r + t)
        or combined.dot.shape != (5, 2 * r + t)
        or combined.pads.shape != (5, 2 * h + t)
        or combined.product.shape != (5, h + 2 * t)
        or opened.cells.shape != (t, layout.base_rows)
        or len(opened.nonces) != t
        or any(len(nonce) != NONCE_BYTES for nonce in opened.nonces)
    ):
        raise Malformed(
            "the opening does not have the sizes of its parameters", check="argument.format"
        )


def _check_root(
    layout: Layout, root: bytes, opened: OpenedColumns, indices: NDArray[np.int64]
) -> None:
    """Raise InvalidOpening (argument.columns) unless the opened columns hash to the root.

    ``indices`` (int64, (t,)) are theirs.
    """
    leaves = hash_columns(opened.cells, b"".join(opened.nonces), indices)
    recomputed = recompute_root(
        [leaves[i : i + DIGEST_BYTES] for i in range(0, len(leaves), DIGEST_BYTES)],
        indices.tolist(),
        opened.nodes,
        layout.code_log,
    )
    if recomputed != root:
        raise InvalidOpening("the opened columns are not those committed to", check=CHECK)


def _check_relations(layout: Layout, claim: CombinedClaim, combined: CombinedRows) -> None:
    """Compare the claim's constant with ``dot`` (cells) and ``pads`` (pads, left, right, product).

    The sum of a polynomial over the h-th roots of unity is h times its coefficients at multiples
    of h, which are 0, h and 2h here.
    """
    of_cells = to_element(combined.dot[:, layout.row_length - 1])
    of_pads = sum_all(combined.pads[:, :: layout.pad_row])
    if add(of_cells, multiply(constant(layout.pad_row), of_pads)) != claim.constant:
        raise InvalidOpening(
            "the committed values do not satisfy the relations", check="argument.relations"
        )


def _opened_points(layout: Layout, indices: NDArray[np.int64]) -> Points:
    """The points 3 w_N^c of the opened columns c, ``indices`` (t,)."""
    root = np.array([root_of_unity(layout.code_log)], dtype=np.uint64)
    powers = Points(root, layout.code_length).power(indices)[:, 0]
    values = powers * np.uint64(GENERATOR) % np.uint64(P)
    return Points(values, 2 * layout.row_length + layout.columns)


def _require_equal(sent: Array, expected: Array, check: str) -> None:
    """Raise InvalidOpening (``check``) unless a combined row, (5, t), is as expected."""
    if not np.array_equal(sent, expected):
        raise InvalidOpening("a combined row does not agree with the opened columns", check=check)
