"""Extraction without images: what is asked for, the estimated gradient, and what is learned."""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from zkwm.attacks.attack import ANSWERS, WEIGHTS, Adversary, Target
from zkwm.attacks.model_extraction.data_free import DataFreeDistillation, DataFreeExtraction
from zkwm.attacks.model_extraction.image_generator import (
    Game,
    build_generator,
    centered,
    disagreement,
    play,
)
from zkwm.data import ImageData
from zkwm_protocols.errors import UsageError

SIDE = 8


class Untouchable:
    """Stands for what the adversary does not have: using it in any way is a failure."""

    def __getattribute__(self, name: str) -> NoReturn:
        raise AssertionError(f"the attack used {name}")


class Halves(nn.Module):
    """Three logits: the brightness of the upper half, of the lower half, and of the left one."""

    def forward(self, images: Tensor) -> Tensor:
        parts = images[:, 0, : SIDE // 2], images[:, 0, SIDE // 2 :], images[:, 0, :, : SIDE // 2]
        return 8 * torch.stack([part.flatten(1).mean(dim=1) for part in parts], dim=1)


@pytest.fixture
def nobody() -> Adversary:
    """An adversary who knows the shape of images and has none."""
    images = np.zeros((1, 1, SIDE, SIDE), np.uint8)
    labels = np.zeros(1, np.int64)
    return Adversary(ImageData(images, labels, images, labels, 3, "none"), seed=3)


def test_logits_are_what_probabilities_tell() -> None:
    logits = torch.tensor([[3.0, -1.0, 4.0]])
    torch.testing.assert_close(centered(logits.softmax(dim=1)), logits - 2.0)


def test_extraction_without_images_learns_a_service_by_its_answers(nobody: Adversary) -> None:
    asked = []

    def service(images: Tensor) -> Tensor:
        assert 0 <= float(images.min()) <= float(images.max()) <= 1
        asked.append(len(images))
        return Halves()(images).softmax(dim=1)

    attack = DataFreeExtraction(
        budget=15_000, architecture="dense", batch_size=50, width=4, generator_rate=0.01
    )
    assert attack.needs == ANSWERS
    made = attack.run(Target(Untouchable(), service), nobody)
    assert made.queries == sum(asked) == 1 + 42 * 350 <= 15_000
    assert (made.images, made.gradient_images) == (0, 42 * 300)
    images = torch.rand(500, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    images = (images + torch.linspace(0, 1, SIDE).view(1, 1, SIDE, 1)) / 2
    same = made.model(images).argmax(dim=1) == Halves()(images).argmax(dim=1)
    assert float(same.float().mean()) > 0.8


def test_the_estimated_gradient_points_where_the_exact_one_does(nobody: Adversary) -> None:
    """In enough directions; one alone is right on average."""
    copy = nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, 3))
    torch.manual_seed(0)
    nn.init.normal_(copy[1].weight)
    raw = torch.randn(4, 1, SIDE, SIDE, requires_grad=True)

    def logits(images: Tensor) -> Tensor:
        return centered(Halves()(images).softmax(dim=1))

    disagreement(raw, copy, logits).mean().backward()
    exact = raw.grad
    assert exact is not None
    attack = DataFreeExtraction(directions=3000, batch_size=2)
    random = torch.Generator().manual_seed(2)
    found = attack.estimated_gradient(raw.detach(), copy, logits, random)
    cosine = nn.functional.cosine_similarity(found.flatten(), exact.flatten(), dim=0)
    assert float(cosine) > 0.95
    assert float(found.norm() / exact.norm()) == pytest.approx(1, abs=0.1)


def test_distillation_without_images_asks_nobody(target: Target, adversary: Adversary) -> None:
    attack = DataFreeDistillation(rounds=2, batch_size=20, width=4)
    assert attack.needs == WEIGHTS
    before = {name: value.clone() for name, value in target.model.state_dict().items()}
    made = attack.run(replace(target, api=Untouchable()), adversary)
    assert (made.images, made.queries, made.gradient_images) == (0, 0, 2 * 6 * 20)
    assert all(torch.equal(before[k], v) for k, v in target.model.state_dict().items())


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 9, 14)])
def test_generators_make_images_of_any_size(shape: tuple[int, int, int]) -> None:
    generator = build_generator(shape, 4, 0)
    assert generator(torch.randn(5, 100)).shape == (5, *shape)
    again = build_generator(shape, 4, 0)
    assert torch.equal(again.first[0].weight, generator.first[0].weight)


def test_a_game_that_diverges_is_refused(nobody: Adversary) -> None:
    copy = nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, 3))
    game = Game(1, 1, 4, 0.1, 0.1)
    generator, random = build_generator((1, SIDE, SIDE), 4, 0), torch.Generator()
    with pytest.raises(UsageError, match="diverged"):
        play(
            copy, generator, lambda images: torch.full((len(images), 3), torch.nan),
            lambda raw: raw.sum().backward(), game, random,
        )  # fmt: skip


@pytest.mark.parametrize(
    "make",
    [
        lambda: DataFreeExtraction(budget=400),
        lambda: DataFreeExtraction(directions=0),
        lambda: DataFreeExtraction(step=0.0),
        lambda: DataFreeExtraction(architecture=""),
        lambda: DataFreeExtraction(width=5),
        lambda: DataFreeExtraction(batch_size=1),
        lambda: DataFreeDistillation(rounds=0),
        lambda: DataFreeDistillation(copy_steps=0),
        lambda: DataFreeDistillation(rate=0.0),
        lambda: DataFreeDistillation(architecture="vgg"),
    ],
)
def test_values_out_of_range_are_refused(make: object) -> None:
    assert callable(make)
    with pytest.raises(UsageError):
        make()
