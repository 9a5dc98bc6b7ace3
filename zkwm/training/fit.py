"""A plain training loop, for adversaries and for marks that a penalty embeds.

It has soft labels, penalties and a choice of optimizers, and no checkpoints or triggers; those are
in ``zkwm.training.trainer``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from zkwm.nn.image_source import as_unit
from zkwm.nn.seeds import generator
from zkwm.training.batches import CROP_PADDING, SHIFT, crop_and_mirror
from zkwm.training.settings import AUGMENTATIONS
from zkwm_protocols.errors import UsageError

OPTIMIZERS = ("sgd", "adamw")
SCHEDULES = ("constant", "cosine", "epoch-decay")
LARGEST_NORM = 5.0
"""Gradients are clipped to it, so that a large rate does not end in NaNs."""


@dataclass(frozen=True)
class Fit:
    """Hyperparameters of one training.

    Attributes:
        epochs: At least 1.
        rate: Learning rate at the start, above 0.
        optimizer: ``sgd`` (with ``momentum``) or ``adamw``.
        schedule: ``constant``; ``cosine``, from ``rate`` to zero over all epochs; ``epoch-decay``,
            times ``decay`` after every ``decay_every`` epochs.
        batch_size: At least 1.
        temperature: Of soft labels (Hinton et al. 2015, section 2).
        augment: Random crops and mirrors, as in ``zkwm.training.batches``.
        augmentation: With ``augment``: ``random`` or ``alternating``, as in ``EmbedSettings``.

    Raises:
        UsageError: An optimizer or schedule is unknown, or a value is out of range.
    """

    epochs: int = 10
    rate: float = 0.01
    optimizer: str = "sgd"
    schedule: str = "cosine"
    decay: float = 0.5
    decay_every: int = 5
    momentum: float = 0.9
    weight_decay: float = 5e-4
    batch_size: int = 128
    temperature: float = 1.0
    augment: bool = False
    augmentation: str = AUGMENTATIONS[0]

    def __post_init__(self) -> None:
        for value, choices in (
            (self.optimizer, OPTIMIZERS),
            (self.schedule, SCHEDULES),
            (self.augmentation, AUGMENTATIONS),
        ):
            if value not in choices:
                raise UsageError(f"{value!r} is none of {', '.join(choices)}")
        if self.epochs < 1 or self.batch_size < 1 or not self.rate > 0:
            raise UsageError("a training has epochs, a batch size and a learning rate above zero")


def fit(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    plan: Fit,
    *,
    seed: int,
    parameters: Iterable[nn.Parameter] | None = None,
    penalty: Callable[[], Tensor] | None = None,
    batch_penalty: Callable[[Tensor, Tensor], Tensor] | None = None,
    after_step: Callable[[], None] | None = None,
) -> int:
    """Train a model in place and leave it in evaluation mode.

    Returns how many images' gradients were taken. Raises UsageError if the training diverged.

    Args:
        model: On the device of images and labels.
        images (uint8 or float32, (n, c, h, w)): float32 ones in [0, 1].
        labels (int64 (n,) or float32 (n, C)): Classes, or probabilities (soft labels).
        plan: Hyperparameters.
        seed: Of the order of images and their augmentation.
        parameters: The only ones to change (default: all); batch-norm statistics change anyway.
        penalty: Added to the loss of each step.
        batch_penalty: Likewise, given the step's images (float32) and labels.
        after_step: Called after each step, to keep pruned weights zero, say.
    """
    trained = list(model.parameters() if parameters is None else parameters)
    optimizer = _optimizer(trained, plan)
    size = min(plan.batch_size, len(images))
    steps = len(images) // size
    model.train()
    for epoch in range(plan.epochs):
        batches = _batches(images, labels, plan, seed, epoch)
        for step, (batch, truth) in enumerate(batches):
            for group in optimizer.param_groups:
                group["lr"] = _rate(plan, epoch, step, steps)
            loss = _loss(model(batch), truth, plan.temperature)
            if penalty is not None:
                loss = loss + penalty()
            if batch_penalty is not None:
                loss = loss + batch_penalty(batch, truth)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(trained, LARGEST_NORM)
            optimizer.step()
            if after_step is not None:
                after_step()
        if not bool(torch.isfinite(loss)):
            raise UsageError("the training diverged", hint="use a smaller rate")
    model.eval()
    return plan.epochs * steps * size


def _batches(
    images: Tensor, labels: Tensor, plan: Fit, seed: int, epoch: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """One epoch in random order: images float32 (size, c, h, w) and their labels.

    Args:
        images (uint8 or float32, (n, c, h, w)): All of them.
        labels (int64 (n,) or float32 (n, C)): Theirs.
        plan: For the size of a batch, at most n, and the augmentation.
        seed: Of the training.
        epoch: From 0.
    """
    size = min(plan.batch_size, len(images))
    random = generator(seed, "fit", epoch)
    order = torch.randperm(len(images), generator=random)
    first_mirrors = None
    if plan.augment and plan.augmentation == "alternating":
        mirrors = generator(seed, "fit/mirrors")
        first_mirrors = torch.randint(2, (len(images),), generator=mirrors)
    for step in range(len(images) // size):
        chosen = order[step * size : (step + 1) * size]
        batch = images[chosen]
        if first_mirrors is not None:
            batch = _alternating(batch, (first_mirrors[chosen] + epoch) % 2, random)
        elif plan.augment:
            batch = _augmented(batch, random)
        yield as_unit(batch), labels[chosen]


def _augmented(images: Tensor, random: torch.Generator) -> Tensor:
    """Images (n, c, h, w) under random crops and mirrors."""
    limits = (2 * CROP_PADDING + 1, 2 * CROP_PADDING + 1, 2)
    drawn = [torch.randint(limit, (len(images),), generator=random) for limit in limits]
    return crop_and_mirror(images, *(number.to(images.device) for number in drawn))


def _alternating(images: Tensor, mirrored: Tensor, random: torch.Generator) -> Tensor:
    """Images (n, c, h, w) moved by up to 2 pixels, those mirrored where ``mirrored`` is 1, (n,)."""
    drawn = torch.randint(2 * SHIFT + 1, (2, len(images)), generator=random)
    top, left = drawn.to(images.device)
    return crop_and_mirror(images, top, left, mirrored.to(images.device), border=SHIFT)


def _optimizer(parameters: list[nn.Parameter], plan: Fit) -> torch.optim.Optimizer:
    if plan.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=plan.rate, weight_decay=plan.weight_decay)
    return torch.optim.SGD(
        parameters, lr=plan.rate, momentum=plan.momentum, weight_decay=plan.weight_decay
    )


def _rate(plan: Fit, epoch: int, step: int, steps: int) -> float:
    if plan.schedule == "constant":
        return plan.rate
    if plan.schedule == "epoch-decay":
        return float(plan.rate * plan.decay ** (epoch // plan.decay_every))
    done = (epoch * steps + step) / (plan.epochs * steps)
    return plan.rate * 0.5 * (1.0 + math.cos(math.pi * done))


def _loss(logits: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Cross-entropy with classes, or with soft labels at a temperature (times its square)."""
    if labels.ndim == 1:
        return functional.cross_entropy(logits, labels)
    softened = functional.softmax(labels.clamp_min(1e-12).log() / temperature, dim=1)
    return functional.cross_entropy(logits / temperature, softened) * temperature**2
