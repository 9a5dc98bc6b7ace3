"""A labeled data set in memory: training and test images as NumPy arrays.

``zkwm.training`` makes tensors and batches of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.errors import UsageError


@dataclass(frozen=True, repr=False)
class ImageData:
    """A labeled data set.

    Attributes:
        train_images (uint8, (n, c, h, w)): training images, c 1 or 3.
        train_labels (int64, (n,)): their classes, 0 to class_count - 1.
        test_images (uint8, (m, c, h, w)): test images of the same shape.
        test_labels (int64, (m,)): their classes.
        class_count: the number of classes, at least 2.
        name: for messages.

    Raises UsageError for arrays that do not fit together.
    """

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    class_count: int
    name: str

    def __post_init__(self) -> None:
        """Refuse arrays that do not fit together."""
        if self.class_count < 2:
            raise UsageError(f"{self.name} has {self.class_count} class: there is nothing to learn")
        parts = (
            ("training", self.train_images, self.train_labels),
            ("test", self.test_images, self.test_labels),
        )
        for part, images, labels in parts:
            if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3):
                raise UsageError(
                    f"the {part} images of {self.name} are not uint8 N,C,H,W with 1 or 3 channels"
                )
            if labels.dtype != np.int64 or labels.shape != (len(images),) or len(images) == 0:
                raise UsageError(
                    f"{self.name} has {len(images)} {part} images and labels {labels.shape}"
                )
            if labels.min() < 0 or labels.max() >= self.class_count:
                raise UsageError(
                    f"a {part} label of {self.name} is not within 0 to {self.class_count - 1}"
                )
        if self.train_images.shape[1:] != self.test_images.shape[1:]:
            raise UsageError(
                f"{self.name} has training images of shape {self.train_images.shape[1:]} and "
                f"test images of {self.test_images.shape[1:]}"
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of an image."""
        channels, height, width = self.train_images.shape[1:]
        return channels, height, width

    def __repr__(self) -> str:
        """Name and sizes."""
        sizes = f"{len(self.train_images)} + {len(self.test_images)} images of {self.shape}"
        return f"ImageData({self.name}: {sizes}, {self.class_count} classes)"
