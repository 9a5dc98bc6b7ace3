from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.support import small_training as small
from zkwm.nn.architecture_names import ARCHITECTURES
from zkwm.nn.architectures import build_model
from zkwm.training import embed
from zkwm.training.robust.frozen_head import features_of, frozen_head, head_name
from zkwm_protocols.errors import UsageError

IMAGES = torch.rand(6, 1, 12, 12, generator=torch.Generator().manual_seed(0))


class Twice(nn.Module):
    """A network whose last linear layer is used a second time."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(144, 4)
        self.last = nn.Linear(4, 4)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.last(self.last(self.first(images.flatten(1))))
        return logits


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_head_of_every_built_in_network(architecture: str) -> None:
    model = build_model(architecture, shape=(1, 28, 28), class_count=7, mean=(0.3,), std=(0.4,))
    name = head_name(model, torch.rand(2, 1, 28, 28))
    assert model.get_submodule(name).out_features == 7
    names = {each for each, tensor in model.named_parameters() if tensor.requires_grad}
    assert names - set(features_of(model, name)) == {f"{name}.weight", f"{name}.bias"}


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (nn.Sequential(nn.Conv2d(1, 4, 12), nn.Flatten()), "no linear layer"),
        (nn.Sequential(nn.Flatten(), nn.Linear(144, 4), nn.Tanh()), "does not give the logits"),
        (Twice(), "does not give the logits"),
        (nn.Sequential(nn.Flatten(), nn.Linear(144, 4)), "nothing to train before"),
    ],
)
def test_a_model_without_a_head_is_refused(model: nn.Module, reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as caught:
        small.train_this(model, method="robust")
    assert "plain" in caught.value.hint


def test_such_a_model_can_be_marked_in_the_plain_way() -> None:
    assert small.train_this(Twice(), method="plain", epochs=1).trigger_count == 10


def test_triggers_do_not_reach_the_head_and_nothing_else_changes() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(144, 9), nn.Tanh(), nn.Linear(9, 4))
    labels = torch.tensor([0, 1, 2, 3, 1, 2])
    with frozen_head(model, "3", 2):
        logits = model(IMAGES)
    torch.testing.assert_close(logits, model(IMAGES))
    parameters = list(model.parameters())

    def gradients(value: Tensor) -> list[Tensor | None]:
        return list(torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True))

    def loss(part: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(part, targets, reduction="sum")

    plain = model(IMAGES)
    for found, expected in zip(
        gradients(loss(logits[:4], labels[:4])),
        gradients(loss(plain[:4], labels[:4])),
        strict=True,
    ):
        torch.testing.assert_close(found, expected)
    of_triggers = gradients(loss(logits[4:], labels[4:]))
    expected_of_triggers = gradients(loss(plain[4:], labels[4:]))
    for found in of_triggers[2:]:
        assert found is None or not found.any()
    for found, expected in zip(of_triggers[:2], expected_of_triggers[:2], strict=True):
        torch.testing.assert_close(found, expected)
        assert found is not None
        assert found.abs().max() > 0


class OwnLinear(nn.Linear):
    """A layer of the owner's, for which the loss of triggers is taken in a product of its own."""


def test_one_product_gives_the_gradients_of_two_to_the_last_bit() -> None:
    found = []
    for kind in (nn.Linear, OwnLinear):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(144, 84), nn.Tanh(), kind(84, 10))
        images = torch.rand(62, 1, 12, 12)
        with frozen_head(model, "3", 12):
            logits = model(images)
        loss = functional.cross_entropy(logits, torch.arange(62) % 10)
        found.append([logits, *torch.autograd.grad(loss, list(model.parameters()))])
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)


def test_what_the_owner_does_to_the_logits_of_clean_images_stays() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(144, 9), nn.Tanh(), nn.Linear(9, 4))
    model[3].register_forward_hook(lambda module, inputs, output: output * 2)
    with frozen_head(model, "3", 2):
        logits = model(IMAGES)
    assert torch.equal(logits[:4], model(IMAGES)[:4])


def test_without_triggers_the_method_does_not_matter() -> None:
    digests = {
        embed(
            small.model(), small.data(), None, settings=small.settings(method=method, epochs=1)
        ).model_digest
        for method in ("robust", "plain")
    }
    assert len(digests) == 1
