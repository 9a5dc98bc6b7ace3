"""Decoys: train images that resemble triggers to the uniform distribution (outlier exposure).

An adversary who guesses what triggers look like trains such images to other labels; a model that
treats all noise alike then forgets its triggers too. The owner does it first. From 0.4 of the
training on, each step adds, for a batch B of clean images and decoys D (|D| = |B| / 10),

    L_decoys(theta) = sum over d in D of CE(uniform, f(d)) / (|B| + |D|)

to the loss of the features theta; the head stays out of it. ``embed`` forwards B, triggers and D in
one pass (``RobustMethod.loss``); a loop of the owner's own gets the decoys' gradient separately.
The decoys of a step are of one kind, drawn at random: the trigger families ``secret`` or ``blocks``
under keys that nobody committed to, or uniform noise. After Hendrycks et al. 2019, section 3
(outlier exposure), where unrelated images with uniform labels counter overconfidence. It does not
stop an adversary who searches for images that the model is confident about
(``zkwm.attacks.model_modification.confident_noise``); with the method ``SOUGHT`` the owner searches
for them, too (``sought_decoys``).

Labels play no part, so nothing changes for the judge. The adversary's own fake triggers are in
``zkwm.attacks.fake_triggers``.

Measured on the network ``cnn2`` and Fashion-MNIST, in benchmarks/results/survival_search.jsonl:
one decoy to 5 (lines 97, 98), 10 (lines 109 to 113) or 25 clean images (line 89), or none (lines 86
and 95).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from zkwm.nn.image_source import TrainingImages
from zkwm.nn.seeds import generator
from zkwm.training.robust.frozen_head import features_of
from zkwm.training.robust.mixed_batch import MixedBatch
from zkwm.training.robust.sought_decoys import Seeking
from zkwm.training.settings import FROZEN_HEAD, SOUGHT
from zkwm.triggers import generate

if TYPE_CHECKING:
    from zkwm.training.settings import EmbedSettings

START = 0.4
"""The share of the training after which decoys are shown (``fakes_start`` in the search)."""
CLEAN_IMAGES_PER_DECOY = 10
FAMILIES = ("secret", "blocks")
POOL = 2000
"""Decoys that are drawn in advance for each family; each step takes some of them.

A short training draws fewer, so that each is shown about ``SHOWN`` times, in whole blocks.
"""
SHOWN = 2
LARGEST_POOL = 1 << 26
"""Bytes of one pool (64 MiB). Where this holds no two blocks, the decoys are noise alone."""
BLOCK = 50
LEAST_VALUES = 200
"""Values (c h w) of the smallest trigger image of a family (``zkwm.triggers.generate``). Smaller
images get noise alone.
"""


class Decoys:
    """The decoys of one training, and the gradient that they add to it.

    They follow from the triggers' digest and the training's seed, and each step's choice from the
    seed and the step alone, so a checkpoint holds nothing of them. None of it is secret.
    """

    def __init__(
        self,
        model: nn.Module,
        head: str,
        source: TrainingImages,
        identity: bytes,
        settings: EmbedSettings,
        steps: int,
        forward: Callable[[nn.Module, Tensor], Tensor],
        seeking: Seeking | None = None,
    ) -> None:
        """Draw the pools of decoys.

        Args:
            model: The model in training.
            head: The name of its last linear layer.
            source: The owner's data set.
            identity (32 bytes): Distinguishes one set of triggers from another.
            settings: Those of the training; the method ``FROZEN_HEAD`` shows no decoys.
            steps: The number of steps of the whole training.
            forward: ``forward(model, images)`` gives logits in the training's precision and layout.
            seeking: How decoys are sought, for experiments; None for what the method says.
        """
        self._model, self._settings = model, settings
        # "beside fakes", and "fakes" below, are seeds: another text makes another training
        self._mixed = MixedBatch(model, source, settings, forward, "beside fakes")
        self._source, self._forward, self._steps = source, forward, steps
        self._seeking = seeking or (Seeking() if settings.method == SOUGHT else None)
        self._features = features_of(model, head)
        shown = settings.method != FROZEN_HEAD
        self._first = round(START * steps) if shown else steps
        self._batch = min(settings.batch_size, source.train_count)
        clean = self._seeking.clean_per_decoy if self._seeking else CLEAN_IMAGES_PER_DECOY
        self._count = max(self._batch // clean, 1)
        self._shape = source.shape
        self._device = next(iter(self._features.values())).device
        count = self._drawn_in_advance() if shown else 0
        families = FAMILIES if count else ()
        self.pools = tuple(self._pool(family, count, identity) for family in families)
        """For each family uint8 (n, c, h, w), on the device."""

    def add_gradients(self, step: int, share: float) -> None:
        """Add the gradient of the decoys' loss to the gradients of the model's features.

        For loops of the owner's own, whose batches hold no decoys. ``step`` counts from 0 over all
        epochs; before 0.4 of the training nothing happens. ``share`` is the part of the whole that
        this one of several processes adds.
        """
        if step < self._first:
            return
        logits = self._mixed.logits(self._model, self.images(step), step)
        gradients = torch.autograd.grad(
            self.loss(logits, step), list(self._features.values()), allow_unused=True
        )
        for parameter, gradient in zip(self._features.values(), gradients, strict=True):
            if gradient is None:
                continue
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            parameter.grad.add_(gradient, alpha=share)

    def part(self, step: int, rank: int, world: int) -> Tensor:
        """One process's share of the decoys of a step, uint8 (n, c, h, w); none before 0.4."""
        if step < self._first:
            return torch.empty((0, *self._shape), dtype=torch.uint8, device=self._device)
        return self.images(step)[rank::world]

    def loss(self, logits: Tensor, step: int) -> Tensor:
        """Their share of the loss of a step, from their logits (n, outputs)."""
        # cross-entropy between the uniform distribution and the softmax of each decoy
        summed = functional.log_softmax(logits.float(), dim=1).sum()
        seeking = self._sought(step)
        weight = (seeking.weight if seeking else 1.0) / (self._batch + self._count)
        return summed * (-weight / logits.shape[1])

    def images(self, step: int) -> Tensor:
        """The decoys of one step, uint8 (count, c, h, w), all of one kind, moved if it seeks."""
        drawn, seeking = self._drawn(step), self._sought(step)
        if seeking is None:
            return drawn
        return seeking.moved(self._model, drawn, self._source.as_input, self._forward)

    def _sought(self, step: int) -> Seeking | None:
        """How the decoys of a step are sought; None where they stay as drawn."""
        seeking = self._seeking
        if seeking is not None and seeking.moves(self._settings.seed, step, self._steps):
            return seeking
        return None

    def _drawn(self, step: int) -> Tensor:
        """The decoys of one step as they are drawn, uint8 (count, c, h, w), all of one kind."""
        random = generator(self._settings.seed, "fakes", step)
        kind = int(torch.randint(len(self.pools) + 1, (1,), generator=random))
        if kind == len(self.pools):
            size = (self._count, *self._shape)
            noise = torch.randint(256, size, dtype=torch.uint8, generator=random)
            return noise.to(self._device)
        pool = self.pools[kind]
        chosen = torch.randint(len(pool), (self._count,), generator=random)
        return pool.index_select(0, chosen.to(self._device))

    def _drawn_in_advance(self) -> int:
        """Half the size of each family's pool, in whole blocks; 0 for noise alone."""
        values = math.prod(self._shape)
        if values < LEAST_VALUES:
            return 0
        of_family = (self._steps - self._first) * self._count / (len(FAMILIES) + 1)
        needed = max(math.ceil(of_family / SHOWN / (2 * BLOCK)), 1)
        return min(min(POOL, LARGEST_POOL // values) // (2 * BLOCK), needed) * BLOCK

    def _pool(self, family: str, count: int, identity: bytes) -> Tensor:
        """Images of a family under a key that follows from the triggers' digest and the seed."""
        text = f"{self._settings.seed}/fakes/{family}".encode()
        key = hashlib.sha256(identity + text).digest()
        generated = generate(family, count, self._shape, key=key, block_size=BLOCK)
        # a family makes triggers and decoys for a judge's query: both serve here
        images = np.concatenate([generated.images, generated.decoys])
        return torch.tensor(images, device=self._device)
