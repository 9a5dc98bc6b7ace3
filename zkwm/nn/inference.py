"""Forward a model in evaluation mode: logits, labels, accuracy and matches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from zkwm.nn.class_scores import class_scores
from zkwm.nn.image_source import Source, as_unit, evaluation_batches


def accuracy(model: nn.Module, source: Source, limit: int | None = None) -> float:
    """The share (0 to 1) of test images that get their label; at most ``limit`` images."""
    right, count = 0, 0
    for numbers in evaluation_batches(source.test_count, limit):
        images, labels = source.test(numbers)
        right += int((predictions(model, images) == labels).sum())
        count += len(labels)
    return right / count


def matches(model: nn.Module, images: Tensor, labels: Tensor) -> int:
    """How many images (n, c, h, w) get their label (int64, (n,)): the first largest logit."""
    return sum(
        int((predictions(model, images[numbers]) == labels[numbers]).sum())
        for numbers in evaluation_batches(len(labels))
    )


@torch.no_grad()
def predictions(model: nn.Module, images: Tensor) -> Tensor:
    """The labels, int64 (n,), of images (n, c, h, w), uint8 or float32 in [0, 1]."""
    with evaluating(model):
        return class_scores(model(as_unit(images))).argmax(dim=1)


def last_linear(model: nn.Module) -> str | None:
    """The name of the last ``nn.Linear`` in module order, or None where there is none."""
    names: list[str] = [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    return names[-1] if names else None


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode inside; each module has its own mode again afterwards."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


@torch.no_grad()
def logits(model: nn.Module, images: Tensor) -> Tensor:
    """The logits (n, outputs) of images (n, c, h, w), uint8 or float32 in [0, 1]."""
    with evaluating(model):
        return class_scores(model(as_unit(images)))
