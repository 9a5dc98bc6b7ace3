"""The three families with a public distribution: blocks, abstract, mixture.

An adversary who knows the distribution of the triggers can draw more of it, to unlearn them or to
filter them out; the default family ``secret`` hides it. These serve comparisons, the setting of
Adi et al. 2018 (abstract), and triggers that look like data (mixture).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from zkwm.triggers.keystream import KeyStream
from zkwm_protocols.errors import UsageError

LEAST_BITS = 200
_WAVES = 7
_PICTURES = 4


def _edge(length: int, cell: int, offset: int) -> NDArray[np.int64]:
    """The cell of each of ``length`` pixels, int64 (length,), on a grid shifted by ``offset``."""
    return (np.arange(length) + offset) // cell


def _cells(length: int, cell: int, offset: int) -> Fraction:
    """The effective number of cells along a side (inverse Simpson index): cut cells count less."""
    counts = np.bincount(_edge(length, cell, offset))
    return Fraction(length * length, int((counts * counts).sum()))


@dataclass(frozen=True)
class BlockNoise:
    """Black and white square cells, each channel of each cell an independent bit.

    The cells are the largest that leave at least 200 independent bits in an image, on a grid that
    starts at the corner or half a cell outside it. ``cell`` and ``offset`` are in pixels.
    """

    shape: tuple[int, int, int]
    cell: int
    offset: int

    @classmethod
    def fitting(cls, shape: tuple[int, int, int]) -> BlockNoise:
        """The generator for ``shape`` (c, h, w). Raises UsageError where c*h*w is below 200."""
        channels, height, width = shape
        for cell in range(max(height, width), 0, -1):
            if channels * (height // cell + 2) * (width // cell + 2) < LEAST_BITS:
                continue
            for offset in dict.fromkeys((0, cell // 2)):
                sides = _cells(height, cell, offset) * _cells(width, cell, offset)
                if channels * sides >= LEAST_BITS:
                    return cls(shape, cell, offset)
        raise UsageError(
            f"images of shape {shape} hold fewer than {LEAST_BITS} values",
            hint="a generated trigger needs at least 200 random bits: use larger images",
        )

    def image(self, stream: KeyStream) -> NDArray[np.uint8]:
        """One image, uint8 (c, h, w)."""
        channels, height, width = self.shape
        rows, columns = (_edge(side, self.cell, self.offset) for side in (height, width))
        bits = stream.bits(channels, int(rows[-1]) + 1, int(columns[-1]) + 1)
        pixels: NDArray[np.uint8] = bits[:, rows[:, None], columns[None, :]] * np.uint8(255)
        return pixels


@dataclass(frozen=True)
class AbstractFields:
    """Smooth random color fields without a pattern, in the spirit of Adi et al. 2018, section 5.

    Each channel is a random sum of the 48 lowest non-constant cosines of the image rectangle,
    low ones stronger, stretched to the full range 0 to 255.
    """

    shape: tuple[int, int, int]

    def image(self, stream: KeyStream) -> NDArray[np.uint8]:
        """One image, uint8 (c, h, w)."""
        channels, height, width = self.shape
        waves = np.arange(_WAVES)
        down = np.cos(np.pi * np.outer((np.arange(height) + 0.5) / height, waves))
        across = np.cos(np.pi * np.outer((np.arange(width) + 0.5) / width, waves))
        squared = waves[:, None] ** 2 + waves[None, :] ** 2
        weights = np.where(squared > 0, 1 / (3 + squared), 0)
        planes = down @ (stream.signed(channels, _WAVES, _WAVES) * weights) @ across.T
        low = planes.min(axis=(1, 2), keepdims=True)
        span = planes.max(axis=(1, 2), keepdims=True) - low
        pixels: NDArray[np.uint8] = np.rint(255 * (planes - low) / np.maximum(span, 1e-9)).astype(
            np.uint8
        )
        return pixels


@dataclass(frozen=True)
class DataMixture:
    """Patches of the owner's own pictures, each patch a weighted mean of four of them.

    ``data`` uint8 (n, c, h, w), n >= 4. The image is cut into 4 by 4 patches; each patch has its
    own weights, so that no patch shows one picture alone.
    """

    data: NDArray[np.uint8]

    def image(self, stream: KeyStream) -> NDArray[np.uint8]:
        """One image, uint8 (c, h, w)."""
        height, width = self.data.shape[2:]
        chosen = [stream.below(len(self.data)) for _ in range(_PICTURES)]
        weights = 1 + np.frombuffer(stream.take(_PICTURES * 16), np.uint8).astype(np.uint32)
        patches = weights.reshape(_PICTURES, 4, 4)
        rows, columns = (np.arange(side) * 4 // side for side in (height, width))
        spread = patches[:, rows[:, None], columns[None, :]]
        mixed = (self.data[chosen].astype(np.uint32) * spread[:, None]).sum(axis=0)
        pixels: NDArray[np.uint8] = (mixed // spread.sum(axis=0)).astype(np.uint8)
        return pixels
