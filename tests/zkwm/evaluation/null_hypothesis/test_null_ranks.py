"""Rank sums of unmarked networks follow the law of SPEC.md 8.4; those of others do not."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from torch import nn

from zkwm.evaluation.null_hypothesis.ranks import examine_ranks
from zkwm.evaluation.null_hypothesis.significance import ChiSquare, together
from zkwm.triggers import TriggerSet
from zkwm_protocols.ranks import ranks, weights

COUNT, CLASSES = 20, 10
MODELS = [nn.Identity() for _ in range(3)]


def triggers(count: int = COUNT, classes: int = CLASSES) -> TriggerSet:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, 1, 8, 8), dtype=np.uint8)
    return TriggerSet(images, random.integers(0, classes, count), "noise", count, classes)


def skewed(model: nn.Module) -> np.ndarray:
    """Scores that nearly always prefer the same classes, with many that are equal."""
    del model
    random = np.random.default_rng(1)
    return np.round(random.normal(size=(COUNT, CLASSES)) + 5 * np.arange(CLASSES))


def test_fresh_labels_follow_the_law_for_skewed_scores() -> None:
    row = examine_ranks(MODELS, "adi", triggers(), skewed, draws=800)
    assert (row.sets, row.trials, row.class_count) == (2400, COUNT, CLASSES)
    assert [below.bits for below in row.below] == [1, 5, 10]
    for below in row.below:
        assert below.expected <= 2400 / 2**below.bits
        assert below.expected > 0.7 * 2400 / 2**below.bits
        assert below.p_value > 1e-3
    assert row.spread.degrees > 10
    assert row.spread.p_value > 1e-3
    assert len(set(row.committed_bits)) == 1
    assert 0 <= row.committed_bits[0] < 20


def test_expected_shares_are_those_of_all_label_vectors() -> None:
    scores = np.random.default_rng(2).normal(size=(5, 3))
    table = weights(3)
    sums = [
        sum(table[rank] for rank in ranks(scores, labels)) for labels in product(range(3), repeat=5)
    ]
    row = examine_ranks(MODELS[:1], "adi", triggers(5, 3), lambda _: scores, draws=243)
    assert [below.bits for below in row.below] == [1, 5]
    for below in row.below:
        shares = [sum(one >= least for one in sums) / 243 for least in range(max(sums) + 2)]
        assert below.expected == pytest.approx(243 * max(s for s in shares if s <= 2**-below.bits))


def test_scores_that_depend_on_labels_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    leaked = np.random.default_rng(3).integers(0, CLASSES, COUNT)
    favored = np.eye(CLASSES)[leaked]

    def partly_leaked(digest: bytes, count: int, classes: int) -> np.ndarray:
        random = np.random.default_rng(list(digest))
        drawn = random.integers(0, classes, count)
        return np.where(random.random(count) < 0.2, leaked, drawn)

    monkeypatch.setattr("zkwm.evaluation.null_hypothesis.ranks.stand_in_labels", partly_leaked)
    row = examine_ranks(MODELS, "adi", triggers(), lambda _: favored, draws=300)
    assert row.below[1].seen > 2 * row.below[1].expected
    assert row.below[1].p_value < 1e-9
    assert row.spread.p_value < 1e-9


def test_independent_tests_are_combined() -> None:
    # 6.251 and 14.684 are the upper tenths of chi-square with 3 and with 9 degrees of freedom
    tests = [ChiSquare(6.251, 3, 0.1), ChiSquare(14.684 - 6.251, 6, 0.2), ChiSquare(0.0, 0, 1.0)]
    combined = together(tests)
    assert (combined.statistic, combined.degrees) == (pytest.approx(14.684), 9)
    assert combined.p_value == pytest.approx(0.1, abs=1e-3)
