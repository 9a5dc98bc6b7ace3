"""Triggers at perturbed weights: where the weights move, what is added to which gradients, when."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from tests.support import small_training as small
from zkwm.nn.image_source import Source, as_unit, open_source
from zkwm.nn.seeds import generator
from zkwm.training import EmbedLoss
from zkwm.training.robust import perturbed_weights
from zkwm.training.robust.frozen_head import head_name
from zkwm.training.robust.perturbed_weights import EPSILON, WEIGHT, PerturbedWeights
from zkwm.training.settings import PERTURBED
from zkwm.training.setup import trigger_tensors

STEPS = 100
FIRST = 30
SETTINGS = replace(small.SETTINGS, method=PERTURBED)


@pytest.fixture(scope="module")
def source() -> Source:
    return open_source(small.data(), torch.device("cpu"))


def forward(network: nn.Module, images: Tensor) -> Tensor:
    logits: Tensor = network(images)
    return logits


def triggers_of(source: Source) -> tuple[Tensor, Tensor]:
    found = trigger_tensors(small.triggers(), source, torch.device("cpu"))
    assert found is not None
    return found


def head_of(model: nn.Module, source: Source) -> str:
    return head_name(model, as_unit(source.train(torch.tensor([0, 1]))[0]))


def perturbed(model: nn.Module, source: Source) -> PerturbedWeights:
    head = head_of(model, source)
    return PerturbedWeights(model, head, source, triggers_of(source), SETTINGS, STEPS, forward)


def gradients(model: nn.Module) -> dict[str, Tensor]:
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def expected_gradients(model: nn.Module, source: Source, step: int) -> dict[str, Tensor]:
    """A slow reference: weight by weight, each loss a function of weights by name."""
    images, labels = triggers_of(source)
    random = generator(SETTINGS.seed, "perturbed triggers", step)
    chosen = torch.randperm(len(labels), generator=random)[: SETTINGS.triggers_per_batch]

    def loss(weights: dict[str, Tensor]) -> Tensor:
        logits = functional_call(model, weights, (as_unit(images[chosen]),))
        return functional.cross_entropy(logits, labels[chosen])

    weights = {n: p.detach().requires_grad_() for n, p in model.named_parameters()}
    ascent = dict(zip(weights, torch.autograd.grad(loss(weights), weights.values()), strict=True))
    moved = {}
    for name, weight in weights.items():
        length = EPSILON * weight.detach().flatten().norm() / ascent[name].flatten().norm()
        moved[name] = (weight.detach() + length * ascent[name]).requires_grad_()
    found = dict(zip(moved, torch.autograd.grad(loss(moved), moved.values()), strict=True))
    head = head_of(model, source)
    return {n: WEIGHT * g for n, g in found.items() if n.rpartition(".")[0] != head}


def test_the_gradient_is_that_at_the_weights_where_triggers_are_lost_most(source: Source) -> None:
    model = small.model().eval()
    perturbed(model, source).add_gradients(FIRST, 1.0)
    found, expected = gradients(model), expected_gradients(model, source, FIRST)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient)


def test_weights_are_moved_by_a_share_of_their_norm_and_triggers_are_lost(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = small.model().eval()
    losses: list[Tensor] = []
    entropy = functional.cross_entropy

    def noted(logits: Tensor, labels: Tensor) -> Tensor:
        losses.append(entropy(logits, labels))
        return losses[-1]

    monkeypatch.setattr(functional, "cross_entropy", noted)
    worst = perturbed(model, source)
    worst.add_gradients(FIRST, 1.0)
    assert losses[1] > losses[0]
    for name, copied in worst._copy.named_parameters():
        own = dict(model.named_parameters())[name]
        torch.testing.assert_close((copied - own).norm(), EPSILON * own.norm(), rtol=1e-3, atol=0)


def test_a_later_start_waits_for_its_step(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perturbed_weights, "START", FIRST / STEPS)
    model = small.model("normalized")
    late = perturbed(model, source)
    late.add_gradients(FIRST - 1, 1.0)
    assert gradients(model) == {}
    assert list(late.reads(FIRST - 1)) == []
    late.add_gradients(FIRST, 1.0)
    assert gradients(model) != {}


@pytest.mark.parametrize("architecture", ["lenet5", "normalized"])
def test_the_model_is_left_alone_and_its_gradients_add_up(
    source: Source, architecture: str
) -> None:
    model = small.model(architecture)
    state = copy.deepcopy(model.state_dict())
    worst = perturbed(model, source)
    worst.add_gradients(FIRST, 1.0)
    whole = gradients(model)
    assert any(bool(gradient.any()) for gradient in whole.values())
    worst.add_gradients(FIRST, 0.5)
    for name, gradient in gradients(model).items():
        torch.testing.assert_close(gradient, 1.5 * whole[name])
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, state[name]), name


def test_a_frozen_weight_is_not_moved(source: Source) -> None:
    model = small.model()
    first = next(model.parameters()).requires_grad_(False)
    worst = perturbed(model, source)
    worst.add_gradients(FIRST, 1.0)
    assert first.grad is None
    assert torch.equal(next(worst._copy.parameters()), first)


def test_a_weight_without_a_gradient_stays_and_nothing_becomes_nan(source: Source) -> None:
    model = small.model()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    perturbed(model, source).add_gradients(FIRST, 1.0)
    assert all(bool(gradient.isfinite().all()) for gradient in gradients(model).values())


def test_clean_images_are_read_with_batch_norm_alone(source: Source) -> None:
    assert list(perturbed(small.model(), source).reads(FIRST)) == []
    of_normalized = list(perturbed(small.model("normalized"), source).reads(FIRST))
    assert [len(numbers) for numbers in of_normalized] == [SETTINGS.batch_size] * 2


@pytest.mark.parametrize("architecture", ["lenet5", "normalized"])
def test_a_training_that_was_killed_ends_in_the_same_weights(
    architecture: str, tmp_path: Path
) -> None:
    whole = small.train(architecture, method=PERTURBED)
    kept = small.interrupted_training(tmp_path, architecture, method=PERTURBED)
    resumed = small.train(architecture, kept, method=PERTURBED)
    assert resumed.model_digest == whole.model_digest


def test_it_is_another_training_than_without(monkeypatch: pytest.MonkeyPatch) -> None:
    found = small.train(method=PERTURBED).model_digest
    monkeypatch.setattr(perturbed_weights, "START", 1.0)
    without = small.train(method=PERTURBED).model_digest
    assert without == small.train(method="frozen head and decoys").model_digest
    assert found != without


def test_a_loop_of_the_owners_own_adds_it_while_its_loss_waits(source: Source) -> None:
    images, labels = source.train(torch.arange(20))
    models = small.model(), small.model()
    for model, method in zip(models, (PERTURBED, "frozen head and decoys"), strict=True):
        settings = replace(SETTINGS, method=method)
        mark = EmbedLoss(model, small.triggers(), settings=settings, steps=2)
        for _ in range(2):
            model.zero_grad()
            mark.loss(model, (images, labels)).backward()
    found, without = gradients(models[0]), gradients(models[1])
    head = head_of(models[0], source)
    for name, gradient in found.items():
        assert torch.equal(gradient, without[name]) == (name.rpartition(".")[0] == head), name
