"""A round of relearning: train a copy of a network on some triggers, and ask it others.

SPEC.md 8.7. In double precision, on one thread, in a fixed order, with running statistics that do
not move: another machine differs by rounding alone. Weights may be a stranger's: what is not finite
ends a round, and its scores are NaN.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from zkwm_protocols.relearning import (
    CHUNK,
    ENOUGH,
    LARGEST_NORM,
    MOMENTUM,
    MOST_STEPS,
    RATE,
)


def relearned_scores(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    asked: Tensor,
    class_map: Sequence[int],
    *,
    most_steps: int | None = None,
) -> tuple[NDArray[np.float64], int]:
    """The scores of a copy that has learned some triggers, float64 (m, C), and its steps.

    ``model`` stays as it is; the labels of ``asked`` are not known here.

    Args:
        model: gives logits (n, K) of images.
        images (float32 or float64, (n, c, h, w)): the triggers to learn, preprocessed.
        labels (int64, (n,)): their labels.
        asked (float32 or float64, (m, c, h, w)): the triggers that are asked then.
        class_map: the output that stands for each of the C classes.
        most_steps: of training; None for all that the rules allow.
    """
    network = copy.deepcopy(model).double().eval()
    outputs = torch.tensor(class_map)
    most = MOST_STEPS if most_steps is None else most_steps
    steps = _learn(network, images, labels, outputs, most)
    with torch.no_grad():
        rows = [network(part.double())[:, outputs].numpy() for part in _chunks(asked)]
    scores = np.concatenate(rows)
    finite = steps is not None and np.isfinite(scores).all()
    return (scores if finite else np.full_like(scores, np.nan)), steps or 0


def _learn(
    network: nn.Module, images: Tensor, labels: Tensor, outputs: Tensor, most: int
) -> int | None:
    """Train until the mean loss is small; return the steps taken, None where it diverges."""
    parameters = [one for one in network.parameters() if one.requires_grad]
    velocities = [torch.zeros_like(one) for one in parameters]
    for step in range(most):
        loss, gradients = _gradients(network, parameters, images, labels, outputs)
        norm = math.sqrt(sum(float((one * one).sum()) for one in gradients))
        if not (math.isfinite(loss) and math.isfinite(norm)):
            return None
        if loss < ENOUGH:
            return step
        share = min(1.0, LARGEST_NORM / norm) if norm > 0 else 1.0
        with torch.no_grad():
            for weights, velocity, gradient in zip(parameters, velocities, gradients, strict=True):
                velocity.mul_(MOMENTUM).add_(gradient * share)
                weights.sub_(RATE * velocity)
    return most


def _gradients(
    network: nn.Module,
    parameters: list[nn.Parameter],
    images: Tensor,
    labels: Tensor,
    outputs: Tensor,
) -> tuple[float, list[Tensor]]:
    """The mean loss, and its gradient for each parameter."""
    total, sums = 0.0, [torch.zeros_like(one) for one in parameters]
    for part, wanted in zip(_chunks(images), _chunks(labels), strict=True):
        scores = network(part.double())[:, outputs]
        loss = functional.cross_entropy(scores, wanted, reduction="sum") / len(images)
        total += float(loss.detach())
        found = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
        for whole, one in zip(sums, found, strict=True):
            whole.add_(one)
    return total, sums


def _chunks(rows: Tensor) -> Iterator[Tensor]:
    """The rows in their order, some at a time."""
    for first in range(0, len(rows), CHUNK):
        yield rows[first : first + CHUNK]
