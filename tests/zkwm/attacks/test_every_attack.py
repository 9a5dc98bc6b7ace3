"""What holds for every attack in the registry."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from zkwm.attacks import ATTACKS, attack_class
from zkwm.attacks.attack import Adversary, Attack, Target
from zkwm.named_classes import parameters_of
from zkwm.nn.digests import data_digest, model_digest

CHEAP = {
    "epochs": 1,
    "architecture": "lenet5",
    "fisher_images": 20,
    "triggers": 20,
    "steps": 3,
    "fakes": 100,
    "rounds": 2,
    "moved": 50,
    "images_per_pair": 1,
}
"""Parameters that make an attack quick, set where it has them."""
QUERIES = {"extraction": 2000, "data_free_extraction": 2000}
"""Their budgets; those of ``blockdoor`` are levels of a pixel."""


def cheap(name: str) -> Attack:
    made: type[Attack] = attack_class(name)
    has = parameters_of(made)
    values = CHEAP | ({"budget": QUERIES[name]} if name in QUERIES else {})
    return made(**{key: value for key, value in values.items() if key in has})


def answers(model: torch.nn.Module, adversary: Adversary) -> np.ndarray:
    images = torch.tensor(adversary.data.test_images[:50]).float() / 255
    with torch.no_grad():
        return model(images).numpy()


@pytest.mark.slow
@pytest.mark.usefixtures("quick_labels")
@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_is_repeatable_and_leaves_the_target_unchanged(
    name: str, target: Target, adversary: Adversary
) -> None:
    weights, data = model_digest(target.model), data_digest(adversary.data)
    chosen = cheap(name)
    first = chosen.run(target, adversary)
    torch.manual_seed(99)
    np.random.seed(99)
    second = chosen.run(target, adversary)

    assert model_digest(target.model) == weights
    assert data_digest(adversary.data) == data
    assert not target.model.training
    assert all(parameter.requires_grad for parameter in target.model.parameters())
    assert bool(first.void) == (name == "transfer")  # only it puts the owner's head back
    logits = answers(first.model, adversary)
    assert logits.shape == (50, 10)
    assert np.isfinite(logits).all()
    np.testing.assert_array_equal(logits, answers(second.model, adversary))
    assert (first.images, first.queries, first.gradient_images) == (
        second.images, second.queries, second.gradient_images,
    )  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "fine_tuning", "weight_noise", "weight_shifting", "distillation", "extraction",
        "data_free_extraction", "ensemble", "merging",
    ],
)  # fmt: skip
def test_another_seed_is_another_outcome(name: str, target: Target, adversary: Adversary) -> None:
    other = replace(adversary, seed=8)
    logits = [answers(cheap(name).run(target, who).model, adversary) for who in (adversary, other)]
    assert not np.array_equal(*logits)
