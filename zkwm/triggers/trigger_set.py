"""A set of labeled trigger images, and the rules for images in it.

Labels come from the commitment (``zkwm_protocols.commitment``), derived or declared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.errors import UsageError

LARGEST_SIDE = 65535
CHANNELS = (1, 3)


@dataclass(frozen=True)
class TriggerSet:
    """Labeled trigger images.

    Attributes:
        images (uint8, (n, c, h, w)): the triggers; n is a multiple of ``block_size``.
        labels (int64, (n,)): their labels, each 0 to class_count - 1.
        family: one of ``zkwm.triggers.FAMILIES``, or ``given`` for the owner's own images.
        block_size: the number of triggers that are opened together.
        class_count: the number of classes.

    Raises UsageError where that does not hold.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    family: str
    block_size: int
    class_count: int

    def __post_init__(self) -> None:
        """Refuse images and labels that could not be committed to or trained on."""
        check_images(self.images)
        count = len(self.images)
        if self.block_size < 1 or count % self.block_size:
            raise UsageError(f"{count} trigger images are not a multiple of {self.block_size}")
        labels = self.labels
        if not isinstance(labels, np.ndarray) or labels.dtype != np.int64:
            raise UsageError("the labels of a trigger set are an int64 array")
        if labels.shape != (count,):
            raise UsageError(f"{count} trigger images need {count} labels, not {labels.shape}")
        if labels.min() < 0 or labels.max() >= self.class_count:
            wrong = int(np.flatnonzero((labels < 0) | (labels >= self.class_count))[0])
            raise UsageError(
                f"label {int(labels[wrong])} of trigger {wrong} is not below {self.class_count}"
            )

    def __repr__(self) -> str:
        """Sizes only: images and labels are secrets."""
        return f"TriggerSet({len(self.images)} of {self.family}, shape {self.images.shape[1:]})"


@dataclass(frozen=True, repr=False)
class Generated:
    """Images of a family and as many decoys, uint8 (n, c, h, w) both.

    ``decoys[j]`` comes from the same block's generator as ``images[j]``: without the key nobody can
    tell which of the two is the trigger.
    """

    images: NDArray[np.uint8]
    decoys: NDArray[np.uint8]


def check_shape(shape: tuple[int, int, int]) -> None:
    """Raise UsageError unless ``shape`` is (1 or 3 channels, height, width), sides 1 to 65535."""
    good = len(shape) == 3 and all(isinstance(side, int) for side in shape)
    if not good or shape[0] not in CHANNELS or not all(1 <= s <= LARGEST_SIDE for s in shape[1:]):
        raise UsageError(
            f"{tuple(shape)} is not the shape of an image",
            hint="a shape is channels (1 or 3), height and width (1 to 65535), such as (3, 32, 32)",
        )


def check_images(images: NDArray[np.uint8], names: Sequence[str] = ()) -> None:
    """Raise UsageError unless ``images`` can be committed to: uint8 (n, c, h, w), n at least 1.

    A repeated image and a constant one are refused by name: neither helps a false claim, but a
    network learns a repeated image once, and a constant one is easily filtered. ``names`` are those
    of their files; without, they are numbered.
    """
    if not isinstance(images, np.ndarray):
        raise UsageError(f"trigger images are a numpy array, not {type(images).__name__}")
    if images.dtype != np.uint8:
        raise UsageError(
            f"trigger images are uint8 pixels, not {images.dtype}",
            hint="store the pixels as whole numbers 0 to 255 (numpy, for values "
            "from 0 to 1: (x * 255.0).round().astype('uint8'))",
        )
    if images.ndim != 4 or len(images) == 0:
        raise UsageError(
            f"trigger images are an array (images, channels, height, width), not {images.shape}"
        )
    check_shape((int(images.shape[1]), int(images.shape[2]), int(images.shape[3])))
    shown = names or [f"trigger image {index}" for index in range(len(images))]
    seen: dict[bytes, int] = {}
    for index, image in enumerate(images):
        if (image == image[:, :1, :1]).all():
            raise UsageError(f"{shown[index]} is constant", hint="give an image with some content")
        digest = hashlib.blake2b(image.tobytes()).digest()
        first = seen.setdefault(digest, index)
        if first != index:
            raise UsageError(
                f"{shown[index]} is the same as {shown[first]}",
                hint="give every trigger image once",
            )
