"""Confident-noise unlearning: the search for confident images, and forgetting them."""

from __future__ import annotations

import pytest
import torch

from zkwm.attacks.attack import Adversary, Target
from zkwm.attacks.model_modification.confident_noise import ConfidentNoise
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
        seen.update(images=images[300:], labels=labels[300:])
        return 0

    def confidence(images: torch.Tensor) -> float:
        with torch.no_grad():
            return float(target.model(as_unit(images)).softmax(dim=1).amax(dim=1).mean())

    with monkeypatch.context() as patched:
        patched.setattr("zkwm.attacks.model_modification.confident_noise.fit", record)
        ConfidentNoise(images=100, steps=1, size=0.001).run(target, adversary)
        barely = confidence(seen["images"])
        ConfidentNoise(steps=1).run(target, adversary)
        assert len(seen["images"]) == 150  # half as many as the adversary's clean ones
        ConfidentNoise(images=100).run(target, adversary)
    assert seen["images"].shape == (100, 1, 28, 28)
    assert torch.equal(seen["labels"], torch.full((100, 10), 0.1))
    assert confidence(seen["images"]) > barely + 0.02

    made = ConfidentNoise(images=300, epochs=10, rate=0.02).run(target, adversary)
    left = predictions(made.model, torch.tensor(triggers.images)).numpy() == triggers.labels
    assert left.sum() <= 30
    assert made.gradient_images == 10 * 4 * 128 + 20 * 300


@pytest.mark.parametrize(
    "parameters", [{"images": -1}, {"steps": 0}, {"size": 0.0}, {"epochs": 0}, {"rate": -1.0}]
)
def test_values_out_of_range_are_refused(parameters: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        ConfidentNoise(**parameters)
