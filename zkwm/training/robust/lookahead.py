"""The attacked clone: in later training, triggers are also learned where an attack would lead.

A copy of the network is fine-tuned on the owner's own clean images for some steps, as a thief would
do with his, and then copied anew. In each step the gradient of the trigger loss is taken at the
copy and added to that of the network itself, so that the network moves to where fine-tuning does
not lose the triggers. This is first-order meta-learning (Finn et al. 2017, section 5.2, on MAML
without second derivatives; Tamirisa et al. 2024 against the removal of safeguards), applied to
triggers in our pilot (research note robustness.md, section 3). Not an attack (``zkwm.attacks``).

The numbers below were chosen on the network ``cnn2`` and Fashion-MNIST: more weight or an earlier
start keep more of the mark and cost more accuracy (benchmarks/results/survival_search.jsonl).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from zkwm.nn.image_source import Source, as_unit
from zkwm.nn.seeds import generator
from zkwm.training.robust.frozen_head import features_of
from zkwm.training.robust.mixed_batch import BesideClean

if TYPE_CHECKING:
    from zkwm.training.settings import EmbedSettings

START = 0.5
"""The share of the training after which the clone is attacked: triggers are learned by then."""
FEWEST_STEPS, MOST_STEPS = 60, 120
RATES = (0.6, 2.0)
"""Learning rates of the thief's fine-tuning, in units of the owner's rate at the start."""
NEW_HEADS = 0.4
WEIGHT = 0.15
"""Of the triggers at the clone, at the start; it falls with the owner's learning rate, since what
the clone asks for would otherwise be the larger part of the last, small steps of the training.
"""
LARGEST_NORM = 2.0
LARGEST_CLEAN_NORM = 5.0
TRIGGERS = 64
MOMENTUM = 0.9


@dataclass(frozen=True)
class Fork:
    """One attack on the clone: it begins before step ``first`` and has ``steps`` steps."""

    number: int
    first: int
    steps: int
    rate: float
    new_head: bool


class AttackedClone:
    """The clone of a network in training, and what its triggers ask of that network.

    All choices depend on the seed and the step alone, and ``tensors`` hold the rest, so a training
    that is resumed goes on exactly. Each of several processes keeps the same clone, of
    a network without dropout.
    """

    def __init__(
        self,
        model: nn.Module,
        head: str,
        source: Source,
        triggers: tuple[Tensor, Tensor],
        settings: EmbedSettings,
        steps: int,
        forward: Callable[[nn.Module, Tensor], Tensor],
    ) -> None:
        """``steps`` is the number of steps of the training; ``forward(clone, images)`` its logits
        in the precision and memory layout of the training.
        """
        self._model, self._head = model, head
        self._source, self._triggers, self._settings = source, triggers, settings
        self._first = round(START * steps)
        self._epoch_steps = max(steps // settings.epochs, 1)
        self._forward = forward
        self._company = BesideClean(model, source, settings, forward, "beside the clone's triggers")
        self._clone = copy.deepcopy(model)
        self._trained = {n: p for n, p in self._clone.named_parameters() if p.requires_grad}
        self._features = features_of(self._clone, head)
        self._momentum = {name: torch.zeros_like(p) for name, p in self._trained.items()}
        self._fork = self._drawn_fork(0, self._first)

    def tensors(self) -> dict[str, Tensor]:
        """The state, to be kept in a checkpoint and restored in place."""
        state = {f"clone/{name}": tensor for name, tensor in self._clone.state_dict().items()}
        return state | {f"clone-momentum/{n}": tensor for n, tensor in self._momentum.items()}

    def add_gradients(self, step: int, share: float) -> None:
        """Attack the clone by one step and add to the gradients of the model's features.

        ``step`` counts from 0 over all epochs. What is added is ``share`` of the whole, of which
        every one of several processes adds its part. Nothing happens before the clone's time.
        """
        if step < self._first:
            return
        fork = self._fork_at(step)
        if step == fork.first:
            self._copy_anew(fork)
        self._fine_tune(step, fork)
        found = self._trigger_gradients(step)
        model = dict(self._model.named_parameters())
        weight = WEIGHT * self._rate(step) / self._rate(self._first)
        for name, gradient in found.items():
            parameter = model[name]
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            parameter.grad.add_(gradient, alpha=weight * share)

    def _rate(self, step: int) -> float:
        """The owner's learning rate at a step that is counted over all epochs."""
        return self._settings.rate(*divmod(step, self._epoch_steps), self._epoch_steps)

    def _fork_at(self, step: int) -> Fork:
        fork = self._fork if step >= self._fork.first else self._drawn_fork(0, self._first)
        while step >= fork.first + fork.steps:
            fork = self._drawn_fork(fork.number + 1, fork.first + fork.steps)
        self._fork = fork
        return fork

    def _drawn_fork(self, number: int, first: int) -> Fork:
        source = generator(self._settings.seed, "clone", number)
        steps = int(torch.randint(FEWEST_STEPS, MOST_STEPS + 1, (1,), generator=source))
        rate = RATES[int(torch.randint(len(RATES), (1,), generator=source))]
        new_head = bool(torch.rand(1, generator=source) < NEW_HEADS)
        return Fork(number, first, steps, rate * self._settings.learning_rate, new_head)

    @torch.no_grad()
    def _copy_anew(self, fork: Fork) -> None:
        for mine, theirs in zip(
            self._clone.state_dict().values(), self._model.state_dict().values(), strict=True
        ):
            mine.copy_(theirs)
        for momentum in self._momentum.values():
            momentum.zero_()
        if not fork.new_head:
            return
        layer = self._clone.get_submodule(self._head)
        source = generator(self._settings.seed, "clone head", fork.number)
        for parameter in layer.parameters():
            bound = layer.weight[0].numel() ** -0.5  # type: ignore[index]
            drawn = torch.rand(parameter.shape, generator=source) * (2 * bound) - bound
            parameter.copy_(drawn)

    def _fine_tune(self, step: int, fork: Fork) -> None:
        """One step of the thief's SGD with momentum on clean images, gradients cut to norm 5."""
        source = generator(self._settings.seed, "clone images", step)
        count = min(self._settings.batch_size, self._source.train_count)
        chosen = torch.randint(self._source.train_count, (count,), generator=source)
        images, labels = self._source.train(chosen)
        self._clone.train()
        logits = self._forward(self._clone, as_unit(images))
        loss = functional.cross_entropy(logits.float(), labels)
        gradients = _gradients(loss, self._trained, LARGEST_CLEAN_NORM)
        with torch.no_grad():
            for name, gradient in gradients.items():
                momentum = self._momentum[name].mul_(MOMENTUM).add_(gradient)
                self._trained[name].sub_(momentum, alpha=fork.rate)

    def _trigger_gradients(self, step: int) -> dict[str, Tensor]:
        """Gradients of the trigger loss at the clone, for its features, cut to norm 2.

        Where triggers stand beside clean images, they are as many as in a batch of the training.
        """
        images, labels = self._triggers
        source = generator(self._settings.seed, "clone triggers", step)
        count = self._settings.triggers_per_batch if self._company.matters else TRIGGERS
        chosen = torch.randperm(len(labels), generator=source)[:count].to(labels.device)
        logits = self._company.logits(self._clone, images[chosen], step)
        loss = functional.cross_entropy(logits.float(), labels[chosen])
        return _gradients(loss, self._features, LARGEST_NORM)


def _gradients(
    loss: Tensor, parameters: dict[str, nn.Parameter], largest: float
) -> dict[str, Tensor]:
    """The gradients by name, scaled down together to a norm of at most ``largest``."""
    found = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
    gradients = {n: g for n, g in zip(parameters, found, strict=True) if g is not None}
    norm = torch.stack([g.square().sum() for g in gradients.values()]).sum().sqrt()
    scale = (largest / norm.clamp_min(1e-12)).clamp_max(1.0)
    return {name: gradient * scale for name, gradient in gradients.items()}
