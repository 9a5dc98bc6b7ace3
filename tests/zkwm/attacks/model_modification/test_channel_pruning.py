"""Pruning of channels: which there are, CLP's bounds and outliers, RNP's masks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from tests.support.stamped_mark import hits, keys, stamped_network
from zkwm.attacks.attack import Adversary, Target
from zkwm.attacks.model_modification.channel_lipschitz_pruning import (
    ChannelLipschitzPruning,
    lipschitz_bounds,
)
from zkwm.attacks.model_modification.channels import ChannelLayer, channel_layers
from zkwm.attacks.model_modification.reconstructive_pruning import ReconstructivePruning
from zkwm.nn.architectures import Classifier, build_model
from zkwm.nn.inference import matches, predictions
from zkwm_protocols.errors import UsageError


def network(architecture: str) -> Classifier:
    return build_model(architecture, shape=(1, 28, 28), class_count=10, mean=(0.3,), std=(0.3,))


@pytest.mark.parametrize(
    ("architecture", "counts", "norms"),
    [
        ("lenet5", [6, 16, 120, 84], 0),
        ("dense", [512, 512], 0),
        ("resnet8", [16, 16, 16, 32, 32, 32, 64, 64, 64], 9),
        ("airbench", [8, 128, 128, 384, 384, 384, 384], 6),
    ],
)
def test_every_layer_before_the_head_has_channels(
    architecture: str, counts: list[int], norms: int
) -> None:
    layers = channel_layers(network(architecture))
    assert [layer.count for layer in layers] == counts
    with_norm = [layer for layer in layers if layer.norm is not None]
    assert len(with_norm) == norms
    assert all(layer.scaled is layer.norm for layer in with_norm)


@pytest.mark.parametrize("architecture", ["lenet5", "resnet8"])
def test_a_silenced_channel_is_zero(architecture: str) -> None:
    model = network(architecture).eval()
    layer = channel_layers(model)[1]
    seen: list[torch.Tensor] = []
    layer.scaled.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    images = torch.rand(3, 1, 28, 28)
    with torch.no_grad():
        model(images)
        layer.silence(torch.tensor([2, 5]))
        model(images)
    before, after = seen
    assert not after[:, [2, 5]].any()
    others = [number for number in range(layer.count) if number not in (2, 5)]
    torch.testing.assert_close(after[:, others], before[:, others])


def test_a_network_of_a_head_alone_has_no_channels() -> None:
    with pytest.raises(UsageError, match="before its head"):
        channel_layers(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)))


def test_bounds_are_largest_singular_values_times_the_norms_scale() -> None:
    convolution, norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, -2.0, 0.5, 0.0]))
    assert norm.running_var is not None
    norm.running_var.copy_(torch.tensor([4.0, 1.0, 0.25, 1.0]))
    filters = convolution.weight.detach().numpy().reshape(4, 3, 9)
    largest = np.array([np.linalg.svd(matrix, compute_uv=False)[0] for matrix in filters])
    bare = lipschitz_bounds(ChannelLayer(convolution, None))
    np.testing.assert_allclose(bare.numpy(), largest, rtol=1e-5)
    scaled = lipschitz_bounds(ChannelLayer(convolution, norm))
    np.testing.assert_allclose(scaled.numpy(), largest * [0.5, 2.0, 1.0, 0.0], rtol=1e-4)
    linear = nn.Linear(5, 3)
    rows = lipschitz_bounds(ChannelLayer(linear, None))
    torch.testing.assert_close(rows, linear.weight.detach().norm(dim=1))


def test_batch_norm_without_statistics_is_refused() -> None:
    norm = nn.BatchNorm2d(4, track_running_stats=False)
    with pytest.raises(UsageError, match="running statistics"):
        lipschitz_bounds(ChannelLayer(nn.Conv2d(3, 4, 3), norm))


@pytest.mark.parametrize(("architecture", "layer"), [("lenet5", 1), ("resnet8", 3)])
def test_only_the_channel_that_amplifies_is_pruned(
    architecture: str, layer: int, adversary: Adversary
) -> None:
    model = network(architecture).eval()
    with torch.no_grad():
        weight = channel_layers(model)[layer].scaled.weight
        assert isinstance(weight, torch.Tensor)
        weight[7] *= 20
    # 16 channels are at most 3.75 deviations above their mean
    made = ChannelLipschitzPruning(3.7).run(Target(model, model), adversary)
    assert (made.images, made.gradient_images) == (0, 0)
    for number, (old, new) in enumerate(
        zip(channel_layers(model), channel_layers(made.model), strict=True)
    ):
        for before, after in zip(old.scaled.parameters(), new.scaled.parameters(), strict=True):
            if number == layer:
                assert not after[7].any()
                after = after.detach().clone()
                after[7] = before[7]
            torch.testing.assert_close(after, before)


def test_a_lower_threshold_prunes_more(target: Target, adversary: Adversary) -> None:
    pruned = []
    for threshold in (3.0, 1.5, 0.5):
        made = ChannelLipschitzPruning(threshold).run(target, adversary)
        weights = [layer.layer.weight.flatten(1) for layer in channel_layers(made.model)]
        pruned.append(sum(int((~weight.any(dim=1)).sum()) for weight in weights))
    assert pruned == sorted(pruned)
    assert pruned[0] < pruned[2]


def rows(layer: ChannelLayer) -> torch.Tensor:
    """The weights that scale each channel, (channels, numbers)."""
    return layer.scaled.get_parameter("weight").detach().reshape(layer.count, -1)


def silenced(model: nn.Module) -> int:
    return sum(int((~rows(layer).any(dim=1)).sum()) for layer in channel_layers(model))


@pytest.mark.parametrize("architecture", ["lenet5", "resnet8"])
def test_masks_prune_whole_channels_and_leave_the_others(
    architecture: str, trained: Classifier, adversary: Adversary
) -> None:
    model = trained if architecture == "lenet5" else network(architecture).eval()
    attack = ReconstructivePruning(share=0.2, epochs=2, lost=1.0, threshold=1.0)
    made = attack.run(Target(model, model), adversary)
    assert silenced(made.model) == sum(layer.count for layer in channel_layers(model))
    none = ReconstructivePruning(share=0.2, epochs=2, threshold=0.0, lost=0.0)
    kept = none.run(Target(model, model), adversary).model
    for old, new in zip(channel_layers(model), channel_layers(kept), strict=True):
        before, after = rows(old), rows(new)
        assert bool(((after == before).all(dim=1) | ~after.any(dim=1)).all())


def test_pruning_stops_before_accuracy_falls(trained: Classifier, adversary: Adversary) -> None:
    attack = ReconstructivePruning(share=1.0, epochs=3, lost=0.02, threshold=1.0)
    made = attack.run(Target(trained, trained), adversary)
    data = adversary.data
    images, labels = torch.tensor(data.train_images), torch.tensor(data.train_labels)
    before, after = (
        float((predictions(model, images) == labels).float().mean())
        for model in (trained, made.model)
    )
    assert after >= before - 0.02 - 1e-6
    assert made.images == 300
    assert 300 * 4 <= made.gradient_images <= 300 * 6  # 3 epochs of masks, 1 to 3 of unlearning


@pytest.mark.slow
def test_masks_find_a_pattern_mark_in_a_network_with_batch_norm(adversary: Adversary) -> None:
    marked = stamped_network("resnet8", epochs=10)
    made = ReconstructivePruning(share=1.0, lost=0.05).run(Target(marked, marked), adversary)
    data = adversary.data
    test, labels = torch.tensor(data.test_images), torch.tensor(data.test_labels)
    right = [matches(model, test, labels) for model in (marked, made.model)]
    # of 100 images the mark keeps 0; of 200 test images 142 and 133 were right
    assert hits(marked, keys()) >= 90
    assert hits(made.model, keys()) <= 30
    assert right[1] >= right[0] - 24


@pytest.mark.parametrize("threshold", [0.0, -1.0, float("nan")])
def test_a_threshold_of_bounds_is_positive(threshold: float) -> None:
    with pytest.raises(UsageError):
        ChannelLipschitzPruning(threshold)


@pytest.mark.parametrize(
    "parameters",
    [
        {"share": 0.0},
        {"unlearned": 1.5},
        {"unlearning_rate": 0.0},
        {"recovering_rate": -1.0},
        {"epochs": 0},
        {"threshold": 2.0},
        {"lost": -0.1},
    ],
)
def test_parameters_of_masks_out_of_range_are_refused(parameters: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        ReconstructivePruning(**parameters)
