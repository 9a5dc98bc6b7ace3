"""The polynomials of the dot test: values at points equal their terms, terms the definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.support.commitment_case import SIZES, equality_at, make_case
from zkwm_protocols.argument.ligero.linear_claim import (
    evaluate_multiplicity_polynomial,
    evaluate_witness_polynomial,
    match_places,
    multiplicity_polynomial,
    multiplicity_weights,
    witness_polynomial,
    witness_weights,
)
from zkwm_protocols.field.polynomial import Points
from zkwm_protocols.field.scalar import P, multiply
from zkwm_protocols.field.vector import to_element


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_short_evaluation_equals_evaluation_of_all_terms(size: Any) -> None:
    case = make_case(size)
    layout = case.layout
    values = np.random.default_rng(1).integers(0, P, 6, dtype=np.uint64)
    points = Points(values, 2 * layout.row_length)
    for short, full in (
        (evaluate_witness_polynomial, witness_polynomial),
        (evaluate_multiplicity_polynomial, multiplicity_polynomial),
    ):
        terms = full(case.claim, layout)
        assert terms.shape == (5, layout.row_length)
        assert np.array_equal(short(case.claim, layout, points), points.evaluate(terms))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_terms_are_the_coefficients_of_cells(size: Any) -> None:
    case = make_case(size)
    layout, claim = case.layout, case.claim
    weights, terms = witness_weights(claim, layout), witness_polynomial(claim, layout)
    generator = np.random.default_rng(2)
    for _ in range(40):
        j, b = int(generator.integers(layout.cells)), int(generator.integers(layout.triggers))
        i, p = divmod(j, 1 << layout.row_positions_log)
        cell = b + layout.triggers * p
        expected = multiply(
            claim.cells_factor,
            multiply(to_element(claim.batch[:, b]), equality_at(claim.point, j)),
        )
        found = multiply(
            to_element(weights[:, i]), to_element(terms[:, layout.row_length - 1 - cell])
        )
        assert found == expected
    weights, terms = multiplicity_weights(claim, layout), multiplicity_polynomial(claim, layout)
    for j in [0, layout.table_rows - 1, *generator.integers(0, layout.table_rows, 30).tolist()]:
        chunk, u = divmod(j, 1 << layout.tree_columns_log)
        i, p = divmod(j, 1 << layout.multiplicity_log)
        expected = multiply(
            claim.multiplicity_factor,
            multiply(to_element(claim.chunk_weights[:, chunk]), equality_at(claim.column_point, u)),
        )
        found = multiply(to_element(weights[:, i]), to_element(terms[:, layout.row_length - 1 - p]))
        assert found == expected


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_matches_are_found_where_their_cells_lie(size: Any) -> None:
    case = make_case(size)
    layout = case.layout
    rows = np.zeros((layout.witness_rows << layout.row_positions_log, layout.triggers), dtype=int)
    rows[: layout.cells] = case.cells
    rows = rows.reshape(layout.witness_rows, layout.row_length)
    places = match_places(case.claim, layout)
    found = rows[places.rows, layout.row_length - 1 - places.exponents]
    expected = [case.cells[j, b] for b, j in enumerate(case.claim.match_cells)]
    assert found.tolist() == expected
