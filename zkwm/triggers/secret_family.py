"""The family ``secret``: the key draws a separate distribution for every block of triggers.

Layers, their combination, foldings, moved tiles, colors and levels are all drawn from the block's
own subkey. An opened block shows how its own images were made and nothing about another block's,
and an adversary who has only this code knows a family of families. A drawn generator whose samples
have too few independent bits (``orthogonality``) is drawn again.

By itself the family does not stop unlearning: to a small network all noise of high contrast is much
alike. A LeNet-5 marked in the plain way of Adi et al. forgets these triggers when it is retrained
on noise of any such kind, whichever block or key that comes from; the robust embedding
(``zkwm.training.robust``) is what resists.
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
    """The generator of one block of images.

    Attributes:
        shape: (c, h, w) of an image.
        planes: the number of fields that an image is made of.
        layers: the layers of noise that are combined into a field.
        operators: the operators that combine them, one fewer than layers.
        masks (float32, (layers, h, w)): -1 and 1, for the operators.
        moved (int64, (h*w,)): for every pixel, the pixel whose value it shows.
        sign (float32, (h*w,)): a factor for every pixel.
        mixing (float32, (c, planes)): the weights of the fields in the channels.
        shares: where the sorted pixels of a channel are cut into levels, each 0 to 1.
        palette (uint8, (c, levels)): the levels of each channel, in the order of the values.
    """

    shape: tuple[int, int, int]
    planes: int
    layers: tuple[Layer, ...]
    operators: tuple[str, ...]
    masks: Field
    moved: NDArray[np.int64]
    sign: Field
    mixing: Field
    shares: tuple[float, ...]
    palette: NDArray[np.uint8]

    @classmethod
    def draw(cls, stream: KeyStream, shape: tuple[int, int, int]) -> SecretGenerator:
        """Draw a generator for ``shape`` (c, h, w) whose images have at least 200 effective bits.

        Where none reaches that (images of hardly more than 200 values), it is independent pixels
        with a drawn palette, shares and mixing: little is secret then.
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
        """Draw a generator of about ``bits`` independent bits an image."""
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
        moved = _moved(stream.derive("moves"), size, area)
        sign = np.ones(height * width, np.float32)
        if stream.chance(0.5):
            sign = _patches(stream.derive("sign"), size, 2 * area).ravel()
        return cls._colored(stream, shape, planes, layers, operators, masks, moved, sign)

    @classmethod
    def _draw_pixels(cls, stream: KeyStream, shape: tuple[int, int, int]) -> SecretGenerator:
        """Draw a generator of independent pixels."""
        channels, height, width = shape
        sign = 1 - 2 * stream.bits(height * width).astype(np.float32)
        masks = np.ones((1, height, width), np.float32)
        order = np.arange(height * width)
        layers = (single_pixels((height, width)),)
        return cls._colored(stream, shape, channels, layers, (), masks, order, sign)

    @classmethod
    def _colored(
        cls,
        stream: KeyStream,
        shape: tuple[int, int, int],
        planes: int,
        layers: tuple[Layer, ...],
        operators: tuple[str, ...],
        masks: Field,
        moved: NDArray[np.int64],
        sign: Field,
    ) -> SecretGenerator:
        """Draw mixing, shares and palette for the rest of a generator."""
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
        return cls(shape, planes, layers, operators, masks, moved, sign, mixing, shares, palette)

    def images(self, streams: Sequence[KeyStream]) -> NDArray[np.uint8]:
        """One image for each stream, uint8 (n, c, h, w)."""
        most = max(1, _MOST_VALUES // (self.planes * self.shape[1] * self.shape[2]))
        groups = [streams[first : first + most] for first in range(0, len(streams), most)]
        return np.concatenate([self._group(group) for group in groups])

    def _group(self, streams: Sequence[KeyStream]) -> NDArray[np.uint8]:
        """One image for each stream, all at once; ``images`` bounds their number by memory."""
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
        planes = planes[:, :, self.moved] * self.sign
        values = np.einsum("cp,npx->ncx", self.mixing, planes)
        cuts = _at_ranks(values, self.shares)
        level = (values[None] > cuts).sum(axis=0)
        chosen = self.palette[np.arange(channels)[:, None], level]
        return np.ascontiguousarray(chosen.reshape(-1, channels, height, width))


def _at_ranks(values: Field, shares: Sequence[float]) -> Field:
    """The quantiles (k, n, planes, 1) at ``shares`` of the values (n, planes, pixels)."""
    ranks = [int(share * (values.shape[2] - 1)) for share in shares]
    ordered = np.sort(values, axis=2)  # as fast as a partition at one rank, and faster than at two
    return np.moveaxis(ordered[:, :, ranks], 2, 0)[..., None]


def _patches(stream: KeyStream, shape: tuple[int, int], area: float) -> Field:
    """A fixed pattern (h, w) of -1 and 1 in patches of 3 to 8 times ``area`` pixels."""
    make = stream.choose((lattice, mosaic))
    cells = make(stream, shape, area * stream.uniform(3, 8))
    pattern: Field = cells.fields(1 - 2 * stream.bits(1, cells.values).astype(np.float32))[0]
    return pattern


def _moved(stream: KeyStream, shape: tuple[int, int], area: float) -> NDArray[np.int64]:
    """The pixel whose value each pixel shows, int64 (h*w,): tiles permuted, halves mirrored."""
    height, width = shape
    order = np.arange(height * width).reshape(shape)
    if stream.chance(0.3):
        tile = max(2, round(np.sqrt(area) * stream.uniform(2, 4)))
        down, across = height // tile, width // tile
        grid = order[: down * tile, : across * tile].reshape(down, tile, across, tile)
        tiles = grid.transpose(0, 2, 1, 3).reshape(down * across, tile, tile)
        tiles = tiles[stream.permutation(len(tiles))]
        if stream.chance(0.5):
            tiles = tiles[:, ::-1]
        shuffled = tiles.reshape(down, across, tile, tile).transpose(0, 2, 1, 3)
        order[: down * tile, : across * tile] = shuffled.reshape(down * tile, across * tile)
    if stream.chance(0.2):
        axis = stream.below(2)
        half = shape[axis] // 2
        mirrored = np.flip(order, axis=stream.choose(((axis,), (0, 1))))
        keep = (np.arange(height)[:, None] if axis == 0 else np.arange(width)[None, :]) >= half
        order = np.where(keep, order, mirrored)
    return order.ravel()
