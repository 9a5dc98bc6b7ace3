"""The batches of a training: clean images, augmented, with triggers appended.

Every random choice is a function of (seed, purpose, epoch or step) and never of a running
generator, so a training that is resumed at any step, or shared by several processes, sees the same
batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from zkwm.nn.image_source import Source, as_unit
from zkwm.nn.item_workers import Request
from zkwm.nn.seeds import derived_seed, generator

if TYPE_CHECKING:
    from zkwm.training.settings import EmbedSettings

CROP_PADDING = 4
"""Zero pixels added on each side before a random crop, as in Adi et al. 2018."""
SHIFT = 2
"""Mirrored pixels added on each side instead, as in Jordan 2024 (arXiv 2404.00498)."""


@dataclass(frozen=True)
class Batch:
    """One process's share of a training step.

    Attributes:
        images (float32, (n, c, h, w)): Clean images, then triggers, in [0, 1].
        labels (int64, (n,)): Their labels.
        total: The number of images of the whole step, over all processes.
        triggers: The numbers of the triggers in this share, which are its last images.
        smoothing: Of the labels in the loss, 0 to 1.
    """

    images: Tensor
    labels: Tensor
    total: int
    triggers: tuple[int, ...]
    smoothing: float = 0.0

    def loss(self, logits: Tensor) -> Tensor:
        """This share of the mean cross-entropy of the step; ``logits`` are (n, outputs)."""
        summed = functional.cross_entropy(
            logits.float(), self.labels, reduction="sum", label_smoothing=self.smoothing
        )
        return summed / self.total


class TriggerOrder:
    """Which triggers a step shows: ``per_step`` different ones of ``count``.

    They are taken in cycles, from a random start over a new permutation for each cycle (Adi et al.
    2018).
    """

    def __init__(self, count: int, per_step: int, seed: int) -> None:
        self._count, self._per_step, self._seed = count, min(per_step, count), seed
        self._cycle: tuple[int, list[int]] = (-1, [])

    def numbers(self, step: int) -> list[int]:
        """The numbers of the triggers of a step, which is counted from 0 over all epochs."""
        if not self._per_step:
            return []
        cycle, position = divmod(step, -(-self._count // self._per_step))
        if self._cycle[0] != cycle:
            random = generator(self._seed, "triggers", cycle)
            order = torch.randperm(self._count, generator=random).tolist()
            start = int(torch.randint(self._count, (1,), generator=random))
            self._cycle = (cycle, order[start:] + order[:start])
        first = position * self._per_step
        return [self._cycle[1][(first + offset) % self._count] for offset in range(self._per_step)]


class Batches:
    """The batches of a whole training, addressed by (epoch, step), for one of several processes.

    Each epoch is a new permutation of the training images, cut into whole batches; what is left
    over is dropped from that epoch. With triggers, each step also holds ``triggers_per_batch``
    different ones (all of them if there are fewer), in the order of ``TriggerOrder``. Process
    ``rank`` of ``world`` gets every ``world``-th image and every ``world``-th trigger of each step.
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
        self._first_mirrors: Tensor | None = None
        self.trigger_count = 0 if triggers is None else len(triggers[1])
        self.triggers_per_step = min(settings.triggers_per_batch, self.trigger_count)
        self.images_per_step = self.batch_size + self.triggers_per_step
        self._order: tuple[int, Tensor] = (-1, torch.empty(0, dtype=torch.int64))
        self._trigger_order = TriggerOrder(
            self.trigger_count, self.triggers_per_step, settings.seed
        )

    def batch(self, epoch: int, step: int) -> Batch:
        """This process's share of one step."""
        images, labels = self._source.train(self.numbers(epoch, step))
        if self._settings.augment:
            images = self._augmented(images, epoch, step)
        if self._settings.cutout:
            images = self._with_squares(images, epoch, step)
        images = as_unit(images)
        numbers = self.trigger_numbers(epoch, step)[self._rank :: self._world]
        if self._triggers is not None and numbers:
            index = torch.tensor(numbers, device=images.device)
            images = torch.cat([images, as_unit(self._triggers[0][index])])
            labels = torch.cat([labels, self._triggers[1][index]])
        smoothing = self._settings.label_smoothing
        return Batch(images, labels, self.images_per_step, tuple(numbers), smoothing)

    def numbers(self, epoch: int, step: int) -> Tensor:
        """The numbers of this process's training images of one step, int64 (n,)."""
        start = step * self.batch_size
        chosen = self._epoch_order(epoch)[start : start + self.batch_size]
        return chosen[self._rank :: self._world]

    def plan(
        self, epoch: int, step: int, others: Callable[[int], Iterator[Tensor]] | None
    ) -> Iterator[Request]:
        """Which training images the steps from here on will ask for, in their order.

        ``others`` gives the numbers of further images of a step, counted over all epochs.
        """
        # batches of its own: their permutation is kept for the epoch that was asked for last
        ahead = Batches(self._source, None, self._settings, rank=self._rank, world=self._world)
        for done in range(epoch * self.steps + step, self._settings.epochs * self.steps):
            asked = [ahead.numbers(*divmod(done, self.steps)), *(others(done) if others else ())]
            for number, images in enumerate(asked):
                seed = derived_seed(self._settings.seed, "items", done, number, self._rank)
                yield seed, images.tolist()

    def trigger_numbers(self, epoch: int, step: int) -> list[int]:
        """The numbers of the triggers of one step, over all processes."""
        return self._trigger_order.numbers(epoch * self.steps + step)

    def _epoch_order(self, epoch: int) -> Tensor:
        if self._order[0] != epoch:
            order = torch.randperm(
                self._source.train_count, generator=generator(self._settings.seed, "order", epoch)
            )
            self._order = (epoch, order)
        return self._order[1]

    def _augmented(self, images: Tensor, epoch: int, step: int) -> Tensor:
        """Images (n, c, h, w) under random crops and mirrors, drawn for the whole step."""
        random = generator(self._settings.seed, "augment", epoch, step)
        if self._settings.augmentation == "alternating":
            return self._alternating(images, epoch, step, random)
        drawn = torch.stack(
            [
                torch.randint(limit, (self.batch_size,), generator=random)
                for limit in (2 * CROP_PADDING + 1, 2 * CROP_PADDING + 1, 2)
            ]
        )
        top, left, mirrored = drawn[:, self._rank :: self._world].to(images.device)
        return crop_and_mirror(images, top, left, mirrored)

    def _alternating(
        self, images: Tensor, epoch: int, step: int, random: torch.Generator
    ) -> Tensor:
        """Images moved by up to 2 pixels, each mirrored in every second epoch (Jordan 2024)."""
        if self._first_mirrors is None:
            first = generator(self._settings.seed, "mirrors")
            self._first_mirrors = torch.randint(2, (self._source.train_count,), generator=first)
        mirrored = (self._first_mirrors[self.numbers(epoch, step)] + epoch) % 2
        drawn = torch.randint(2 * SHIFT + 1, (2, self.batch_size), generator=random)
        top, left = drawn[:, self._rank :: self._world].to(images.device)
        return crop_and_mirror(images, top, left, mirrored.to(images.device), border=SHIFT)

    def _with_squares(self, images: Tensor, epoch: int, step: int) -> Tensor:
        """Images (n, c, h, w) with a gray square each, drawn for the whole step."""
        side = min(self._settings.cutout, *images.shape[2:])
        random = generator(self._settings.seed, "cutout", epoch, step)
        top, left = (
            torch.randint(length - side + 1, (self.batch_size,), generator=random)
            for length in images.shape[2:]
        )
        mine = slice(self._rank, None, self._world)
        return cut_out(images, top[mine].to(images.device), left[mine].to(images.device), side)


def cut_out(images: Tensor, top: Tensor, left: Tensor, side: int) -> Tensor:
    """Images with one square each in medium gray (cutout: DeVries and Taylor, arXiv 1708.04552).

    Args:
        images (uint8 or float in [0, 1], (n, c, h, w)): Not changed.
        top (int64, (n,)): First row of each square.
        left (int64, (n,)): First column of each square.
        side: Of all squares, in pixels.

    Returns:
        Images of the same shape and dtype.
    """
    height, width = images.shape[2:]
    down = torch.arange(height, device=images.device) - top[:, None]
    across = torch.arange(width, device=images.device) - left[:, None]
    rows, columns = (down >= 0) & (down < side), (across >= 0) & (across < side)
    covered = rows[:, None, :, None] & columns[:, None, None, :]
    return images.masked_fill(covered, 0.5 if images.is_floating_point() else 128)


def crop_and_mirror(
    images: Tensor, top: Tensor, left: Tensor, mirrored: Tensor, *, border: int = 0
) -> Tensor:
    """Crop each image from a padded copy, and mirror some left to right.

    Args:
        images (any dtype, (n, c, h, w)): Not changed.
        top (int64, (n,)): First row of each crop, 0 to 8, or to twice the border.
        left (int64, (n,)): First column of each crop, likewise.
        mirrored (int64, (n,)): 1 to mirror the crop, else 0.
        border: Mirrored pixels that pad the copy on each side; 0 pads 4 zero pixels instead.

    Returns:
        Images of the same shape and dtype.
    """
    count, channels, height, width = images.shape
    padded = _reflected(images, border) if border else functional.pad(images, (CROP_PADDING,) * 4)
    # one gather for all crops: the flat index in the padded image of every pixel that is kept
    across = torch.arange(width, device=images.device).expand(count, width)
    across = torch.where(mirrored[:, None] == 1, width - 1 - across, across) + left[:, None]
    down = torch.arange(height, device=images.device) + top[:, None]
    wide = padded.shape[-1]
    flat = (down[:, :, None] * wide + across[:, None, :]).reshape(count, 1, -1)
    windows = padded.reshape(count, channels, -1).gather(2, flat.expand(-1, channels, -1))
    return windows.reshape(count, channels, height, width)


def _reflected(images: Tensor, border: int) -> Tensor:
    """Images of any dtype, (n, c, h, w), with their borders mirrored outside them."""
    for axis in (2, 3):
        size = images.shape[axis]
        index = torch.arange(-border, size + border, device=images.device).abs()
        index = torch.where(index >= size, 2 * (size - 1) - index, index)
        images = images.index_select(axis, index)
    return images
