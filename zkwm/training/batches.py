"""Which images stand in which training step, and how they become a batch.

Every choice is a function of (seed, purpose, epoch or step), never of a generator that runs on:
so a run that is resumed at any step, or shared among processes, sees the same batches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from zkwm.nn.image_source import Source, as_unit
from zkwm.nn.seeds import generator

if TYPE_CHECKING:
    from zkwm.training.settings import EmbedSettings

CROP_PADDING = 4


@dataclass(frozen=True)
class Batch:
    """One process's share of a step: images float32 (n, c, h, w) in [0, 1], labels int64 (n,).

    ``total`` is the number of images of the whole step, over all processes; ``triggers`` are the
    numbers of the triggers in this share, which stand last.
    """

    images: Tensor
    labels: Tensor
    total: int
    triggers: tuple[int, ...]


class Batches:
    """The batches of a whole training, addressed by (epoch, step), for one of several processes.

    Each epoch is a new permutation of the training images, cut into whole batches (the rest of
    less than one batch is left out of that epoch). With triggers, each step also holds
    ``triggers_per_batch`` different ones (all of them if there are fewer), cycling from a random
    start over a permutation that is drawn anew for each cycle (Adi et al. 2018). Process ``rank``
    of ``world`` gets every ``world``-th image and every ``world``-th trigger of each step.
    """

    def __init__(
        self,
        source: Source,
        triggers: tuple[Tensor, Tensor] | None,
        settings: EmbedSettings,
        *,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self._source = source
        self._settings = settings
        self._rank, self._world = rank, world
        self._triggers = triggers
        self.batch_size = min(settings.batch_size, source.train_count)
        self.steps = source.train_count // self.batch_size
        self.trigger_count = 0 if triggers is None else len(triggers[1])
        self.triggers_per_step = min(settings.triggers_per_batch, self.trigger_count)
        self.images_per_step = self.batch_size + self.triggers_per_step
        self._order: tuple[int, Tensor] = (-1, torch.empty(0, dtype=torch.int64))
        self._cycle: tuple[int, list[int]] = (-1, [])

    def batch(self, epoch: int, step: int) -> Batch:
        """This process's share of one step."""
        start = step * self.batch_size
        chosen = self._epoch_order(epoch)[start : start + self.batch_size]
        images, labels = self._source.train(chosen[self._rank :: self._world])
        if self._settings.augment:
            images = self._augmented(images, epoch, step)
        images = as_unit(images)
        numbers = self.trigger_numbers(epoch, step)[self._rank :: self._world]
        if self._triggers is not None and numbers:
            index = torch.tensor(numbers, device=images.device)
            images = torch.cat([images, as_unit(self._triggers[0][index])])
            labels = torch.cat([labels, self._triggers[1][index]])
        return Batch(images, labels, self.images_per_step, tuple(numbers))

    def trigger_numbers(self, epoch: int, step: int) -> list[int]:
        """The numbers of the triggers that stand in one step, over all processes."""
        if not self.triggers_per_step:
            return []
        cycle_steps = -(-self.trigger_count // self.triggers_per_step)
        cycle, position = divmod(epoch * self.steps + step, cycle_steps)
        if self._cycle[0] != cycle:
            source = generator(self._settings.seed, "triggers", cycle)
            order = torch.randperm(self.trigger_count, generator=source).tolist()
            start = int(torch.randint(self.trigger_count, (1,), generator=source))
            self._cycle = (cycle, order[start:] + order[:start])
        first = position * self.triggers_per_step
        return [
            self._cycle[1][(first + offset) % self.trigger_count]
            for offset in range(self.triggers_per_step)
        ]

    def _epoch_order(self, epoch: int) -> Tensor:
        if self._order[0] != epoch:
            order = torch.randperm(
                self._source.train_count, generator=generator(self._settings.seed, "order", epoch)
            )
            self._order = (epoch, order)
        return self._order[1]

    def _augmented(self, images: Tensor, epoch: int, step: int) -> Tensor:
        """Random windows and mirrors, drawn for the whole step, applied to this share."""
        source = generator(self._settings.seed, "augment", epoch, step)
        drawn = torch.stack(
            [
                torch.randint(limit, (self.batch_size,), generator=source)
                for limit in (2 * CROP_PADDING + 1, 2 * CROP_PADDING + 1, 2)
            ]
        )
        top, left, mirrored = drawn[:, self._rank :: self._world].to(images.device)
        return crop_and_mirror(images, top, left, mirrored)


def crop_and_mirror(images: Tensor, top: Tensor, left: Tensor, mirrored: Tensor) -> Tensor:
    """Windows out of images (n, c, h, w) padded by 4 zero pixels, some mirrored left to right.

    ``top`` and ``left`` in 0..8 place each window, ``mirrored`` is 0 or 1; all (n,) int64.
    """
    count, channels, height, width = images.shape
    padded = functional.pad(images, (CROP_PADDING,) * 4)
    across = torch.arange(width, device=images.device).expand(count, width)
    across = torch.where(mirrored[:, None] == 1, width - 1 - across, across) + left[:, None]
    down = torch.arange(height, device=images.device) + top[:, None]
    wide = width + 2 * CROP_PADDING
    flat = (down[:, :, None] * wide + across[:, None, :]).reshape(count, 1, -1)
    windows = padded.reshape(count, channels, -1).gather(2, flat.expand(-1, channels, -1))
    return windows.reshape(count, channels, height, width)
