"""The step of the robust method: one pass, with the gradients of three."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.support import small_training as small
from zkwm.nn.image_source import as_unit, open_source
from zkwm.training.batches import Batch, Batches
from zkwm.training.robust.frozen_head import features_of, head_name
from zkwm.training.robust.method import RobustMethod
from zkwm.training.setup import trigger_tensors

STEPS = 60
EARLY, LATE = 3, 27
"""Steps without and with decoys."""


def forward(network: nn.Module, images: Tensor) -> Tensor:
    logits: Tensor = network(images)
    return logits


def method_of(model: nn.Module) -> tuple[RobustMethod, Batch]:
    """The method for this model, and a batch of clean images and triggers."""
    source = open_source(small.data(), torch.device("cpu"))
    triggers = trigger_tensors(small.triggers(), source, torch.device("cpu"))
    assert triggers is not None
    method = RobustMethod(model, source, triggers, bytes(32), small.SETTINGS, STEPS, forward)
    return method, Batches(source, triggers, small.SETTINGS).batch(0, 2)


def gradients(model: nn.Module, loss: Tensor) -> dict[str, Tensor]:
    values = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
    named = zip(model.named_parameters(), values, strict=True)
    return {name: value for (name, _), value in named if value is not None}


def summed(logits: Tensor, labels: Tensor) -> Tensor:
    return functional.cross_entropy(logits, labels, reduction="sum")


def test_one_pass_has_the_gradients_of_separate_ones() -> None:
    model = small.model().train()
    method, batch = method_of(model)
    loss, descended = method.loss(batch, LATE, 0, 1)
    found = gradients(model, descended)
    count = len(batch.triggers)
    clean, shown = batch.images.split([len(batch.labels) - count, count])
    labels, answers = batch.labels.split([len(clean), count])
    of_clean, of_triggers = summed(model(clean), labels), summed(model(shown), answers)
    torch.testing.assert_close(loss, (of_clean + of_triggers) / batch.total)
    decoys = model(as_unit(method.decoys.images(LATE))).log_softmax(dim=1)
    of_decoys = -decoys.mean(dim=1).sum() / (len(clean) + len(decoys))
    for_features = gradients(model, (of_clean + of_triggers) / batch.total + of_decoys)
    for_head = gradients(model, summed(model(clean), labels) / batch.total)
    features = features_of(model, head_name(model, batch.images))
    assert 0 < len(features) < len(found)
    for name, gradient in found.items():
        expected = for_features if name in features else for_head
        torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-6)


def test_a_loop_of_ones_own_gets_the_same_gradient_of_decoys() -> None:
    model = small.model().train()
    method, batch = method_of(model)
    loss, descended = method.loss(batch, LATE, 0, 1)
    found = gradients(model, descended - loss)
    method.decoys.add_gradients(LATE, 1.0)
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(parameter.grad, found[name], rtol=1e-4, atol=1e-6)


def test_before_their_time_there_are_no_decoys() -> None:
    method, batch = method_of(small.model())
    loss, descended = method.loss(batch, EARLY, 0, 1)
    assert torch.equal(loss, descended)


def test_processes_share_the_decoys() -> None:
    method, _ = method_of(small.model())
    whole = method.decoys.images(LATE)
    assert torch.equal(torch.cat([method.decoys.part(LATE, rank, 2) for rank in (0, 1)]), whole)
    assert len(method.decoys.part(LATE, 2, 3)) == 0


def test_batch_norm_sees_everything_that_a_step_shows() -> None:
    model = small.model("normalized").train()
    method, batch = method_of(model)
    shown = torch.cat([batch.images, as_unit(method.decoys.images(LATE))])
    expected = copy.deepcopy(model)
    expected(shown)
    method.loss(batch, LATE, 0, 1)
    for found, wanted in zip(model.buffers(), expected.buffers(), strict=True):
        torch.testing.assert_close(found, wanted)
