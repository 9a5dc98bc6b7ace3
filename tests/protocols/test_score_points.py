"""``zkwm_protocols.score_points``: against the reference, and what no suspect can do to it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from tests.reference import points as reference
from zkwm_protocols.score_points import largest_points, points

SHAPES = st.tuples(st.integers(1, 12), st.integers(2, 7))
FEW = settings(max_examples=20)
ANY_SCORES = arrays.arrays(
    np.float64,
    SHAPES,
    elements=st.floats(allow_nan=False, allow_infinity=False)
    | st.floats(-8, 8, width=16)
    | st.sampled_from([-1.7e308, 1.7e308, 5e-324, 0.0, -0.0]),
)
SMALL_SCORES = arrays.arrays(np.float64, SHAPES, elements=st.floats(-8, 8, width=16))


def test_an_example_by_hand() -> None:
    # Rows less 5, over 4: (1, 0, -1), (1, -1, 0), (0, -1, 1), (0, 1, -1). Medians of the columns:
    # 0, -1, -1. Median of their absolute values then: 0 each; largest: 1, 2, 2. So the distances
    # are (1, .5, 0), (1, 0, .5), (0, 0, 1), (0, 1, 0), and the places weigh 3, 1, 0.
    scores = np.array([[9.0, 5.0, 1.0], [9.0, 1.0, 5.0], [5.0, 1.0, 9.0], [5.0, 9.0, 1.0]])
    assert points(scores).tolist() == [[9, 6, 3], [9, 3, 6], [4, 3, 9], [4, 9, 3]]


@FEW
@given(ANY_SCORES)
def test_points_are_those_of_the_reference(scores: NDArray[np.float64]) -> None:
    assert points(scores).tolist() == reference.points(scores.tolist())


@FEW
@given(arrays.arrays(np.float64, SHAPES, elements=st.floats(-30, 30, width=32)))
def test_points_of_probabilities_are_those_of_the_reference(scores: NDArray[np.float64]) -> None:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares = powers / powers.sum(axis=1, keepdims=True)
    assert points(shares).tolist() == reference.points(shares.tolist())


@FEW
@given(ANY_SCORES)
def test_points_are_bounded(scores: NDArray[np.float64]) -> None:
    assert points(scores).max() <= largest_points(scores.shape[1])


@FEW
@given(SMALL_SCORES, st.data())
def test_images_in_another_order_have_the_same_points(
    scores: NDArray[np.float64], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(scores))))
    assert (points(scores[order]) == points(scores)[order]).all()


@FEW
@given(SMALL_SCORES, st.data())
def test_classes_in_another_order_have_the_same_points(
    scores: NDArray[np.float64], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(scores.shape[1])))
    assert (points(scores[:, order]) == points(scores)[:, order]).all()


@FEW
@given(SMALL_SCORES, st.data())
def test_no_factor_of_a_row_moves_points(scores: NDArray[np.float64], data: st.DataObject) -> None:
    """Powers of two: with others the last bit of a quotient may differ, and a point with it."""
    size = len(scores)
    exponents = data.draw(st.lists(st.integers(-200, 200), min_size=size, max_size=size))
    assume(scores.min() < 0)  # no probabilities
    scaled = scores * 2.0 ** np.array(exponents)[:, None]
    assert (points(scaled) == points(scores)).all()


@FEW
@given(SMALL_SCORES, st.floats(-100, 100, width=16))
def test_no_summand_of_a_row_moves_points(scores: NDArray[np.float64], summand: float) -> None:
    scores = scores - 10  # no probabilities
    assert (points(scores + summand - 200) == points(scores)).all()


@FEW
@given(SMALL_SCORES, st.data())
def test_points_grow_with_the_score(scores: NDArray[np.float64], data: st.DataObject) -> None:
    """Of two classes with the same column the larger score has no fewer points."""
    scores = np.concatenate([scores, scores[::-1]])
    doubled = np.stack([scores[:, 0], scores[::-1, 0], *scores[:, 1:].T], axis=1)
    found = points(doubled).astype(int)
    above = doubled[:, 0] >= doubled[:, 1]
    assert (found[above, 0] >= found[above, 1]).all()


@pytest.mark.parametrize("class_count", [2, 3, 10, 1000])
def test_one_row_of_equal_scores_has_equal_points(class_count: int) -> None:
    assert set(points(np.full((1, class_count), 7.0)).ravel().tolist()) == {3}
