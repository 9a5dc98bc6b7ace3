"""The images of the step that a foreign training loop is at, where the robust method asks for some.

``embed`` draws clean images for it from the whole data set; a loop of somebody else's hands over
one batch at a time.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor


class CurrentBatch:
    """``TrainingImages`` that are the current batch, whatever numbers are asked for."""

    def __init__(
        self,
        as_input: Callable[[Tensor], Tensor],
        images: Tensor,
        labels: Tensor,
        batch_size: int,
    ) -> None:
        """Begin with some images, on which a network can be tried.

        Args:
            as_input: Turns uint8 images into the network's input and leaves others unchanged.
            images: uint8 (n, c, h, w).
            labels: int64 (n,).
            batch_size: Of the loop.
        """
        channels, height, width = images.shape[1:]
        self.shape = (channels, height, width)
        self.train_count = batch_size
        self._as_input = as_input
        self.show(images, labels)

    def show(self, images: Tensor, labels: Tensor) -> None:
        """The loop is at this batch now: images (n, c, h, w), labels int64 (n,)."""
        self._images, self._labels = images, labels

    def as_input(self, images: Tensor) -> Tensor:
        """uint8 images as the network's input, others unchanged."""
        return self._as_input(images)

    def train(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """The batch as it is."""
        return self._images, self._labels
