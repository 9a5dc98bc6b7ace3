"""The robust embedding: frozen-head training plus decoys and a look-ahead.

A trigger set that is trained like any other data (Adi et al. 2018) is lost when an adversary
fine-tunes the model. For features theta and head h, a batch B of clean images and triggers T, each
step descends

    L(theta, h) = sum over B of CE / (|B| + |T|)       clean images train features and head
                + sum over T of CE / (|B| + |T|)       triggers train theta only  (``frozen_head``)
                + L_decoys(theta)                      from 0.4 of the training   (``decoys``)
                + lambda_t * L_T(theta')               from 0.5 of the training   (``lookahead``)

where CE is cross-entropy and theta' are features that a simulated adversary has fine-tuned; the
gradient of the last term is taken at theta' and applied to theta (first-order MAML). What the
method costs and keeps: benchmarks/results/survival.jsonl. With the method ``PERTURBED`` the last
term is another one (``perturbed_weights``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from zkwm.nn.image_source import TrainingImages, as_unit
from zkwm.training.robust.decoys import Decoys
from zkwm.training.robust.frozen_head import frozen_head, head_name
from zkwm.training.robust.lookahead import Lookahead
from zkwm.training.robust.perturbed_weights import PerturbedWeights
from zkwm.training.settings import PERTURBED

if TYPE_CHECKING:
    from zkwm.training.batches import Batch
    from zkwm.training.settings import EmbedSettings

VERSION = 7
"""Bumped when a step of the method changes; checkpoints of other versions are refused."""


class RobustMethod:
    """What the robust embedding adds to the training of one model."""

    def __init__(
        self,
        model: nn.Module,
        source: TrainingImages,
        triggers: tuple[Tensor, Tensor],
        identity: bytes,
        settings: EmbedSettings,
        steps: int,
        forward: Callable[[nn.Module, Tensor], Tensor],
        rate: Callable[[int], float] | None = None,
    ) -> None:
        """Find the head and prepare decoys and look-ahead.

        Args:
            model: The model in training.
            source: The owner's data set.
            triggers (uint8 (n, c, h, w), int64 (n,)): Trigger images and labels, on the device.
            identity (32 bytes): The digest of the triggers, from which decoys are drawn.
            settings: Those of the training.
            steps: The number of steps of the whole training.
            forward: ``forward(model, images)`` gives logits in the training's precision and layout.
            rate: The learning rate at a step, as ``Lookahead`` takes it; None for the settings'.

        Raises:
            UsageError: The model does not end in a linear layer (``frozen_head.head_name``).
        """
        images = source.as_input(source.train(torch.tensor([0, source.train_count - 1]))[0])
        self._model, self._head = model, head_name(model, images)
        self._forward = forward
        self.decoys = Decoys(model, self._head, source, identity, settings, steps, forward)
        self.lookahead = Lookahead(
            model, self._head, source, triggers, settings, steps, forward, rate
        )
        self.perturbed = (
            PerturbedWeights(model, self._head, source, triggers, settings, steps, forward)
            if settings.method == PERTURBED
            else None
        )

    def loss(self, batch: Batch, step: int, rank: int, world: int) -> tuple[Tensor, Tensor]:
        """One process's part of the mean cross-entropy of a step, and of what is descended.

        Clean images, triggers and decoys are forwarded in one pass; the latter two send no gradient
        into the head. ``add_trigger_gradients`` adds further ones afterwards.

        Args:
            batch: Clean images and triggers.
            step: From 0 over all epochs.
            rank: The number of this process.
            world: The number of processes.

        Returns:
            Two scalars: the first without decoys, the second with them.
        """
        decoys = as_unit(self.decoys.part(step, rank, world))
        shown = torch.cat([batch.images, decoys]) if len(decoys) else batch.images
        with frozen_head(self._model, self._head, len(batch.triggers) + len(decoys)):
            logits = self._forward(self._model, shown)
        if not len(decoys):
            loss = batch.loss(logits)
            return loss, loss
        of_batch, of_decoys = torch.split(logits, [len(batch.labels), len(decoys)])
        loss = batch.loss(of_batch)
        return loss, loss + self.decoys.loss(of_decoys, step)

    def frozen_head(self, triggers: int) -> AbstractContextManager[None]:
        """While somebody else calls the model on a batch whose last images are triggers."""
        return frozen_head(self._model, self._head, triggers)

    def add_gradients(self, step: int, share: float) -> None:
        """Add the gradients of decoys and triggers to those of the model, before its step.

        For loops that show no decoys in their batches. ``step`` counts from 0 over all epochs;
        ``share`` is this process's part of the whole.
        """
        self.decoys.add_gradients(step, share)
        self.add_trigger_gradients(step, share)

    def add_trigger_gradients(self, step: int, share: float) -> None:
        """Add the gradients of triggers at other weights: of the look-ahead, or perturbed ones."""
        self.lookahead.add_gradients(step, share)
        if self.perturbed is not None:
            self.perturbed.add_gradients(step, share)

    def reads(self, step: int) -> Iterator[Tensor]:
        """The numbers of the images that ``add_trigger_gradients`` will ask for at a step."""
        yield from self.lookahead.reads(step)
        if self.perturbed is not None:
            yield from self.perturbed.reads(step)

    def tensors(self) -> dict[str, Tensor]:
        """The state by name, for a checkpoint; restored in place."""
        return self.lookahead.tensors()
