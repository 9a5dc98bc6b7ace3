"""``zkwm_protocols.relearning`` and the loop that torch runs, against the vectors (SPEC.md 8.7)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.support.stored_vectors import vectors
from zkwm.training.relearning import relearned_scores
from zkwm_protocols.ranks import ranks, weighted_sum
from zkwm_protocols.relearning import FOLDS, most_gradients, relearned_ranks, rounds_of


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 50])
def test_a_trigger_is_asked_last_before_it_is_trained_on(count: int) -> None:
    """Each label is used only after it was ranked, and every round asks somebody."""
    last: dict[int, int] = {}
    for number, (trained, asked) in enumerate(rounds_of(count), start=1):
        assert sorted([*trained, *asked]) == list(range(count))
        assert len(trained)
        assert len(asked)
        assert all(last.get(place, 0) < number for place in trained)
        last |= dict.fromkeys(asked.tolist(), number)
    assert all(last.get(place, 0) == place % FOLDS for place in range(count))


def test_the_price_is_known_beforehand() -> None:
    assert most_gradients(200) == 100 * 25 * sum(range(1, 8))
    assert most_gradients(1) == 0


def test_scores_that_are_not_finite_are_those_of_the_suspect_as_it_is() -> None:
    scores = np.random.default_rng(1).normal(size=(16, 5))
    labels = [number % 5 for number in range(16)]
    broken = [np.full((len(asked), 5), np.nan) for _, asked in rounds_of(16)]
    plain = list(ranks(scores, labels))
    for _, asked in rounds_of(16):
        for place, rank in zip(
            asked, ranks(scores[asked], [labels[i] for i in asked]), strict=True
        ):
            plain[place] = rank
    assert list(relearned_ranks(scores, broken, labels)) == plain


@pytest.mark.parametrize("case", vectors("relearning")["networks"], ids=lambda case: case["name"])
def test_rounds_of_a_network(case: dict[str, Any]) -> None:
    """All rounds from the first weights on, by torch and by the reference."""
    layers: list[nn.Module] = []
    for name in ("first", "second"):
        weights = torch.tensor(case[name], dtype=torch.float64)
        layer = nn.Linear(weights.shape[1], weights.shape[0], dtype=torch.float64)
        bias = torch.tensor(case[f"{name}_bias"], dtype=torch.float64)
        layer.load_state_dict({"weight": weights, "bias": bias})
        layers += [layer, nn.ReLU()]
    model, labels = nn.Sequential(*layers[:3]), torch.tensor(case["labels"])
    images = torch.tensor(case["images"], dtype=torch.float64)
    with torch.no_grad():
        plain = model(images)[:, case["class_map"]].numpy()
    tables, steps = [], []
    for trained, asked in rounds_of(len(images)):
        table, taken = relearned_scores(
            model, images[trained], labels[trained], images[asked], case["class_map"]
        )
        tables.append(table)
        steps.append(None if np.isnan(table).all() else taken)
    assert steps == case["steps"]
    found = relearned_ranks(plain, tables, case["labels"])
    assert list(found) == case["ranks"]
    assert weighted_sum(found, 3) == case["sum"]
