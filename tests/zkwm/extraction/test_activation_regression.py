"""Regression on activations (SPEC.md 8.7): what does not change the function decides nothing."""

from __future__ import annotations

import copy
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tests.support.aligned import SHAPES, network
from zkwm.extraction import activation_regression
from zkwm.extraction.activation_regression import activation_kernel, regressed_scores
from zkwm.extraction.neuron_groups import (
    neuron_groups,
    scale_readers,
    scale_rows,
    weighted_layers,
)
from zkwm.extraction.unit_form import with_tensors
from zkwm.nn.architectures import Classifier

CLASS_MAP = (3, 0, 4)


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zkwm.nn.airbench.WIDTHS", (10, 12, 12))


def images_for(architecture: str, count: int = 40) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(count, *SHAPES[architecture], generator=generator)


def rescaled(model: Classifier) -> Classifier:
    """The same answers with each neuron multiplied by a power of two."""
    state = {name: t.double() for name, t in model.state_dict().items() if t.is_floating_point()}
    generator = torch.Generator().manual_seed(3)
    for group in neuron_groups(model):
        factors = 2.0 ** torch.randint(-9, 10, (group.size,), generator=generator).double()
        for maker in group.makers:
            for name in ("weight", "bias"):
                scale_rows(state, f"{maker.norm or maker.layer}.{name}", factors)
        scale_readers(state, group, 1 / factors)
    return with_tensors(model, state)


@pytest.mark.parametrize("architecture", [*SHAPES])
def test_scales_of_neurons_decide_nothing(architecture: str) -> None:
    model, images = network(architecture), images_for(architecture)
    before = copy.deepcopy(model.state_dict())
    labels = torch.arange(25) % 3
    found = regressed_scores(model, images, labels, CLASS_MAP)
    again = regressed_scores(rescaled(model), images, labels, CLASS_MAP)
    assert all(torch.equal(before[name], t) for name, t in model.state_dict().items())
    assert found.shape == (15, 3)
    np.testing.assert_allclose(found, again, rtol=1e-5, atol=1e-6)


def always_on(model: Classifier, *, mix: float) -> Classifier:
    """The same function on all images: the first neurons of linear layers shifted, and mixed."""
    changed = copy.deepcopy(model).double()
    layers = [one for one in changed.modules() if isinstance(one, nn.Linear)]
    with torch.no_grad():
        for layer, reader in pairwise(layers):
            for neuron in range(3):
                layer.bias[neuron] += 1000
                reader.bias -= 1000 * reader.weight[:, neuron]
            for neuron in (1, 2):
                layer.weight[neuron] += mix * layer.weight[0]
                layer.bias[neuron] += mix * layer.bias[0]
                reader.weight[:, 0] -= mix * reader.weight[:, neuron]
    return changed


def learned_by(model: Classifier, images: Tensor, labels: NDArray[np.int64]) -> float:
    """The share of the last labels that the regression tells from the first ones."""
    count = len(labels) // 2
    found = regressed_scores(model, images, torch.tensor(labels[:count]), range(5))
    return float((found.argmax(axis=1) == labels[count:]).mean())


@pytest.mark.parametrize("mix", [0.0, 1000.0])
def test_neurons_that_are_always_on_may_be_shifted_and_mixed(mix: float) -> None:
    """Labels that the last hidden layer holds, and the readout no longer shows."""
    model, images = network("dense").double(), images_for("dense", 200)
    with torch.no_grad():
        for layer in [one for one in model.modules() if isinstance(one, nn.Linear)][:-1]:
            layer.bias[:3] += 3  # on for all images
        head = torch.randn(5, 512, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
        seen: list[Tensor] = []
        last = [one for one in model.modules() if isinstance(one, nn.Linear)][-1]
        last.register_forward_hook(lambda _layer, inputs, _given: seen.append(inputs[0]))
        model(images.double())
        hidden = seen[0] - seen[0].mean(dim=0)
        labels = (hidden @ head.T).argmax(dim=1).numpy()
    plain = learned_by(model, images, labels)
    disguised = learned_by(always_on(model, mix=mix), images, labels)
    assert plain > 0.5
    assert disguised > plain - 0.1


def test_units_that_are_constant_are_left_out() -> None:
    model, images = network("dense").double(), images_for("dense")
    with torch.no_grad():
        for layer in [one for one in model.modules() if isinstance(one, nn.Linear)][:-1]:
            layer.weight.zero_()
    assert not activation_kernel(model, images).any()
    found = regressed_scores(model, images, torch.arange(20) % 3, CLASS_MAP)
    assert (found == 0).all()


def test_memory_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass for each few units gives what one pass gives."""
    model, images = network("resnet8").double(), images_for("resnet8", 8)
    whole = activation_kernel(model, images)
    assert float(whole.diagonal().mean()) == pytest.approx(1)
    monkeypatch.setattr(activation_regression, "_MOST_VALUES", 8 * 50)
    torch.testing.assert_close(activation_kernel(model, images), whole)


def test_scores_that_overflow_are_left_out() -> None:
    model, images = network("dense").double(), images_for("dense")
    with torch.no_grad():
        last = [one for one in model.modules() if isinstance(one, nn.Linear)][-1]
        last.weight.mul_(1e200)
    found = regressed_scores(model, images, torch.arange(20) % 3, CLASS_MAP)
    assert found.shape == (20, 3)
    assert np.isfinite(found).all()  # without the scores, which are too large
    with torch.no_grad():
        last.weight.fill_(torch.inf)
    np.testing.assert_array_equal(
        regressed_scores(model, images, torch.arange(20) % 3, CLASS_MAP), found
    )


def seen_by_doubles_alone(model: Classifier) -> Classifier:
    """The same answers: a channel whose products underflow in float32, and drown all in float64."""
    changed = copy.deepcopy(model)
    first, second, third, fourth, _ = (layer for _, layer in weighted_layers(changed))
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for layer, exponent in ((first, -30), (third, -60)):
            for weights in layer.parameters():
                weights.mul_(2.0**exponent)
        second.weight.mul_(2.0**30)
        fourth.weight.mul_(2.0**60)
        channel = second.weight[0]
        channel.copy_(torch.randn(channel.shape, generator=generator) * 2.0**-126)
        reader = third.weight.view(len(third.weight), len(second.weight), -1)[:, 0]
        reader.copy_(torch.randn(reader.shape, generator=generator) * 2.0**120)
    return changed


def test_what_doubles_alone_see_decides_nothing() -> None:
    """A thief's file may tell float64 nothing and answer as before, which is in float32."""
    model, images = network("lenet5"), images_for("lenet5")
    second = weighted_layers(model)[1][1]
    assert second.bias is not None
    with torch.no_grad():
        second.weight[0] = 0  # a dead channel, of which a trained network has some
        second.bias[0] = 0
    disguised, labels = seen_by_doubles_alone(model), torch.arange(25) % 3
    wide = copy.deepcopy(disguised).double()
    with torch.no_grad():
        assert torch.equal(disguised(images), model(images))
        assert not torch.allclose(wide(images.double()).float(), model(images), atol=10)
    found = regressed_scores(disguised, images, labels, CLASS_MAP)
    np.testing.assert_allclose(found, regressed_scores(model, images, labels, CLASS_MAP), atol=1e-6)
