"""The family ``secret``: every block of triggers has a distribution of its own, drawn from the key.

Not one distribution with secret numbers in it: layers, how they combine, foldings, moved tiles,
colours and levels are all drawn anew for each block from the block's own sub-key. So an opened
block shows how its own images were made and nothing about those of another block, and an attacker
who has only this source code knows a family of families. Whether a drawn generator gives images
with enough independent bits is measured on samples, and drawn again where it does not.

Not a defence against unlearning by itself: to a small network all noise of high contrast is much
alike. A LeNet-5 marked in the plain way of Adi et al. forgot these triggers when it was retrained
on noise of any such kind (at one to two points of accuracy), whichever block or key that came from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zkwm.triggers.keystream import KeyStream
from zkwm.triggers.orthogonality import effective_bits
from zkwm.triggers.public_families import LEAST_BITS
from zkwm.triggers.secret_layers import KINDS, Field, Layer, lattice, mosaic, single_pixels

_MARGIN = 1.08
_SAMPLES = 64
_RECIPES = 6
_STEPS = 6
_MOST_VALUES = 1 << 20

_OPERATORS: dict[str, Callable[[Field, Field, Field], Field]] = {
    "sum": lambda first, second, mask: first + second * (0.5 + 0.4 * mask),
    "product": lambda first, second, mask: first * second,
    "greater": lambda first, second, mask: np.maximum(first, second),
    "lesser": lambda first, second, mask: np.minimum(first, second),
    "choice": lambda first, second, mask: np.where(mask > 0, first, second),
}


@dataclass(frozen=True)
class SecretGenerator:
    """The generator of one block.

    An image is made of ``planes`` fields. Each is the combination of ``layers`` by ``operators``
    (with ``masks``), read at the pixels ``source`` and times ``sign`` (h*w each); ``mixing``
    (c, planes) weighs the fields into channels, and each channel takes the levels of its row of
    ``palette`` in the order of the values, a share ``shares`` of the pixels each.
    """

    shape: tuple[int, int, int]
    planes: int
    layers: tuple[Layer, ...]
    operators: tuple[str, ...]
    masks: Field
    source: NDArray[np.int64]
    sign: Field
    mixing: Field
    shares: tuple[float, ...]
    palette: NDArray[np.uint8]

    @classmethod
    def draw(cls, stream: KeyStream, shape: tuple[int, int, int]) -> SecretGenerator:
        """A generator for ``shape`` (c, h, w) whose images carry at least 200 effective bits.

        Where no drawn generator reaches that (images of hardly more than 200 values), it is
        independent pixels with a drawn palette, shares and mixing: little is secret then.
        """
        samples = [stream.derive("sample", index) for index in range(_SAMPLES)]
        for recipe in range(_RECIPES):
            for finer in range(_STEPS):
                bits = LEAST_BITS * 0.6 * 1.35**finer
                generator = cls._draw_any(stream.derive("recipe", recipe), shape, bits)
                if effective_bits(generator.images(samples)) >= LEAST_BITS * _MARGIN:
                    return generator
        return cls._draw_pixels(stream.derive("pixels"), shape)

    @classmethod
    def _draw_any(
        cls, stream: KeyStream, shape: tuple[int, int, int], bits: float
    ) -> SecretGenerator:
        channels, height, width = shape
        planes = stream.choose((1, 2, 3, 3)) if channels == 3 else 1
        area = max(1.0, planes * height * width / bits)
        count = stream.choose((1, 2, 2, 3))
        size = (height, width)
        layers = tuple(
            stream.choose(KINDS)(
                stream.derive("layer", number), size, area * stream.uniform(0.9, 1.4)
            )
            for number in range(count)
        )
        operators = tuple(stream.choose(tuple(_OPERATORS)) for _ in layers[1:])
        masks = np.stack([_patches(stream.derive("mask", n), size, area) for n in range(count)])
        source = _moved(stream.derive("moves"), size, area)
        sign = np.ones(height * width, np.float32)
        if stream.chance(0.5):
            sign = _patches(stream.derive("sign"), size, 2 * area).ravel()
        return cls._coloured(stream, shape, planes, layers, operators, masks, source, sign)

    @classmethod
    def _draw_pixels(cls, stream: KeyStream, shape: tuple[int, int, int]) -> SecretGenerator:
        channels, height, width = shape
        sign = 1 - 2 * stream.bits(height * width).astype(np.float32)
        masks = np.ones((1, height, width), np.float32)
        order = np.arange(height * width)
        layers = (single_pixels((height, width)),)
        return cls._coloured(stream, shape, channels, layers, (), masks, order, sign)

    @classmethod
    def _coloured(
        cls,
        stream: KeyStream,
        shape: tuple[int, int, int],
        planes: int,
        layers: tuple[Layer, ...],
        operators: tuple[str, ...],
        masks: Field,
        source: NDArray[np.int64],
        sign: Field,
    ) -> SecretGenerator:
        channels = shape[0]
        mixing = 0.35 * stream.signed(channels, planes)
        for channel, plane in enumerate(stream.permutation(channels)):
            mixing[channel, plane % planes] = 1 - 2 * stream.below(2)
        levels = stream.choose((2, 2, 3, 4))
        dark, light = (
            np.array([stream.uniform(low, low + 40) for _ in range(channels)]) for low in (0, 215)
        )
        steps = np.sort([0, 1, *(stream.uniform(0.2, 0.8) for _ in range(levels - 2))])
        palette = np.rint(dark[:, None] + (light - dark)[:, None] * steps).astype(np.uint8)
        middle = stream.uniform(0.1, 0.3) if levels > 2 else 0.0
        low_share = (1 - middle) * stream.uniform(0.42, 0.58)
        inner = np.linspace(low_share, low_share + middle, levels - 1)
        shares = tuple(float(share) for share in inner)
        return cls(shape, planes, layers, operators, masks, source, sign, mixing, shares, palette)

    def images(self, streams: Sequence[KeyStream]) -> NDArray[np.uint8]:
        """One image for each stream, uint8 (n, c, h, w)."""
        most = max(1, _MOST_VALUES // (self.planes * self.shape[1] * self.shape[2]))
        groups = [streams[first : first + most] for first in range(0, len(streams), most)]
        return np.concatenate([self._group(group) for group in groups])

    def _group(self, streams: Sequence[KeyStream]) -> NDArray[np.uint8]:
        """Images made at once, no more than fit the memory."""
        channels, height, width = self.shape
        needs = [layer.values for layer in self.layers]
        noise = np.stack([stream.signed(self.planes * sum(needs)) for stream in streams])
        parts = np.split(noise.reshape(-1, sum(needs)), np.cumsum(needs)[:-1], axis=1)
        fields = self.layers[0].fields(parts[0])
        for layer, part, name, mask in zip(
            self.layers[1:], parts[1:], self.operators, self.masks, strict=False
        ):
            fields = _OPERATORS[name](fields, layer.fields(part), mask)
        planes = fields.reshape(len(streams), self.planes, -1)
        planes = planes - _at_ranks(planes, (0.5,))[0]
        planes = planes[:, :, self.source] * self.sign
        values = np.einsum("cp,npx->ncx", self.mixing, planes)
        cuts = _at_ranks(values, self.shares)
        level = (values[None] > cuts).sum(axis=0)
        chosen = self.palette[np.arange(channels)[:, None], level]
        return np.ascontiguousarray(chosen.reshape(-1, channels, height, width))


def _at_ranks(values: Field, shares: Sequence[float]) -> Field:
    """The values (k, n, planes, 1) that stand at ``shares`` of the order of each plane's pixels."""
    ranks = [int(share * (values.shape[2] - 1)) for share in shares]
    ordered = np.partition(values, ranks, axis=2)
    return np.moveaxis(ordered[:, :, ranks], 2, 0)[..., None]


def _patches(stream: KeyStream, shape: tuple[int, int], area: float) -> Field:
    """A fixed pattern of -1 and 1 in patches of three to eight times ``area`` (h, w)."""
    make = stream.choose((lattice, mosaic))
    cells = make(stream, shape, area * stream.uniform(3, 8))
    pattern: Field = cells.fields(1 - 2 * stream.bits(1, cells.values).astype(np.float32))[0]
    return pattern


def _moved(stream: KeyStream, shape: tuple[int, int], area: float) -> NDArray[np.int64]:
    """For every pixel, the pixel whose value it shows (h*w): tiles moved about, halves mirrored."""
    height, width = shape
    source = np.arange(height * width).reshape(shape)
    if stream.chance(0.3):
        tile = max(2, round(np.sqrt(area) * stream.uniform(2, 4)))
        down, across = height // tile, width // tile
        grid = source[: down * tile, : across * tile].reshape(down, tile, across, tile)
        tiles = grid.transpose(0, 2, 1, 3).reshape(down * across, tile, tile)
        tiles = tiles[stream.permutation(len(tiles))]
        if stream.chance(0.5):
            tiles = tiles[:, ::-1]
        moved = tiles.reshape(down, across, tile, tile).transpose(0, 2, 1, 3)
        source[: down * tile, : across * tile] = moved.reshape(down * tile, across * tile)
    if stream.chance(0.2):
        axis = stream.below(2)
        half = shape[axis] // 2
        mirrored = np.flip(source, axis=stream.choose(((axis,), (0, 1))))
        keep = (np.arange(height)[:, None] if axis == 0 else np.arange(width)[None, :]) >= half
        source = np.where(keep, source, mirrored)
    return source.ravel()
