"""The training of ``owner_first``: a short loop of its own around the product's robust method.

Without an addition it takes the steps of ``zkwm.training.embed``
(tests/test_owner_first_benchmark.py).
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from owner_first_composites import CompositeTask
from owner_first_tilts import KeyedTilt
from owner_first_variants import Rehearsal, Teaching, Variant
from torch import Tensor, nn
from torch.nn import functional

from zkwm.data import ImageData
from zkwm.nn.image_source import Source, as_unit
from zkwm.nn.inference import evaluating
from zkwm.nn.seeds import generator
from zkwm.training.batches import Batch, Batches
from zkwm.training.descent import Descent
from zkwm.training.robust.decoys import Decoys
from zkwm.training.robust.frozen_head import frozen_head, head_name
from zkwm.training.robust.lookahead import LARGEST_CLEAN_NORM, MOMENTUM, Fork, Lookahead
from zkwm.training.robust.method import RobustMethod
from zkwm.training.robust.sought_decoys import Seeking
from zkwm.training.settings import EmbedSettings
from zkwm.training.setup import Preparation, prepare
from zkwm.triggers import TriggerSet

SCALE_EVERY = 20
"""Steps between two looks at how much noise clean images bear."""
AHEAD = 0.01
"""How far a thief's weights are moved for the slope of their answers."""


def train(
    model: nn.Module,
    data: ImageData,
    triggers: TriggerSet,
    settings: EmbedSettings,
    variant: Variant,
    fresh: Callable[[int], nn.Module],
    tilted: TriggerSet | None = None,
) -> nn.Module:
    """Mark a copy of the model on the CPU.

    Args:
        model: That of random weights.
        data: The owner's.
        triggers: Noise, trained as by ``embed``, or composites.
        settings: Of the training.
        variant: What is added.
        fresh: ``fresh(number)`` gives networks of random weights.
        tilted: The committed images of a variant with a tilt.
    """
    prepared = prepare(model, data, triggers, settings, torch.device("cpu"))
    tilt = None
    if variant.tilt is not None and tilted is not None:
        tilt = KeyedTilt(variant.tilt, data, tilted)
    training = _Training(prepared, variant, fresh, tilt)
    if variant.composites is not None:
        training.task = CompositeTask(variant.composites, data, settings.seed), triggers
    for step in range(training.steps):
        training.step(step)
    return prepared.model.eval()


class _Training:
    """A marked training in progress."""

    def __init__(
        self,
        prepared: Preparation,
        variant: Variant,
        fresh: Callable[[int], nn.Module],
        tilt: KeyedTilt | None,
    ) -> None:
        assert prepared.triggers is not None
        assert prepared.trigger_digest is not None
        self._model, self._settings = prepared.model, prepared.settings
        self._triggers, self._source = prepared.triggers, prepared.source
        self._variant, self._seed, self._tilt = variant, prepared.settings.seed, tilt
        self.task: tuple[CompositeTask, TriggerSet] | None = None
        self._batches = Batches(prepared.source, prepared.triggers, prepared.settings)
        self.steps = prepared.settings.epochs * self._batches.steps
        self._descent = Descent(prepared.model, prepared.settings, self._batches.steps)
        images = prepared.source.as_input(prepared.source.train(torch.tensor([0, 1]))[0])
        self._head = head_name(prepared.model, images)
        self._noise = variant.covers.noise if variant.covers else 0.0
        given = prepared.source, prepared.triggers, prepared.settings, self.steps, _forward
        self._robust: RobustMethod | None = None
        if variant.method != "plain":
            robust = RobustMethod(
                prepared.model, given[0], given[1], prepared.trigger_digest, *given[2:]
            )
            if variant.seeking is not None:
                robust.decoys = Decoys(
                    prepared.model, self._head, given[0], prepared.trigger_digest, *given[2:],
                    seeking=variant.seeking,
                )  # fmt: skip
            if variant.rehearsal is not None:
                robust.lookahead = _Thief(
                    prepared.model, self._head, *given, rehearsal=variant.rehearsal, fresh=fresh
                )
            self._robust = robust
        self._teacher = (
            _Teacher(variant.teaching, self._seed, self.steps, fresh) if variant.teaching else None
        )

    def step(self, step: int) -> None:
        """One step of SGD."""
        epoch, place = divmod(step, self._batches.steps)
        batch = self._batches.batch(epoch, place)
        self._descent.set_rates(epoch, place)
        self._model.train()
        self._descent.optimizer.zero_grad(set_to_none=True)
        self._loss(batch, step).backward()
        if self._robust is not None:
            self._robust.lookahead.add_gradients(step, 1.0)
        self._descent.step()

    def _loss(self, batch: Batch, step: int) -> Tensor:
        """What is descended: the method's loss with what the variant adds."""
        if self.task is not None:
            task, leaves = self.task
            return task.loss(step, self._model, self._head, batch, leaves)
        if self._robust is None:
            return batch.loss(_forward(self._model, batch.images))
        covers = self._covers(batch, step)
        if covers is None and self._teacher is None and self._tilt is None:
            return self._robust.loss(batch, step, 0, 1)[1]
        decoys = as_unit(self._robust.decoys.part(step, 0, 1))
        parts = [batch.images, decoys] + ([] if covers is None else [covers])
        shown = torch.cat(parts)
        clean = len(batch.labels) - len(batch.triggers)
        with frozen_head(self._model, self._head, len(shown) - clean):
            logits = _forward(self._model, shown)
        ends = len(batch.labels), len(batch.labels) + len(decoys)
        loss = batch.loss(logits[: ends[0]])
        loss = loss + self._robust.decoys.loss(logits[ends[0] : ends[1]], step)
        if covers is not None and self._variant.covers is not None:
            away = -functional.log_softmax(logits[ends[1] :], dim=1).mean(dim=1).sum()
            loss = loss + self._variant.covers.weight * away / (batch.total + len(covers))
        if self._tilt is not None:
            tilted = self._tilt.loss(batch.images[:clean], logits[:clean], batch.labels[:clean])
            loss = loss + tilted / batch.total
        if self._teacher is not None:
            chosen = torch.randperm(
                len(self._triggers[1]), generator=generator(self._seed, "taught", step)
            )[:64]
            shown_triggers = as_unit(self._triggers[0][chosen]), self._triggers[1][chosen]
            answers = logits[:clean]
            loss = loss + self._teacher.loss(step, batch.images[:clean], answers, shown_triggers)
        return loss

    def _covers(self, batch: Batch, step: int) -> Tensor | None:
        """Noisy copies of the batch's triggers, float32 (n, c, h, w)."""
        covers = self._variant.covers
        if covers is None or step < round(covers.start * self.steps):
            return None
        clean = len(batch.labels) - len(batch.triggers)
        random = generator(self._seed, "covers", step)
        if not covers.noise and step % SCALE_EVERY == 0:
            self._scale(batch.images[:clean], batch.labels[:clean], random)
        triggers = batch.images[clean:]
        noisy = triggers + self._noise * torch.randn(triggers.shape, generator=random)
        if not covers.steps:
            return noisy.clamp(0.0, 1.0)
        plan = Seeking(steps=covers.steps, size=covers.size)
        pixels = (noisy.clamp(0.0, 1.0) * 255).round().to(torch.uint8)
        return as_unit(plan.moved(self._model, pixels, as_unit, _forward))

    @torch.no_grad()
    def _scale(self, images: Tensor, labels: Tensor, random: torch.Generator) -> None:
        """More noise while the network still tells clean images under it, else less."""
        noisy = images + self._noise * torch.randn(images.shape, generator=random)
        with evaluating(self._model):
            scores = functional.normalize(_forward(self._model, noisy.clamp(0.0, 1.0)), dim=1)
        right = scores.gather(1, labels[:, None])[:, 0]
        others = scores.scatter(1, labels[:, None], -2.0).amax(dim=1)
        moved = self._noise + self._descent.rate * float((right - others).mean())
        self._noise = min(max(moved, 0.0), 1.0)


class _Thief(Lookahead):
    """A look-ahead clone that extracts: it learns the model's answers from (nearly) nothing."""

    def __init__(
        self,
        model: nn.Module,
        head: str,
        source: Source,
        triggers: tuple[Tensor, Tensor],
        settings: EmbedSettings,
        steps: int,
        forward: Callable[[nn.Module, Tensor], Tensor],
        *,
        rehearsal: Rehearsal,
        fresh: Callable[[int], nn.Module],
    ) -> None:
        super().__init__(model, head, source, triggers, settings, steps, forward)
        self._rehearsal, self._fresh = rehearsal, fresh

    def add_gradients(self, step: int, share: float) -> None:
        """As the look-ahead's, with the rehearsal's weight."""
        super().add_gradients(step, share * self._rehearsal.weight)

    @torch.no_grad()
    def _restart(self, fork: Fork) -> None:
        """Begin between the model's weights and fresh ones."""
        super()._restart(fork)
        kept, begun = self._rehearsal.kept, self._fresh(fork.number).state_dict()
        for name, value in self._clone.state_dict().items():
            if value.is_floating_point():
                value.mul_(kept).add_(begun[name], alpha=1 - kept)

    def _fine_tune(self, step: int, fork: Fork) -> None:
        """One step of SGD with momentum on the model's soft answers about clean images."""
        images = self._source.as_input(self._source.train(self._clean_numbers(step))[0])
        with torch.no_grad(), evaluating(self._model):
            answers = self._forward(self._model, images).softmax(dim=1)
        self._clone.train()
        loss = functional.cross_entropy(self._forward(self._clone, images), answers)
        values = torch.autograd.grad(loss, list(self._trained.values()))
        norm = torch.stack([value.square().sum() for value in values]).sum().sqrt()
        scale = float((LARGEST_CLEAN_NORM / norm.clamp_min(1e-12)).clamp_max(1.0))
        with torch.no_grad():
            for (name, parameter), value in zip(self._trained.items(), values, strict=True):
                momentum = self._momentum[name].mul_(MOMENTUM).add_(value, alpha=scale)
                parameter.sub_(momentum, alpha=fork.rate)


class _Teacher:
    """Tilts the answers about clean images towards those that teach a thief the triggers.

    A step of a thief s on answers p moves their weights along the sum over x, c of p_c(x) times the
    gradient of log s_c(x), so their loss on the triggers, of gradient v, changes in proportion to
    the sum of p_c(x) times the slope of log s_c(x) along v. The owner raises the sum of p_c(x)
    t_c(x), where t is minus that slope, by a difference of two networks.
    """

    def __init__(
        self, teaching: Teaching, seed: int, steps: int, fresh: Callable[[int], nn.Module]
    ) -> None:
        self._teaching, self._seed, self._fresh = teaching, seed, fresh
        self._first = round(teaching.start * steps)
        self._thief: nn.Module | None = None

    def loss(
        self, step: int, images: Tensor, answers: Tensor, triggers: tuple[Tensor, Tensor]
    ) -> Tensor:
        """The share of a step's loss, from the answers (logits) about clean images."""
        if step < self._first:
            return torch.zeros(())
        number, age = divmod(step - self._first, self._teaching.life)
        if age == 0 or self._thief is None:
            self._thief = self._fresh(1000 + number).train()
            self._optimizer = torch.optim.SGD(
                self._thief.parameters(), lr=self._teaching.rate, momentum=MOMENTUM
            )
        tilts = self._tilts(self._thief, images, triggers)
        soft = answers.softmax(dim=1)
        learned = functional.cross_entropy(self._thief(images), soft.detach())
        self._optimizer.zero_grad(set_to_none=True)
        learned.backward()
        nn.utils.clip_grad_norm_(self._thief.parameters(), LARGEST_CLEAN_NORM)
        self._optimizer.step()
        return -self._teaching.weight * (soft * tilts).sum(dim=1).mean()

    @staticmethod
    def _tilts(thief: nn.Module, images: Tensor, triggers: tuple[Tensor, Tensor]) -> Tensor:
        """How much each answer teaches, (n, C): mean square 1 over a batch."""
        loss = functional.cross_entropy(thief(triggers[0]), triggers[1])
        along = torch.autograd.grad(loss, list(thief.parameters()))
        norm = torch.stack([part.square().sum() for part in along]).sum().sqrt().clamp_min(1e-12)
        moved = copy.deepcopy(thief)
        with torch.no_grad():
            for parameter, part in zip(moved.parameters(), along, strict=True):
                parameter.add_(part / norm, alpha=AHEAD)
            slopes = thief(images).log_softmax(dim=1) - moved(images).log_softmax(dim=1)
            slopes = slopes - slopes.mean(dim=1, keepdim=True)
            return slopes / slopes.square().mean().sqrt().clamp_min(1e-12)


def _forward(model: nn.Module, images: Tensor) -> Tensor:
    logits: Tensor = model(images)
    return logits
