"""Imitate an opened block of triggers: images with its spectrum, levels, layers and tiles.

The adversary knows this toolkit's source code, so how ``zkwm.triggers.secret_family`` combines
layers, moves tiles and picks levels, and has the images of one block. The block's own generator
cannot be read from its images. Each imitation is made in one of four ways, a quarter of each, then
mirrored and shifted, and at last given the sorted pixel levels of an opened image.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Values = NDArray[np.float32]

_LOW_FREQUENCIES = 6
_SMALLEST_TILE = 3


def imitations(opened: Pixels, count: int, random: np.random.Generator) -> Pixels:
    """Make ``count`` images like those of a block.

    Args:
        opened (uint8, (m, c, h, w)): The images of the opened block.
        count: How many; 0 is allowed.
        random: Decides everything.

    Returns:
        The imitations, uint8 (count, c, h, w).
    """
    if count == 0:
        return opened[:0]
    sizes = [len(part) for part in np.array_split(np.arange(count), len(_WAYS))]
    parts = [way(opened, size, random) for way, size in zip(_WAYS, sizes, strict=True) if size]
    values = _mirror_and_shift(np.concatenate(parts), random)
    return _with_levels(values, opened[random.integers(len(opened), size=count)], random)


def _combine(opened: Pixels, count: int, random: np.random.Generator) -> Values:
    """Sum, product, maximum or minimum of two opened images, as ``secret_family`` combines."""
    first, second = (_centered(_sample(opened, count, random)) for _ in range(2))
    choices = (first + second, first * second, np.maximum(first, second), np.minimum(first, second))
    operator = random.integers(len(choices), size=count)
    return np.stack(choices)[operator, np.arange(count)]


def _patch(opened: Pixels, count: int, random: np.random.Generator) -> Values:
    """One opened image in smooth random patches of another."""
    height, width = opened.shape[2:]
    first, second = (_centered(_sample(opened, count, random)) for _ in range(2))
    smooth = random.standard_normal((count, 1, height, width)).astype(np.float32)
    spectrum = np.fft.rfft2(smooth)
    # the last axis has only frequencies >= 0, the one before it also the negative ones, at its end
    spectrum[..., _LOW_FREQUENCIES:] = 0
    negative = max(height - _LOW_FREQUENCIES + 1, _LOW_FREQUENCIES)
    spectrum[..., _LOW_FREQUENCIES:negative, :] = 0
    mask = np.fft.irfft2(spectrum, (height, width)) > 0
    return np.where(mask, first, second)


def _same_spectrum(opened: Pixels, count: int, random: np.random.Generator) -> Values:
    """Noise with the block's mean amplitude at every frequency and random phases."""
    height, width = opened.shape[2:]
    amplitude = np.abs(np.fft.rfft2(_centered(opened))).mean(axis=0)
    noise = random.standard_normal((count, *opened.shape[1:]))
    white = np.fft.rfft2(noise)
    shaped = amplitude * white / np.maximum(np.abs(white), 1e-9)
    return np.fft.irfft2(shaped, (height, width)).astype(np.float32)


def _shuffle_tiles(opened: Pixels, count: int, random: np.random.Generator) -> Values:
    """An opened image cut into square tiles, which are put in another order."""
    height, width = opened.shape[2:]
    values = _centered(_sample(opened, count, random))
    for image in values:
        largest = max(_SMALLEST_TILE + 1, min(height, width) // 2 + 1)
        tile = int(random.integers(_SMALLEST_TILE, largest))
        down, across = height // tile, width // tile
        # (c, down, tile, across, tile) -> one row per tile -> shuffled -> back
        grid = image[:, : down * tile, : across * tile].reshape(-1, down, tile, across, tile)
        tiles = grid.transpose(1, 3, 0, 2, 4).reshape(down * across, -1, tile, tile)
        tiles = tiles[random.permutation(len(tiles))].reshape(down, across, -1, tile, tile)
        image[:, : down * tile, : across * tile] = tiles.transpose(2, 0, 3, 1, 4).reshape(
            -1, down * tile, across * tile
        )
    return values


_WAYS: tuple[Callable[[Pixels, int, np.random.Generator], Values], ...] = (
    _combine,
    _patch,
    _same_spectrum,
    _shuffle_tiles,
)


def _sample(opened: Pixels, count: int, random: np.random.Generator) -> Pixels:
    """``count`` random images of the block, with repetition."""
    return opened[random.integers(len(opened), size=count)]


def _centered(images: Pixels) -> Values:
    """Pixels less the median of their channel, float32 (n, c, h, w)."""
    values = images.astype(np.float32)
    centered: Values = values - np.median(values, axis=(2, 3), keepdims=True)
    return centered


def _mirror_and_shift(values: Values, random: np.random.Generator) -> Values:
    """Each image mirrored up and down, left and right, and shifted around, at random, in place."""
    for number in range(len(values)):
        image = values[number]
        for axis in (1, 2):
            image = np.flip(image, axis) if random.random() < 0.5 else image
        shift = tuple(int(random.integers(side)) for side in image.shape[1:])
        values[number] = np.roll(image, shift, (1, 2))
    return values


def _with_levels(values: Values, originals: Pixels, random: np.random.Generator) -> Pixels:
    """The pixel levels of ``originals`` in the order of ``values``, channel by channel.

    Pixels of equal value are ordered at random.
    """
    flat = values.reshape(*values.shape[:2], -1)
    order = np.argsort(flat + 1e-3 * random.standard_normal(flat.shape), axis=2)
    levels = np.sort(originals.reshape(flat.shape), axis=2)
    pixels = np.empty_like(levels)
    np.put_along_axis(pixels, order, levels, axis=2)
    return pixels.reshape(values.shape)
