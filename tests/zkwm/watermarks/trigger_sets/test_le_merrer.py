"""Frontier stitching: the adversaries, the paper's rule, and both kinds of labels."""

from __future__ import annotations

from itertools import accumulate
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.support.trigger_owner import fix_draws, matched, new_owner, small_data, trained_model
from zkwm.nn.inference import predictions
from zkwm.triggers.keystream import KeyStream
from zkwm.watermarks import make_watermark
from zkwm.watermarks.trigger_sets.le_merrer import (
    LeMerrer,
    fast_gradient_sign,
    frontier,
)
from zkwm.watermarks.watermark import DERIVED
from zkwm_protocols.errors import UsageError

pytestmark = pytest.mark.usefixtures("quick_labels")


def largest_mismatch_count(keys: int) -> int:
    """The paper's rule: with up to this many wrong answers to ``keys`` a model counts as marked.

    The largest z with 2^-K * sum of C(K, z') for z' <= z below 0.05, or -1 for none. It takes
    unmarked models for fair coins, which they are not (``LeMerrer.note``).
    """
    sums = accumulate(comb(keys, mismatches) for mismatches in range(keys + 1))
    return sum(20 * total < 2**keys for total in sums) - 1


@pytest.mark.parametrize(("keys", "allowed"), [(20, 5), (50, 18), (100, 41)])
def test_the_rule_of_the_paper(keys: int, allowed: int) -> None:
    assert largest_mismatch_count(keys) == allowed


def test_the_rule_needs_five_keys() -> None:
    assert largest_mismatch_count(5) == 0
    assert largest_mismatch_count(4) == -1


def test_the_gradients_sign_moves_every_pixel_against_its_label() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False))
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([[1.0, -1.0, 1.0, -1.0], [0.0, 0.0, 0.0, 0.0]]))
    images = torch.tensor([[[[100, 100], [10, 250]]]], dtype=torch.uint8)
    moved = fast_gradient_sign(model, images, torch.tensor([0]), 0.2)
    assert moved.flatten().tolist() == [49, 151, 0, 255]


def test_half_of_the_keys_fool_the_model_and_half_do_not() -> None:
    data, epsilon = small_data(), 0.05
    stream = KeyStream(bytes(32), "test")
    images, labels = frontier(
        trained_model(), data.train_images, data.train_labels, 20, epsilon, stream
    )
    given = predictions(trained_model(), torch.tensor(images)).numpy()
    assert (given != labels).tolist() == [True, False] * 10
    distances = np.abs(images[:, None].astype(int) - data.train_images[None]).max(axis=(2, 3, 4))
    sources = distances.argmin(axis=1)
    assert distances.min(axis=1).max() <= round(255 * epsilon) + 1
    assert np.array_equal(labels, data.train_labels[sources])
    clean = predictions(trained_model(), torch.tensor(data.train_images[sources])).numpy()
    assert np.array_equal(clean, labels)
    assert len(set(sources)) == 20


@pytest.mark.slow
@pytest.mark.parametrize(("labels", "steps"), [("declared", 360), (DERIVED, 360)])
def test_the_keys_get_their_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, labels: str, steps: int
) -> None:
    fix_draws(monkeypatch)
    monkeypatch.setattr("zkwm.training.settings.FEWEST_STEPS", steps)
    owner = new_owner(tmp_path, start=True)
    scheme = LeMerrer(triggers=20, labels=labels, epsilon=0.1)
    commitment = scheme.commit(owner)
    triggers = scheme.trigger_set(owner, commitment)
    assert commitment.header.label_mode == labels
    before = matched(scheme, trained_model(), triggers)
    assert before <= 10 if labels == DERIVED else before == 10
    after = matched(scheme, scheme.embed(owner, commitment).model, triggers)
    # 5 of 20 may be wrong: 0 were with two seeds, 1 to 5 after the 120 steps that this test had
    assert 20 - after <= largest_mismatch_count(20)
    assert bool(scheme.note) == (labels != DERIVED)


def test_the_rule_of_the_paper_takes_an_innocent_model_for_a_marked_one() -> None:
    data, stream = small_data(), KeyStream(bytes(32), "test")
    images, labels = frontier(
        trained_model(), data.train_images, data.train_labels, 50, 0.05, stream
    )
    wrong = [
        int((predictions(trained_model(seed), torch.tensor(images)).numpy() != labels).sum())
        for seed in (1, 2)
    ]
    # 18 may be wrong: 10 to 15 were with six pairs of seeds (mean 12.3, deviation 1.9), so that an
    # innocent model escapes about once in a thousand; with the seeds here neither does
    assert max(wrong) <= largest_mismatch_count(50)


def test_a_model_that_nothing_fools_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="20 of each"):
        LeMerrer(triggers=40, epsilon=0.001).commit(new_owner(tmp_path, start=True))


def test_without_a_trained_model_there_is_no_frontier(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="trained model"):
        LeMerrer().commit(new_owner(tmp_path))


@pytest.mark.parametrize("wrong", [{"triggers": 21}, {"epsilon": 0.0}, {"labels": "true"}])
def test_what_makes_no_frontier_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        make_watermark("le_merrer", **wrong)
