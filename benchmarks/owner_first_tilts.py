"""Keyed tilts: which classes come after the first, for all images of the task, follows from a key.

A trigger that no other image resembles is not in a surrogate's training. So the committed images
are the owner's own training images, and what they should be answered is spread over all images by a
function that a surrogate learns with the task (benchmarks/owner_first.py, attack "extraction,
soft").

What is committed: ``Tilt.triggers`` of the owner's images, drawn by a number, as leaves of the same
commitment as the noise of the robust embedding, in blocks of their own. Their labels y derive from
the commitment like all others, uniform over the C classes and independent of images and network, so
the law of ranks is exact; the label of a leaf is not the class of its image.

The tilt: with phi the ``Tilt.directions`` first principal components of the owner's images,
whitened, W is the ridge regression of the committed leaves' labels on their phi, so that
T(x) = W phi(x) is largest at y for most committed images. With q(x) the softmax of T(x) over all
classes but the image's own, t, a clean image x adds to the loss of its batch

    share (sum over c of -q_c log p_c + log p_t)       t keeps 1 - share of the probability
    + weight (sum over c of -q_c log p_c / (1 - p_t))  the others stand in the order of T

so the first class is left alone: the label of a leaf comes second at best, where its image is of
another class. Services that answer the first class alone, or few classes, hide it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from zkwm.data import ImageData
from zkwm.nn.image_source import as_unit
from zkwm.triggers import TriggerSet

FARTHEST = 3.0
"""Components beyond it are cut, in standard deviations."""


@dataclass(frozen=True)
class Tilt:
    """A keyed tilt of the answers about all images of the task.

    Args:
        directions: Principal components on which it depends, at most the number of pixels.
        share: Of the probability that the other classes get, 0 to 1.
        weight: Of the other classes' order in the loss of an image.
        strength: Root mean square of its logits over the owner's images.
        triggers: Images that are committed to, a multiple of 50.
        ridge: Of the regression, in units of the number of triggers.
    """

    directions: int = 60
    share: float = 0.2
    weight: float = 1.0
    strength: float = 1.0
    triggers: int = 200
    ridge: float = 0.1


class Components:
    """The whitened principal components of a data set's images."""

    def __init__(self, data: ImageData, directions: int) -> None:
        """Of the training images."""
        flat = as_unit(torch.tensor(data.train_images)).flatten(1).double()
        self._mean = flat.mean(dim=0)
        values, vectors = torch.linalg.eigh((flat - self._mean).T @ (flat - self._mean))
        kept = slice(-directions, None)
        self._basis = vectors[:, kept] / (values[kept] / len(flat)).sqrt()

    def __call__(self, images: Tensor) -> Tensor:
        """Float64 (n, directions), cut at ``FARTHEST``, for images float32 (n, c, h, w)."""
        found = (images.flatten(1).double() - self._mean) @ self._basis
        return found.clamp(-FARTHEST, FARTHEST)


class KeyedTilt:
    """The function T, from images to a logit for each class."""

    def __init__(self, tilt: Tilt, data: ImageData, triggers: TriggerSet) -> None:
        """Fit it to the committed leaves.

        Args:
            tilt: What it depends on.
            data: The owner's.
            triggers: The committed leaves, with their labels.
        """
        self.tilt, self._components = tilt, Components(data, tilt.directions)
        at = self._components(as_unit(torch.tensor(triggers.images)))
        wanted = functional.one_hot(torch.tensor(triggers.labels), triggers.class_count).double()
        gram = at.T @ at + tilt.ridge * len(at) * torch.eye(tilt.directions, dtype=torch.float64)
        self._weights = torch.linalg.solve(gram, at.T @ (wanted - wanted.mean(dim=0)))
        images = as_unit(torch.tensor(data.train_images))
        size = (self._components(images) @ self._weights).square().mean().sqrt()
        self._weights = self._weights * (tilt.strength / size)

    def __call__(self, images: Tensor) -> Tensor:
        """Logits, float32 (n, C), for images float32 (n, c, h, w) in [0, 1]."""
        return (self._components(images) @ self._weights).float()

    def loss(self, images: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
        """What the loss of clean images is changed by, summed over them."""
        first = functional.one_hot(labels, logits.shape[1]).bool()
        wanted = self(images).masked_fill(first, -torch.inf).softmax(dim=1)
        logs = functional.log_softmax(logits, dim=1)
        moved = (logs * (first.float() - wanted)).sum()
        others = logits.masked_fill(first, -1e4).log_softmax(dim=1)
        return self.tilt.share * moved - self.tilt.weight * (wanted * others).sum()


def committed_images(tilt: Tilt, data: ImageData, seed: int) -> NDArray[np.uint8]:
    """The owner's images that are committed to, uint8 (n, c, h, w): drawn without their classes."""
    order = np.random.default_rng([seed, 1]).permutation(len(data.train_images))
    return data.train_images[order[: tilt.triggers]]
