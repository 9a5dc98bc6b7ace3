"""Alignment undoes every change that keeps all answers, for each built-in architecture."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from tests.support.aligned import (
    SHAPES,
    assert_same_answers,
    changed,
    difference,
    network,
    relative_logits,
)
from zkwm.attacks.model_modification.permutation import shuffle
from zkwm.extraction.alignment import align, aligned
from zkwm.extraction.neuron_groups import neuron_groups, weighted_layers
from zkwm.extraction.reader import JudgeView
from zkwm.extraction.unit_form import restore, unit_form, with_tensors
from zkwm.nn.architectures import build_model
from zkwm_protocols.errors import UsageError

ARCHITECTURES = [*SHAPES, pytest.param("resnet18", marks=pytest.mark.slow)]


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """``airbench`` has few channels here, since wide layers take long to match."""
    monkeypatch.setattr("zkwm.nn.airbench.WIDTHS", (10, 12, 12))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_disguised_copy_is_brought_back(architecture: str):
    reference = network(architecture)
    suspect = changed(reference, 0.3)
    plain = align(suspect, reference)
    assert_same_answers(suspect, plain)
    for rescale in (False, True):
        disguised = shuffle(suspect, 5, rescale=rescale)
        assert_same_answers(suspect, disguised, factor=False)
        assert difference(suspect, disguised) > 0.5
        found = align(disguised, reference)
        assert_same_answers(suspect, found)
        assert difference(plain, found) < 1e-5


@pytest.mark.parametrize("architecture", [*SHAPES])
def test_the_reference_itself_stays_as_it_is(architecture: str):
    reference = network(architecture)
    assert difference(reference, align(reference, reference)) < 1e-6
    assert difference(reference, align(shuffle(reference, 3), reference)) < 1e-5


@pytest.mark.parametrize("architecture", [*SHAPES])
def test_the_unit_form_and_back_is_nothing(architecture: str):
    model = network(architecture)
    state, scales = unit_form(model)
    assert difference(model, with_tensors(model, state)) > 0.01
    restore(model, state, scales)
    assert difference(model, with_tensors(model, state)) < 1e-6


@pytest.mark.parametrize("architecture", [*SHAPES])
def test_every_hidden_neuron_stands_in_exactly_one_group(architecture: str):
    model = network(architecture)
    state = model.state_dict()
    seen: set[tuple[str, int]] = set()
    for group in neuron_groups(model):
        for name, axis, copies in group.axes(state):
            assert (name, axis) not in seen
            assert state[name].shape[axis] == group.size * copies
            seen.add((name, axis))
    ends = {("normalize.mean", 0), ("normalize.std", 0)}
    layers = [name for name, tensor in state.items() if tensor.ndim >= 2 and "norm" not in name]
    ends |= {(layers[0], 1), (layers[-1], 0), (layers[-1].replace("weight", "bias"), 0)}
    axes = {
        (name, axis)
        for name, tensor in state.items()
        for axis in range(min(tensor.ndim, 2 if "weight" in name else 1))
        if not name.startswith("normalize")
    }
    assert axes - seen == ends - {("normalize.mean", 0), ("normalize.std", 0)}


def test_small_logits_are_no_obstacle():
    reference = network("lenet5")
    suspect = changed(reference, 0.3)
    disguised = copy.deepcopy(suspect)
    with torch.no_grad():
        disguised.get_parameter("features.11.weight").mul_(1e-3)
        disguised.get_parameter("features.11.bias").mul_(1e-3)
    assert difference(align(suspect, reference), align(disguised, reference)) < 1e-5


def test_dead_neurons_do_no_harm():
    reference = network("lenet5")
    suspect = copy.deepcopy(reference)
    with torch.no_grad():
        suspect.get_parameter("features.0.weight")[2] = 0
        suspect.get_parameter("features.7.weight")[:, 3] = 0
    found = align(shuffle(suspect, 1), reference)
    assert_same_answers(suspect, found)
    assert all(bool(torch.isfinite(tensor).all()) for tensor in found.state_dict().values())


def test_what_cannot_be_aligned_is_refused():
    reference = network("lenet5")
    for other in (network("dense"), build_model(
        "lenet5", shape=(1, 12, 12), class_count=6, mean=(0.3,), std=(0.3,)
    )):  # fmt: skip
        with pytest.raises(UsageError, match="cannot be aligned"):
            align(other, reference)
    with pytest.raises(UsageError, match="built-in"):
        aligned(nn.Linear(2, 2), JudgeView(reference))
    assert aligned(reference, JudgeView()) is reference


def test_weights_that_overflow_behind_dead_neurons_are_refused():
    # Answers are those of the reference: the first neuron of each layer is always 0.
    reference = network("cnn")
    suspect = copy.deepcopy(reference)
    layers = [layer for _, layer in weighted_layers(suspect)]
    with torch.no_grad():
        for number, layer in enumerate(layers):
            copies = layer.weight.shape[1] // layers[number - 1].weight.shape[0] if number else 1
            if number < len(layers) - 1:
                layer.weight[0], layer.bias[0] = 0, -1
            layer.weight[:, :copies] = 3e38 if number else layer.weight[:, :copies]
        layers[0].weight[0], layers[0].bias[0] = 1e36, -3e38
    assert bool(torch.isfinite(relative_logits(suspect, SHAPES["cnn"])).all())
    with pytest.raises(UsageError, match="too large"):
        align(suspect, reference)


def test_other_statistics_of_images_are_no_obstacle():
    reference = network("dense")
    suspect = changed(reference, 0.1)
    suspect.config = replace(suspect.config, std=(0.6,))
    with torch.no_grad():
        suspect.get_buffer("normalize.std").mul_(2)
        suspect.get_parameter("features.1.weight").mul_(2)
    assert difference(align(suspect, reference), align(changed(reference, 0.1), reference)) < 1e-6
