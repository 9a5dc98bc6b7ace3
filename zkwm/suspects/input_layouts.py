"""In which layouts images fit the declared input of an ONNX file (SPEC.md 4.3).

One rule for the suspect itself and for the quantizer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, int, int]


def fitting_layouts(declared: Sequence[int | None], shape: Shape) -> list[str]:
    """``nchw``, ``nhwc``, both or none: the layouts in which images fit.

    Args:
        declared: the sizes of the input behind the images' own axis, None where they are open.
        shape: (channels, height, width) of the images.

    A row of pixels and an image without its one channel fit in both.
    """
    sides = {"nchw": shape, "nhwc": (*shape[1:], shape[0])}
    return [
        layout
        for layout, whole in sides.items()
        if any(_fits(declared, form) for form in _forms(whole, shape))
    ]


def shaped_places(rank: int, shape: Shape, layout: str) -> NDArray[np.int64]:
    """Where the input's entries lie in the image, for an input that fits.

    Args:
        rank: the number of the input's axes, the images' own included: 2 is a row of pixels, 3
            leaves the one channel out.
        shape: (channels, height, width) of the images.
        layout: ``nchw`` or ``nhwc``.

    Returns:
        int64, in the input's sizes: the number of each entry in the image in C order.
    """
    places = np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape)
    ordered = places.transpose(1, 2, 0) if layout == "nhwc" else places
    if rank == 2:
        return ordered.reshape(-1)
    return places[0] if rank == 3 else ordered


def _forms(whole: Shape, shape: Shape) -> list[tuple[int, ...]]:
    """The sizes that take the entries of ``whole`` in this order."""
    channels, height, width = shape
    row = (channels * height * width,)
    return [whole, row, (height, width)] if channels == 1 else [whole, row]


def _fits(declared: Sequence[int | None], sizes: tuple[int, ...]) -> bool:
    """Whether sizes fit the declared ones, of which None takes any."""
    return len(declared) == len(sizes) and all(
        size in (None, want) for size, want in zip(declared, sizes, strict=True)
    )
