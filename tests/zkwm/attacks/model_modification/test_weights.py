"""Attacks that change weights directly: pruning, fine-pruning, quantization, noise, shifting."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from zkwm.attacks import attack_class
from zkwm.attacks.attack import Adversary, Target
from zkwm.attacks.model_modification.fine_pruning import (
    FinePruning,
    channel_activity,
    reader_of_last_convolution,
)
from zkwm.attacks.model_modification.pruning import Pruning
from zkwm.attacks.model_modification.quantization import Quantization
from zkwm.attacks.model_modification.structural_obfuscation import StructuralObfuscation
from zkwm.attacks.model_modification.weight_noise import WeightNoise
from zkwm.attacks.model_modification.weight_shifting import WeightShifting
from zkwm.attacks.starting_point import weight_layers
from zkwm.nn.architectures import build_model
from zkwm.nn.digests import model_digest
from zkwm_protocols.errors import UsageError


def all_weights(model: nn.Module) -> np.ndarray:
    return np.concatenate([w.weight.detach().numpy().ravel() for w in weight_layers(model)])


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_pruning_zeroes_the_smallest_weights_of_all_layers(
    share: float, target: Target, adversary: Adversary
) -> None:
    made = Pruning(share=share).run(target, adversary)
    before, after = all_weights(target.model), all_weights(made.model)
    gone = after == 0
    assert gone.sum() == round(share * len(before))
    assert np.abs(before[gone]).max() <= np.abs(before[~gone]).min()
    np.testing.assert_array_equal(before[~gone], after[~gone])
    assert (made.images, made.gradient_images) == (0, 0)


def test_fine_tuning_after_pruning_keeps_the_zeros(target: Target, adversary: Adversary) -> None:
    bare = all_weights(Pruning(share=0.8).run(target, adversary).model)
    made = Pruning(share=0.8, epochs=1).run(target, adversary)
    tuned = all_weights(made.model)
    np.testing.assert_array_equal(tuned == 0, bare == 0)
    assert not np.array_equal(tuned, bare)
    assert (made.images, made.gradient_images) == (300, 300)


@pytest.mark.parametrize("bits", [8, 5, 4])
def test_quantized_weights_have_few_levels_in_each_channel(
    bits: int, target: Target, adversary: Adversary
) -> None:
    after = Quantization(bits=bits).run(target, adversary).model
    for old, new in zip(weight_layers(target.model), weight_layers(after), strict=True):
        for before, channel in zip(old.weight.detach(), new.weight.detach(), strict=True):
            assert len(channel.unique()) <= 2**bits - 1
            step = float(before.abs().max()) / (2 ** (bits - 1) - 1)
            assert float((before - channel).abs().max()) <= step / 2 * 1.001
            assert float(channel.abs().max()) == pytest.approx(float(before.abs().max()))
        assert torch.equal(old.bias, new.bias)


def test_a_channel_of_zeros_stays_zero(adversary: Adversary) -> None:
    model = build_model("lenet5", shape=(1, 28, 28), class_count=10, mean=(0.3,), std=(0.3,))
    with torch.no_grad():
        weight_layers(model)[0].weight[2] = 0
    after = Quantization(bits=4).run(Target(model, lambda x: x), adversary).model
    assert not weight_layers(after)[0].weight[2].any()


@pytest.mark.parametrize("strength", [0.1, 0.5])
def test_noise_is_in_proportion_to_each_layer(
    strength: float, target: Target, adversary: Adversary
) -> None:
    after = WeightNoise(strength=strength).run(target, adversary).model
    for old, new in zip(weight_layers(target.model), weight_layers(after), strict=True):
        size = float(old.weight.detach().square().mean().sqrt())
        noise = (new.weight - old.weight).detach()
        few = noise.numel() ** -0.5
        assert float(noise.square().mean().sqrt()) == pytest.approx(strength * size, rel=3 * few)
        assert float(noise.mean()) == pytest.approx(0, abs=4 * few * strength * size)


def test_shifting_subtracts_the_mean_filter(target: Target, adversary: Adversary) -> None:
    """Without noise and at a vanishing rate only the shift is left."""
    made = WeightShifting(shift=1.5, noise=0.0, epochs=1, rate=1e-30).run(target, adversary)
    for old, new in zip(weight_layers(target.model), weight_layers(made.model), strict=True):
        expected = old.weight - 1.5 * old.weight.mean(dim=0)
        wanted = expected if isinstance(old, nn.Conv2d) else old.weight
        torch.testing.assert_close(new.weight, wanted, atol=1e-6, rtol=1e-5)


def test_shifting_needs_filters(adversary: Adversary) -> None:
    model = build_model("dense", shape=(1, 28, 28), class_count=10, mean=(0.3,), std=(0.3,))
    with pytest.raises(UsageError, match="filters"):
        WeightShifting().run(Target(model, lambda x: x), adversary)


def test_fine_pruning_prunes_dormant_channels(target: Target, adversary: Adversary) -> None:
    images = torch.tensor(adversary.data.train_images)
    reader, channels = reader_of_last_convolution(target.model)
    activity = channel_activity(target.model, reader, channels, images)
    by_hand = target.model.features[:6](target.model.normalize(images.float() / 255))
    torch.testing.assert_close(
        activity, by_hand.double().mean(dim=(0, 2, 3)).detach(), atol=1e-5, rtol=1e-4
    )

    made = FinePruning(share=0.5, epochs=1).run(target, adversary)
    reader_after, _ = reader_of_last_convolution(made.model)
    columns = reader_after.weight.detach().reshape(120, channels, -1)
    gone = {c for c in range(channels) if not bool(columns[:, c].any())}
    assert gone == set(activity.argsort()[: channels // 2].tolist())
    assert (made.images, made.gradient_images) == (300, 256)


def test_fine_pruning_leaves_a_channel(target: Target, adversary: Adversary) -> None:
    made = FinePruning(share=0.999, epochs=1).run(target, adversary)
    reader, channels = reader_of_last_convolution(made.model)
    columns = reader.weight.detach().reshape(120, channels, -1)
    assert sum(bool(columns[:, c].any()) for c in range(channels)) == 1


def test_fine_pruning_finds_the_last_channels_of_a_residual_network() -> None:
    model = build_model("resnet8", shape=(1, 28, 28), class_count=10, mean=(0.3,), std=(0.3,))
    reader, channels = reader_of_last_convolution(model)
    assert (reader.in_features, channels) == (64, 64)


def test_fine_pruning_needs_a_convolution(adversary: Adversary) -> None:
    model = build_model("dense", shape=(1, 28, 28), class_count=10, mean=(0.3,), std=(0.3,))
    with pytest.raises(UsageError, match="convolution"):
        FinePruning().run(Target(model, lambda x: x), adversary)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("pruning", {"share": 0.0}),
        ("pruning", {"share": 1.0}),
        ("pruning", {"epochs": -1}),
        ("fine_pruning", {"share": 1.0}),
        ("quantisation", {"bits": 1}),
        ("weight_noise", {"strength": 0.0}),
        ("weight_shifting", {"noise": -1.0}),
        ("structural_obfuscation", {"kind": "hidden"}),
        ("structural_obfuscation", {"share": 0.0}),
        ("structural_obfuscation", {"share": 2.5}),
        ("structural_obfuscation", {"members": 1}),
        ("structural_obfuscation", {"members": 9}),
        ("structural_obfuscation", {"noise": float("nan")}),
    ],
)
def test_values_out_of_range_are_refused(name: str, wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        attack_class(name)(**wrong)


def test_structural_obfuscation_is_decided_by_its_seed() -> None:
    model = build_model("cnn2", shape=(1, 28, 28), class_count=10, mean=(0.3,), std=(0.3,))
    attack = StructuralObfuscation(noise=0.1)
    digests = [model_digest(attack.obfuscated(model, seed)) for seed in (1, 1, 2)]
    assert digests[0] == digests[1] != digests[2]
