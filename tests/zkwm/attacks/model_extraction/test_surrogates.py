"""Distillation from the weights, and extraction through the service alone."""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

import numpy as np
import pytest
import torch

from zkwm.attacks.attack import ANSWERS, Adversary, Target
from zkwm.attacks.model_extraction.answers import surrogate_labels
from zkwm.attacks.model_extraction.distillation import Distillation
from zkwm.attacks.model_extraction.extraction import Extraction
from zkwm.attacks.model_extraction.queries import mixtures_of
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


def test_the_largest_probabilities_are_what_a_thief_knows() -> None:
    answers = torch.tensor([[0.1, 0.5, 0.1, 0.3], [0.25, 0.05, 0.6, 0.1]])
    spread = surrogate_labels(answers, "top-k", 2, "spread")
    kept = torch.tensor([[0.1, 0.5, 0.1, 0.3], [0.25, 0.075, 0.6, 0.075]])
    torch.testing.assert_close(spread, kept)
    dropped = surrogate_labels(answers, "top-k", 2, "drop")
    torch.testing.assert_close(dropped[0], torch.tensor([0, 0.625, 0, 0.375]))
    for rest in ("spread", "drop"):
        torch.testing.assert_close(surrogate_labels(answers, "top-k", 4, rest), answers)
    assert surrogate_labels(answers, "hard", 2, "drop").tolist() == [1, 2]
    with pytest.raises(UsageError, match="the 5 largest of 4"):
        surrogate_labels(answers, "top-k", 5, "drop")


def test_mixtures_lie_between_two_images(adversary: Adversary) -> None:
    images = np.array([[[[0, 255]]], [[[255, 0]]]], dtype=np.uint8)
    mixed = mixtures_of(images, 401, 1.0, adversary)
    assert mixed.shape == (401, 1, 1, 2)
    sums = mixed.astype(int).sum(axis=(1, 2, 3))
    assert set(sums.tolist()) <= {254, 255, 256}
    between = (mixed[:, 0, 0, 0] > 0) & (mixed[:, 0, 0, 0] < 255)
    assert 140 < between.sum() < 260  # half of the pairs are of two different images
    assert np.array_equal(mixed, mixtures_of(images, 401, 1.0, adversary))
    other = mixtures_of(images, 401, 1.0, replace(adversary, seed=8))
    assert not np.array_equal(mixed, other)


def test_mixtures_cost_queries(adversary: Adversary) -> None:
    service = Service()
    attack = Extraction(budget=60, mixtures=90, architecture="dense", epochs=1, labels="hard")
    made = attack.run(Target(Untouchable(), service), adversary)
    assert made.queries == sum(map(len, service.asked)) == 150
    assert made.images == 60


@pytest.mark.parametrize("augmentation", ["random", "alternating"])
def test_a_surrogate_is_augmented_as_the_owner_does(
    augmentation: str, adversary: Adversary
) -> None:
    plain = Extraction(budget=64, architecture="dense", epochs=1)
    models = [
        attack.run(Target(Untouchable(), Service()), adversary).model
        for attack in (plain, replace(plain, augment=True, augmentation=augmentation))
    ]
    first, second = (next(iter(model.state_dict().values())) for model in models)
    weights = [torch.cat([p.flatten() for p in model.parameters()]) for model in models]
    assert torch.equal(first, second)  # mean of the same images
    assert not torch.equal(*weights)


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
        lambda: Extraction(mixtures=-1),
        lambda: Extraction(mixing=0.0),
        lambda: Extraction(labels="top-k", k=0),
        lambda: Extraction(rest="guess"),
        lambda: Extraction(augmentation="turned"),
    ],
)
def test_values_out_of_range_are_refused(make: object) -> None:
    with pytest.raises(UsageError):
        make()
