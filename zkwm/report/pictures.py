"""Opened triggers as PNG data URIs, small enough for one page.

The pictures illustrate: large triggers are reduced. Pillow is imported on first use.
"""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray

LONGEST_SIDE = 64
REDUCED_SIDE = 32
MAXIMUM_PICTURES = 1_000
_BUDGET = 6 * 2**20


def side_limit(count: int, shape: tuple[int, int, int]) -> int:
    """The longest side, in pixels, for ``count`` pictures of ``shape`` (channels, height, width).

    64 as long as the worst case (noise, which PNG cannot compress) keeps within the page's budget
    of 6 MiB, and 32 beyond.
    """
    channels, height, width = shape
    shrink = min(1.0, LONGEST_SIDE / max(height, width))
    worst = min(count, MAXIMUM_PICTURES) * channels * height * width * shrink**2 * 4 / 3
    return LONGEST_SIDE if worst <= _BUDGET else REDUCED_SIDE


def data_uri(image: NDArray[np.uint8], limit: int) -> str:
    """One image, uint8 (1 or 3, height, width), as a PNG data URI.

    Images of sides up to ``limit`` keep their pixels exactly; larger ones are averaged down.
    """
    from PIL import Image

    pixels = np.ascontiguousarray(image[0] if image.shape[0] == 1 else image.transpose(1, 2, 0))
    picture = Image.fromarray(pixels)
    if max(picture.size) > limit:
        picture.thumbnail((limit, limit), Image.Resampling.BOX)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
