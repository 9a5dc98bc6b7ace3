"""Check an opened commitment: the columns, the claim, and four polynomials at the opened points.

SPEC.md 17.7, the verifier's side. NumPy and hashlib only; no matrix of a row's length by the number
of columns is ever formed. Parameters, soundness and canonical elements were checked by the reader.
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
    CombinedClaim,
    evaluate_multiplicity_polynomial,
    evaluate_witness_polynomial,
    match_places,
    multiplicity_weights,
    witness_weights,
)
from zkwm_protocols.argument.parameters import Layout
from zkwm_protocols.errors import InvalidOpening, Malformed
from zkwm_protocols.field.polynomial import Points, interpolate
from zkwm_protocols.field.scalar import (
    GENERATOR,
    Element,
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
class _OpenedRows:
    """Values at the opened points: ``witness`` and ``multiplicities`` over F_p (rows, t);
    ``extension`` over K (5, 10, t), rows in the order of ``claims``."""

    witness: NDArray[np.uint32]
    multiplicities: NDArray[np.uint32]
    extension: Array


def check_opening(
    layout: Layout,
    *,
    root: bytes,
    claim: CombinedClaim,
    rhos: Array,
    zeta: Element,
    low: Array,
    dot: Array,
    pads: Array,
    product: Array,
    columns: NDArray[np.uint32],
    nonces: Sequence[bytes],
    nodes: Sequence[bytes],
    indices: Sequence[int] | NDArray[np.integer],
) -> None:
    """Accept the opening, or raise InvalidOpening with the check that failed.

    ``rhos`` (5, ``combined_rows``), ``low`` (5, R + t), ``dot`` (5, 2R + t), ``pads`` (5, 2h + t),
    ``product`` (5, h + 2t) over K, canonical; ``columns`` uint32 (t, ``base_rows``); ``indices``
    the t challenged columns, ascending and distinct. Checks: argument.columns,
    argument.relations, argument.low_degree, argument.dot, argument.pads, argument.product. Raises
    Malformed (argument.format) for other shapes.
    """
    _require_shapes(layout, rhos, low, dot, pads, product, columns, nonces)
    places = np.asarray(indices, dtype=np.int64)
    leaves = hash_columns(columns, b"".join(nonces), places)
    found = recompute_root(
        [leaves[i : i + DIGEST_BYTES] for i in range(0, len(leaves), DIGEST_BYTES)],
        places.tolist(),
        nodes,
        layout.code_log,
    )
    if found != root:
        raise InvalidOpening("the opened columns are not those committed to", check=CHECK)
    _check_relations(layout, claim, dot, pads)
    points = _opened_points(layout, places)
    rows = _split(layout, columns)
    _require_equal(points.evaluate(low), _low_values(layout, rows, rhos), "argument.low_degree")
    _require_equal(points.evaluate(dot), _dot_values(layout, claim, rows, points), "argument.dot")
    _require_equal(
        points.evaluate(pads), _pads_values(layout, claim, rows, points), "argument.pads"
    )
    _require_equal(
        points.evaluate(product), _product_values(layout, rows, points, zeta), "argument.product"
    )


def _require_shapes(
    layout: Layout,
    rhos: Array,
    low: Array,
    dot: Array,
    pads: Array,
    product: Array,
    columns: NDArray[np.uint32],
    nonces: Sequence[bytes],
) -> None:
    r, h, t = layout.row_length, layout.pad_row, layout.columns
    if (
        rhos.shape != (5, layout.combined_rows)
        or low.shape != (5, r + t)
        or dot.shape != (5, 2 * r + t)
        or pads.shape != (5, 2 * h + t)
        or product.shape != (5, h + 2 * t)
        or columns.shape != (t, layout.base_rows)
        or len(nonces) != t
        or any(len(nonce) != NONCE_BYTES for nonce in nonces)
    ):
        raise Malformed("an opening of other sizes than its parameters", check="argument.format")


def _check_relations(layout: Layout, claim: CombinedClaim, dot: Array, pads: Array) -> None:
    """Coefficient R - 1 of ``dot`` is the claim's part in cells, the sum over H that in pads."""
    of_cells = to_element(dot[:, layout.row_length - 1])
    of_pads = sum_all(pads[:, :: layout.pad_row])
    if add(of_cells, multiply(constant(layout.pad_row), of_pads)) != claim.constant:
        raise InvalidOpening(
            "the committed values do not satisfy the relations", check="argument.relations"
        )


def _opened_points(layout: Layout, indices: NDArray[np.int64]) -> Points:
    """3 w_N^c."""
    root = np.array([root_of_unity(layout.code_log)], dtype=np.uint64)
    powers = Points(root, layout.code_length).power(indices)[:, 0]
    values = powers * np.uint64(GENERATOR) % np.uint64(P)
    return Points(values, 2 * layout.row_length + layout.columns)


def _split(layout: Layout, columns: NDArray[np.uint32]) -> _OpenedRows:
    first = layout.witness_rows
    last = first + layout.multiplicity_rows
    extension = columns[:, last:].astype(np.uint64).reshape(layout.columns, -1, 5)
    return _OpenedRows(
        witness=columns[:, :first].T,
        multiplicities=columns[:, first:last].T,
        extension=np.ascontiguousarray(extension.transpose(2, 1, 0)),
    )


def _low_values(layout: Layout, rows: _OpenedRows, rhos: Array) -> Array:
    first = layout.witness_rows
    last = first + layout.multiplicity_rows
    total = add_arrays(
        combine(rhos[:, :first], rows.witness),
        combine(rhos[:, first:last], rows.multiplicities),
    )
    of_extension = multiply_arrays(rhos[:, last:, None], rows.extension[:, MASK_LOW + 1 :])
    total = add_arrays(total, of_extension.sum(axis=1) % np.uint64(P))
    return add_arrays(total, rows.extension[:, MASK_LOW])


def _dot_values(layout: Layout, claim: CombinedClaim, rows: _OpenedRows, points: Points) -> Array:
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


def _pads_values(layout: Layout, claim: CombinedClaim, rows: _OpenedRows, points: Points) -> Array:
    shift = points.power(np.array([layout.pad_row]))[0]
    total = add_arrays(
        rows.extension[:, MASK_PADS_A], multiply_base(rows.extension[:, MASK_PADS_B], shift)
    )
    polynomials = interpolate(claim.pad_coefficients).reshape(20, layout.pad_row)
    weights = points.evaluate(polynomials).reshape(4, 5, -1).transpose(1, 0, 2)
    products = multiply_arrays(weights, rows.extension[:, PADS:])
    return add_arrays(total, products.sum(axis=1) % np.uint64(P))


def _product_values(layout: Layout, rows: _OpenedRows, points: Points, zeta: Element) -> Array:
    vanishing = power_base(points.values, layout.pad_row) + np.uint64(P - 1)
    difference = subtract_arrays(
        multiply_arrays(rows.extension[:, LEFT], rows.extension[:, RIGHT]),
        rows.extension[:, PRODUCT],
    )
    quotient = multiply_base(difference, inverse_base(vanishing % np.uint64(P)))
    scaled = multiply_arrays(from_element(zeta)[:, None], quotient)
    return add_arrays(rows.extension[:, MASK_PRODUCT], scaled)


def _require_equal(sent: Array, expected: Array, check: str) -> None:
    if not np.array_equal(sent, expected):
        raise InvalidOpening(
            "a polynomial of the opening does not agree with the opened columns", check=check
        )
