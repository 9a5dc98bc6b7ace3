"""``zkwm_protocols.score_tails``: exact by counting all labels, and against the reference."""

from __future__ import annotations

import itertools
from fractions import Fraction
from math import comb
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference import points as reference
from zkwm_protocols import score_tails
from zkwm_protocols.errors import UsageError
from zkwm_protocols.evidence import assess
from zkwm_protocols.log2_bounds import hundredths_down
from zkwm_protocols.policy import Policy
from zkwm_protocols.score_points import largest_points, points
from zkwm_protocols.score_tails import ScoreLaw, least_score_sum, score_hundredths, score_sum

NASTY = ("random", "skewed", "ties", "probabilities", "one-hot", "wild", "scaled", "constant")


def nasty(kind: str, count: int, classes: int) -> Any:
    """Scores that should tell nothing, float64 (count, classes)."""
    random = np.random.default_rng(7)
    scores = random.normal(size=(count, classes))
    if kind == "skewed":
        scores[:, 1] += 50
    elif kind == "ties":
        scores = np.round(scores)
    elif kind == "probabilities":
        scores = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    elif kind == "one-hot":
        scores = np.eye(classes)[random.integers(classes, size=count)]
    elif kind == "wild":
        scores[1] *= 1e300
    elif kind == "scaled":
        scores *= np.exp(30 * random.normal(size=(count, 1)))
    elif kind == "constant":
        scores[:] = scores[:, :1]
    return scores


@pytest.mark.parametrize("kind", NASTY)
def test_the_null_is_exact_over_all_label_vectors(kind: str) -> None:
    table = points(nasty(kind, 5, 4))
    rows = [row.tobytes() for row in table]
    law = ScoreLaw.of(rows, 4)
    found = [score_sum(rows, labels) for labels in itertools.product(range(4), repeat=5)]
    terms = {}
    for value in range(law.largest + 1):
        chance = Fraction(sum(total >= value for total in found), 4**5)
        assert chance == reference.tail(table.tolist(), 4, value)
        terms[value] = reference.term(chance)
        assert score_hundredths(value, law) == terms[value]
    for demanded in (0, 1, 99, 100, 101, 450, 999, 1000, 1001):
        enough = (value for value, term in terms.items() if term >= demanded)
        assert least_score_sum(demanded, law) == next(enough, None)


@settings(max_examples=15)
@given(
    st.integers(2, 5).flatmap(
        lambda classes: st.lists(
            st.none()
            | st.binary(min_size=classes, max_size=classes).map(
                lambda row: bytes(value % (largest_points(len(row)) + 1) for value in row)
            ),
            min_size=1,
            max_size=6,
        ).map(lambda rows: (rows, classes))
    )
)
def test_terms_of_any_points_are_those_of_the_reference(drawn: tuple[Any, int]) -> None:
    rows, classes = drawn
    law = ScoreLaw.of(rows, classes)
    lines = [None if row is None else list(row) for row in rows]
    for value in (0, law.largest // 2, law.largest):
        term = reference.term(reference.tail(lines, classes, value))
        assert score_hundredths(value, law) == term


def test_terms_of_200_triggers_are_those_of_the_reference() -> None:
    random = np.random.default_rng(3)
    scores, labels = random.normal(size=(200, 10)), random.integers(10, size=200)
    scores[np.arange(200), labels] += 1.5
    table = points(scores)
    rows = [row.tobytes() for row in table]
    value = score_sum(rows, labels.tolist())
    term = reference.term(reference.tail(table.tolist(), 10, value))
    assert term > 10_000
    assert score_hundredths(value, ScoreLaw.of(rows, 10)) == term


def test_a_power_of_two_is_told_from_its_neighbors() -> None:
    """All labels of 500 pairs at their best: 2^-500, whose logarithm no number of digits rounds."""
    law = ScoreLaw.of([bytes([0, 9])] * 500, 2)
    assert score_hundredths(law.largest, law) == 49_999
    assert least_score_sum(49_999, law) == law.largest - 8  # the next sum below is 9 less
    assert least_score_sum(50_000, law) is None


def test_few_digits_are_doubled_until_they_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    law = ScoreLaw.of([bytes([0, 3, 5]), bytes([2, 7, 4])] * 10, 3)
    known, least = score_hundredths(90, law), least_score_sum(500, law)
    monkeypatch.setattr(score_tails, "_BITS", 12)
    assert score_hundredths(90, law) == known
    assert least_score_sum(500, law) == least


def test_points_made_to_lie_beside_a_hundredth_are_told_from_it() -> None:
    """Who writes a verdict may choose all points: here P is within 2^-155 of a hundredth.

    One row takes up what 260 rare points leave, a digit of a number for each number of points.
    """
    digits = [
        19, 82, 59, 10, 11, 70, 43, 65, 22, 61, 67, 13, 6, 5, 56, 4, 46, 13, 52, 36, 30, 31, 9, 27,
        7, 20, 17, 3, 6, 5, 1, 104,
    ]  # fmt: skip
    count, classes, most = 260, 1000, largest_points(1000)
    chosen = bytes(points for points, often in enumerate(digits) for _ in range(often))
    law = ScoreLaw.of([chosen, *[bytes([*[0] * 999, 1])] * count], classes)
    rare = [comb(count, k) * (classes - 1) ** (count - k) for k in range(count + 1)]
    ways = sum(often * sum(rare[most - points :]) for points, often in enumerate(digits))
    chance = Fraction(ways, classes ** (count + 1)) * (1 + Fraction(1, 2**60))
    expected = hundredths_down(chance.denominator, chance.numerator)
    assert score_hundredths(most, law) == expected == 326
    assert least_score_sum(expected, law) == most


def test_a_missing_answer_is_worth_less_than_any_answer() -> None:
    random = np.random.default_rng(11)
    table = points(random.normal(size=(30, 6)))
    rows: list[bytes | None] = [row.tobytes() for row in table]
    labels = random.integers(6, size=30).tolist()
    whole = score_hundredths(score_sum(rows, labels), ScoreLaw.of(rows, 6))
    for number in range(30):
        fewer = [*rows[:number], None, *rows[number + 1 :]]
        left = score_hundredths(score_sum(fewer, labels), ScoreLaw.of(fewer, 6))
        assert left <= whole


def test_evidence_takes_points_of_as_many_triggers() -> None:
    law = ScoreLaw.of([bytes([0, 9])] * 50, 2)

    def weigh(value: int, triggers: int = 50) -> None:
        assess(
            0, score_sum=(value, law), blocks_used=1, block_count=1, block_size=triggers,
            class_count=2, policy=Policy(),
        )  # fmt: skip

    weigh(450)
    for value, triggers in ((451, 50), (-1, 50), (450, 49)):
        with pytest.raises(UsageError):
            weigh(value, triggers)
