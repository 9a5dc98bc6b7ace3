"""A stop rule for adversaries: hold images out, and undo a training that costs too much accuracy.

An adversary who unlearns too much is left with a network that is of no use to them: fakes that
outnumber the clean images can leave it at chance. ``confident_noise`` and ``dehydra`` therefore
measure on images that they do not train on, and try again more gently.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from zkwm.nn.inference import predictions
from zkwm_protocols.errors import UsageError

if TYPE_CHECKING:
    from zkwm.nn.architectures import Classifier

BATCH = 500
GENTLENESS = (1.0, 0.5, 0.25, 0.125)
"""Factors of the learning rate and of the number of fakes, tried in this order."""


@dataclass(frozen=True)
class Labeled:
    """Images with their classes.

    Args:
        images (uint8 or float32, (n, c, h, w)): float32 ones in [0, 1].
        labels (int64, (n,)): Their classes.
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def right(self, model: nn.Module) -> Tensor:
        """Which of these images get their class, one Boolean each."""
        parts = zip(torch.split(self.images, BATCH), torch.split(self.labels, BATCH), strict=True)
        answers = [predictions(model, images) == labels for images, labels in parts if len(labels)]
        return torch.cat([self.labels[:0] == 0, *answers])


def require_stop_rule(held_out: float, most_lost: float) -> None:
    """Raise UsageError unless 0 <= ``held_out`` < 1 and ``most_lost`` >= 0."""
    if not (0.0 <= held_out < 1.0 and most_lost >= 0.0):
        raise UsageError(
            "expected a share held out from 0 to below 1 and at least 0 points that may be lost, "
            f"got {held_out} and {most_lost}"
        )


def hold_out(data: Labeled, share: float, generator: torch.Generator) -> tuple[Labeled, Labeled]:
    """Part images at random into those to train on, and a ``share`` to measure on, rounded down."""
    order = torch.randperm(len(data), generator=generator)
    count = int(share * len(data))
    held, kept = order[:count].sort().values, order[count:].sort().values
    return (
        Labeled(data.images[kept], data.labels[kept]),
        Labeled(data.images[held], data.labels[held]),
    )


def costs_too_much(before: Tensor, after: Tensor, most_lost: float) -> bool:
    """Whether clearly more than ``most_lost`` points of accuracy are gone.

    A tenth of a small data set says little of a point. So the right answers that are gone, less
    those that are new, have to exceed the points by a standard deviation of that difference, which
    is the root of the number of changes.

    Args:
        before: Which images were right, Boolean (n,).
        after: Which are right now, likewise.
        most_lost: In percent of the images.
    """
    gone, new = int((before & ~after).sum()), int((after & ~before).sum())
    return gone - new > most_lost / 100 * len(before) + math.sqrt(gone + new)


def train_within(
    model: Classifier,
    held: Labeled,
    before: Tensor,
    most_lost: float,
    train: Callable[[Classifier, float], int],
) -> tuple[Classifier, int]:
    """Train a copy; undo and repeat more gently while that costs too much accuracy.

    Args:
        model: Is not changed.
        held: Images that ``train`` does not use; the first training stands where there are none.
        before: Which of them the stolen model got right, Boolean (n,).
        most_lost: How many points of accuracy below the stolen model's the adversary accepts.
        train: Trains a model in place, given one of ``GENTLENESS``; returns how many images'
            gradients it took.

    Returns:
        The trained copy, or ``model`` itself where even the gentlest training costs too much; and
        how many images' gradients were taken in all.
    """
    taken = 0
    for gentleness in GENTLENESS:
        trial = copy.deepcopy(model)
        taken += train(trial, gentleness)
        if not costs_too_much(before, held.right(trial), most_lost):
            return trial, taken
    return model, taken
