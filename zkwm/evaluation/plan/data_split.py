"""Divide a data set among the owner, the adversaries, the judge's probes and innocents.

Owner, adversaries and probes are disjoint; innocent third parties, and other owners from whom an
adversary stole as well, draw from all but the probes. One fixed shuffle for all seeds of a grid, so
that a part depends on the data and its size alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zkwm.data import ImageData
from zkwm_protocols.errors import UsageError

if TYPE_CHECKING:
    from zkwm.evaluation.plan.grid import Grid

SHUFFLE_SEED = 2018


@dataclass(frozen=True)
class Shares:
    """The training images and labels in parts; every part has the same test images.

    Args:
        owner: The owner's part.
        pool: All that adversaries may have.
        innocent: All but the probes, for third parties and other owners.
        probes (uint8, (m, c, h, w)): Public images, for soft answers and activations.
        unlabeled (uint8, (k, c, h, w)): Further images that adversaries have, without labels; None
            for none.
    """

    owner: ImageData
    pool: ImageData
    innocent: ImageData
    probes: NDArray[np.uint8]
    unlabeled: NDArray[np.uint8] | None = None

    def adversary(self, count: int) -> ImageData:
        """The first ``count`` images of the adversaries' pool."""
        return _part(self.pool, np.arange(count), f"{count:,} images of an adversary")

    def bystander(self, count: int, seed: int) -> ImageData:
        """``count`` images of an innocent third party, drawn by ``seed``."""
        random = np.random.default_rng((SHUFFLE_SEED, seed))
        numbers = random.permutation(len(self.innocent.train_labels))[:count]
        return _part(self.innocent, numbers, f"{count:,} images of a third party")


def divide(data: ImageData, grid: Grid) -> Shares:
    """The shares of a grid. Raises UsageError where the training set is too small."""
    pool = max(grid.attacker_counts)
    more = grid.unlabeled_images
    have, need = len(data.train_labels), grid.owner_images + pool + more + grid.probes
    if have < need:
        raise UsageError(
            f"{grid.data} has {have:,} training images, and the grid needs {need:,}: "
            f"{grid.owner_images:,} for the owner, {pool:,} for adversaries, {more:,} without "
            f"labels, {grid.probes:,} probes"
        )
    random = np.random.default_rng(SHUFFLE_SEED)
    order = random.permutation(have)
    if grid.test_images:
        tested = np.sort(random.permutation(len(data.test_labels))[: grid.test_images])
        data = replace(
            data, test_images=data.test_images[tested], test_labels=data.test_labels[tested]
        )
    # order: owner | adversaries | without labels | (unused) | probes
    owner, rest, last = grid.owner_images, grid.owner_images + pool, have - grid.probes
    return Shares(
        owner=_part(data, order[:owner], "the owner's images"),
        pool=_part(data, order[owner:rest], "the adversaries' images"),
        innocent=_part(data, order[:last], "all images but the probes"),
        probes=data.train_images[order[last:]],
        unlabeled=data.train_images[order[rest : rest + more]] if more else None,
    )


def _part(data: ImageData, numbers: NDArray[np.int64], name: str) -> ImageData:
    """The training images of these numbers, int64 (n,), with all test images."""
    return replace(
        data,
        train_images=data.train_images[numbers],
        train_labels=data.train_labels[numbers],
        name=name,
    )
