"""Fake triggers in training: of images like triggers that are none, the network says nothing.

A thief who guesses what triggers look like makes images of that kind and trains them to other
answers, and a network to which all noise is alike forgets the triggers with them. So the owner does
it first: in later training, each step also shows fake triggers, drawn from keys of nobody, whose
answer is to be the uniform distribution. Then only the triggers themselves are remembered, and a
thief's fakes find much less to unlearn. Ours; near to it is outlier exposure (Hendrycks et al.
2019, section 3), whose unrelated images with uniform answers serve against overconfidence. It does
not help against a thief who seeks what the network is sure of
(``zkwm.attacks.model_modification.confident_noise``).

Labels play no part in it, so nothing changes for the judge. Not a thief's fakes (``zkwm.attacks``).

The numbers below were chosen on the network ``cnn2`` and Fashion-MNIST
(benchmarks/results/survival_search.jsonl).
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

from zkwm.nn.image_source import Source
from zkwm.nn.seeds import generator
from zkwm.training.robust.frozen_head import features_of
from zkwm.training.robust.mixed_batch import BesideClean
from zkwm.triggers import generate

if TYPE_CHECKING:
    from zkwm.training.settings import EmbedSettings

START = 0.4
"""The share of the training after which fakes are shown."""
SHARE = 10
"""One fake to so many clean images in a batch."""
FAMILIES = ("secret", "blocks")
NOISE = "noise"
POOL = 2000
LARGEST_POOL = 1 << 26
"""Bytes of all drawn fakes of one family; where it holds no two blocks, noise alone is left."""
BLOCK = 50
LEAST_VALUES = 200
"""Smaller images are no triggers of a family (``zkwm.triggers.generate``): noise alone is left."""


class FakeTriggers:
    """The fake triggers of one training, and what they ask of the network.

    Drawn from ``identity``, 32 bytes that tell one set of triggers from another, and the seed of
    the training; each step's choice from the seed and the step alone. So nothing of it has to be
    kept in a checkpoint, and nothing of it is a secret: families are public.
    """

    def __init__(
        self,
        model: nn.Module,
        head: str,
        source: Source,
        identity: bytes,
        settings: EmbedSettings,
        steps: int,
        forward: Callable[[nn.Module, Tensor], Tensor],
    ) -> None:
        """``steps`` is the number of steps of the training; ``forward(model, images)`` its logits
        in the precision and memory layout of the training.
        """
        self._model, self._settings = model, settings
        self._company = BesideClean(model, source, settings, forward, "beside fakes")
        self._features = features_of(model, head)
        self._first = round(START * steps)
        self._batch = min(settings.batch_size, source.train_count)
        self._count = max(self._batch // SHARE, 1)
        self._shape = source.shape
        self._device = next(iter(self._features.values())).device
        values = math.prod(source.shape)
        count = min(POOL, LARGEST_POOL // values) // (2 * BLOCK) * BLOCK
        families = FAMILIES if values >= LEAST_VALUES and count else ()
        self._pools = tuple(self._drawn(family, count, identity) for family in families)

    def add_gradients(self, step: int, share: float) -> None:
        """Add to the gradients of the model's features what the fakes ask for.

        ``step`` counts from 0 over all epochs. What is added is ``share`` of the whole, of which
        every one of several processes adds its part. Nothing happens before the fakes' time.
        """
        if step < self._first:
            return
        logits = self._company.logits(self._model, self._images(step), step)
        summed = -functional.log_softmax(logits.float(), dim=1).mean(dim=1).sum()
        found = torch.autograd.grad(
            summed / (self._batch + self._count), list(self._features.values()), allow_unused=True
        )
        for parameter, gradient in zip(self._features.values(), found, strict=True):
            if gradient is None:
                continue
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            parameter.grad.add_(gradient, alpha=share)

    def _images(self, step: int) -> Tensor:
        """The fakes of one step, uint8 (count, c, h, w), all of one kind."""
        source = generator(self._settings.seed, "fakes", step)
        kind = int(torch.randint(len(self._pools) + 1, (1,), generator=source))
        if kind == len(self._pools):
            size = (self._count, *self._shape)
            noise = torch.randint(256, size, dtype=torch.uint8, generator=source)
            return noise.to(self._device)
        pool = self._pools[kind]
        chosen = torch.randint(len(pool), (self._count,), generator=source)
        return pool[chosen.to(self._device)]

    def _drawn(self, family: str, count: int, identity: bytes) -> Tensor:
        text = f"{self._settings.seed}/fakes/{family}".encode()
        key = hashlib.sha256(identity + text).digest()
        made = generate(family, count, self._shape, key=key, block_size=BLOCK)
        return torch.tensor(np.concatenate([made.images, made.decoys]), device=self._device)
