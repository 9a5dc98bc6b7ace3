"""Merging weights and averaging answers of two stolen networks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from zkwm.attacks.attack import Adversary, Target
from zkwm.attacks.model_extraction.ensemble import Ensemble
from zkwm.attacks.model_modification.merging import Merging
from zkwm.attacks.model_modification.permutation import Permutation
from zkwm.nn.architectures import build_model
from zkwm.nn.inference import logits, matches
from zkwm.triggers import TriggerSet
from zkwm_protocols.errors import UsageError


def test_a_network_merged_with_itself_in_disguise_is_itself(
    target: Target, adversary: Adversary
) -> None:
    """Alignment undoes permutation and rescaling; without it the average would be no network."""
    disguised = Permutation().run(target, adversary).model
    thief = replace(adversary, second_theft=disguised)
    merged = Merging(share=0.3, epochs=0).run(target, thief)
    images = torch.tensor(adversary.data.test_images[:100])
    wanted, found = logits(target.model, images), logits(merged.model, images)
    torch.testing.assert_close(
        found - found.mean(1, True), wanted - wanted.mean(1, True), rtol=1e-3, atol=1e-3
    )
    assert merged.gradient_images == merged.images == merged.queries == 0


def test_a_merged_network_loses_the_mark(
    target: Target, adversary: Adversary, triggers: TriggerSet
) -> None:
    images, labels = torch.tensor(triggers.images), torch.tensor(triggers.labels)
    assert matches(target.model, images, labels) == 40
    merged = Merging(epochs=1).run(target, adversary)
    assert matches(merged.model, images, labels) < 20
    assert (merged.images, merged.gradient_images) == (300, 300)


def test_an_ensemble_answers_by_the_mean_of_probabilities(
    target: Target, adversary: Adversary
) -> None:
    assert adversary.second_theft is not None
    made = Ensemble(distill=False).run(target, adversary)
    images = torch.tensor(adversary.data.test_images[:50])
    each = [logits(one, images).softmax(1) for one in (target.model, adversary.second_theft)]
    torch.testing.assert_close(logits(made.model, images).softmax(1), (each[0] + each[1]) / 2)
    assert made.gradient_images == 0


def test_an_ensemble_is_distilled_on_all_images(target: Target, adversary: Adversary) -> None:
    more = np.random.default_rng(0).integers(0, 256, (80, 1, 28, 28), dtype=np.uint8)
    thief = replace(adversary, unlabeled=more, scratch_images=700)
    made = Ensemble(epochs=0, architecture="dense", batch_size=20).run(target, thief)
    assert made.images == 380
    assert made.gradient_images == 2 * 380
    assert made.model.config.architecture == "dense"
    assert made.queries == 0


@pytest.mark.parametrize("attack", [Merging(), Ensemble()])
def test_two_thefts_are_two_of_one_task(
    attack: Merging | Ensemble, target: Target, adversary: Adversary
) -> None:
    assert attack.uses_second_theft
    with pytest.raises(UsageError, match="one network only"):
        attack.run(target, replace(adversary, second_theft=None))
    other = build_model("lenet5", shape=(1, 28, 28), class_count=3, mean=[0.3], std=[0.3])
    with pytest.raises(UsageError):
        attack.run(target, replace(adversary, second_theft=other))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Merging(share=0.0),
        lambda: Merging(share=1.0),
        lambda: Merging(epochs=-1),
        lambda: Ensemble(architecture="vgg"),
        lambda: Ensemble(rate=0.0),
    ],
)
def test_values_out_of_range_are_refused(make: object) -> None:
    assert callable(make)
    with pytest.raises(UsageError):
        make()
