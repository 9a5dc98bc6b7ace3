"""Chains: what each step sees, what all of them cost, and which are refused."""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

import numpy as np
import pytest
import torch

from zkwm.attacks import make_attack
from zkwm.attacks.attack import Adversary, Target
from zkwm.attacks.chain import Chain
from zkwm.nn.digests import model_digest
from zkwm.nn.inference import logits, matches
from zkwm.nn.seeds import derived_seed
from zkwm.triggers import TriggerSet
from zkwm_protocols.errors import UsageError


class Untouchable:
    """Stands for weights that the adversary does not have: using it in any way is a failure."""

    def __getattribute__(self, name: str) -> NoReturn:
        raise AssertionError(f"the attack used {name} of a model that it does not have")


def test_a_chain_is_its_steps_one_after_the_other(target: Target, adversary: Adversary) -> None:
    chain = Chain("pruning share=0.5; fine_tuning which=RTAL rate=0.05 epochs=2 share=0.5")
    weights = model_digest(target.model)
    made = chain.run(target, adversary)
    assert model_digest(target.model) == weights
    first = make_attack("pruning", share=0.5).run(target, adversary)
    later = replace(adversary, seed=derived_seed(adversary.seed, "attack/chain", 1))
    step = make_attack("fine_tuning", which="RTAL", rate=0.05, epochs=2, share=0.5)
    second = step.run(replace(target, model=first.model), later)
    assert model_digest(made.model) == model_digest(second.model)
    assert made.gradient_images == first.gradient_images + second.gradient_images
    assert made.images == max(first.images, second.images)
    assert made.queries == 0


def test_a_chain_removes_what_its_steps_do(
    target: Target, adversary: Adversary, triggers: TriggerSet
) -> None:
    images, labels = torch.tensor(triggers.images), torch.tensor(triggers.labels)
    assert matches(target.model, images, labels) == 40
    made = Chain("fine_pruning share=0.5 epochs=2; fine_tuning which=RTAL rate=0.05 epochs=3")
    # 18 to 22 with four seeds
    assert matches(made.run(target, adversary).model, images, labels) < 31


def test_extraction_then_true_labels_needs_no_weights(target: Target, adversary: Adversary) -> None:
    chain = Chain(
        "extraction labels=hard architecture=dense epochs=1; fine_tuning epochs=1;"
        "extraction architecture=dense epochs=1"
    )
    made = chain.run(Target(Untouchable(), target.api), adversary)
    assert made.queries == 300  # the last one asks the adversary's own network
    assert made.images == 300
    assert made.gradient_images == 256 + 300 + 256


def test_only_the_step_that_uses_the_block_sees_it(target: Target, adversary: Adversary) -> None:
    text = "unlearning kind=opened fakes=50 epochs=1; pruning share=0.2"
    assert Chain(text).uses_opened
    assert not Chain("pruning; refit").uses_opened
    Chain(text).run(target, adversary)
    with pytest.raises(UsageError, match="opened"):
        Chain(text).run(replace(target, opened=None), adversary)
    assert Chain("merging; pruning").uses_second_theft
    assert not Chain(text).uses_second_theft


def test_nothing_follows_a_wrapper_and_void_stays_void(
    target: Target, adversary: Adversary
) -> None:
    assert Chain("pruning share=0.2; jpeg").run(target, adversary).gradient_images == 0
    with pytest.raises(UsageError, match="jpeg leaves no plain network"):
        Chain("jpeg; pruning share=0.2").run(target, adversary)


def test_a_chain_is_repeatable_and_its_seed_counts(target: Target, adversary: Adversary) -> None:
    chain = Chain("weight_noise; fine_tuning epochs=1")
    images = torch.tensor(adversary.data.test_images[:20])
    found = []
    for seed in (7, 7, 8):
        torch.manual_seed(seed + len(found))
        model = chain.run(target, replace(adversary, seed=seed)).model
        found.append(logits(model, images).numpy())
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "2 to 10 attacks"),
        ("pruning", "2 to 10 attacks"),
        ("pruning;", "2 to 10 attacks"),
        (";".join(["pruning"] * 11), "2 to 10 attacks"),
        ("prunin; refit", "no attack 'prunin'"),
        ("pruning shar=0.2; refit", "no parameter 'shar'"),
        ("pruning share=half; refit", "share"),
        ("pruning share=7; refit", "share"),
        ("pruning share; refit", "not a parameter"),
        ("pruning; chain", "no chain as a step"),
    ],
)
def test_what_is_no_chain_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Chain(text)
