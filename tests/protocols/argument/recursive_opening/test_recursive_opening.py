"""Recursive openings: honest ones pass, both provers agree, weights fold as their entries do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.cheating_opener import Opener
from tests.support.opening_case import FOLDS, OpeningCase, opening_case, random_elements
from zkwm_protocols.argument.recursive_opening.messages import RecursiveOpening
from zkwm_protocols.argument.recursive_opening.prover import RecursiveProver, dense_weights
from zkwm_protocols.argument.recursive_opening.sizes import Fold
from zkwm_protocols.argument.recursive_opening.weights import PowerWeights, UnitWeights
from zkwm_protocols.argument.transcript import Transcript
from zkwm_protocols.field.polynomial import Points, code_points
from zkwm_protocols.field.scalar import P, root_of_unity
from zkwm_protocols.field.vector import equality_table, multiply, to_element, to_list


def opened(case: OpeningCase) -> RecursiveOpening:
    prover = RecursiveProver(case.sizes, case.vector)
    transcript = Transcript()
    transcript.absorb_bytes("combined", prover.root)
    return prover.prove(transcript, case.claim, case.weights)


@pytest.mark.parametrize("length", [300, 301, 319, 320, 321])
@pytest.mark.parametrize(
    "folds", [FOLDS, (Fold(1, 9, 9),), (Fold(1, 9, 9), Fold(1, 8, 9), Fold(2, 7, 9), Fold(1, 6, 9))]
)
def test_honest_openings_are_accepted(length: int, folds: tuple[Fold, ...]) -> None:
    case = opening_case(length, folds)
    opening = opened(case)
    case.check(opening)
    other = Opener(case.sizes, case.vector).prove(Transcript(), case.claim, case.weights)
    assert np.array_equal(opening.last, other.last)
    for one, two in zip(opening.folds, other.folds, strict=True):
        assert (one.root, one.rounds, one.nodes) == (two.root, two.rounds, two.nodes)
        assert np.array_equal(one.columns, two.columns)


def test_columns_are_values_of_the_rows() -> None:
    """Row i has the entries i, i + 2^a, ... as coefficients; column c its values at 3 w^c."""
    case = opening_case(317)
    opening = opened(case)
    transcript = Transcript()
    transcript.absorb_bytes("combined", opening.folds[0].root)
    vector = np.zeros((5, case.sizes.padded_length), dtype=np.uint64)
    vector[:, :317] = case.vector
    places = [3 * pow(root_of_unity(9), c, P) % P for c in (0, 5, 511)]
    words = Opener(case.sizes, case.vector).codewords(0)
    for i in range(4):
        row = vector[:, i::4]
        values = Points(np.array(places, dtype=np.uint64), row.shape[1]).evaluate(row)
        assert np.array_equal(values, words[5 * i : 5 * i + 5][:, [0, 5, 511]])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 70), st.integers(1, 90), st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_weights_fold_as_their_entries(offset: int, length: int, bits: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    challenges = to_list(random_elements(generator, bits))
    places = np.sort(generator.choice(128, 5, replace=False))
    entries = -(-(offset + length) >> bits)
    factors = tuple(to_list(random_elements(generator, 2)))
    for term in (
        PowerWeights(offset, length, 7, places, random_elements(generator, 5)),
        UnitWeights((offset, offset + length - 1), factors),
    ):
        dense = dense_weights([term], entries << bits).reshape(5, entries, 1 << bits)
        table = equality_table(challenges)
        expected = multiply(dense, table[:, None]).sum(axis=2) % np.uint64(P)
        assert np.array_equal(term.folded(challenges, entries), expected)


def test_long_weights_are_those_of_a_transform() -> None:
    """Above 2^13 entries the prover sums powers by one transform instead of point by point."""
    generator = np.random.default_rng(2)
    places = np.sort(generator.choice(1 << 14, 3, replace=False))
    factors = random_elements(generator, 3)
    found = dense_weights([PowerWeights(7, 9_000, 14, places, factors)], 9_010)
    assert not found[:, :7].any()
    assert not found[:, 9_007:].any()
    points = code_points(14, places)
    for e in (0, 1, 8_999):
        powers = np.array([[pow(int(x), e, P) for x in points]], dtype=np.uint64)
        expected = (factors * powers % np.uint64(P)).sum(axis=1) % np.uint64(P)
        assert to_element(found[:, 7 + e]) == to_element(expected)
