"""Drawings of a few strokes, by key: images of another kind than the owner's, without a data set.

They stand where Zhang et al. 2018 take another data set (and later work Omniglot). No letters of
any alphabet, and not made to survive attacks, as the families of ``zkwm.triggers`` are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkwm.triggers.keystream import KeyStream

_STROKES = 4
_POINTS = 48
_MARGIN = 0.1


def draw_strokes(stream: KeyStream, count: int, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """``count`` drawings, uint8 (count, c, h, w): four curved strokes on black.

    White, or with three channels each stroke in a bright colour of its own.
    """
    return np.stack([_drawing(stream.derive("drawing", i), shape) for i in range(count)])


def _drawing(stream: KeyStream, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    channels, height, width = shape
    canvas = np.zeros(shape, np.float32)
    for _ in range(_STROKES):
        colour = np.ones(1) if channels == 1 else 0.7 + 0.3 * stream.signed(channels)
        ink = _ink(stream, height, width)
        canvas = np.maximum(canvas, colour[:, None, None].astype(np.float32) * ink)
    return np.rint(255 * canvas).astype(np.uint8)


def _ink(stream: KeyStream, height: int, width: int) -> NDArray[np.float32]:
    """How much of each pixel, 0 to 1, a curve with three control points covers, (h, w)."""
    unit = _MARGIN + (1 - 2 * _MARGIN) * (1 + stream.signed(3, 2)) / 2
    first, middle, last = unit * np.array([height - 1, width - 1], np.float32)
    t = np.linspace(0, 1, _POINTS, dtype=np.float32)[:, None]
    curve = (1 - t) ** 2 * first + 2 * t * (1 - t) * middle + t**2 * last
    down = np.arange(height)[None, :, None] - curve[:, 0, None, None]
    across = np.arange(width)[None, None, :] - curve[:, 1, None, None]
    distance = np.sqrt(down**2 + across**2).min(axis=0)
    thickness = max(height, width) / 24
    covered: NDArray[np.float32] = np.clip(thickness + 0.5 - distance, 0, 1).astype(np.float32)
    return covered
