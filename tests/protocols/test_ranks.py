"""``zkwm_protocols.ranks``: exact by counting all labels, against the reference and by hand."""

from __future__ import annotations

import itertools
from collections import Counter, deque
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.reference import ranks as reference
from zkwm_protocols.errors import UsageError
from zkwm_protocols.evidence import assess
from zkwm_protocols.policy import Policy
from zkwm_protocols.ranks import centered, ranks, tail_numerators, weighted_sum, weights

SHAPES = st.tuples(st.integers(1, 12), st.integers(2, 7))
SCORES = arrays.arrays(np.float64, SHAPES, elements=st.floats(-1e6, 1e6, width=32))
ANY_SCORES = SCORES | arrays.arrays(
    np.float64,
    SHAPES,
    elements=st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([-1.7e308, 1.7e308]),
)


def test_weights_by_hand() -> None:
    assert weights(2) == (2, 0)
    assert weights(10) == (6, 4, 3, 2, 2, 1, 1, 0, 0, 0)


@pytest.mark.parametrize("class_count", [2, 3, 7, 10, 100, 1000])
def test_weights_are_those_of_the_reference(class_count: int) -> None:
    expected = [reference.weight(rank, class_count) for rank in range(class_count)]
    assert list(weights(class_count)) == expected


def test_an_example_by_hand() -> None:
    # Class 0 is a habit of this model; without it the second image ranks label 2 highest.
    scores = np.array([[9.0, 5.0, 1.0], [9.0, 1.0, 5.0], [9.0, 3.0, 3.0]])
    assert centered(scores).tolist() == [[0, 0, -4], [0, -4, 0], [2, 0, 0]]
    assert ranks(scores, [1, 2, 0]) == (1, 1, 0)


@given(ANY_SCORES, st.data())
def test_ranks_are_those_of_the_reference(scores: np.ndarray, data: st.DataObject) -> None:
    labels = data.draw(
        st.lists(st.integers(0, scores.shape[1] - 1), min_size=len(scores), max_size=len(scores))
    )
    assert list(ranks(scores, labels)) == reference.ranks(scores.tolist(), labels)


@given(ANY_SCORES)
def test_each_label_of_a_row_has_a_rank_of_its_own(scores: np.ndarray) -> None:
    # So a uniform label has a uniform rank, whatever the scores are: the null hypothesis.
    count = scores.shape[1]
    found = [ranks(scores, [label] * len(scores)) for label in range(count)]
    for row in zip(*found, strict=True):
        assert sorted(row) == list(range(count))


@pytest.mark.parametrize(
    "kind", ["random", "skewed", "ties", "probabilities", "one-hot", "wild", "huge"]
)
def test_the_null_is_exact_over_all_label_vectors(kind: str) -> None:
    random = np.random.default_rng(7)
    scores = random.normal(size=(5, 4))
    if kind == "skewed":
        scores[:, 2] += 50
    elif kind == "ties":
        scores = np.round(scores)
    elif kind == "probabilities":
        scores = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    elif kind == "one-hot":
        scores = np.eye(4)[[0, 0, 1, 0, 3]]
    elif kind == "wild":
        scores[1] *= 1e30
    elif kind == "huge":  # differences overflow
        scores = np.where(np.arange(4) < 2, 1.7e308, -1.7e308) * np.ones((5, 1))
    found = Counter(
        weighted_sum(ranks(scores, labels), 4) for labels in itertools.product(range(4), repeat=5)
    )
    for value, ways in tail_numerators(5, 4):
        assert sum(count for total, count in found.items() if total >= value) == ways


@pytest.mark.parametrize(("trials", "class_count"), [(1, 2), (6, 2), (9, 3), (12, 10), (4, 60)])
def test_tails_are_those_of_the_reference(trials: int, class_count: int) -> None:
    for value, ways in tail_numerators(trials, class_count):
        assert Fraction(ways, class_count**trials) == reference.tail(trials, class_count, value)


def test_all_ways_are_counted_at_full_size() -> None:
    assert deque(tail_numerators(1000, 10), maxlen=1).pop() == (0, 10**1000)


@given(SCORES, st.floats(-100, 100), st.integers(0, 6))
def test_what_is_typical_of_a_class_or_an_image_does_not_count(
    scores: np.ndarray, habit: float, column: int
) -> None:
    scores = np.round(scores)
    moved = scores + np.round(habit)
    labels = [0] * len(scores)
    assert ranks(moved, labels) == ranks(scores, labels)


def test_softmax_gives_the_ranks_of_its_logits() -> None:
    logits = np.random.default_rng(3).normal(size=(30, 10)) * 3
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = [int(label) for label in np.random.default_rng(4).integers(0, 10, 30)]
    assert ranks(softmax, labels) == ranks(logits, labels)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 300))
def test_evidence_is_the_exact_tail_less_the_same_allowances(value: int) -> None:
    terms = {"blocks_used": 1, "block_count": 4, "block_size": 50, "class_count": 10}
    found = assess(7, rank_sum=value, policy=Policy(), **terms)
    plain = assess(7, policy=Policy(), **terms)
    assert found.terms[1:] == plain.terms[1:]
    chance = 1 / reference.tail(50, 10, value)
    hundredths = (chance.numerator**100 // chance.denominator**100).bit_length() - 1
    assert found.terms[0].hundredths == hundredths
    assert found.rank_sum is not None
    assert found.reached == (found.rank_sum.needed is not None and value >= found.rank_sum.needed)


def test_a_sum_that_cannot_be_is_refused() -> None:
    terms = {"blocks_used": 1, "block_count": 4, "block_size": 50, "class_count": 10}
    for value in (-1, 301):
        with pytest.raises(UsageError, match="sum of ranks"):
            assess(0, rank_sum=value, policy=Policy(), **terms)
