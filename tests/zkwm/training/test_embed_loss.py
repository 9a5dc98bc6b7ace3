"""A mark in somebody's own loop: what is added to a loss, and an exact resumption."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn import functional

from tests.support import small_training as small
from zkwm.nn.image_source import as_unit
from zkwm.nn.model_input import model_input
from zkwm.suspects.preprocessing import preprocess
from zkwm.training import EmbedLoss
from zkwm.training.robust.frozen_head import head_name
from zkwm_protocols.errors import Malformed, UsageError
from zkwm_protocols.suspect_identity import Preprocessing

STEPS = 40
LATE = 30
"""A step at which decoys and look-ahead are both at work."""


def batches(count: int, seed: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
    """``count`` batches of the small data, float32 images in [0, 1]."""
    data = small.data()
    images, labels = as_unit(torch.tensor(data.train_images)), torch.tensor(data.train_labels)
    random = torch.Generator().manual_seed(seed)
    for _ in range(count):
        chosen = torch.randint(len(labels), (20,), generator=random)
        yield images[chosen], labels[chosen]


def mark_of(network: nn.Module, method: str = "robust", **given: Any) -> EmbedLoss:
    settings = small.settings(method=method, **given.pop("settings", {}))
    return EmbedLoss(network, small.triggers(), settings=settings, steps=STEPS, **given)


def sgd(network: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(network.parameters(), lr=0.03, momentum=0.9)


def steps(
    mark: EmbedLoss, network: nn.Module, optimizer: torch.optim.Optimizer, found: Any
) -> None:
    """One step for each batch, as anybody's loop has them."""
    for batch in found:
        optimizer.zero_grad()
        mark.loss(network, batch).backward()
        optimizer.step()


def gradients(network: nn.Module) -> dict[str, Tensor]:
    return {n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("architecture", ["lenet5", "normalized"])
def test_the_plain_loss_is_that_of_a_batch_with_triggers(architecture: str) -> None:
    network = small.model(architecture).train()
    mark = mark_of(network, "plain")
    (batch,) = batches(1)
    with mark.mixed(*batch) as (images, labels):
        assert len(labels) == 24
        assert torch.equal(images[:20], batch[0])
        shown = images[20:]
    ours = as_unit(torch.tensor(small.triggers().images))
    assert all(any(torch.equal(one, other) for other in ours) for one in shown)
    expected = functional.cross_entropy(network(images), labels)
    torch.testing.assert_close(mark.loss(network, batch), expected)


@pytest.mark.parametrize("architecture", ["lenet5", "normalized"])
def test_the_gradient_of_the_loss_is_that_of_the_method(architecture: str) -> None:
    """A loss that is scaled carries the method's gradients with it, and has the same value."""
    network = small.model(architecture).train()
    one, other = mark_of(network), mark_of(network)
    for mark in (one, other):
        state = mark.state_dict()
        state["step"].fill_(LATE)
        mark.load_state_dict(state)
    (batch,) = batches(1)
    statistics = copy.deepcopy(network.state_dict())
    (1024 * one.loss(network, batch)).backward()
    scaled = gradients(network)
    network.load_state_dict(statistics)
    network.zero_grad()
    with other.mixed(*batch) as (images, labels):
        loss = functional.cross_entropy(network(images), labels)
    loss.backward()
    clean = gradients(network)
    added = other.addition(*batch)
    assert added.item() == 0
    added.backward()
    whole = gradients(network)
    head = head_name(network, batch[0])
    for name, gradient in whole.items():
        torch.testing.assert_close(scaled[name], 1024 * gradient)
        of_head = name.rpartition(".")[0] == head
        assert torch.equal(gradient, clean[name]) == of_head, name


def test_gradients_that_a_loop_accumulates_are_kept() -> None:
    network = small.model().train()
    mark = mark_of(network)
    first, second = batches(2)
    mark.loss(network, first).backward()
    before = gradients(network)
    mark.addition(*second)
    for name, gradient in gradients(network).items():
        assert torch.equal(gradient, before[name]), name


@pytest.mark.parametrize("architecture", ["lenet5", "normalized"])
@pytest.mark.parametrize("method", ["plain", "robust"])
def test_a_resumed_loop_ends_in_the_same_weights(architecture: str, method: str) -> None:
    ends = []
    for stop in (0, 25):
        network = small.model(architecture).train()
        optimizer = sgd(network)
        mark = mark_of(network, method, optimizer=optimizer)
        found = list(batches(STEPS))
        steps(mark, network, optimizer, found[:stop])
        if stop:
            saved = save(mark.state_dict())
            weights, momentum = copy.deepcopy((network.state_dict(), optimizer.state_dict()))
            network = small.model(architecture).train()
            network.load_state_dict(weights)
            optimizer = sgd(network)
            optimizer.load_state_dict(momentum)
            mark = mark_of(network, method, optimizer=optimizer)
            mark.load_state_dict(load(saved))
        steps(mark, network, optimizer, found[stop:])
        assert mark.step == STEPS
        ends.append(network.state_dict())
    for name, tensor in ends[0].items():
        assert torch.equal(tensor, ends[1][name]), name


def test_a_state_of_another_training_is_refused() -> None:
    network = small.model()
    state = mark_of(network, settings={"seed": 1}).state_dict()
    with pytest.raises(UsageError, match="another training"):
        mark_of(network).load_state_dict(state)
    del state["identity"]
    with pytest.raises(Malformed):
        mark_of(network).load_state_dict(state)


@pytest.mark.parametrize(
    ("method", "architecture"), [("plain", "normalized"), ("robust", "lenet5")]
)
def test_a_loop_of_ones_own_learns_task_and_triggers(method: str, architecture: str) -> None:
    """All of AdamW, a schedule, mixed precision, uint8 images, soft labels and a wrapper."""
    network = small.model(architecture).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.004)
    settings = small.settings(method=method)
    count = 160
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, count)
    mark = EmbedLoss(network, small.triggers(), settings=settings, steps=count, optimizer=optimizer)
    for images, labels in batches(count):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            soft = functional.one_hot(labels, small.CLASSES).float()
            loss = mark.loss(lambda shown: Answer(network(shown)), ((images * 255).byte(), soft))
        loss.backward()
        optimizer.step()
        schedule.step()
    assert mark.matches() == 10
    data = small.data()
    network.eval()
    right = network(as_unit(torch.tensor(data.test_images))).argmax(1).numpy() == data.test_labels
    assert right.mean() >= 0.9


class Answer:
    """What networks of Hugging Face return."""

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits


def test_the_other_random_choices_of_a_loop_stay_as_they_are() -> None:
    network = small.model().train()
    mark = mark_of(network)
    torch.manual_seed(3)
    state = torch.random.get_rng_state()
    for batch in batches(LATE):
        mark.addition(*batch)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (nn.DataParallel(small.model()), "model.module"),
        (nn.Sequential(nn.Flatten(), nn.Linear(99, small.CLASSES)), "shape that the network"),
        (nn.Sequential(nn.Flatten(), nn.Linear(144, 2)), "an output for every class"),
        (nn.Sequential(nn.Flatten(), nn.Linear(144, 4), nn.Tanh()), "plain"),
    ],
)
def test_networks_that_are_refused(network: nn.Module, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        mark_of(network)
    assert said in caught.value.hint


def test_a_model_that_does_not_call_the_network_is_noticed() -> None:
    mark = mark_of(small.model())
    (batch,) = batches(1)
    with pytest.raises(UsageError, match="called 0 times"):
        mark.loss(small.model(), batch)
    with pytest.raises(UsageError, match="the triggers of"):
        mark.loss(small.model(), (batch[0][:, :, 1:], batch[1]))


def test_images_at_another_scale_than_triggers_are_refused() -> None:
    """A mark learned beside pixels of 0 to 255 would not answer to any judge's triggers."""
    model, (batch,) = small.model(), batches(1)
    images, labels = batch
    for wrong in (255 * images, (images - 0.13) / 0.2 - 1):
        with pytest.raises(UsageError, match="triggers are shown with 0 to 1"):
            mark_of(model).loss(model, (wrong, labels))
    noisy = images + 0.4 * (torch.rand_like(images) - 0.5)  # as augmentation does
    assert mark_of(model).loss(model, (noisy, labels)) > 0


@pytest.mark.parametrize(
    "preprocessing",
    [
        Preprocessing(),
        Preprocessing(scale="raw"),
        Preprocessing(mean=("0.485", "0.456", "0.406"), std=("0.229", "0.224", "0.225")),
        Preprocessing(channels="bgr", mean=("0.1", "0.2", "0.3"), std=("1", "2", "3")),
        Preprocessing(layout="nhwc"),
    ],
)
def test_triggers_are_prepared_as_a_judge_prepares_them(preprocessing: Preprocessing) -> None:
    images = torch.randint(256, (5, 3, 6, 7), dtype=torch.uint8)
    expected = preprocess(images.numpy(), preprocessing)
    assert torch.equal(model_input(images, preprocessing), torch.from_numpy(expected.copy()))


def test_a_preprocessing_of_other_channels_is_refused() -> None:
    wrong = Preprocessing(mean=("0.5",) * 3, std=("0.5",) * 3)
    with pytest.raises(UsageError, match="3 means"):
        mark_of(small.model(), preprocessing=wrong)
