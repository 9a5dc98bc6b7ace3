"""The lowest spatial frequencies of an image, independent of its brightness and contrast.

A service that changes its answers (``dynamarks``, ``dawn``) decides by these: tiny changes of
pixels do not move them, so that a repeated query with a little noise gets the same answer.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from zkwm_protocols.errors import UsageError

_LEAST_NORM = 1e-2


def low_frequencies(images: Tensor, side: int) -> Tensor:
    """The lowest DCT coefficients of images float32 (n, c, h, w) in [0, 1].

    Returns float32 (n, side * side - 1): the orthonormal DCT-II of the mean over channels (Ahmed,
    Natarajan, Rao 1974), the ``side`` lowest frequencies of each axis, row by row and without the
    constant; coefficient (i, j) times sqrt(i^2 + j^2), since natural images have amplitudes like 1
    / frequency. Each image's coefficients are scaled to the norm sqrt(side * side - 1); those of a
    constant image stay zero. Raises UsageError for fewer than 2 frequencies or more than there are.
    """
    height, width = images.shape[2:]
    if not 2 <= side <= min(height, width):
        raise UsageError(
            f"an image of {height} by {width} pixels has 2 to {min(height, width)} frequencies an "
            f"axis, not {side}"
        )
    gray = images.float().mean(dim=1)
    rows, columns = _cosines(side, height), _cosines(side, width)
    coefficients = rows.to(gray) @ gray @ columns.to(gray).T
    numbers = torch.arange(side, dtype=torch.float32, device=gray.device)
    scaled = coefficients * torch.sqrt(numbers[:, None] ** 2 + numbers[None, :] ** 2)
    flat = scaled.flatten(1)[:, 1:]
    norms = flat.norm(dim=1, keepdim=True)
    normalized: Tensor = flat / norms.clamp_min(_LEAST_NORM) * math.sqrt(side * side - 1)
    return normalized


def _cosines(count: int, length: int) -> Tensor:
    """The first ``count`` basis vectors of the orthonormal DCT-II, float32 (count, length)."""
    positions = (2 * torch.arange(length, dtype=torch.float64) + 1) * math.pi / (2 * length)
    basis = torch.cos(torch.arange(count, dtype=torch.float64)[:, None] * positions)
    basis *= math.sqrt(2 / length)
    basis[0] /= math.sqrt(2)
    return basis.float()
