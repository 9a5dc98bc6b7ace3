"""The lowest spatial frequencies of an image, without its brightness and contrast.

What a responder (``dynamarks``, ``dawn``) may look at in an image: tiny changes of pixels do not
move it, so that asking again with a little noise gives the same answer. Not a filter of images.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from zkwm_protocols.errors import UsageError

_LEAST_NORM = 1e-2


def low_frequencies(images: Tensor, side: int) -> Tensor:
    """Coefficients float32 (n, side * side - 1) of images float32 (n, c, h, w) in [0, 1].

    The orthonormal DCT-II of the mean over channels (Ahmed, Natarajan, Rao 1974), the ``side``
    lowest frequencies of each axis, row by row and without the constant; coefficient (i, j) times
    sqrt(i^2 + j^2), since natural images have amplitudes like 1 / frequency. Each image's
    coefficients are scaled to the norm sqrt(side * side - 1); those of a constant image stay zero.
    Raises UsageError for fewer than 2 frequencies or more than there are.
    """
    height, width = images.shape[2:]
    if not 2 <= side <= min(height, width):
        raise UsageError(f"an image of {height} by {width} has 2 to {min(height, width)} of them")
    grey = images.float().mean(dim=1)
    rows, columns = _cosines(side, height), _cosines(side, width)
    found = rows.to(grey) @ grey @ columns.to(grey).T
    numbers = torch.arange(side, dtype=torch.float32, device=grey.device)
    scaled = found * torch.sqrt(numbers[:, None] ** 2 + numbers[None, :] ** 2)
    flat = scaled.flatten(1)[:, 1:]
    norms = flat.norm(dim=1, keepdim=True)
    levelled: Tensor = flat / norms.clamp_min(_LEAST_NORM) * math.sqrt(side * side - 1)
    return levelled


def _cosines(count: int, length: int) -> Tensor:
    """The first ``count`` basis vectors of the orthonormal DCT-II, float32 (count, length)."""
    positions = (2 * torch.arange(length, dtype=torch.float64) + 1) * math.pi / (2 * length)
    basis = torch.cos(torch.arange(count, dtype=torch.float64)[:, None] * positions)
    basis *= math.sqrt(2 / length)
    basis[0] /= math.sqrt(2)
    return basis.float()
