"""Workers that read a data set ahead: the same training, read in other processes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import Dataset

from tests.support import small_training as small
from zkwm.nn.item_workers import ItemsAhead
from zkwm.training import Progress, embed
from zkwm_protocols.errors import Cancelled, UsageError


class Items(Dataset[Any]):
    """The small training images; random ones are mirrored by torch's global generator."""

    def __init__(self, folder: Path, *, random: bool = False, broken: int = -1) -> None:
        data = small.data()
        self.images, self.labels = torch.tensor(data.train_images), data.train_labels
        self.folder, self.random, self.broken = folder, random, broken

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, number: int) -> Any:
        (self.folder / str(os.getpid())).touch()
        image = self.images[number]
        if self.random and torch.rand(()) < 0.5:
            image = image.flip(2)
        return image, "three" if number == self.broken else int(self.labels[number])


def train(folder: Path, workers: int, **given: Any) -> Any:
    folder.mkdir(exist_ok=True)
    test = [(image, 0) for image in torch.tensor(small.data().test_images)]
    train = Items(folder, **{k: given.pop(k) for k in ("random", "broken") if k in given})
    keys = ("checkpoint", "progress")
    running = {key: given.pop(key) for key in keys if key in given}
    return embed(
        small.model("normalized"), (train, test), small.triggers(),
        settings=small.settings(**({"epochs": 3, "method": "robust"} | given)),
        workers=workers, **running,
    )  # fmt: skip


def test_workers_read_every_image_and_the_weights_are_the_same(tmp_path: Path) -> None:
    here, ahead = (train(tmp_path / str(workers), workers) for workers in (0, 2))
    assert here.model_digest == ahead.model_digest
    readers = {path.name for path in (tmp_path / "2").iterdir()}
    assert len(readers) == 3  # this process looks at the first items
    assert {path.name for path in (tmp_path / "0").iterdir()} == {str(os.getpid())}


def test_after_the_first_look_this_process_reads_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missed: list[list[int]] = []
    take = ItemsAhead.take

    def counted(self: ItemsAhead, numbers: list[int]) -> tuple[Tensor, Tensor] | None:
        found = take(self, numbers)
        if found is None:
            missed.append(numbers)
        return found

    monkeypatch.setattr(ItemsAhead, "take", counted)
    train(tmp_path / "read", 1)
    assert missed == []


@pytest.mark.parametrize("workers", [0, 2])
def test_random_items_are_the_same_when_resumed(tmp_path: Path, workers: int) -> None:
    def stop(now: Progress) -> None:
        if now.phase == "epoch" and now.epoch == 2:
            raise KeyboardInterrupt

    given: dict[str, Any] = {"random": True, "checkpoint": tmp_path / "state"}
    with pytest.raises(Cancelled):
        train(tmp_path / "a", workers, progress=stop, **given)
    resumed = train(tmp_path / "b", workers, **given)
    whole = train(tmp_path / "c", workers, random=True)
    assert resumed.model_digest == whole.model_digest
    assert train(tmp_path / "d", workers, method="plain").model_digest != whole.model_digest


def test_what_a_worker_refuses_is_told_as_here(tmp_path: Path) -> None:
    for workers in (0, 1):
        with pytest.raises(UsageError) as caught:
            train(tmp_path / str(workers), workers, broken=100)
        assert caught.value.message == (
            "the label of item 100 of a data set is 'three', no whole number"
        )
        assert "int(label)" in caught.value.hint
