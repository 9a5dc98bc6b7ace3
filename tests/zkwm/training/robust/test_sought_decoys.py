"""The owner's own search: where it moves decoys, in which steps, and what they weigh."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.support import small_training as small
from zkwm.nn.digests import model_digest
from zkwm.nn.image_source import as_unit, open_source
from zkwm.nn.model_input import model_input
from zkwm.training import EmbedLoss
from zkwm.training.robust.decoys import Decoys
from zkwm.training.robust.frozen_head import head_name
from zkwm.training.robust.sought_decoys import Seeking
from zkwm.training.settings import SOUGHT
from zkwm_protocols.suspect_identity import Preprocessing

STEPS = 100
LATE = 90


def forward(network: nn.Module, images: Tensor) -> Tensor:
    logits: Tensor = network(images)
    return logits


class Sum(nn.Module):
    """Two classes: the larger the sum of the weighted pixels, the surer is the second."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.weights = nn.Parameter(weights)

    def forward(self, images: Tensor) -> Tensor:
        summed = (images * self.weights).flatten(1).sum(dim=1)
        return torch.stack([torch.zeros_like(summed), summed], dim=1)


def decoys_of(model: nn.Module, method: str, seeking: Seeking | None = None) -> Decoys:
    source = open_source(small.data(), torch.device("cpu"))
    head = head_name(model, as_unit(source.train(torch.tensor([0, 1]))[0]))
    settings = replace(small.SETTINGS, method=method)
    return Decoys(model, head, source, b"owner", settings, STEPS, forward, seeking)


def test_pixels_climb_by_the_sign_of_their_gradient_and_stay_pixels() -> None:
    weights = torch.tensor([1.0, -1.0, 1.0, 0.0]).reshape(1, 2, 2)
    images = torch.tensor([[100, 5, 250, 7], [100, 100, 100, 100]], dtype=torch.uint8)
    images = images.reshape(2, 1, 2, 2)
    moved = Seeking(steps=2, size=4 / 255).moved(Sum(weights), images, as_unit, forward)
    # the sum is above 0, so both images are already taken for the second class
    assert moved.flatten(1).tolist() == [[108, 0, 255, 7], [108, 92, 108, 100]]
    assert images.flatten(1).tolist()[0] == [100, 5, 250, 7]


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_a_preprocessing_may_order_channels_and_axes_and_invert(layout: str) -> None:
    preprocessing = Preprocessing(
        layout=layout, channels="bgr", mean=("0.1", "0.2", "0.3"), std=("0.5", "0.25", "1")
    )
    weights = torch.zeros(3, 2, 4)
    weights[0, 1, 3] = 1.0  # of input: the last channel of the image, blue
    if layout == "nhwc":
        weights = weights.permute(1, 2, 0)
    images = torch.full((1, 3, 2, 4), 128, dtype=torch.uint8)

    def as_input(pixels: Tensor) -> Tensor:
        return -model_input(pixels, preprocessing)

    moved = Seeking(steps=1, size=2 / 255).moved(Sum(weights), images, as_input, forward)
    changed = (moved != images).nonzero().tolist()
    assert changed == [[0, 2, 1, 3]]
    with torch.no_grad():
        before, after = (Sum(weights)(as_input(part)).softmax(dim=1) for part in (images, moved))
    assert float(after.max()) > float(before.max())


def test_the_network_is_surer_of_what_was_found_and_unchanged() -> None:
    model = small.model("normalized").train()
    before = model_digest(model)
    images = decoys_of(model, "robust").images(LATE)
    moved = Seeking().moved(model, images, as_unit, forward)
    model.eval()
    with torch.no_grad():
        sure, was = (model(as_unit(part)).softmax(dim=1).amax(dim=1) for part in (moved, images))
    assert float(sure.mean()) > float(was.mean())
    assert model_digest(model) == before
    assert all(parameter.grad is None for parameter in model.parameters())


def test_share_and_start_decide_the_steps() -> None:
    always, never = Seeking(start=0.5, share=1.0), Seeking(share=0.0)
    assert [always.moves(0, step, STEPS) for step in (49, 50, 99)] == [False, True, True]
    assert not any(never.moves(0, step, STEPS) for step in range(STEPS))
    some = sum(Seeking(start=0.0).moves(3, step, 600) for step in range(600))
    assert 340 < some < 460  # 400 expected, standard deviation 12


def test_decoys_move_and_weigh_more_in_those_steps_alone() -> None:
    model = small.model()
    plain, sought = decoys_of(model, "robust"), decoys_of(model, SOUGHT)
    logits = torch.randn(4, 10, generator=torch.Generator().manual_seed(0))
    kinds = set()
    for step in range(40, 60):
        moves = Seeking().moves(small.SETTINGS.seed, step, STEPS)
        kinds.add(moves)
        assert torch.equal(plain.images(step), sought.images(step)) is not moves
        ratio = float(sought.loss(logits, step) / plain.loss(logits, step))
        assert ratio == pytest.approx(Seeking().weight if moves else 1.0)
    assert kinds == {True, False}


def test_more_decoys_for_an_experiment() -> None:
    many = decoys_of(small.model(), SOUGHT, Seeking(clean_per_decoy=2))
    assert len(many.images(LATE)) == 5 * len(decoys_of(small.model(), SOUGHT).images(LATE))


def test_a_loop_of_ones_own_seeks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    moved = Seeking.moved

    def recorded(self: Seeking, model: nn.Module, images: Tensor, *more: Any) -> Tensor:
        asked.append(len(images))
        return moved(self, model, images, *more)

    monkeypatch.setattr(Seeking, "moved", recorded)
    data = small.data()
    batch = as_unit(torch.tensor(data.train_images[:20])), torch.tensor(data.train_labels[:20])
    seeking = sum(Seeking().moves(small.SETTINGS.seed, step, 10) for step in range(10))
    assert seeking > 0
    for method, times in (("robust", 0), (SOUGHT, seeking)):
        model = small.model().train()
        settings = small.settings(method=method)
        loss = EmbedLoss(model, small.triggers(), settings=settings, steps=10)
        for _ in range(10):
            loss.loss(model, batch).backward()
        assert asked == [2] * times
