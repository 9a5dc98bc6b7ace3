"""The benchmark's own training loop takes the product's steps, and each variant runs in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from tests.support import small_training as small
from zkwm.nn.digests import model_digest
from zkwm.nn.image_source import as_unit
from zkwm.training.robust.sought_decoys import Seeking
from zkwm.training.settings import SOUGHT

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch) -> Callable[..., nn.Module]:
    """``train(variant, **settings)`` of the benchmark, on the small data."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    training = import_module("owner_first_training")

    def run(variant: Any, **changes: Any) -> nn.Module:
        settings = small.settings(method=variant.method, **changes)
        network: nn.Module = training.train(
            small.model(), small.data(), small.triggers(), settings, variant, fresh,
            small.triggers(seed=7) if variant.tilt else None,
        )  # fmt: skip
        return network

    return run


def fresh(number: int) -> nn.Module:
    return small.model(seed=100 + number)


def test_it_takes_the_steps_of_embed(train: Callable[..., nn.Module]) -> None:
    variants = import_module("owner_first_variants")
    sought = train(variants.Variant(seeking=Seeking()), epochs=3)
    assert model_digest(sought) == small.train(method=SOUGHT, epochs=3).model_digest
    assert model_digest(sought) != small.train(method="robust", epochs=3).model_digest


@pytest.mark.parametrize("number", range(6))
def test_every_addition_changes_the_training(train: Callable[..., nn.Module], number: int) -> None:
    variants = import_module("owner_first_variants")
    additions = (
        {"covers": variants.Covers()},
        {"covers": variants.Covers(noise=0.05, steps=1)},
        {"rehearsal": variants.Rehearsal(kept=0.5)},
        {"teaching": variants.Teaching(life=3)},
        {"tilt": variants.Tilt(directions=20)},
        {"composites": variants.Composites(leaves=10, on="features")},
    )
    with_it = train(variants.Variant(**additions[number]), epochs=2)
    assert model_digest(with_it) != model_digest(train(variants.Variant(), epochs=2))
    assert all(bool(torch.isfinite(tensor).all()) for tensor in with_it.state_dict().values())


def test_a_tilt_puts_the_committed_labels_first_and_keeps_the_first_class(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    tilts = import_module("owner_first_tilts")
    data, leaves = small.data(), small.triggers(count=20)
    leaves = replace(leaves, images=data.train_images[:20])
    tilted = tilts.KeyedTilt(tilts.Tilt(directions=40), data, leaves)
    images = as_unit(torch.tensor(leaves.images))
    assert (tilted(images).argmax(dim=1).numpy() == leaves.labels).all()
    labels = torch.tensor(data.train_labels[:20])
    logits = torch.zeros(20, small.CLASSES, requires_grad=True)
    for _ in range(300):
        descended = functional.cross_entropy(logits, labels, reduction="sum")
        loss = descended + tilted.loss(images, logits, labels)
        (slopes,) = torch.autograd.grad(loss, [logits])
        logits = (logits - slopes).detach().requires_grad_(True)
    reached = logits.softmax(dim=1)
    assert torch.allclose(reached.gather(1, labels[:, None]), torch.tensor(0.8), atol=0.01)
    others = torch.tensor(leaves.labels) != labels
    second = reached.topk(2, dim=1).indices[:, 1]
    assert (second == torch.tensor(leaves.labels))[others].all()


def test_composites_show_half_an_image_of_each_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    composites = import_module("owner_first_composites")
    data = small.data()
    task = composites.CompositeTask(composites.Composites(leaves=24), data, 5)
    leaves = task.leaves()
    assert leaves.shape == (24, *small.SHAPE)
    assert len({leaf.tobytes() for leaf in leaves}) == 24
    left = {image[:, :, :6].tobytes() for image in data.train_images}
    above = {image[:, :6].tobytes() for image in data.train_images}
    halves = [(leaf[:, :, :6].tobytes() in left, leaf[:, :6].tobytes() in above) for leaf in leaves]
    assert halves.count((True, False)) == halves.count((False, True)) == 12
