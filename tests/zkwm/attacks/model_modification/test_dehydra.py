"""Neural Dehydration: class-wise inversion, the split, and forgetting."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from zkwm.attacks import make_attack
from zkwm.attacks.attack import Adversary, Target
from zkwm.attacks.model_modification.class_inversion import (
    Inversion,
    Statistics,
    invert_class,
    mark_samples,
)
from zkwm.attacks.model_modification.dehydra import Dehydra
from zkwm.nn.architectures import build_model
from zkwm.nn.image_source import as_unit
from zkwm.nn.inference import predictions
from zkwm.nn.seeds import generator
from zkwm.triggers import TriggerSet
from zkwm_protocols.errors import UsageError


def variation(images: Tensor) -> float:
    """Mean squared difference of neighbors."""
    return float((images[..., 1:] - images[..., :-1]).square().mean())


def test_a_class_is_inverted_into_smooth_images_that_the_model_gives_it(
    target: Target, adversary: Adversary
) -> None:
    def invert(plan: Inversion, images: Tensor | None = None) -> Tensor:
        statistics = Statistics(target.model, images)
        return invert_class(target.model, 4, (1, 28, 28), plan, generator(3, "test"), statistics)

    started = invert(Inversion(10, 1, 0.0))
    made = invert(Inversion(10, 100, 0.0))
    assert made.shape == (10, 1, 28, 28)
    assert float(made.min()) >= 0
    assert float(made.max()) <= 1
    assert int((predictions(target.model, made) == 4).sum()) >= 9
    assert variation(made) < 0.75 * variation(started)
    assert torch.equal(made, invert(Inversion(10, 100, 0.0)))

    # without batch norm, the adversary's images say what features are like
    images = as_unit(torch.tensor(adversary.data.train_images[:100]))
    assert torch.equal(made, invert(Inversion(10, 100, 0.1)))  # nobody says it
    alike = invert(Inversion(10, 100, 0.1), images)
    assert distance(target.model, alike, images) < 0.7 * distance(target.model, made, images)


def distance(model: nn.Module, images: Tensor, reference: Tensor | None) -> float:
    """Of the statistics of images' features."""
    with torch.no_grad(), Statistics(model, reference).compared() as distances:
        model(images)
    return float(torch.stack(distances).sum())


def test_batch_norms_know_the_statistics() -> None:
    model = build_model("resnet8", shape=(1, 8, 8), class_count=3, mean=[0.5], std=[0.25], seed=1)
    model.train()
    with torch.no_grad():
        for number in range(50):
            model(torch.rand((64, 1, 8, 8), generator=torch.Generator().manual_seed(number)))
    model.eval()
    like = torch.rand((500, 1, 8, 8), generator=torch.Generator().manual_seed(99))
    assert distance(model, like, None) < 0.2 * distance(model, 1 - like**4, None)
    assert distance(model, like, like) == distance(model, like, None)  # images are not needed


def test_the_half_that_lacks_a_class_s_typical_features_is_of_the_mark() -> None:
    """Features are the pixels: a typical one of nearly 1 in normal images, and noise."""
    random = torch.Generator().manual_seed(4)
    images = 0.5 * torch.rand((20, 1, 5, 5), generator=random)
    images[:, 0, 2, 2] = torch.where(torch.arange(20) % 2 == 0, 1.0, 0.9)
    head = nn.Linear(25, 3)
    chosen = mark_samples(nn.Sequential(nn.Flatten(), head), head, images)
    # the second of the two features above the quantile is noise, so a few may change sides
    assert int((chosen == (torch.arange(20) % 2 == 1)).sum()) >= 12
    assert int(chosen.sum()) == 10
    even = mark_samples(nn.Sequential(nn.Flatten(), head), head, torch.ones(6, 1, 5, 5))
    assert int(even.sum()) == 3


def test_inverted_images_are_unlearned(
    target: Target, adversary: Adversary, triggers: TriggerSet
) -> None:
    def kept(model: nn.Module) -> int:
        answers = predictions(model, torch.tensor(triggers.images)).numpy()
        return int((answers == triggers.labels).sum())

    assert kept(target.model) >= 36
    made = Dehydra(images=20, steps=30, labels="uniform", most_lost=100).run(target, adversary)
    assert kept(made.model) <= 30
    assert made.images == 300
    assert made.gradient_images == 10 * 20 * 30 + 10 * (2 * 270 // 256) * 256


def test_a_data_free_adversary_uses_no_image(
    target: Target, adversary: Adversary, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Tensor] = []

    def record(_: nn.Module, images: Tensor, labels: Tensor, *__: object, **___: object) -> int:
        seen.append(images)
        assert images.shape[0] == labels.shape[0]
        return 0

    monkeypatch.setattr("zkwm.attacks.model_modification.dehydra.fit", record)
    made = Dehydra(images=4, steps=2, data_free=True).run(target, adversary)
    assert made.images == 0
    # of ten classes, two normal samples each, less the two held out, and as many of the mark
    assert seen[0].shape == (36, 1, 28, 28)
    own = as_unit(torch.tensor(adversary.data.train_images))
    assert not any(bool((own == image).all(dim=(1, 2, 3)).any()) for image in seen[0])


@pytest.mark.parametrize(
    "parameters",
    [{"images": 1}, {"steps": 0}, {"statistics": -0.1}, {"labels": "?"}, {"epochs": 0},
     {"rate": 0.0}, {"held_out": 1.0}, {"most_lost": -1.0}],
)  # fmt: skip
def test_values_out_of_range_are_refused(parameters: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        make_attack("dehydra", **parameters)
