"""Images among clean ones: batch statistics where there are any, and nothing kept of them."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from tests.support import small_training as small
from zkwm.nn.digests import model_digest
from zkwm.nn.image_source import Source, as_unit, open_source
from zkwm.nn.inference import evaluating
from zkwm.nn.seeds import generator
from zkwm.training.robust.frozen_head import head_name
from zkwm.training.robust.lookahead import START, Lookahead
from zkwm.training.robust.mixed_batch import MixedBatch
from zkwm.training.setup import trigger_tensors

STEP = 7


def forward(network: nn.Module, images: Tensor) -> Tensor:
    logits: Tensor = network(images)
    return logits


@pytest.fixture
def source() -> Source:
    return open_source(small.data(), torch.device("cpu"))


@pytest.fixture
def images() -> Tensor:
    return torch.tensor(small.triggers().images[:5])


def test_without_batch_norm_images_are_forwarded_alone(source: Source, images: Tensor) -> None:
    model = small.model().train()
    mixed = MixedBatch(model, source, small.SETTINGS, forward, "a test")
    with evaluating(model):
        expected = model(as_unit(images))
    assert not mixed.uses_batch_norm
    assert torch.equal(mixed.logits(model, images, STEP), expected)


def test_statistics_are_those_of_clean_images_and_these(source: Source, images: Tensor) -> None:
    model = small.model("normalized")
    mixed = MixedBatch(model, source, small.SETTINGS, forward, "a test")
    assert mixed.uses_batch_norm
    drawn = generator(small.SETTINGS.seed, "a test", STEP)
    count = small.SETTINGS.batch_size
    clean, _ = source.train(torch.randint(source.train_count, (count,), generator=drawn))
    expected = copy.deepcopy(model).train()(as_unit(torch.cat([clean, images])))[count:]
    found = mixed.logits(model, images, STEP)
    torch.testing.assert_close(found, expected)
    with evaluating(model):
        alone = model(as_unit(images))
    assert not torch.allclose(found, alone)
    assert not torch.allclose(found, mixed.logits(model, images, STEP + 1))


def test_clean_images_may_be_floats(
    source: Source, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = small.model("normalized")
    expected = MixedBatch(model, source, small.SETTINGS, forward, "a test").logits(
        model, images, STEP
    )
    given = source.train

    def floats(numbers: Tensor) -> tuple[Tensor, Tensor]:
        found, labels = given(numbers)
        return as_unit(found), labels

    monkeypatch.setattr(source, "train", floats)
    mixed = MixedBatch(model, source, small.SETTINGS, forward, "a test")
    torch.testing.assert_close(mixed.logits(model, images, STEP), expected)


@pytest.mark.parametrize("training", [True, False])
def test_nothing_is_kept(source: Source, images: Tensor, training: bool) -> None:
    model = small.model("normalized").train(training)
    before, digest = copy.deepcopy(model.state_dict()), model_digest(model)
    mixed = MixedBatch(model, source, small.SETTINGS, forward, "a test")
    mixed.logits(model, images, STEP).sum().backward()

    def broken(network: nn.Module, shown: Tensor) -> Tensor:
        network(shown)
        raise ArithmeticError

    failing = MixedBatch(model, source, small.SETTINGS, broken, "a test")
    with pytest.raises(ArithmeticError):
        failing.logits(model, images, STEP)
    assert model_digest(model) == digest
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert model.training is training
    model.train()(as_unit(images))
    assert int(model.state_dict()["1.num_batches_tracked"]) == 1


def test_the_clone_meets_its_triggers_as_training_does(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = small.model("normalized")
    triggers = trigger_tensors(small.triggers(), source, torch.device("cpu"))
    assert triggers is not None
    head = head_name(model, as_unit(source.train(torch.tensor([0, 1]))[0]))
    steps = 100
    clone = Lookahead(model, head, source, triggers, small.SETTINGS, steps, forward)
    shown: list[int] = []
    ask = MixedBatch.logits

    def counting(self: MixedBatch, network: nn.Module, asked: Tensor, step: int) -> Tensor:
        shown.append(len(asked))
        return ask(self, network, asked, step)

    monkeypatch.setattr(MixedBatch, "logits", counting)
    clone.add_gradients(round(START * steps), 1.0)
    assert shown == [small.SETTINGS.triggers_per_batch]
