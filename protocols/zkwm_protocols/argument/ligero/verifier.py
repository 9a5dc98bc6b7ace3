"""What the combined rows must be at the opened points: four equations, one side of each.

::

    at the t opened points x = 3 w^c:
      low(x)     = mask_low + sum of rho f(x)
      dot(x)     = mask_dot_a + x^R mask_dot_b  + sum of A(x) f(x)
      pads(x)    = mask_pads_a + x^h mask_pads_b + sum of A(x) f(x)
      product(x) = mask_product + zeta (left right - product) / (x^h - 1)

Right sides come from the opened columns (``ColumnEquations``); left sides are claims about the
combined rows, which ``recursive_opening`` proves (``combined_claim``). No matrix of a row's length
by the number of columns is ever formed. NumPy and hashlib only; parameters, soundness and canonical
elements were checked by the reader of the proof. SPEC.md 17.7.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.ligero.linear_claim import (
    evaluate_multiplicity_polynomial,
    evaluate_witness_polynomial,
    match_places,
    multiplicity_weights,
    witness_weights,
)
from zkwm_protocols.argument.ligero.messages import CombinationChallenge
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
from zkwm_protocols.field.polynomial import Points, code_points, interpolate
from zkwm_protocols.field.scalar import P
from zkwm_protocols.field.vector import (
    Array,
    combine,
    from_element,
    inverse_base,
    multiply_base,
    power_base,
    subtract_arrays,
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
        length = 2 * layout.row_length + layout.columns
        self.points = Points(code_points(layout.code_log, indices), length)

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
