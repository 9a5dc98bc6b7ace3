"""Sums of points of fresh labels follow the law of SPEC.md 8.6; those of leaked labels do not."""

from __future__ import annotations

import numpy as np
import pytest

from zkwm.evaluation.null_hypothesis.points import examine_points, fresh_labels


def tables(count: int = 4, shape: tuple[int, int] = (40, 5)) -> list[np.ndarray]:
    random = np.random.default_rng(2)
    return [random.standard_cauchy(size=shape) for _ in range(count)]


def test_claims_by_chance_are_as_rare_as_their_bits_say() -> None:
    found = examine_points("test", tables(), draws=250)
    assert (found.tables, found.sets) == (4, 1000)
    for reached in found.reached:
        assert reached.expected <= reached.at_most
        assert abs(reached.deviations) < 4 or reached.seen < 3


def test_missing_answers_make_them_rarer() -> None:
    found = examine_points("test", tables(), draws=50, unanswered=5)
    assert all(reached.seen <= reached.expected for reached in found.reached)


def test_labels_that_leaked_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def partly_leaked(text: str, draws: int, count: int, classes: int) -> np.ndarray:
        labels = fresh_labels(text, draws, count, classes)
        labels[:, :8] = favored
        return labels

    scores = tables(1)
    favored = scores[0][:8].argmax(axis=1)
    monkeypatch.setattr("zkwm.evaluation.null_hypothesis.points.fresh_labels", partly_leaked)
    found = examine_points("test", scores, draws=250)
    assert found.reached[1].deviations > 10
