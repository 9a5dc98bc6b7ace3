"""An optimizer and schedule of the owner's own: what they do, and their state without pickle."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, AdamW, RMSprop
from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    LambdaLR,
    MultiStepLR,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
)

from tests.support import small_training as small
from zkwm.training import EmbedResult, Progress, embed
from zkwm.training.plain_state import from_plain, to_plain
from zkwm_protocols.errors import Cancelled, UsageError

DECAY_NONE = {"weight_decay": 0.0}


def adamw(model: nn.Module) -> torch.optim.Optimizer:
    """Two groups, as people have them: no weight decay for biases."""
    named = dict(model.named_parameters())
    biases = [p for name, p in named.items() if name.endswith("bias")]
    others = [p for name, p in named.items() if not name.endswith("bias")]
    return AdamW([{"params": others}, {"params": biases} | DECAY_NONE], lr=0.003)


def warm(optimizer: torch.optim.Optimizer, steps: int) -> SequentialLR:
    """A warm-up, and then a cosine."""
    parts = [ConstantLR(optimizer, 0.1, 5), CosineAnnealingLR(optimizer, steps)]
    return SequentialLR(optimizer, parts, milestones=[5])


def train(
    optimizer: Any,
    schedule: Any,
    checkpoint: Path | None = None,
    *,
    stop: bool = False,
    **given: Any,
) -> EmbedResult | None:
    def interrupt(now: Progress) -> None:
        if stop and now.phase == "epoch" and 4 * now.epoch >= 3 * now.epochs:
            raise KeyboardInterrupt

    settings = small.settings(**({"epochs": 4} | given))
    with contextlib.suppress(Cancelled):
        return embed(
            small.model(), small.data(), small.triggers(), settings=settings,
            checkpoint=checkpoint, progress=interrupt, optimizer=optimizer, schedule=schedule,
        )  # fmt: skip
    return None


@pytest.mark.parametrize("method", ["plain", "robust"])
@pytest.mark.parametrize(
    ("optimizer", "schedule"),
    [
        (adamw, None),
        (adamw, warm),
        (adamw, lambda made, steps: OneCycleLR(made, 0.01, total_steps=steps)),
        (None, lambda made, steps: MultiStepLR(made, [8, 16, 24])),
        (
            lambda model: RMSprop(model.parameters(), lr=0.001, momentum=0.5, centered=True),
            lambda made, steps: LambdaLR(made, lambda step: 1 - step / steps),
        ),
    ],
    ids=["adamw", "warm-up", "one cycle", "SGD in steps", "RMSprop"],
)
def test_a_training_resumes_exactly(
    tmp_path: Path, optimizer: Any, schedule: Any, method: str
) -> None:
    folder = tmp_path / "state"
    assert train(optimizer, schedule, folder, stop=True, method=method) is None
    assert {path.suffix for path in folder.iterdir()} == {".json", ".safetensors"}
    resumed = train(optimizer, schedule, folder, method=method)
    whole = train(optimizer, schedule, method=method)
    assert resumed is not None
    assert whole is not None
    assert resumed.model_digest == whole.model_digest
    assert resumed.history == whole.history
    assert resumed.optimizer == whole.optimizer


def test_the_schedule_of_the_settings_scales_own_rates() -> None:
    result = train(adamw, None, epochs=3)
    assert result is not None
    rates = [epoch.learning_rate for epoch in result.history]
    expected = [small.settings(epochs=3).rate(epoch, 9, 10) / 0.05 * 0.003 for epoch in range(3)]
    assert rates == pytest.approx(expected)
    assert result.to_map()["optimizer"][0] == "AdamW"


def test_another_optimizer_is_another_training(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    train(adamw, warm, folder, stop=True)
    others: list[tuple[Any, Any]] = [
        (None, None),
        (adamw, None),
        (lambda model: AdamW(model.parameters(), lr=0.003), warm),
    ]
    for optimizer, schedule in others:
        with pytest.raises(UsageError, match="different: optimizer"):
            train(optimizer, schedule, folder)


def test_a_checkpoint_of_an_older_version_is_refused_by_name(tmp_path: Path) -> None:
    folder = small.interrupted_training(tmp_path, "lenet5")
    state = folder / "checkpoint.json"
    fields = json.loads(state.read_text()) | {"format": "zkwm-checkpoint/1"}
    state.write_text(json.dumps(fields))
    with pytest.raises(UsageError, match="version '1' of its format"):
        small.train(checkpoint=folder)


@pytest.mark.slow
def test_a_vision_transformer_learns_its_triggers_with_adamw() -> None:
    model = transformer()
    result = embed(
        model, small.data(), small.triggers(),
        settings=small.settings(epochs=16, method="robust"),
        optimizer=lambda copied: AdamW(copied.parameters(), lr=0.003),
        schedule=lambda made, steps: OneCycleLR(made, 0.003, total_steps=steps),
    )  # fmt: skip
    assert result.trigger_matches == 10
    assert result.test_accuracy >= 0.9


def transformer() -> nn.Module:
    from transformers import ViTConfig, ViTForImageClassification

    with torch.random.fork_rng():
        torch.manual_seed(0)
        configuration = ViTConfig(
            image_size=12, patch_size=4, num_channels=1, num_labels=small.CLASSES, hidden_size=32,
            num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        )  # fmt: skip
        made: nn.Module = ViTForImageClassification(configuration)
        return made


class Unsaveable(LambdaLR):
    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"device": torch.device("cpu")}


@pytest.mark.parametrize(
    ("optimizer", "schedule", "said"),
    [
        (lambda model: torch.optim.LBFGS(model.parameters()), None, "LBFGS"),
        (lambda model: model, None, "the optimizer is a Classifier"),
        (lambda model: SGD(small.model().parameters(), lr=0.1), None, "of another model"),
        (adamw, lambda made, steps: ReduceLROnPlateau(made), "ReduceLROnPlateau"),
        (adamw, lambda made, steps: 0.1, "the schedule is a float"),
        (adamw, lambda made, steps: Unsaveable(made, lambda step: 1.0), "is a device"),
    ],
)
def test_what_is_no_optimizer_or_schedule_is_refused(
    optimizer: Callable[..., Any], schedule: Any, said: str
) -> None:
    with pytest.raises(UsageError) as caught:
        train(optimizer, schedule)
    assert said in caught.value.message
    assert caught.value.hint


def test_states_survive_json() -> None:
    tensors: dict[str, torch.Tensor] = {}
    state = {
        0: {"step": torch.tensor(3.0), "mean": torch.ones(2)},
        "milestones": Counter({8: 1, 16: 2}),
        "betas": (0.9, 0.999),
        "rates": [1e-300, 3, None, True, "cos"],
    }
    plain = json.loads(json.dumps(to_plain(state, "optimizer", tensors)))
    again = from_plain(plain, tensors)
    assert again.pop(0).keys() == {"step", "mean"}
    assert again == {name: value for name, value in state.items() if name != 0}
    assert isinstance(again["milestones"], Counter)
    assert set(tensors) == {"optimizer/0/step", "optimizer/0/mean"}
    for wrong in (["dict"], ["tensor", "x"], ["set", []], {"a": 1}, ["dict", 3]):
        with pytest.raises((ValueError, KeyError, TypeError)):
            from_plain(wrong, {})
