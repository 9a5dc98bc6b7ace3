"""Images made like those of one opened block of triggers, by an adversary who knows our sources.

He knows how ``zkwm.triggers.secret_family`` combines layers, moves tiles and picks levels, and has
the images of one block. So he mixes them as it does, and keeps their spectrum and their levels. Not
the block's own generator: that is not known from its images.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Values = NDArray[np.float32]


def imitations(opened: Pixels, count: int, random: np.random.Generator) -> Pixels:
    """``count`` images (0 or more) like ``opened``, uint8 (n, c, h, w) both: a fourth of each way.

    Each is turned or mirrored at random, and its pixels have the levels of an opened image, as many
    of each.
    """
    if count == 0:
        return opened[:0]
    sizes = [len(part) for part in np.array_split(np.arange(count), len(_WAYS))]
    made = [way(opened, size, random) for way, size in zip(_WAYS, sizes, strict=True) if size]
    values = _turned(np.concatenate(made), random)
    return _with_levels(values, opened[random.integers(len(opened), size=count)], random)


def _combined(opened: Pixels, count: int, random: np.random.Generator) -> Values:
    """Two opened images each: sum, product, the greater or the lesser, as the sources have it."""
    first, second = (_centred(_some(opened, count, random)) for _ in range(2))
    choices = (first + second, first * second, np.maximum(first, second), np.minimum(first, second))
    operator = random.integers(len(choices), size=count)
    return np.stack(choices)[operator, np.arange(count)]


def _patched(opened: Pixels, count: int, random: np.random.Generator) -> Values:
    """One opened image in random patches of another."""
    height, width = opened.shape[2:]
    first, second = (_centred(_some(opened, count, random)) for _ in range(2))
    smooth = random.standard_normal((count, 1, height, width)).astype(np.float32)
    spectrum = np.fft.rfft2(smooth)
    spectrum[..., 6:] = 0
    spectrum[..., 6 : max(height - 5, 6), :] = 0
    mask = np.fft.irfft2(spectrum, (height, width)) > 0
    return np.where(mask, first, second)


def _same_spectrum(opened: Pixels, count: int, random: np.random.Generator) -> Values:
    """The block's mean amplitude at every frequency, with random phases."""
    height, width = opened.shape[2:]
    amplitude = np.abs(np.fft.rfft2(_centred(opened))).mean(axis=0)
    noise = random.standard_normal((count, *opened.shape[1:]))
    white = np.fft.rfft2(noise)
    shaped = amplitude * white / np.maximum(np.abs(white), 1e-9)
    return np.fft.irfft2(shaped, (height, width)).astype(np.float32)


def _tiled(opened: Pixels, count: int, random: np.random.Generator) -> Values:
    """An opened image cut into tiles, in another order."""
    height, width = opened.shape[2:]
    values = _centred(_some(opened, count, random))
    for image in values:
        tile = int(random.integers(3, max(4, min(height, width) // 2 + 1)))
        down, across = height // tile, width // tile
        grid = image[:, : down * tile, : across * tile].reshape(-1, down, tile, across, tile)
        tiles = grid.transpose(1, 3, 0, 2, 4).reshape(down * across, -1, tile, tile)
        tiles = tiles[random.permutation(len(tiles))].reshape(down, across, -1, tile, tile)
        image[:, : down * tile, : across * tile] = tiles.transpose(2, 0, 3, 1, 4).reshape(
            -1, down * tile, across * tile
        )
    return values


_WAYS: tuple[Callable[[Pixels, int, np.random.Generator], Values], ...] = (
    _combined,
    _patched,
    _same_spectrum,
    _tiled,
)


def _some(opened: Pixels, count: int, random: np.random.Generator) -> Pixels:
    return opened[random.integers(len(opened), size=count)]


def _centred(images: Pixels) -> Values:
    values = images.astype(np.float32)
    centred: Values = values - np.median(values, axis=(2, 3), keepdims=True)
    return centred


def _turned(values: Values, random: np.random.Generator) -> Values:
    """Each image mirrored up and down, left and right, and shifted around, at random."""
    for number in range(len(values)):
        image = values[number]
        for axis in (1, 2):
            image = np.flip(image, axis) if random.random() < 0.5 else image
        shift = tuple(int(random.integers(side)) for side in image.shape[1:])
        values[number] = np.roll(image, shift, (1, 2))
    return values


def _with_levels(values: Values, models: Pixels, random: np.random.Generator) -> Pixels:
    """The pixels of ``values`` in their order, with the sorted levels of the image in ``models``.

    Pixels of equal value are ordered at random.
    """
    flat = values.reshape(*values.shape[:2], -1)
    order = np.argsort(flat + 1e-3 * random.standard_normal(flat.shape), axis=2)
    levels = np.sort(models.reshape(flat.shape), axis=2)
    pixels = np.empty_like(levels)
    np.put_along_axis(pixels, order, levels, axis=2)
    return pixels.reshape(values.shape)
