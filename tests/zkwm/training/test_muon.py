"""Muon: what it does to matrices, and that trainings with it learn, resume and repeat."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from tests.support import small_training as small
from zkwm.nn.architectures import build_model
from zkwm.training import EmbedResult, EmbedSettings, Progress, embed
from zkwm.training.muon import BIAS_RATE, HEAD_RATE, Muon, orthogonalized, parameter_groups
from zkwm_protocols.errors import Cancelled

RECIPE = EmbedSettings.airbench(
    epochs=6, batch_size=20, triggers_per_batch=5, learning_rate=0.03, cutout=3, device="cpu"
)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zkwm.nn.airbench.WIDTHS", (8, 12, 12))
    monkeypatch.setattr("zkwm.training.progress.REPORT_SECONDS", 0.0)


def train(folder: Path | None = None, stop: tuple[int, int] | None = None) -> EmbedResult:
    """The whole recipe on small images; ``stop`` interrupts it after that epoch and step."""

    def interrupt(now: Progress) -> None:
        if (now.epoch, now.step) == stop:
            raise KeyboardInterrupt

    data = small.data()
    model = build_model(
        "airbench",
        shape=small.SHAPE,
        class_count=small.CLASSES,
        mean=(0.3,),
        std=(0.2,),
        images=data.train_images,
    )
    return embed(
        model, data, small.triggers(), settings=RECIPE, checkpoint=folder, progress=interrupt
    )


@pytest.mark.usefixtures("narrow")
def test_the_recipe_learns_and_resumes_exactly(tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        train(tmp_path / "state", stop=(3, 4))
    resumed, whole = train(tmp_path / "state"), train()
    assert resumed.model_digest == whole.model_digest
    assert resumed.history == whole.history
    assert resumed.precision == "bfloat16"
    assert resumed.optimizer == '"Muon of the settings"'
    # the class is a quadrant, of which a mirrored image tells top and bottom only
    assert whole.test_accuracy > 0.4
    assert whole.trigger_matches is not None
    assert whole.trigger_matches >= 7


@pytest.mark.parametrize("size", [(6, 40), (40, 6), (9, 9)])
def test_singular_values_are_brought_near_one(size: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(2)
    left, _, right = torch.linalg.svd(torch.randn(size, generator=generator), full_matrices=False)
    # three iterations lift what is not far below the largest singular value
    values = torch.linspace(1.0, 3.0, min(size))
    found = orthogonalized(left @ torch.diag(values) @ right)
    between = left.T @ found @ right.T
    assert bool((between.diag() > 0.5).all())
    assert bool((between.diag() < 1.4).all())
    assert float((between - torch.diag(between.diag())).abs().max()) < 0.1


def test_filters_turn_and_keep_their_length_and_biases_descend() -> None:
    model = nn.Sequential(
        nn.Conv2d(2, 6, 3, bias=False), nn.BatchNorm2d(6), nn.Flatten(), nn.Linear(6, 3)
    )
    model[1].weight.requires_grad_(False)
    groups = parameter_groups(model, learning_rate=0.01, weight_decay=0.1)
    assert [group["lr"] for group in groups] == [0.01, HEAD_RATE * 0.01, BIAS_RATE * 0.01]
    assert [len(group["params"]) for group in groups] == [1, 2, 1]
    optimizer = Muon(groups, momentum=0.9)
    with torch.no_grad():
        model[0].weight.mul_(50)
        model[1].bias.fill_(2.0)
    model(torch.rand(4, 2, 3, 3)).square().sum().backward()
    model[1].bias.grad = torch.full((6,), 0.1)
    before = model[0].weight.detach().clone()
    optimizer.step()
    after = model[0].weight.detach()
    direction = before * 6**0.5 / before.norm()
    # small singular values are not brought all the way to 1
    assert 0.5 < float((after - direction).norm()) / (0.01 * 6**0.5) < 1.2
    # Nesterov's first step is 1.9 gradients long; decay takes a tenth first
    assert model[1].bias.tolist() == pytest.approx([0.9 * 2.0 - BIAS_RATE * 0.01 * 0.19] * 6)


def test_a_parameter_without_gradient_stays() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 4), nn.Linear(4, 2))
    optimizer = Muon(parameter_groups(model, learning_rate=0.1, weight_decay=0.1), momentum=0.9)
    before = [tensor.detach().clone() for tensor in model.parameters()]
    optimizer.step()
    for tensor, old in zip(model.parameters(), before, strict=True):
        assert torch.equal(tensor, old)
