"""The stop rule: images held out, and trainings that are undone."""

from __future__ import annotations

import pytest
import torch

from zkwm.attacks.attack import Adversary, Target
from zkwm.attacks.model_modification.held_out import (
    GENTLENESS,
    Labeled,
    costs_too_much,
    hold_out,
    require_stop_rule,
    train_within,
)
from zkwm.nn.architectures import Classifier
from zkwm.nn.digests import model_digest
from zkwm_protocols.errors import UsageError


def test_each_image_is_either_trained_on_or_held_out() -> None:
    data = Labeled(torch.arange(25).reshape(25, 1, 1, 1).float(), torch.arange(25) * 2)
    kept, held = hold_out(data, 0.1, torch.Generator().manual_seed(1))
    assert (len(kept), len(held)) == (23, 2)
    assert sorted(torch.cat([kept.labels, held.labels]).tolist()) == data.labels.tolist()
    assert torch.equal(kept.images.flatten() * 2, kept.labels.float())
    again, _ = hold_out(data, 0.1, torch.Generator().manual_seed(1))
    assert torch.equal(again.labels, kept.labels)
    everything, nothing = hold_out(data, 0.0, torch.Generator().manual_seed(1))
    assert (len(everything), len(nothing)) == (25, 0)
    assert nothing.right(torch.nn.Identity()).shape == (0,)


@pytest.mark.parametrize("bearable", [1.0, 0.25, 0.0])
def test_the_strongest_training_that_keeps_accuracy_stays(
    target: Target, adversary: Adversary, bearable: float
) -> None:
    """A training that is stronger than ``bearable`` ends with a network of zeros."""
    images = torch.tensor(adversary.data.test_images[:50])
    held = Labeled(images, torch.tensor(adversary.data.test_labels[:50]))
    tried: list[float] = []

    def train(model: Classifier, gentleness: float) -> int:
        tried.append(gentleness)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(0 if gentleness > bearable else 1.001)
        return 7

    before = model_digest(target.model)
    right = held.right(target.model)
    left, taken = train_within(target.model, held, right, 3.0, train)
    assert tried == [each for each in GENTLENESS if each >= bearable]
    assert taken == 7 * len(tried)
    assert model_digest(target.model) == before
    assert (left is target.model) == (bearable == 0.0)
    assert not costs_too_much(right, held.right(left), 3.0)


@pytest.mark.parametrize(
    ("gone", "new", "too_much"),
    [(0, 0, False), (7, 0, True), (6, 0, False), (12, 4, False), (20, 8, True), (0, 50, False)],
)
def test_points_lost_are_counted_with_their_uncertainty(
    gone: int, new: int, too_much: bool
) -> None:
    """Of 100 images: 4 points are allowed, and the root of the changes."""
    before = torch.arange(200) < 100
    after = before.clone()
    after[:gone] = False
    after[100 : 100 + new] = True
    assert costs_too_much(before, after, 2.0) == too_much


@pytest.mark.parametrize(("share", "lost"), [(-0.1, 3.0), (1.0, 3.0), (0.1, -1.0)])
def test_a_rule_out_of_range_is_refused(share: float, lost: float) -> None:
    with pytest.raises(UsageError):
        require_stop_rule(share, lost)
