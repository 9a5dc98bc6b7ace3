"""Confident-noise unlearning: the search for confident images, and forgetting them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from zkwm.attacks import make_attack
from zkwm.attacks.attack import Adversary, Target
from zkwm.attacks.model_modification.confident_noise import ConfidentNoise
from zkwm.nn.digests import model_digest
from zkwm.nn.image_source import as_unit
from zkwm.nn.inference import predictions
from zkwm.training.fit import Fit
from zkwm.triggers import TriggerSet
from zkwm_protocols.errors import UsageError


def test_noise_becomes_confident_and_is_unlearned(
    target: Target,
    adversary: Adversary,
    triggers: TriggerSet,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: dict[str, torch.Tensor] = {}

    def record(
        model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, *_: Fit, **__: int
    ) -> int:
        seen.update(images=images[270:], labels=labels[270:])
        return 0

    def confidence(images: torch.Tensor) -> float:
        with torch.no_grad():
            return float(target.model(as_unit(images)).softmax(dim=1).amax(dim=1).mean())

    with monkeypatch.context() as patched:
        patched.setattr("zkwm.attacks.model_modification.confident_noise.fit", record)
        ConfidentNoise(images=100, steps=1, size=0.001).run(target, adversary)
        barely = confidence(seen["images"])
        ConfidentNoise(steps=1).run(target, adversary)
        assert len(seen["images"]) == 135  # half of the 270 clean ones that are not held out
        ConfidentNoise(images=100).run(target, adversary)
    assert seen["images"].shape == (100, 1, 28, 28)
    assert torch.equal(seen["labels"], torch.full((100, 10), 0.1))
    assert confidence(seen["images"]) > barely + 0.02

    made = ConfidentNoise(images=300, epochs=10, rate=0.02, held_out=0).run(target, adversary)
    left = predictions(made.model, torch.tensor(triggers.images)).numpy() == triggers.labels
    assert left.sum() <= 30
    assert made.gradient_images == 10 * 4 * 128 + 20 * 300


def test_an_opened_block_is_where_the_search_begins(
    target: Target, adversary: Adversary, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[torch.Tensor] = []

    def record(_: ConfidentNoise, __: torch.nn.Module, starts: torch.Tensor) -> torch.Tensor:
        moved.append(starts)
        return (starts * 255).round().to(torch.uint8)

    seeking = ConfidentNoise(kind="opened", images=40, epochs=1, most_lost=100)
    monkeypatch.setattr(ConfidentNoise, "_move", record)
    seeking.run(target, adversary)
    assert target.opened is not None
    opened = {image.tobytes() for image in target.opened.images}
    begun = [(image * 255).round().to(torch.uint8).numpy().tobytes() for image in moved[0]]
    assert sum(image in opened for image in begun) == 20  # the other half has the secret family

    assert seeking.uses_opened
    assert not ConfidentNoise().uses_opened
    with pytest.raises(UsageError):
        seeking.run(replace(target, opened=None), adversary)


def test_rounds_seek_again_and_what_kills_the_network_is_undone(
    target: Target, adversary: Adversary
) -> None:
    once = ConfidentNoise(images=60, steps=2, epochs=1, most_lost=100).run(target, adversary)
    twice = ConfidentNoise(images=60, steps=2, epochs=1, most_lost=100, rounds=2).run(
        target, adversary
    )
    assert twice.gradient_images == 2 * once.gradient_images
    assert model_digest(twice.model) != model_digest(once.model)

    drowning = ConfidentNoise(images=2000, steps=1, epochs=1, rate=0.5)
    test = torch.tensor(adversary.data.test_images)
    right = adversary.data.test_labels

    def accuracy(model: torch.nn.Module) -> float:
        return float((predictions(model, test).numpy() == right).mean())

    dead = replace(drowning, held_out=0).run(target, adversary)
    alive = drowning.run(target, adversary)
    assert accuracy(dead.model) < 0.3
    assert accuracy(alive.model) > accuracy(target.model) - 0.12


@pytest.mark.parametrize(
    "parameters",
    [
        {"images": -1},
        {"steps": 0},
        {"size": 0.0},
        {"kind": "?"},
        {"epochs": 0},
        {"rate": -1.0},
        {"rounds": 0},
        {"held_out": 1.0},
        {"most_lost": -1.0},
    ],
)
def test_values_out_of_range_are_refused(parameters: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        make_attack("seeking", **parameters)
