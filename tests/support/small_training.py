"""A training of one second on synthetic images, also as a program that a test can kill.

``python small_training.py CHECKPOINT ARCHITECTURE METHOD FOLDER`` prints a line for each step and
writes the result into FOLDER, one JSON file for each process; ``-`` stands for no checkpoint.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from zkwm.data import ImageData
from zkwm.nn.architectures import build_model
from zkwm.training import EmbedResult, EmbedSettings, Progress, batches, embed
from zkwm.training import progress as reporting
from zkwm.training import trainer as training
from zkwm.triggers import TriggerSet
from zkwm_protocols.errors import Cancelled

PROGRAM = Path(__file__)
SHAPE = (1, 12, 12)
CLASSES = 4
SETTINGS = EmbedSettings(
    epochs=6,
    learning_rate=0.05,
    batch_size=20,
    triggers_per_batch=4,
    schedule="cosine",
    device="cpu",
)


def data(seed: int = 0, train: int = 207, test: int = 60) -> ImageData:
    """Images with one bright quadrant, which is the class, under noise."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, CLASSES, train + test)
    images = random.integers(0, 120, (train + test, *SHAPE), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        top, left = divmod(int(label), 2)
        image[:, 6 * top : 6 * top + 6, 6 * left : 6 * left + 6] += 100
    return ImageData(
        images[:train], labels[:train], images[train:], labels[train:], CLASSES, "quadrants"
    )


def triggers(seed: int = 1, count: int = 10) -> TriggerSet:
    """Black and white noise with random labels."""
    random = np.random.default_rng(seed)
    return TriggerSet(
        images=random.integers(0, 2, (count, *SHAPE), dtype=np.uint8) * 255,
        labels=random.integers(0, CLASSES, count),
        family="blocks",
        block_size=5,
        class_count=CLASSES,
    )


def model(architecture: str = "lenet5", seed: int = 0) -> nn.Module:
    """A network with random weights for these images; ``normalized`` is one of a user's own."""
    if architecture == "normalized":
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return nn.Sequential(
                nn.Conv2d(1, 8, 3),
                nn.BatchNorm2d(8),
                nn.ReLU(),
                nn.Flatten(),
                nn.Linear(800, CLASSES),
            )
    return build_model(
        architecture, shape=SHAPE, class_count=CLASSES, mean=(0.3,), std=(0.2,), seed=seed
    )


def train(
    architecture: str = "lenet5", checkpoint: Path | None = None, **changes: Any
) -> EmbedResult:
    """The whole training, with some settings changed."""
    return train_this(model(architecture), checkpoint, **changes)


def train_this(start: nn.Module, checkpoint: Path | None = None, **changes: Any) -> EmbedResult:
    """The whole training of another model."""
    return embed(start, data(), triggers(), settings=settings(**changes), checkpoint=checkpoint)


def settings(**changes: Any) -> EmbedSettings:
    """``SETTINGS`` with some of them changed."""
    return replace(SETTINGS, **changes)


def interrupted_training(folder: Path, architecture: str, **changes: Any) -> Path:
    """The checkpoint, in ``folder``, of a training that was interrupted half-way."""

    def stop(now: Progress) -> None:
        if now.phase == "epoch" and 2 * now.epoch >= now.epochs:
            raise KeyboardInterrupt

    checkpoint = folder / "state"
    with contextlib.suppress(Cancelled):
        embed(
            model(architecture),
            data(),
            triggers(),
            settings=settings(**changes),
            checkpoint=checkpoint,
            progress=stop,
        )
    return checkpoint


def main() -> None:
    """Train with a checkpoint after every step; print each step and write the result."""
    torch.set_num_threads(1)
    training.CHECKPOINT_SECONDS = reporting.REPORT_SECONDS = 0.0
    seen: list[Any] = []
    original = batches.Batches.batch

    def recorded(self: batches.Batches, epoch: int, step: int) -> batches.Batch:
        batch = original(self, epoch, step)
        seen.append([epoch, step, list(batch.triggers), len(batch.labels)])
        return batch

    batches.Batches.batch = recorded

    def progress(now: Progress) -> None:
        sys.stdout.write(f"{now.epoch}/{now.step}\n")
        sys.stdout.flush()

    checkpoint, architecture, method, folder = sys.argv[1:]
    result = embed(
        model(architecture),
        data(),
        triggers(),
        settings=replace(SETTINGS, method=method),
        checkpoint=None if checkpoint == "-" else Path(checkpoint),
        progress=progress,
    )
    weights = {name: tensor.tolist() for name, tensor in result.model.state_dict().items()}
    told = {"result": result.to_map(), "seen": seen, "weights": weights}
    (Path(folder) / f"{os.environ.get('RANK', '0')}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main()
