"""An image as the bytes of a PNG file, for endpoints that take pictures. Pillow comes lazily."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.errors import UsageError

PNG = "image/png"


def require_picture(shape: tuple[int, int, int]) -> None:
    """Raise UsageError unless images of ``shape`` (c, h, w) are gray or RGB."""
    if shape[0] not in (1, 3):
        raise UsageError(
            f"endpoints of this protocol take pictures of 1 or 3 channels, not of {shape[0]}",
            hint="send pixels by a template (`adapter='template'`)",
        )


def png(image: NDArray[np.uint8]) -> bytes:
    """The pixels of an image uint8 (1 or 3, h, w) as a PNG file, without loss."""
    from PIL import Image

    pixels = np.ascontiguousarray(image[0] if image.shape[0] == 1 else image.transpose(1, 2, 0))
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
