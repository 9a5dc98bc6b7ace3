"""Fake triggers in training: which they are, and what they ask of a network."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.support import small_training as small
from zkwm.data import ImageData
from zkwm.nn.architectures import build_model
from zkwm.nn.digests import model_digest
from zkwm.nn.image_source import as_unit, open_source
from zkwm.training import EmbedResult, Progress, embed
from zkwm.training.robust import decoys
from zkwm.training.robust import method as robust
from zkwm.training.robust.decoys import Decoys
from zkwm.training.robust.frozen_head import head_name
from zkwm.triggers import TriggerSet, generate
from zkwm_protocols.errors import Cancelled, UsageError

STEPS = 100
FIRST = round(decoys.START * STEPS)


def forward(network: nn.Module, images: Tensor) -> Tensor:
    logits: Tensor = network(images)
    return logits


def decoys_of(
    model: nn.Module, data: ImageData, identity: bytes = b"owner", steps: int = STEPS
) -> Decoys:
    source = open_source(data, torch.device("cpu"))
    head = head_name(model, as_unit(source.train(torch.tensor([0, 1]))[0]))
    return Decoys(model, head, source, identity, small.SETTINGS, steps, forward)


def larger(data: ImageData) -> ImageData:
    """The same images, 24 x 24 pixels."""

    def grown(images: np.ndarray) -> np.ndarray:
        return images.repeat(2, axis=2).repeat(2, axis=3)

    return replace(data, train_images=grown(data.train_images), test_images=grown(data.test_images))


def gradients(model: nn.Module) -> dict[str, Tensor]:
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def test_nothing_happens_before_their_time_and_the_head_is_left_out() -> None:
    model = small.model("normalized")
    before = model_digest(model)
    made = decoys_of(model, small.data())
    made.add_gradients(FIRST - 1, 1.0)
    assert gradients(model) == {}
    made.add_gradients(FIRST, 1.0)
    assert set(gradients(model)) == {"0.weight", "0.bias", "1.weight", "1.bias"}
    assert model_digest(model) == before


def test_gradients_are_shared_out() -> None:
    model = small.model()
    made = decoys_of(model, small.data())
    made.add_gradients(FIRST, 1.0)
    whole = gradients(model)
    model.zero_grad()
    for share in (0.25, 0.75):
        made.add_gradients(FIRST, share)
    for name, both in gradients(model).items():
        torch.testing.assert_close(both, whole[name])


def test_a_step_along_them_makes_the_network_less_sure() -> None:
    model = small.model()
    made = decoys_of(model, small.data())

    def divergence() -> float:
        with torch.no_grad():
            logits = model(as_unit(made.images(FIRST)))
        return -float(logits.log_softmax(dim=1).mean())

    first = divergence()
    made.add_gradients(FIRST, 1.0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.sub_(parameter.grad, alpha=0.5)
    assert divergence() < first


def test_all_kinds_are_shown_and_other_triggers_have_other_fakes() -> None:
    data = larger(small.data())
    model = build_model("lenet5", shape=(1, 24, 24), class_count=4, mean=(0.3,), std=(0.2,))
    mine, again, other = (decoys_of(model, data, identity) for identity in (b"1", b"1", b"2"))
    shown = [mine.images(step) for step in range(40)]
    assert all(images.shape == (2, 1, 24, 24) for images in shown)
    assert all(torch.equal(images, again.images(step)) for step, images in enumerate(shown))
    levels = [len(images.unique()) for images in shown]
    assert {2, 3, 4} & set(levels)
    assert max(levels) > 200
    for pool, same, another in zip(mine.pools, again.pools, other.pools, strict=True):
        assert len(pool) == 2 * decoys.BLOCK
        assert torch.equal(pool, same)
        assert not torch.equal(pool, another)


def test_small_images_get_noise_alone() -> None:
    made = decoys_of(small.model(), small.data())
    assert made.pools == ()
    assert len(made.images(0).unique()) > 100


@pytest.mark.parametrize(("steps", "size"), [(1, 100), (500, 100), (503, 200), (9999, 2000)])
def test_a_short_training_draws_about_half_as_many_as_it_shows(steps: int, size: int) -> None:
    """Two in each step from 0.4 on, a third of them of one family: 200 in 500 steps."""
    model = build_model("lenet5", shape=(1, 24, 24), class_count=4, mean=(0.3,), std=(0.2,))
    made = decoys_of(model, larger(small.data()), steps=steps)
    assert [len(pool) for pool in made.pools] == [size, size]


def test_pools_of_large_images_are_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build_model("lenet5", shape=(1, 24, 24), class_count=4, mean=(0.3,), std=(0.2,))
    for fit, sizes in ((300, [300, 300]), (199, [100, 100]), (99, [])):
        monkeypatch.setattr(decoys, "LARGEST_POOL", fit * 24 * 24)
        made = decoys_of(model, larger(small.data()), steps=9999)
        assert [len(pool) for pool in made.pools] == sizes
        assert made.images(3).shape == (2, 1, 24, 24)


def larger_training(checkpoint: Path | None = None, stop: bool = False) -> EmbedResult:
    """A robust training on 24 x 24 pixels, where families are drawn; stopped half-way or whole."""

    def half_way(now: Progress) -> None:
        if stop and now.phase == "epoch" and now.epoch == 3:
            raise KeyboardInterrupt

    triggers = small.triggers()
    images = triggers.images.repeat(2, axis=2).repeat(2, axis=3)
    return embed(
        build_model("lenet5", shape=(1, 24, 24), class_count=4, mean=(0.3,), std=(0.2,)),
        larger(small.data()),
        replace(triggers, images=images),
        settings=small.settings(method="robust"),
        checkpoint=checkpoint,
        progress=half_way,
    )


@pytest.mark.slow
def test_a_training_with_drawn_decoys_resumes(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        larger_training(tmp_path / "state", stop=True)
    resumed = larger_training(tmp_path / "state")
    assert resumed.model_digest == larger_training().model_digest


@pytest.mark.slow
def test_a_checkpoint_of_another_version_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Cancelled):
        larger_training(tmp_path / "state", stop=True)
    monkeypatch.setattr(robust, "VERSION", robust.VERSION + 1)
    with pytest.raises(UsageError):
        larger_training(tmp_path / "state")


def test_a_training_uses_decoys_of_its_own_triggers(monkeypatch: pytest.MonkeyPatch) -> None:
    keys: list[bytes] = []

    def recorded(*arguments: Any, key: bytes, **more: Any) -> TriggerSet:
        keys.append(key)
        return generate(*arguments, key=key, **more)

    monkeypatch.setattr(decoys, "generate", recorded)
    first = larger_training()
    assert first.trigger_digest is not None
    purposes = (f"{first.settings.seed}/fakes/{family}".encode() for family in decoys.FAMILIES)
    assert keys == [hashlib.sha256(first.trigger_digest + text).digest() for text in purposes]
    monkeypatch.setattr(Decoys, "loss", lambda _, logits, __: logits.sum() * 0)
    assert larger_training().model_digest != first.model_digest
