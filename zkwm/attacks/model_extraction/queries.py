"""The images that a thief asks a service about: their own, foreign ones, and mixtures of them.

Mixtures are the convex combinations of mixup (Zhang et al., ICLR 2018, arXiv 1710.09412, equation
1), with weights from a beta distribution. There a mixture's label is the same combination of two
labels; a thief asks the service about the mixture instead, which costs a query each.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from zkwm.attacks.attack import Adversary, adversary_generator
from zkwm.attacks.other_data import other_images
from zkwm.attacks.starting_point import adversary_images
from zkwm_protocols.errors import UsageError

OWN, UNLABELED = "own", "unlabeled"


def query_images(queries: str, budget: int, adversary: Adversary) -> NDArray[np.uint8]:
    """The images that are asked about, before any are mixed.

    Args:
        queries: ``own`` images of the adversary, ``unlabeled`` for those and all that they have
            without labels, ``noise``, or another data set (``zkwm.attacks.other_data``).
        budget: How many at most; 0 for as many as the adversary has.
        adversary: Whose images and seed.

    Returns:
        Images, uint8 (n, c, h, w).

    Raises:
        UsageError: There are no such images.
    """
    shuffled, _ = adversary_images(adversary)
    images: NDArray[np.uint8] = shuffled.cpu().numpy()
    if queries == UNLABELED:
        if adversary.unlabeled is None:
            raise UsageError(
                "this adversary has no images without labels",
                hint="set unlabeled_images in the grid, or choose other queries",
            )
        images = np.concatenate([images, adversary.unlabeled])
        return images[: budget or None]
    if queries != OWN:
        return other_images(queries, budget or len(images), adversary)
    return images[: budget or None]


def mixtures_of(
    images: NDArray[np.uint8], count: int, alpha: float, adversary: Adversary
) -> NDArray[np.uint8]:
    """Mixtures of two images each, with weights w and 1 - w, where w is from Beta(alpha, alpha).

    Args:
        images (uint8, (n, c, h, w)): What is mixed; the first of each pair goes through all in
            order, the second is drawn.
        count: How many mixtures.
        alpha: Above 0; small ones leave one of the two nearly as it is.
        adversary: Their seed decides partners and weights.

    Returns:
        Mixtures, uint8 (count, c, h, w), rounded.
    """
    drawn = torch.randint(1 << 62, (1,), generator=adversary_generator(adversary, "mixtures"))
    random = np.random.default_rng(int(drawn))
    first = np.arange(count) % len(images)
    second = random.integers(0, len(images), count)
    weights = random.beta(alpha, alpha, (count, 1, 1, 1)).astype(np.float32)
    mixed = weights * images[first] + (1 - weights) * images[second]
    return mixed.round().astype(np.uint8)
