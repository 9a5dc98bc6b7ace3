"""Distillation from the weights, and extraction through the service alone."""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

import numpy as np
import pytest
import torch

from zkwm.attacks.attack import ANSWERS, Adversary, Target
from zkwm.attacks.model_extraction.distillation import Distillation
from zkwm.attacks.model_extraction.extraction import Extraction
from zkwm.nn.inference import predictions
from zkwm_protocols.errors import UsageError


class Untouchable:
    """Stands for weights that the adversary does not have: using it in any way is a failure."""

    def __getattribute__(self, name: str) -> NoReturn:
        raise AssertionError(f"the attack used {name} of a model that it does not have")


class Service:
    """Answers by whether the upper or the lower half is brighter, and counts."""

    def __init__(self) -> None:
        self.asked: list[torch.Tensor] = []

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        assert images.dtype == torch.float32
        assert 0 <= float(images.min()) <= float(images.max()) <= 1
        self.asked.append(images)
        halves = torch.nn.functional.adaptive_avg_pool2d(images, (2, 1)).flatten(1)
        return (10 * halves).softmax(dim=1)


@pytest.mark.parametrize("labels", ["soft", "hard"])
@pytest.mark.parametrize("queries", ["own", "noise"])
def test_extraction_never_touches_the_model(
    labels: str, queries: str, adversary: Adversary
) -> None:
    service = Service()
    attack = Extraction(labels=labels, queries=queries, budget=100, architecture="lenet5", epochs=1)
    assert attack.needs == ANSWERS
    made = attack.run(Target(Untouchable(), service), adversary)
    assert made.queries == sum(map(len, service.asked)) == 100
    assert made.images == (100 if queries == "own" else 0)
    assert made.model(torch.zeros(1, 1, 28, 28)).shape == (1, 2)


def test_without_a_budget_each_image_is_queried_once(adversary: Adversary) -> None:
    service = Service()
    attack = Extraction(architecture="lenet5", epochs=1)
    made = attack.run(Target(Untouchable(), service), adversary)
    assert made.queries == 300
    assert len(torch.unique(torch.cat(service.asked).flatten(1), dim=0)) == 300


def test_images_without_labels_are_queried_too(adversary: Adversary) -> None:
    more = np.random.default_rng(0).integers(0, 256, (80, 1, 28, 28), dtype=np.uint8)
    attack = Extraction(queries="unlabeled", architecture="lenet5", epochs=1)
    with pytest.raises(UsageError, match="without labels"):
        attack.run(Target(Untouchable(), Service()), adversary)
    service = Service()
    made = attack.run(Target(Untouchable(), service), replace(adversary, unlabeled=more))
    assert made.queries == made.images == 380
    assert torch.equal(torch.cat(service.asked)[300:], torch.tensor(more).float() / 255)


def test_a_surrogate_learns_as_long_as_the_network_from_scratch(adversary: Adversary) -> None:
    attack = Extraction(architecture="lenet5", epochs=0, batch_size=50)
    with pytest.raises(UsageError, match="from scratch"):
        attack.run(Target(Untouchable(), Service()), adversary)
    made = attack.run(Target(Untouchable(), Service()), replace(adversary, scratch_images=800))
    assert made.gradient_images == 900  # whole epochs over 300 images


def test_the_surrogate_learns_the_service(adversary: Adversary) -> None:
    """The service's answers differ from the data's labels; soft ones teach more than hard ones."""
    service = Service()
    images = torch.tensor(adversary.data.test_images).float() / 255
    served = service(images)
    away = {}
    for labels in ("soft", "hard"):
        attack = Extraction(labels=labels, architecture="dense", epochs=8)
        made = attack.run(Target(Untouchable(), service), adversary)
        with torch.no_grad():
            given = made.model(images).softmax(dim=1)
        # 0.92 to 0.97 with four seeds (deviation 0.02); a constant class would give 0.65
        assert float((given.argmax(1) == served.argmax(1)).float().mean()) > 0.9
        away[labels] = float((given - served).abs().mean())
    assert away["soft"] < away["hard"]


@pytest.mark.parametrize("architecture", ["", "dense"])
def test_distillation_learns_the_teacher(
    architecture: str, target: Target, adversary: Adversary
) -> None:
    wrong = replace(
        adversary, data=replace(adversary.data, train_labels=adversary.data.train_labels * 0)
    )
    attack = Distillation(architecture=architecture, epochs=12, rate=0.05, batch_size=50)
    made = attack.run(target, wrong)
    images = torch.tensor(adversary.data.test_images)
    same = predictions(made.model, images) == predictions(target.model, images)
    # 0.75 to 0.90 with four seeds (deviation 0.04 to 0.05); the data's wrong label gives 0.1
    assert float(same.float().mean()) > 0.6
    assert made.model.config.architecture == (architecture or "lenet5")
    assert made.queries == 0
    assert (made.images, made.gradient_images) == (300, 3600)


def test_a_surrogate_starts_from_random_weights(target: Target, adversary: Adversary) -> None:
    made = Distillation(epochs=1, rate=1e-30).run(target, adversary)
    mine, theirs = (next(m.features.parameters()) for m in (made.model, target.model))
    assert abs(np.corrcoef(mine.detach().ravel(), theirs.detach().ravel())[0, 1]) < 0.4


@pytest.mark.parametrize(
    "make",
    [
        lambda: Distillation(temperature=0.0),
        lambda: Distillation(architecture="vgg"),
        lambda: Extraction(labels="logits"),
        lambda: Extraction(architecture=""),
        lambda: Extraction(budget=-1),
    ],
)
def test_values_out_of_range_are_refused(make: object) -> None:
    with pytest.raises(UsageError):
        make()
