"""Adversary against the regression of SPEC.md 8.7: activations beside which all else is small.

A channel that few images turn on is added to all neurons behind it and subtracted again.
"""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from tests.support.aligned import SHAPES, network
from zkwm.extraction.activation_regression import activation_kernel
from zkwm.extraction.neuron_groups import weighted_layers
from zkwm.nn.architectures import Classifier

COUNT = 160
IMAGES = torch.rand(COUNT, *SHAPES["lenet5"], generator=torch.Generator().manual_seed(1))


def with_spare_neurons() -> Classifier:
    """A network that reads nothing of the first neuron of each layer but the first."""
    model = network("lenet5")
    layers = [layer for _, layer in weighted_layers(model)]
    with torch.no_grad():
        for reader in layers[2:]:
            reader.weight[:, 0] = 0
    return model


def drowned(model: Classifier, factor: float) -> Classifier:
    """Much the same function: what 1 in 32 images turns on drowns neurons of both dense layers."""
    changed = copy.deepcopy(model)
    _, second, third, fourth, last = (layer for _, layer in weighted_layers(changed))
    assert second.bias is not None
    random = torch.Generator().manual_seed(3)
    with torch.no_grad():
        second.bias[0] = 0
        given = changed.features[:5](changed.normalize(IMAGES))[:, 0]  # one place is left
        second.bias[0] = -given.quantile(1 - 1 / 32)
        for layer, reader, size in ((third, fourth, factor), (fourth, last, 1.0)):
            assert layer.bias is not None
            layer.weight[0] = 0
            layer.bias[0] = 0
            shares = 0.5 + torch.rand(len(layer.weight), generator=random)
            shares[0] = 1  # what the next layer subtracts again
            layer.weight[:, 0] += size * shares
            reader.weight[:, 0] = -(reader.weight @ shares)
    return changed


@pytest.mark.parametrize("factor", [1e3, 1e6, 1e20])
def test_a_channel_that_few_images_turn_on_drowns_nothing(factor: float) -> None:
    model = with_spare_neurons()
    changed = drowned(model, factor)
    with torch.no_grad():
        same = (changed(IMAGES).argmax(dim=1) == model(IMAGES).argmax(dim=1)).double().mean()
    assert same > 0.9
    plain, found = (activation_kernel(one, IMAGES) for one in (model, changed))
    assert float(found.diagonal().median()) > 0.25  # less than 0.05 where all is drowned
    apart = ~torch.eye(COUNT, dtype=torch.bool)
    assert float(torch.corrcoef(torch.stack([plain[apart], found[apart]]))[0, 1]) > 0.15  # then 0


def test_networks_that_nothing_drowns_keep_every_direction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Honest use: the rule changes nothing where no few directions hold a table."""
    model = network("dense")
    images = torch.rand(COUNT, *SHAPES["dense"], generator=torch.Generator().manual_seed(1))
    found = activation_kernel(model, images)
    assert float(found.diagonal().mean()) == pytest.approx(1)
    monkeypatch.setattr("zkwm.extraction.activation_regression.MOST_REMOVALS", 0)
    np.testing.assert_array_equal(found, activation_kernel(model, images))
