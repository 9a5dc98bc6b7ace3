"""``zkwm_protocols.relearning`` and the loop that torch runs, against the vectors (SPEC.md 8.7)."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.support.stored_vectors import vectors
from zkwm.extraction.activation_regression import regressed_scores
from zkwm.extraction.even_form import in_even_form
from zkwm.nn.architectures import Classifier, ModelConfig
from zkwm.nn.widths import with_widths
from zkwm.suspects.learner import learned_scores
from zkwm_protocols.ranks import ranks, weighted_sum
from zkwm_protocols.relearning import FOLDS, Form, most_gradients, relearned_ranks, rounds_of


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
    assert most_gradients(200) == 2 * 100 * 25 * sum(range(1, 8))
    assert most_gradients(1) == 0


def test_scores_that_are_not_finite_are_those_of_the_suspect_as_it_is() -> None:
    scores = np.random.default_rng(1).normal(size=(16, 5))
    labels = [number % 5 for number in range(16)]
    broken = [np.full((len(asked), 5), np.nan) for _, asked in rounds_of(16)]
    assert relearned_ranks(scores, [broken, broken], labels) == ranks(scores, labels)


def test_copies_that_know_less_than_the_suspect_stop_counting() -> None:
    """From part 2 on, and not the part whose own labels show it."""
    labels = [number % 5 for number in range(16)]
    knows = np.eye(5)[labels] * 9.0 - 4.0
    wrong = [-knows[asked] for _, asked in rounds_of(16)]
    found = relearned_ranks(knows, [wrong], labels)
    assert [rank for place, rank in enumerate(found) if place % 8 != 1] == [0] * 14
    assert found[1] != 0
    assert found[9] != 0
    right = [knows[asked] for _, asked in rounds_of(16)]
    assert set(relearned_ranks(-knows, [right], labels)[1:8]) == {0}


def test_ranks_are_uniform_whatever_counts() -> None:
    """All 2^9 labels of 9 triggers, by copies that depend on all labels learned: all 2^9 ranks."""
    random = np.random.default_rng(2)
    scores, tables = random.normal(size=(9, 2)), dict[tuple[int, ...], NDArray[np.float64]]()
    seen, changed = set[tuple[int, ...]](), 0
    for labels in product(range(2), repeat=9):
        relearned = []
        for form in range(2):
            relearned.append(list[NDArray[np.float64]]())
            for trained, asked in rounds_of(9):
                known = (form, *(labels[place] for place in trained))
                table = tables.setdefault(known, random.normal(size=(9, 2)))
                relearned[-1].append(table[asked])
        found = relearned_ranks(scores, relearned, labels)
        seen.add(found)
        changed += found[2:5] == ranks(scores, labels)[2:5]
    assert len(seen) == 2**9
    assert changed > 0


def dense(case: dict[str, Any], leaf: str = "layers") -> Classifier:
    """The network of a vector, with fewer neurons than a ``dense`` has."""
    side, outputs = len(case["images"][0]), len(case[leaf][-1]["bias"])
    statistics = (case["mean"],), (case["std"],)
    model = Classifier(ModelConfig("dense", (1, 1, side), outputs, *statistics))
    state = {}
    for place, layer in zip((1, 3, 5), case[leaf], strict=True):
        for name in ("weight", "bias"):
            state[f"features.{place}.{name}"] = torch.tensor(layer[name], dtype=torch.float64)
    for name in ("mean", "std"):  # float32 would round them
        state[f"normalize.{name}"] = torch.full((1, 1, 1, 1), case[name], dtype=torch.float64)
    return with_widths(model, state)


@pytest.mark.parametrize("case", vectors("relearning")["networks"], ids=lambda case: case["name"])
def test_rounds_of_a_network(case: dict[str, Any]) -> None:
    """All forms and rounds from the first weights on, by torch and by the reference."""
    model, labels = dense(case), torch.tensor(case["labels"])
    images = torch.tensor(case["images"], dtype=torch.float64)[:, None, None, :]
    with torch.no_grad():
        plain = model(images)[:, case["class_map"]].numpy()
    tables, steps = [], []
    for form in Form:
        found = [
            learned_scores(
                model, form, images[[*trained, *asked]], labels[trained], case["class_map"]
            )
            for trained, asked in rounds_of(len(images))
        ]
        tables.append([table for table, _ in found])
        if form.trained:
            steps.append([None if np.isnan(table).all() else taken for table, taken in found])
    assert steps == case["steps"]
    found_ranks = relearned_ranks(plain, tables, case["labels"])
    assert list(found_ranks) == case["ranks"]
    assert weighted_sum(found_ranks, 3) == case["sum"]


@pytest.mark.parametrize("case", vectors("relearning")["networks"], ids=lambda case: case["name"])
def test_the_even_form_of_a_network(case: dict[str, Any]) -> None:
    images = torch.tensor(case["images"], dtype=torch.float64)[:, None, None, :]
    found = in_even_form(dense(case), images, case["class_map"]).state_dict()
    if case["even"] is None:
        return  # nothing that another reader could compare
    for place, layer in zip((1, 3, 5), case["even"], strict=True):
        for name in ("weight", "bias"):
            expected = torch.tensor(layer[name], dtype=torch.float64)
            torch.testing.assert_close(found[f"features.{place}.{name}"], expected)


@pytest.mark.parametrize("case", vectors("relearning")["networks"], ids=lambda case: case["name"])
def test_the_regression_on_a_network(case: dict[str, Any]) -> None:
    images = torch.tensor(case["images"], dtype=torch.float64)[:, None, None, :]
    trained, asked = rounds_of(len(images))[0]
    both, labels = images[[*trained, *asked]], torch.tensor(case["labels"])[trained]
    found = regressed_scores(dense(case), both, labels, case["class_map"])
    np.testing.assert_allclose(found, case["regression"], rtol=1e-9, atol=1e-9)


def test_the_best_of_all_copies_counts() -> None:
    """One form knows nothing, another all, the suspect half; the first part is the first form's."""
    labels = [number % 5 for number in range(24)]
    knows = np.eye(5)[labels] * 9.0 - 4.0
    nothing, everything = ([sign * knows[asked] for _, asked in rounds_of(24)] for sign in (-1, 1))
    half = np.where(np.arange(24)[:, None] % 2 == 1, knows, -knows)
    found = relearned_ranks(half, [nothing, everything], labels)
    assert [rank for place, rank in enumerate(found) if place % 8 > 1] == [0] * 18
    assert all(found[place] for place in (1, 9, 17))
