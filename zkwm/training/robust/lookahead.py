"""Look-ahead: learn triggers also where fine-tuning would lead (first-order MAML).

A copy of the model is fine-tuned on the owner's clean images, as an adversary would do with theirs.
From half of the training on, each step fine-tunes the copy theta' by one step, and every k-th takes
the gradient of the trigger loss there and applies it to the features theta of the model,

    g = clip(grad of CE(y_T, f(x_T; theta')) by theta', norm 2)
    grad theta += k * 0.15 * sqrt(64 / m) * (rate_t / rate_start) * g

with k = 2 (4 with batch norm), so that the model moves to where fine-tuning keeps the triggers. It
asks about m triggers, 64 in batches of 100, fewer in smaller ones; with batch norm the root is 1.
Fine-tuning goes on for 60 to 120 steps, at 0.6 or 2 times the owner's first learning rate, in 40 %
of the cases under a new random head (RTAL), and then starts over from a new copy. The weight falls
with the owner's learning rate, since it would otherwise dominate the last, small steps.

After Finn et al. 2017, section 5.2 (MAML without second derivatives) and Tamirisa et al. 2024
(safeguards that resist tampering). Applied to triggers by us; the attacks themselves are in
``zkwm.attacks``.

Measured on the network ``cnn2`` and Fashion-MNIST, in benchmarks/results/survival_search.jsonl: the
values below are lines 109 to 113, 118 and 119. More weight (0.5: lines 66, 67) or an earlier start
(0.35, weight 0.4: lines 68, 69) keep more of the mark and cost more accuracy. That k = 2 keeps what
k = 1 did, and what m = 32 keeps in batches of 50: benchmarks/results/lookahead_pace.jsonl. There
also: fewer clean images in a step of the copy cost less, and keep less (with 0.64 and 0.8 of the
batch 13 and 16 % fewer bits after RTAL at twice the rate, four owners; rounding alone gave 19 %).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from zkwm.nn.image_source import TrainingImages
from zkwm.nn.seeds import generator
from zkwm.training.robust.frozen_head import features_of
from zkwm.training.robust.mixed_batch import MixedBatch
from zkwm.training.settings import ABLATIONS, PERTURBED

if TYPE_CHECKING:
    from zkwm.training.settings import EmbedSettings

START = 0.5
"""The share of the training after which it begins: triggers are learned by then."""
FEWEST_STEPS, MOST_STEPS = 60, 120
"""Of one simulated attack (``clone_steps`` in the search)."""
RATES = (0.6, 2.0)
"""Learning rates of the simulated attack, in units of the owner's first rate."""
NEW_HEADS = 0.4
"""The share of simulated attacks that begin with a new random head."""
EVERY, EVERY_BESIDE_CLEAN = 2, 4
"""Steps for one gradient of the trigger loss at the copy, which counts as often.

With batch norm it costs a whole mixed batch, and there are fewer.
"""
WEIGHT = 0.15
"""Of the look-ahead gradient at the start; it falls with the owner's learning rate."""
LARGEST_NORM = 2.0
"""To which the look-ahead gradient is clipped (``largest_norm`` in the search)."""
LARGEST_CLEAN_NORM = 5.0
"""To which the simulated attack clips its gradients, as ``zkwm.training.fit`` does."""
TRIGGER_SHARE, MOST_TRIGGERS = 0.64, 64
"""Triggers of one look-ahead step: a share of the batch size, and at most so many.

64 is ``clone_triggers`` in the search, in batches of 100. In batches of 50 as many would take half
of the look-ahead's time.
"""
MOMENTUM = 0.9


def first_step(steps: int) -> int:
    """The step, from 0, at which it begins in a training of ``steps``."""
    return round(START * steps)


def asked(batch_size: int) -> int:
    """The number of triggers in one look-ahead step of a network without batch norm."""
    return min(math.ceil(TRIGGER_SHARE * batch_size), MOST_TRIGGERS)


def weight(triggers: int) -> float:
    """Of the look-ahead gradient of so many triggers, in a network without batch norm.

    The norm to which it is clipped is mostly that of its noise, which grows with fewer triggers.
    """
    return WEIGHT * math.sqrt(MOST_TRIGGERS / triggers)


@dataclass(frozen=True)
class Fork:
    """One simulated attack: ``steps`` steps at ``rate``, the first of them before step ``first``.

    ``number`` counts the attacks from 0; ``new_head`` says whether it begins with a random head.
    """

    number: int
    first: int
    steps: int
    rate: float
    new_head: bool


class Lookahead:
    """The fine-tuned copy of a model in training, and the gradient that it adds.

    All choices depend on the seed and the step alone and ``tensors`` hold the rest, so a resumed
    training continues exactly. Each of several processes keeps the same copy, provided that the
    model has no dropout.
    """

    def __init__(
        self,
        model: nn.Module,
        head: str,
        source: TrainingImages,
        triggers: tuple[Tensor, Tensor],
        settings: EmbedSettings,
        steps: int,
        forward: Callable[[nn.Module, Tensor], Tensor],
        rate: Callable[[int], float] | None = None,
    ) -> None:
        """Copy the model.

        Args:
            model: The model in training.
            head: The name of its last linear layer.
            source: The owner's data set.
            triggers (uint8 (n, c, h, w), int64 (n,)): Trigger images and labels, on the device.
            settings: Those of the training; ``ABLATIONS`` and ``PERTURBED`` have no look-ahead.
            steps: The number of steps of the whole training.
            forward: ``forward(model, images)`` gives logits in the training's precision and layout.
            rate: The owner's learning rate at a step, as a share of that of ``first_step``; None
                for that of the settings.
        """
        self._model, self._head = model, head
        self._source, self._triggers, self._settings = source, triggers, settings
        without = settings.method in (*ABLATIONS, PERTURBED)
        self._first = steps if without else first_step(steps)
        self._rate = rate or self._rate_of_settings
        self._epoch_steps = max(steps // settings.epochs, 1)
        self._forward = forward
        # the purposes of random choices here and below are seeds: another text, another training
        self._mixed = MixedBatch(model, source, settings, forward, "beside the clone's triggers")
        beside_clean = self._mixed.uses_batch_norm
        self._every = EVERY_BESIDE_CLEAN if beside_clean else EVERY
        self._count = settings.triggers_per_batch if beside_clean else asked(settings.batch_size)
        self._weight = self._every * (WEIGHT if beside_clean else weight(self._count))
        self._clean = min(settings.batch_size, source.train_count)
        self._clone = copy.deepcopy(model).train()
        self._trained = {n: p for n, p in self._clone.named_parameters() if p.requires_grad}
        self._features = features_of(self._clone, head)
        self._moved = features_of(model, head)
        self._momentum = {name: torch.zeros_like(p) for name, p in self._trained.items()}
        self._fork = self._drawn_fork(0, self._first)

    def tensors(self) -> dict[str, Tensor]:
        """The state by name, for a checkpoint; restored in place."""
        state = {f"clone/{name}": tensor for name, tensor in self._clone.state_dict().items()}
        return state | {f"clone-momentum/{n}": tensor for n, tensor in self._momentum.items()}

    def add_gradients(self, step: int, share: float) -> None:
        """Fine-tune the copy by one step, and add its trigger gradient to that of the model.

        ``step`` counts from 0 over all epochs; before half of the training nothing happens, and in
        every second step after it (every fourth with batch norm) the gradient is added. ``share``
        is the part of the whole that this one of several processes adds.
        """
        if step < self._first:
            return
        fork = self.fork_at(step)
        if step == fork.first:
            self._restart(fork)
        self._fine_tune(step, fork)
        if not self._asks_triggers(step):
            return
        weighted = self._weight * self._rate(step) * share
        gradients, scale = self._trigger_gradients(step)
        for name, gradient in gradients.items():
            parameter = self._moved[name]
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            parameter.grad.addcmul_(gradient, scale, value=weighted)

    def _asks_triggers(self, step: int) -> bool:
        """Whether the copy is asked about triggers at a step."""
        return (step - self._first) % self._every == 0

    def fork_at(self, step: int) -> Fork:
        """The simulated attack to which a step belongs."""
        fork = self._fork if step >= self._fork.first else self._drawn_fork(0, self._first)
        while step >= fork.first + fork.steps:
            fork = self._drawn_fork(fork.number + 1, fork.first + fork.steps)
        self._fork = fork
        return fork

    def _rate_of_settings(self, step: int) -> float:
        """The settings' learning rate at a step, as a share of that of the first step here."""
        now, first = (
            self._settings.rate(*divmod(place, self._epoch_steps), self._epoch_steps)
            for place in (step, self._first)
        )
        return now / first

    def _drawn_fork(self, number: int, first: int) -> Fork:
        random = generator(self._settings.seed, "clone", number)
        steps = int(torch.randint(FEWEST_STEPS, MOST_STEPS + 1, (1,), generator=random))
        rate = RATES[int(torch.randint(len(RATES), (1,), generator=random))]
        new_head = bool(torch.rand(1, generator=random) < NEW_HEADS)
        return Fork(number, first, steps, rate * self._settings.learning_rate, new_head)

    @torch.no_grad()
    def _restart(self, fork: Fork) -> None:
        """Copy the model in place, with a new random head if the fork says so."""
        for copied, current in zip(
            self._clone.state_dict().values(), self._model.state_dict().values(), strict=True
        ):
            copied.copy_(current)
        for momentum in self._momentum.values():
            momentum.zero_()
        if not fork.new_head:
            return
        layer = self._clone.get_submodule(self._head)
        random = generator(self._settings.seed, "clone head", fork.number)
        for parameter in layer.parameters():
            # the initialization of nn.Linear: uniform within 1 / sqrt(inputs)
            bound = layer.weight[0].numel() ** -0.5  # type: ignore[index]
            drawn = torch.rand(parameter.shape, generator=random) * (2 * bound) - bound
            parameter.copy_(drawn)

    def reads(self, step: int) -> Iterator[Tensor]:
        """The numbers of the training images that ``add_gradients`` will ask for at a step."""
        if step < self._first:
            return
        yield self._clean_numbers(step)
        if self._mixed.uses_batch_norm and self._asks_triggers(step):
            yield self._mixed.numbers(step)

    def _clean_numbers(self, step: int) -> Tensor:
        """The numbers of the images on which the copy is fine-tuned at a step, int64 (n,)."""
        random = generator(self._settings.seed, "clone images", step)
        return torch.randint(self._source.train_count, (self._clean,), generator=random)

    def _fine_tune(self, step: int, fork: Fork) -> None:
        """One step of SGD with momentum on clean images, gradients clipped to norm 5."""
        images, labels = self._source.train(self._clean_numbers(step))
        logits = self._forward(self._clone, self._source.as_input(images))
        loss = functional.cross_entropy(logits.float(), labels)
        gradients, scale = _clipped_gradients(loss, self._trained, LARGEST_CLEAN_NORM)
        momentum = [self._momentum[name] for name in gradients]
        with torch.no_grad():
            torch._foreach_mul_(momentum, MOMENTUM)
            torch._foreach_addcmul_(momentum, list(gradients.values()), [scale] * len(momentum))
            trained: list[Tensor] = [self._trained[name] for name in gradients]
            torch._foreach_add_(trained, momentum, alpha=-fork.rate)

    def _trigger_gradients(self, step: int) -> tuple[dict[str, Tensor], Tensor]:
        """Gradients of the trigger loss at the copy, for its features, and what clips them to 2.

        With batch norm, a mixed batch holds as many triggers as a batch of the training.
        """
        images, labels = self._triggers
        random = generator(self._settings.seed, "clone triggers", step)
        chosen = torch.randperm(len(labels), generator=random)[: self._count].to(labels.device)
        logits = self._mixed.logits(self._clone, images.index_select(0, chosen), step)
        loss = functional.cross_entropy(logits.float(), labels[chosen])
        return _clipped_gradients(loss, self._features, LARGEST_NORM)


def _clipped_gradients(
    loss: Tensor, parameters: dict[str, nn.Parameter], largest: float
) -> tuple[dict[str, Tensor], Tensor]:
    """The gradients of a scalar by name, and the factor () by which their norm is ``largest``.

    The factor is at most 1.
    """
    values = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
    gradients = {n: g for n, g in zip(parameters, values, strict=True) if g is not None}
    norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(list(gradients.values()))))
    return gradients, (largest / norm.clamp_min(1e-12)).clamp_max(1.0)
