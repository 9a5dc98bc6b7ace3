"""Layers of noise with a shape drawn from a key: parts of ``secret_family``'s generators.

A layer is fixed for a block and turns fresh random numbers into one field for each image. Each kind
has hundreds of continuous parameters or more, all drawn from the key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from zkwm.triggers.keystream import KeyStream

Field = NDArray[np.float32]


class Layer(Protocol):
    """A map from n rows of ``values`` random numbers to fields (n, h, w)."""

    @property
    def values(self) -> int:
        """The number of random numbers for one image."""
        ...

    def fields(self, noise: Field) -> Field:
        """Fields float32 (n, h, w) from ``noise`` float32 (n, values) between -1 and 1."""
        ...


@dataclass(frozen=True)
class Partition:
    """Cells, each with a random value of its own. ``cell`` (h, w): the number of a pixel's cell."""

    cell: NDArray[np.int64]
    values: int

    def fields(self, noise: Field) -> Field:
        """Fields (n, h, w), constant on every cell, from ``noise`` (n, values)."""
        return noise[:, self.cell]


@dataclass(frozen=True)
class Spectrum:
    """White noise through a filter. ``envelope`` (h, w // 2 + 1): gain at each frequency."""

    envelope: Field
    shape: tuple[int, int]

    @property
    def values(self) -> int:
        """One number a pixel."""
        return self.shape[0] * self.shape[1]

    def fields(self, noise: Field) -> Field:
        """Fields (n, h, w) of variance about 1/3 from ``noise`` (n, values)."""
        spectra = np.fft.rfft2(noise.reshape(-1, *self.shape)) * self.envelope
        return np.fft.irfft2(spectra, self.shape).astype(np.float32)


def _coordinates(stream: KeyStream, shape: tuple[int, int], reach: float) -> NDArray[np.float64]:
    """Pixel positions (2, h, w), rotated by a random angle, stretched, sheared and gently bent.

    Areas stay about the same; ``reach`` is the length, in pixels, by which a point may be moved.
    """
    height, width = shape
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float64)
    points = np.stack([rows + stream.uniform(0, 64), columns + stream.uniform(0, 64)])
    for _ in range(3):
        wave = [stream.uniform(-3, 3) / max(height, 8), stream.uniform(-3, 3) / max(width, 8)]
        phase = 2 * np.pi * (wave[0] * rows + wave[1] * columns + stream.uniform(0, 1))
        angle = stream.uniform(0, 2 * np.pi)
        shift = stream.uniform(0, reach) * np.sin(phase)
        points += np.stack([np.sin(angle) * shift, np.cos(angle) * shift])
    angle, shear = stream.uniform(0, np.pi), stream.uniform(-0.5, 0.5)
    stretch = np.exp(stream.uniform(-0.4, 0.4))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shape_matrix = np.array([[stretch, stretch * shear], [0, 1 / stretch]])
    return np.tensordot(shape_matrix @ turn, points, axes=1)


def _numbered(pairs: NDArray[np.int64]) -> Partition:
    """The partition by two integers for each pixel, int64 (2, h, w): equal pairs are one cell."""
    first, second = (part - part.min() for part in pairs)
    number = first * (int(second.max()) + 1) + second  # in the order of the pairs
    cells, cell = np.unique(number, return_inverse=True)
    return Partition(cell.reshape(number.shape), len(cells))


def lattice(stream: KeyStream, shape: tuple[int, int], area: float) -> Partition:
    """A bent, sheared, rotated lattice with cells of about ``area`` pixels and shifted rows."""
    side = float(np.sqrt(area))
    first, second = _coordinates(stream, shape, 0.7 * side) / side
    row = np.floor(first).astype(np.int64)
    row -= row.min()
    shifts = stream.signed(int(row.max()) + 1)
    return _numbered(np.stack([row, np.floor(second + shifts[row]).astype(np.int64)]))


def mosaic(stream: KeyStream, shape: tuple[int, int], area: float) -> Partition:
    """Cells of about ``area`` pixels around points scattered by the key (Voronoi cells)."""
    side = float(np.sqrt(area))
    points = _coordinates(stream, shape, 0.5 * side) / side
    home = np.floor(points).astype(np.int64)
    low = home.reshape(2, -1).min(axis=1)
    span = home.reshape(2, -1).max(axis=1) - low + 1
    # One seed in every unit square, also in those just outside; a pixel's nearest seed is searched
    # in the nine squares around it, which is what makes this fast (and the cells a little squarer).
    seeds = 0.5 + 0.5 * stream.signed(2, int(span[0]) + 2, int(span[1]) + 2)
    power = stream.choose((1.0, 1.5, 2.0, 4.0))
    nearest = np.full(shape, np.inf)
    owner = np.zeros((2, *shape), np.int64)
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            square = home + np.array([down, across])[:, None, None]
            place = square - low[:, None, None] + 1
            seed = square + seeds[:, place[0], place[1]]
            distance = (np.abs(points - seed) ** power).sum(axis=0)
            closer = distance < nearest
            nearest = np.where(closer, distance, nearest)
            owner = np.where(closer, square, owner)
    return _numbered(owner)


def spectrum(stream: KeyStream, shape: tuple[int, int], area: float) -> Spectrum:
    """A filter with one to three humps at random places, roughened at random at every frequency.

    The width of the pass band is such that a patch of ``area`` pixels holds about one free value.
    """
    height, width = shape
    down = np.fft.fftfreq(height)[:, None]
    across = np.fft.rfftfreq(width)[None, :]
    radius = 0.5 / np.sqrt(area)
    gain = np.zeros((height, width // 2 + 1))
    for _ in range(1 + stream.below(3)):
        angle, squash = stream.uniform(0, np.pi), np.exp(stream.uniform(-0.5, 0.5))
        far = stream.uniform(0, 0.8) * radius
        along = down * np.sin(angle) + across * np.cos(angle)
        aside = (down * np.cos(angle) - across * np.sin(angle)) / (radius * squash)
        humps = [np.exp(-(((along - s * far) * squash / radius) ** 2)) for s in (-1, 1)]
        gain += stream.uniform(0.3, 1) * (humps[0] + humps[1]) * np.exp(-(aside**2))
    gain *= np.exp(0.7 * stream.signed(*gain.shape))
    gain[0, 0] = 0
    whole = np.sqrt((gain**2).sum() * 2 / (height * width))
    return Spectrum((gain / max(whole, 1e-9)).astype(np.float32), shape)


def single_pixels(shape: tuple[int, int]) -> Partition:
    """A cell for every pixel: the only layer for very small images."""
    return Partition(np.arange(shape[0] * shape[1]).reshape(shape), shape[0] * shape[1])


KINDS: tuple[Callable[[KeyStream, tuple[int, int], float], Layer], ...] = (
    lattice,
    mosaic,
    spectrum,
)
