"""A plain training loop: of attackers, and of marks that are put in by a penalty.

Not the owner's training with triggers (``zkwm.training``): no checkpoint, any optimiser, soft
labels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from zkwm.nn.image_source import as_unit
from zkwm.nn.seeds import generator
from zkwm.training.batches import crop_and_mirror
from zkwm_protocols.errors import UsageError

OPTIMIZERS = ("sgd", "adamw")
SCHEDULES = ("constant", "cosine", "epoch-decay")
LARGEST_NORM = 5.0


@dataclass(frozen=True)
class Fit:
    """How to train.

    ``schedule`` ``cosine`` falls from ``rate`` to zero over all epochs, ``epoch-decay`` multiplies
    by ``decay`` after every ``decay_every`` epochs. Gradients are cut to norm 5, so that a large
    rate does not end in a network of NaNs. ``temperature`` is that of soft labels (Hinton et al.
    2015). Raises UsageError for an unknown optimiser or schedule.
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

    def __post_init__(self) -> None:
        for value, choices in ((self.optimizer, OPTIMIZERS), (self.schedule, SCHEDULES)):
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
    """Train ``model`` in place and leave it in evaluation mode; returns how many images it used.

    ``images`` uint8 or float32 (n, c, h, w); ``labels`` int64 (n,), or float32 (n, C)
    probabilities, which are learned by cross-entropy at the plan's temperature. Only ``parameters``
    are changed (default: all); batch-norm statistics move whenever the model trains. ``penalty`` is
    added to the loss of each step, and so is ``batch_penalty``, which is given the step's images,
    float32, and labels; ``after_step`` is called after it (to keep pruned weights zero).
    Raises UsageError when the training diverges.
    """
    trained = list(model.parameters() if parameters is None else parameters)
    optimizer = _optimizer(trained, plan)
    count = len(images)
    size = min(plan.batch_size, count)
    steps = count // size
    model.train()
    for epoch in range(plan.epochs):
        source = generator(seed, "fit", epoch)
        order = torch.randperm(count, generator=source)
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = _rate(plan, epoch, step, steps)
            chosen = order[step * size : (step + 1) * size]
            batch = images[chosen]
            if plan.augment:
                drawn = [torch.randint(limit, (size,), generator=source) for limit in (9, 9, 2)]
                batch = crop_and_mirror(batch, *(number.to(batch.device) for number in drawn))
            batch = as_unit(batch)
            loss = _loss(model(batch), labels[chosen], plan.temperature)
            if penalty is not None:
                loss = loss + penalty()
            if batch_penalty is not None:
                loss = loss + batch_penalty(batch, labels[chosen])
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
    if labels.ndim == 1:
        return functional.cross_entropy(logits, labels)
    wanted = functional.softmax(labels.clamp_min(1e-12).log() / temperature, dim=1)
    return functional.cross_entropy(logits / temperature, wanted) * temperature**2
