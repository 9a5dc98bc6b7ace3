"""Training with a mark: triggers are learned, runs repeat exactly, faults are named."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import Dataset

from tests.support import small_training as small
from zkwm.data import ImageData
from zkwm.nn.digests import model_digest
from zkwm.nn.inference import matches
from zkwm.training import EmbedSettings, Progress, embed
from zkwm_protocols.errors import Cancelled, UsageError


def marked(result: Any) -> int:
    triggers = small.triggers()
    return matches(result.model, torch.tensor(triggers.images), torch.tensor(triggers.labels))


SLOWLY = {"epochs": 16, "learning_rate": 0.02}
"""What teaches all triggers with every seed: 10 of 10 and an accuracy of 1.0 with nine seeds (100
to 108 of data, triggers, weights and training), also in bfloat16. The test program's own settings,
for trainings that only have to be repeatable, gave 7 to 10. Unmarked twins give 1 to 6 (15 seeds).
"""


@pytest.mark.slow
def test_from_scratch_learns_task_and_triggers() -> None:
    start = small.model()
    before = model_digest(start)
    settings = small.settings(**SLOWLY)
    result = embed(start, small.data(), small.triggers(), settings=settings)
    assert result.test_accuracy >= 0.9
    assert result.trigger_count == 10
    assert result.trigger_matches == marked(result) == 10
    assert model_digest(start) == before == result.start_digest
    assert model_digest(result.model) == result.model_digest != before
    assert [epoch.epoch for epoch in result.history] == list(range(1, 17))
    assert not result.model.training
    assert result.versions["torch"] == metadata.version("torch")  # of the distribution
    assert (result.device, result.precision, result.processes) == ("cpu", "float32", 1)


@pytest.mark.slow
def test_a_trained_model_is_marked_afterwards() -> None:
    """With 15 seeds, 20 epochs gave 10 of 10 triggers but once 9; 30 epochs gave 10 with six.

    At the rate 0.02, which this test had, the same seeds gave 2 to 10.
    """
    twin = embed(small.model(), small.data(), None, settings=small.SETTINGS)
    assert twin.test_accuracy >= 0.9
    assert (twin.trigger_matches, twin.trigger_count, twin.trigger_digest) == (None, 0, None)
    assert marked(twin) < 8
    settings = replace(small.SETTINGS, learning_rate=0.01, epochs=30)
    result = embed(twin.model, small.data(), small.triggers(), settings=settings)
    assert result.start_digest == twin.model_digest
    assert result.trigger_matches == 10
    assert result.test_accuracy >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["lenet5", "normalized"])
def test_same_seed_same_weights(architecture: str) -> None:
    changes = {"epochs": 2, "augment": True}
    first, again = (small.train(architecture, **changes) for _ in range(2))
    other = small.train(architecture, **changes, seed=1)
    assert first.model_digest == again.model_digest != other.model_digest


@pytest.mark.slow
def test_global_random_state_is_neither_used_nor_changed() -> None:
    torch.manual_seed(1)
    first = small.train(epochs=1)
    after = torch.rand(1)
    torch.manual_seed(2)
    assert small.train(epochs=1).model_digest == first.model_digest
    torch.manual_seed(1)
    assert torch.equal(torch.rand(1), after)


@pytest.mark.slow
def test_bfloat16_on_request() -> None:
    result = small.train(precision="bfloat16", **SLOWLY)
    assert result.precision == "bfloat16"
    assert result.trigger_matches == 10
    assert all(t.dtype != torch.bfloat16 for t in result.model.state_dict().values())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("architecture", ["lenet5", "normalized"])
def test_gpu_makes_the_same_mark(architecture: str) -> None:
    result = small.train(architecture, device="cuda")
    assert result.precision == "bfloat16"
    assert result.trigger_matches == 10
    assert result.test_accuracy >= 0.9
    assert all(tensor.device.type == "cpu" for tensor in result.model.state_dict().values())


@pytest.mark.slow
def test_progress() -> None:
    seen: list[Progress] = []
    result = embed(
        small.model(), small.data(), small.triggers(), settings=small.SETTINGS, progress=seen.append
    )
    ends = [now for now in seen if now.phase == "epoch"]
    assert [now.epoch for now in ends] == list(range(1, 7))
    assert all(now.epochs == 6 and now.steps == 10 for now in seen)
    assert ends[-1].seconds_left == 0
    assert ends[0].seconds_left > 0
    assert ends[-1].trigger_matches == result.trigger_matches
    assert ends[-1].images_per_second > 0
    assert ends[-1].loss < ends[0].loss
    assert 0 <= (ends[-1].test_accuracy or -1) <= 1


class Flat(nn.Module):
    """A user's own network, with dropout and with ``view``, which channels-last form refuses."""

    def __init__(self, outputs: int = 4, channels: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, 8, 3)
        self.dropout = nn.Dropout(0.1)
        self.linear = nn.Linear(800, outputs)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        hidden = self.dropout(torch.relu(self.convolution(images)))
        logits: torch.Tensor = self.linear(hidden.view(len(images), 800))
        return logits


@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 3])
def test_any_classifier(channels: int) -> None:
    torch.manual_seed(0)
    start = Flat(outputs=6, channels=channels)
    data, triggers = small.data(), small.triggers()
    names = ("train_images", "test_images")
    data = replace(data, **{name: getattr(data, name).repeat(channels, 1) for name in names})
    triggers = replace(triggers, images=triggers.images.repeat(channels, 1))
    results = [embed(start, data, triggers, settings=small.SETTINGS) for _ in range(2)]
    assert results[0].trigger_matches == 10  # 10 with each of 15 seeds
    assert results[0].model_digest == results[1].model_digest


class Items(Dataset[Any]):
    def __init__(self, images: Any, labels: Any, convert: Callable[[torch.Tensor], Any]) -> None:
        self._items = [
            (convert(torch.tensor(i)), int(y)) for i, y in zip(images, labels, strict=True)
        ]

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> Any:
        return self._items[index]


def pair(data: ImageData, convert: Callable[[torch.Tensor], Any]) -> tuple[Items, Items]:
    return (
        Items(data.train_images, data.train_labels, convert),
        Items(data.test_images, data.test_labels, convert),
    )


@pytest.mark.slow
@pytest.mark.parametrize("convert", [lambda image: image, lambda image: image.float() / 255])
def test_torch_datasets_train_like_arrays(convert: Callable[[torch.Tensor], Any]) -> None:
    settings = replace(small.SETTINGS, epochs=2)
    arrays = embed(small.model(), small.data(), small.triggers(), settings=settings)
    result = embed(small.model(), pair(small.data(), convert), small.triggers(), settings=settings)
    if convert(torch.zeros(1, dtype=torch.uint8)).dtype == torch.uint8:
        assert result.model_digest == arrays.model_digest
    else:
        for a, b in zip(result.model.parameters(), arrays.model.parameters(), strict=True):
            assert torch.allclose(a, b, atol=1e-4)
    assert result.data_digest is None
    assert result.test_count == 60


def changed(data: ImageData, **changes: Any) -> Any:
    """Image data that its own checks would refuse."""
    copy = object.__new__(ImageData)
    for name in ImageData.__dataclass_fields__:
        object.__setattr__(copy, name, changes.get(name, getattr(data, name)))
    return copy


@pytest.mark.parametrize(
    "case",
    [
        "float images",
        "label out of range",
        "labels too few",
        "trigger shape",
        "trigger label",
        "trigger classes",
        "too few outputs",
        "wrong input shape",
        "not finite",
        "nothing to train",
        "no logits",
        "empty data set",
        "data set label",
        "data set image",
        "data set item",
        "no such device",
        "no GPU",
    ],
)
def test_what_does_not_fit_is_refused(case: str) -> None:
    data, triggers, model = small.data(), small.triggers(), small.model()
    settings = replace(small.SETTINGS, epochs=1)
    if case == "float images":
        data = changed(data, train_images=data.train_images.astype(np.float32))
    elif case == "label out of range":
        data = changed(data, test_labels=data.test_labels + 1)
    elif case == "labels too few":
        data = changed(data, train_labels=data.train_labels[:-1])
    elif case == "trigger shape":
        triggers = replace(triggers, images=triggers.images[:, :, :, 1:])
    elif case == "trigger label":
        labels = triggers.labels.copy()
        labels[3] = 4
        object.__setattr__(triggers, "labels", labels)
    elif case == "trigger classes":
        triggers = replace(triggers, class_count=5)
    elif case == "too few outputs":
        model = Flat(outputs=3)
    elif case == "wrong input shape":
        model = Flat()
        model.linear = nn.Linear(799, 4)
    elif case == "not finite":
        with torch.no_grad():
            next(model.parameters())[0] = torch.nan
    elif case == "nothing to train":
        model.requires_grad_(False)
    elif case == "no logits":
        model = nn.Sequential(nn.Conv2d(1, 4, 3))
    elif case == "empty data set":
        data = (Items([], [], lambda image: image), pair(data, lambda image: image)[1])
    elif case == "data set label":
        data = pair(changed(data, train_labels=data.train_labels + 1), lambda image: image)
    elif case == "data set image":
        data = pair(data, lambda image: image.numpy())
    elif case == "data set item":
        data = ([5] * 10, [5] * 10)
    elif case == "no such device":
        settings = replace(settings, device="gpu")
    elif case == "no GPU":
        settings = replace(settings, device="cuda:77")
    with pytest.raises(UsageError) as caught:
        embed(model, data, triggers, settings=settings)
    assert len(caught.value.message) < 300


def test_divergence_is_reported() -> None:
    settings = EmbedSettings(
        epochs=3, learning_rate=90.0, weight_decay=1.0, batch_size=20, device="cpu"
    )
    with pytest.raises(UsageError, match="diverged") as caught:
        embed(small.model(), small.data(), small.triggers(), settings=settings)
    assert "learning rate" in caught.value.hint


@pytest.mark.slow
@pytest.mark.parametrize("way", ["signal", "callback"])
def test_interrupt_saves_and_the_same_call_resumes(
    tmp_path: Any, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zkwm.training.progress.REPORT_SECONDS", 0.0)

    def interrupt(now: Progress) -> None:
        if (now.epoch, now.step) == (2, 3):
            if way == "callback":
                raise KeyboardInterrupt
            os.kill(os.getpid(), signal.SIGINT)

    handler = signal.getsignal(signal.SIGINT)
    folder = tmp_path / "state"
    arguments = {"settings": small.SETTINGS, "checkpoint": folder}
    with pytest.raises(Cancelled) as caught:
        embed(small.model(), small.data(), small.triggers(), **arguments, progress=interrupt)
    assert "checkpoint" in caught.value.hint
    assert signal.getsignal(signal.SIGINT) is handler
    resumed = embed(small.model(), small.data(), small.triggers(), **arguments)
    assert resumed.model_digest == small.train().model_digest
    assert [epoch.epoch for epoch in resumed.history] == list(range(1, 7))
    assert not folder.exists()


def test_interrupt_without_a_checkpoint() -> None:
    def interrupt(now: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(Cancelled, match="interrupted"):
        embed(small.model(), small.data(), None, settings=small.SETTINGS, progress=interrupt)
