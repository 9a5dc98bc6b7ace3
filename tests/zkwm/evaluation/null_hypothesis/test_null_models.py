"""Matches of unmarked models: binomial for derived labels, no law for declared ones."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
import torch
from torch import nn

from zkwm.evaluation.null_hypothesis.matches import TriggerTest, examine_null
from zkwm.evaluation.null_hypothesis.significance import (
    binomial_probabilities,
    chi_square,
    two_sided,
)
from zkwm.triggers import TriggerSet


class Skewed(nn.Module):
    """A network that answers class 3 to most images and class 0 to the others."""

    def __init__(self, limit: float) -> None:
        super().__init__()
        self.limit = nn.Parameter(torch.tensor(limit))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        dark = images.flatten(1).mean(dim=1) < self.limit
        return nn.functional.one_hot(torch.where(dark, 3, 0), 10).float()


MODELS = [Skewed(limit) for limit in (0.4, 0.49, 0.5, 0.51)]


def triggers(labels: np.ndarray) -> TriggerSet:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (len(labels), 1, 8, 8), dtype=np.uint8)
    return TriggerSet(images, labels, "noise", 20, 10)


def test_derived_labels_are_binomial_for_skewed_answers() -> None:
    labels = np.random.default_rng(1).integers(0, 10, 60)
    (row,) = examine_null(MODELS, [TriggerTest("adi", triggers(labels))], draws=100)
    assert row.fresh is not None
    assert row.fresh.trials == 4 * 100 * 60
    assert row.fresh.p_value > 1e-3
    assert row.fresh.spread_p_value > 1e-3
    assert row.fresh.spread_degrees > 5
    assert row.reached == 0
    assert row.least_p_value > 1e-3


def test_declared_labels_accuse_innocent_models() -> None:
    declared = triggers(np.full(60, 3))
    (row,) = examine_null([*MODELS, Skewed(0.6)], [TriggerTest("zhang", declared, derived=False)])
    assert row.fresh is None
    assert row.needed_matches is not None
    assert row.matches[0] < row.matches[-1]
    assert row.reached == 0.2
    assert row.most_bits > 100
    assert row.least_p_value < 1e-6


def test_extracted_bits_count_and_no_answer_is_no_trial() -> None:
    keys = TriggerSet(
        np.random.default_rng(2).integers(0, 256, (40, 1, 1, 32), dtype=np.uint8),
        np.random.default_rng(3).integers(0, 2, 40),
        "keys",
        20,
        2,
    )

    def bits(model: nn.Module) -> np.ndarray:
        values = np.ones(40, np.int64)
        values[:10] = -1
        return values

    (row,) = examine_null(MODELS, [TriggerTest("uchida", keys, extract=bits)], draws=50)
    assert row.matches == (int(keys.labels[10:].sum()),) * 4
    assert row.fresh is not None
    assert row.fresh.trials == 4 * 50 * 30
    assert row.fresh.p_value > 1e-3
    assert row.fresh.spread_p_value > 1e-3


def test_the_binomial_test_is_exact() -> None:
    weights = [comb(20, k) * 9 ** (20 - k) for k in range(21)]
    probabilities = binomial_probabilities(20, 10)
    np.testing.assert_allclose(probabilities, [weight / 10**20 for weight in weights], rtol=1e-9)
    for matches in (0, 2, 5, 20):
        rare = sum(weight for weight in weights if weight <= weights[matches])
        assert two_sided(matches, 20, 10) == pytest.approx(rare / 10**20, rel=1e-9)
    assert two_sided(100_300, 1_000_000, 10) == pytest.approx(0.318, abs=0.01)
    assert two_sided(102_000, 1_000_000, 10) < 1e-9


def test_the_chi_square_test_notices_a_wrong_spread() -> None:
    # 6.251 is the upper tenth of chi-square with three degrees of freedom
    expected = np.full(4, 100.0)
    step = np.sqrt(6.251 * 100 / 4)
    test = chi_square([100, 100, 100, 100], expected)
    assert (test.statistic, test.degrees, test.p_value) == (0.0, 3, 1.0)
    counts = [100 + step, 100 - step, 100 + step, 100 - step]
    assert chi_square(counts, expected).p_value == pytest.approx(0.1, abs=1e-3)
    probabilities = 1000 * binomial_probabilities(50, 10)
    random = np.random.default_rng(0)
    fair = np.bincount(random.binomial(50, 0.1, 1000), minlength=51)
    wide = np.bincount(10 * random.binomial(5, 0.1, 1000), minlength=51)
    assert chi_square(fair.tolist(), probabilities).p_value > 1e-3
    assert chi_square(wide.tolist(), probabilities).p_value < 1e-9
