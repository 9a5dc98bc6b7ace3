"""Gan et al. 2023: the perturbation, clean statistics, and that it embeds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.support.trigger_owner import (
    SETTINGS,
    fix_draws,
    marked_and_matched,
    matched,
    new_owner,
    small_data,
    trained_model,
)
from zkwm.nn.architectures import build_model
from zkwm.nn.batch_norm import CleanStatistics
from zkwm.nn.digests import model_digest
from zkwm.nn.inference import predictions
from zkwm.triggers import TriggerSet
from zkwm.watermarks import make_watermark
from zkwm.watermarks.trigger_sets.parametric_perturbation import (
    ParametricPerturbation,
    perturbed,
    train_perturbed,
    trigger_loss,
)
from zkwm.watermarks.trigger_sets.robust import Robust
from zkwm_protocols.errors import UsageError

pytestmark = pytest.mark.usefixtures("quick_labels")


@pytest.fixture
def resnet() -> nn.Module:
    return build_model("resnet8", shape=(1, 8, 8), class_count=10, mean=(0.3,), std=(0.3,), seed=1)


def batch(seed: int, count: int = 20, side: int = 8) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    images = torch.rand(count, 1, side, side, generator=random)
    return images, torch.randint(10, (count,), generator=random)


def recorded(model: nn.Module, images: Tensor) -> CleanStatistics:
    statistics = CleanStatistics(model)
    model.train()
    with statistics.recorded(), torch.no_grad():
        model(images)
    return statistics


def test_each_tensor_moves_by_epsilon_of_its_norm_to_where_triggers_are_lost(
    resnet: nn.Module,
) -> None:
    statistics = recorded(resnet, batch(1)[0])
    images, labels = batch(2)
    moved = perturbed(resnet, statistics, images, labels, 0.02)
    weights = dict(resnet.named_parameters())
    norms = {f"{n}.{p}" for n, m in resnet.named_modules() if isinstance(m, nn.BatchNorm2d)
             for p, _ in m.named_parameters()}  # fmt: skip
    assert len(norms) == 18
    assert set(moved) == set(weights) - norms
    for name, value in moved.items():
        length = (value - weights[name]).norm() / weights[name].norm()
        assert float(length.detach()) == pytest.approx(0.02, rel=1e-3)
    before = trigger_loss(resnet, statistics.buffers, images, labels)
    after = trigger_loss(resnet, {**statistics.buffers, **moved}, images, labels)
    assert after > before


def test_weights_that_do_not_learn_are_not_moved(resnet: nn.Module) -> None:
    statistics = recorded(resnet, batch(1)[0])
    whole = perturbed(resnet, statistics, *batch(2), 0.02)
    resnet.get_parameter("features.0.weight").requires_grad_(False)
    assert set(whole) - set(perturbed(resnet, statistics, *batch(2), 0.02)) == {"features.0.weight"}


def test_no_other_move_of_that_size_loses_more() -> None:
    torch.manual_seed(0)
    model = nn.Linear(6, 3, bias=False)
    images, labels = torch.rand(1, 6), torch.tensor([0])
    statistics = CleanStatistics(model)
    worst = perturbed(model, statistics, images, labels, 1e-3)["weight"]
    lost = trigger_loss(model, {"weight": worst}, images, labels)
    for seed in range(50):
        noise = torch.randn(model.weight.shape, generator=torch.Generator().manual_seed(seed))
        other = model.weight + 1e-3 * model.weight.norm() * noise / noise.norm()
        assert trigger_loss(model, {"weight": other}, images, labels) < lost


def test_triggers_are_normalized_with_the_clean_batch_and_leave_no_trace() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(4, 3))
    clean, triggers = torch.rand(8, 1, 2, 2), 5 + torch.rand(6, 1, 2, 2)
    statistics = recorded(model, clean)
    running = [model[0].running_mean.clone(), model[0].running_var.clone()]
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    loss = trigger_loss(model, statistics.buffers, triggers, labels).detach()
    normal = (triggers - clean.mean()) / (clean.var(correction=0) + model[0].eps).sqrt()
    wanted = functional.cross_entropy(model[2](normal.flatten(1)), labels).detach()
    assert float(loss) == pytest.approx(float(wanted), rel=1e-5)
    assert torch.equal(model[0].running_mean, running[0])
    assert torch.equal(model[0].running_var, running[1])
    assert model.training


def test_the_gradient_reaches_the_weights_under_the_perturbation(resnet: nn.Module) -> None:
    statistics = recorded(resnet, batch(1)[0])
    images, labels = batch(2)
    moved = perturbed(resnet, statistics, images, labels, 0.02)
    trigger_loss(resnet, {**statistics.buffers, **moved}, images, labels).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in resnet.parameters())


@pytest.mark.slow
def test_it_is_embedded_and_extracted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fix_draws(monkeypatch)
    scheme = ParametricPerturbation(triggers=20, trigger_batch=20, alpha=0.5)
    found, triggers = marked_and_matched(scheme, new_owner(tmp_path))
    assert found >= 15
    assert matched(scheme, trained_model(), triggers) <= 10


@pytest.mark.slow
def test_a_network_with_batch_norm_learns_triggers_too_and_every_time_the_same(
    resnet: nn.Module,
) -> None:
    data = small_data()
    data = replace(
        data,
        train_images=data.train_images[:40, :, 10:18, 10:18],
        train_labels=data.train_labels[:40],
        test_images=data.test_images[:, :, 10:18, 10:18],
    )
    cells = np.random.default_rng(3).integers(0, 2, (10, 1, 4, 4), dtype=np.uint8) * np.uint8(255)
    images = cells.repeat(2, axis=2).repeat(2, axis=3)
    triggers = TriggerSet(images, np.arange(10), "given", 10, 10)
    settings = replace(SETTINGS, epochs=50, batch_size=20, triggers_per_batch=10)
    marked = train_perturbed(resnet, data, triggers, settings, epsilon=0.02, alpha=0.1)
    answers = predictions(marked, torch.tensor(images))
    assert int((answers == torch.arange(10)).sum()) >= 9
    brief = replace(settings, epochs=2)
    twice = [
        train_perturbed(resnet, data, triggers, brief, epsilon=0.02, alpha=0.1) for _ in range(2)
    ]
    assert model_digest(twice[0]) == model_digest(twice[1])


@pytest.mark.parametrize("wrong", [{"epsilon": -0.1}, {"alpha": 0.0}, {"family": "authors"}])
def test_what_makes_no_training_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        make_watermark("parametric_perturbation", **wrong)


def test_a_training_that_diverges_says_so(tmp_path: Path) -> None:
    owner = new_owner(tmp_path)
    # Whatever the triggers are: by decay alone a weight grows 89-fold in a step.
    settings = replace(owner.settings, learning_rate=90.0, weight_decay=1.0, epochs=2)
    owner = replace(owner, settings=settings)
    scheme = ParametricPerturbation(triggers=10)
    with pytest.raises(UsageError, match="diverged"):
        scheme.embed(owner, scheme.commit(owner))


def test_the_products_own_embedding_is_robust_and_refuses_other_families(tmp_path: Path) -> None:
    header = Robust().commit(new_owner(tmp_path)).header
    assert (header.leaf_count, header.block_size) == (200, 50)
    with pytest.raises(UsageError):
        Robust(family="authors")
