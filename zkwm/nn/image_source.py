"""Training and test images by number, from arrays in memory or from torch data sets.

``zkwm.data`` reads the files; ``zkwm.training.batches`` decides the order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from zkwm.data import ImageData
from zkwm.nn.dataset_items import read_item
from zkwm.nn.digests import data_digest
from zkwm.nn.item_workers import ItemsAhead, Request
from zkwm_protocols.errors import UsageError

Data: TypeAlias = ImageData | tuple[Dataset[Any], Dataset[Any]] | list[Dataset[Any]]
"""Arrays, or (training, test) data sets whose items are (image, label).

An item's image is a tensor (c, h, w): uint8, or float32 in [0, 1]. Maps with ``pixel_values`` (or
``image``) and ``labels`` (or ``label``) are accepted as well.
"""

EVALUATION_BATCH = 500
_LOOKS = 8
_MOST_NORMALIZED = 16.0
_NO_PAIR = "data is ImageData, or a pair (training, test) of data sets"
_GIVE_A_PAIR = (
    "give zkwm.load_data(PATH), or (training, test), two torch data sets of (image, label)"
)


class TrainingImages(Protocol):
    """Labeled images that are asked for by number, and what a model takes.

    Attributes:
        train_count: The number of training images.
        shape: (channels, height, width).
    """

    train_count: int
    shape: tuple[int, int, int]

    def train(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Training images and labels for ``numbers`` (int64, (n,)), on the device.

        Images are uint8, or float32 as the model takes them, (n, c, h, w); labels int64 (n,).
        """

    def as_input(self, images: Tensor) -> Tensor:
        """Images (n, c, h, w) as the model takes them: uint8 ones converted, others unchanged."""


class Source(TrainingImages, Protocol):
    """A data set of training and test images. Floats are in [0, 1].

    Attributes:
        test_count: The number of test images.
        class_count: None where the data set does not say.
        digest: 32 bytes (SPEC.md 3.4), or None where the content is not fixed.
    """

    test_count: int
    class_count: int | None
    digest: bytes | None

    def test(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Test images and labels for ``numbers`` (int64, (n,)), as of ``train``."""

    def require_labels_below(self, outputs: int) -> None:
        """Raise UsageError, now or later, for a label that has no output."""

    def read_ahead(self, plan: Iterator[Request], workers: int) -> None:
        """Let workers read training images that will be asked for; 0 workers end that."""


def open_source(data: Data, device: torch.device) -> Source:
    """Open either kind of data. Raises UsageError for data that cannot be trained on."""
    if isinstance(data, ImageData):
        return ArraySource(data, device)
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise UsageError(f"{_NO_PAIR}, not {_called(data)}", hint=_GIVE_A_PAIR)
    for part in data:
        if isinstance(part, DataLoader):
            raise UsageError(
                f"{_NO_PAIR}, not of loaders: batches are made here, with triggers in each",
                hint="give the data sets inside them: (train_loader.dataset, test_loader.dataset)",
            )
        if isinstance(part, np.ndarray | Tensor) or not (
            hasattr(part, "__len__") and hasattr(part, "__getitem__")
        ):
            raise UsageError(
                f"{_NO_PAIR} that know their length, and {_called(part)} is none",
                hint=_GIVE_A_PAIR,
            )
    return DatasetSource((data[0], data[1]), device)


def _called(value: object) -> str:
    """What to call a value in a message: its type, or how many a list holds."""
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return f"one {type(value).__name__}"


class ArraySource:
    """``ImageData`` as uint8 tensors on the device, indexed by number."""

    def __init__(self, data: ImageData, device: torch.device) -> None:
        parts = (
            ("training", data.train_images, data.train_labels),
            ("test", data.test_images, data.test_labels),
        )
        for name, images, labels in parts:
            require_images(images, labels, data.class_count, name)
        if data.train_images.shape[1:] != data.test_images.shape[1:]:
            raise UsageError("training and test images differ in shape")
        self._device = device
        self._tensors = [
            (torch.tensor(images, device=device), torch.tensor(labels, device=device))
            for _, images, labels in parts
        ]
        self.train_count, self.test_count = len(data.train_labels), len(data.test_labels)
        channels, height, width = data.train_images.shape[1:]
        self.shape = (channels, height, width)
        self.class_count: int | None = data.class_count
        self.digest: bytes | None = data_digest(data)

    def train(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Training images (n, c, h, w) uint8 and labels (n,) int64."""
        return self._pick(0, numbers)

    def test(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Test images (n, c, h, w) uint8 and labels (n,) int64."""
        return self._pick(1, numbers)

    def as_input(self, images: Tensor) -> Tensor:
        """Images as float32 in [0, 1]."""
        return as_unit(images)

    def require_labels_below(self, outputs: int) -> None:
        """Raise UsageError if there are fewer outputs than classes."""
        if self.class_count is not None and outputs < self.class_count:
            raise UsageError(f"{self.class_count} classes, but {outputs} outputs")

    def read_ahead(self, plan: Iterator[Request], workers: int) -> None:
        """All images are in memory already."""

    def _pick(self, part: int, numbers: Tensor) -> tuple[Tensor, Tensor]:
        numbers = numbers.to(self._device)
        images, labels = self._tensors[part]
        # faster than an index, which is prepared for any number of axes
        return images.index_select(0, numbers), labels.index_select(0, numbers)


class DatasetSource:
    """A pair of torch data sets, read item by item, in this process or ahead by workers.

    Their content is not hashed, since items may be random. On resuming, an item's own random
    choices repeat only if they use torch's global generator.
    """

    digest: bytes | None = None
    class_count: int | None = None

    def __init__(self, data: tuple[Dataset[Any], Dataset[Any]], device: torch.device) -> None:
        self._parts = data
        self._outputs = 2**31
        self._ahead: ItemsAhead | None = None
        self._device = device
        self.train_count, self.test_count = (len(part) for part in data)  # type: ignore[arg-type]
        if not self.train_count or not self.test_count:
            raise UsageError("a data set is empty")
        shapes = {
            self._items(part, _first_looks(count))[0].shape[1:]
            for part, count in enumerate((self.train_count, self.test_count))
        }
        if len(shapes) != 1:
            raise UsageError("training and test images differ in shape")
        channels, height, width = shapes.pop()
        self.shape = (channels, height, width)

    def train(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Training images (n, c, h, w) and labels (n,) int64."""
        chosen = numbers.tolist()
        found = None if self._ahead is None else self._ahead.take(chosen)
        if found is None:
            return self._items(0, chosen)
        return found[0].to(self._device), found[1].to(self._device)

    def test(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Test images (n, c, h, w) and labels (n,) int64."""
        return self._items(1, numbers.tolist())

    def as_input(self, images: Tensor) -> Tensor:
        """Images as float32 in [0, 1]."""
        return as_unit(images)

    def require_labels_below(self, outputs: int) -> None:
        """From now on, raise UsageError for an item whose label has no output."""
        self._outputs = outputs

    def read_ahead(self, plan: Iterator[Request], workers: int) -> None:
        """Start as many workers, or end them."""
        self._ahead = ItemsAhead(self._training_items, plan, workers) if workers else None

    def _items(self, part: int, numbers: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Checked items of the training (0) or test (1) data set, stacked on the device."""
        images, labels = self._read(part, numbers)
        return images.to(self._device), labels.to(self._device)

    def _training_items(self, numbers: list[int]) -> tuple[Tensor, Tensor]:
        """What a worker reads."""
        return self._read(0, numbers)

    def _read(self, part: int, numbers: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Checked items, stacked on the CPU."""
        images, labels = [], []
        for number in numbers:
            item = read_item(self._parts[part][number], number)
            labels.append(item.label)
            whole = item.image.dtype == torch.uint8
            images.append(item.image if whole else item.image.float())
        if len({(image.shape, image.dtype) for image in images}) != 1:
            raise UsageError("the images of a data set differ in shape or type")
        if min(labels) < 0 or max(labels) >= self._outputs:
            raise UsageError(
                f"a data set holds the label {min(min(labels), 0) or max(labels)}, "
                f"the model has outputs 0 to {self._outputs - 1}"
            )
        stacked = torch.stack(images)
        _require_unit(stacked)
        return stacked, torch.tensor(labels, dtype=torch.int64)


def _first_looks(count: int) -> list[int]:
    """The numbers of the items that are looked at beforehand: up to 8, evenly spread."""
    return torch.linspace(0, count - 1, min(count, _LOOKS)).long().tolist()


def _require_unit(images: Tensor) -> None:
    """Raise UsageError for float32 images that leave [0, 1], as triggers never do.

    Triggers are divided by 255, and so are the images that a judge asks with: a model that was
    trained on other numbers learns its mark in another scale than it is asked in.
    """
    if images.dtype == torch.uint8:
        return
    least, largest = (float(value) for value in torch.aminmax(images))
    if 0 <= least <= largest <= 1:
        return
    if not (math.isfinite(least) and math.isfinite(largest)):
        raise UsageError(
            "a data set gives images with numbers that are not finite (NaN or infinity)",
            hint="find the item in the data set, for example by torch.isfinite(image).all(), and "
            "mend or leave out its image",
        )
    if largest > _MOST_NORMALIZED and largest <= 255 and least >= 0:
        hint = "give pixels of 0 to 255 as uint8 tensors, or divide them by 255"
    else:
        hint = (
            "leave Normalize out of the data set and make it the model's first layer; where "
            "resizing overshoots, add clamp(0, 1)"
        )
    raise UsageError(
        f"a data set gives floats from {least:.4g} to {largest:.4g}; pixels are uint8, or floats "
        "from 0 to 1",
        hint=hint,
    )


def as_unit(images: Tensor) -> Tensor:
    """Images as float32 in [0, 1]: uint8 ones divided by 255, others unchanged."""
    return images.float() / 255 if images.dtype == torch.uint8 else images


def require_images(images: NDArray[Any], labels: NDArray[Any], class_count: int, name: str) -> None:
    """Raise UsageError unless images are uint8 (n, c, h, w) and labels int64 (n,) in range.

    Args:
        images: Images of a data set or trigger set.
        labels: Their labels, 0 to ``class_count`` - 1.
        class_count: The number of classes.
        name: What to call them in the message: ``training``, ``test`` or ``trigger``.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or 0 in images.shape:
        raise UsageError(
            f"{name} images are an array uint8 (n, channels, height, width), "
            f"not {images.dtype} {images.shape}"
        )
    if labels.dtype != np.int64 or labels.shape != (len(images),):
        raise UsageError(
            f"{name} labels are an array int64 ({len(images)},), not {labels.dtype} {labels.shape}"
        )
    wrong = np.flatnonzero((labels < 0) | (labels >= class_count))
    if len(wrong):
        raise UsageError(
            f"{name} label {wrong[0]} is {labels[wrong[0]]}, outside 0 to {class_count - 1}"
        )


def evaluation_batches(count: int, limit: int | None = None) -> Iterator[Tensor]:
    """The numbers 0 to count - 1 in batches of 500, int64.

    With a limit at most that many numbers, evenly spread.
    """
    numbers = torch.arange(count)
    if limit is not None and limit < count:
        numbers = torch.linspace(0, count - 1, limit).long()
    yield from torch.split(numbers, EVALUATION_BATCH)
