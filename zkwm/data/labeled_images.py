"""Labeled test images of a task, with which a judge sees whether a suspect is fed as it wants.

A judge rarely has training data, so that a test part alone is enough here; ``zkwm.data.load_data``
reads whole data sets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkwm.data.array_data import decode_differences, plain_labels
from zkwm.data.arrays import read_arrays
from zkwm.data.bundled import BUNDLED, load_bundled
from zkwm.data.folder_data import load_test_folder
from zkwm.data.images import as_nchw
from zkwm_protocols.encoding import tensor_digest
from zkwm_protocols.errors import UsageError

_NAMES = (("x_test", "y_test"), ("images", "labels"), ("x", "y"))


@dataclass(frozen=True, repr=False)
class LabeledImages:
    """Images of a task and their labels.

    Args:
        images (uint8, (n, c, h, w)): the images, c 1 or 3.
        labels (int64, (n,)): their labels, none negative.
        name: for messages.
        names: the names of labels 0, 1, 2, ... where the data has them.

    Raises UsageError for arrays that do not fit together.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    name: str = "test data"
    names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse arrays that do not fit together."""
        images, labels = self.images, self.labels
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3):
            raise UsageError(f"the images of {self.name} are not uint8 N,C,H,W, C 1 or 3")
        if labels.dtype != np.int64 or labels.shape != (len(images),) or len(images) == 0:
            raise UsageError(f"{self.name} has {len(images)} images and labels {labels.shape}")
        most = np.iinfo(np.int64).max if self.names is None else len(self.names) - 1
        if labels.min() < 0 or labels.max() > most:
            raise UsageError(f"a label of {self.name} is negative, or has no name")

    def taken(self, places: NDArray[np.int64]) -> LabeledImages:
        """The images int64 (m,) of these places, in this order."""
        return LabeledImages(self.images[places], self.labels[places], self.name, self.names)

    def numbered(self, numbers: NDArray[np.int64]) -> LabeledImages:
        """The same images with label ``numbers[y]`` instead of y, int64 (labels,), unnamed."""
        return LabeledImages(self.images, numbers[self.labels], self.name)

    def digest(self) -> bytes:
        """The digest of images and labels, 32 bytes (SPEC.md 3.4, 6.1)."""
        images, labels = np.ascontiguousarray(self.images), self.labels.astype("<i8")
        return tensor_digest(
            [
                ("images", "uint8", images.shape, images.tobytes()),
                ("labels", "int64", labels.shape, labels.tobytes()),
            ]
        )

    def __repr__(self) -> str:
        """Name and sizes."""
        return f"LabeledImages({self.name}: {len(self.images)} of {self.images.shape[1:]})"


def load_test_data(location: str | Path) -> LabeledImages:
    """Load the test images of a task.

    - ``"fashion-mnist-small"``: the test part that comes with the package.
    - A .npz file with x_test and y_test, or with images and labels, or x and y; images uint8 N,H,W
      or N,H,W,C or N,C,H,W, or difference-coded planes x_test_d2. A training part is not looked at.
    - A folder with test/CLASS/IMAGES, or CLASS/IMAGES itself: its classes are named.

    Raises UsageError, Malformed or CouldNotCheck, naming the file.
    """
    if location == BUNDLED:
        data = load_bundled()
        return LabeledImages(data.test_images, data.test_labels, BUNDLED)
    path = Path(location)
    if path.is_dir():
        images, labels, names = load_test_folder(path)
        return LabeledImages(images, labels, path.name, names)
    return _from_arrays(read_arrays(path), path.stem)


def _from_arrays(arrays: Mapping[str, NDArray[Any]], name: str) -> LabeledImages:
    """Images and labels under the names above. Raises UsageError where there are none."""
    for pictures, numbers in _NAMES:
        coded = f"{pictures}_d2"
        if numbers not in arrays or not {pictures, coded} & set(arrays):
            continue
        labels = plain_labels(arrays[numbers], f"{numbers} of {name}")
        if coded in arrays:
            images = decode_differences(arrays[coded], f"{coded} of {name}")
        else:
            images = as_nchw(arrays[pictures], f"{pictures} of {name}")
        return LabeledImages(images, labels, name)
    raise UsageError(
        f"{name} holds {', '.join(sorted(arrays)) or 'nothing'}",
        hint="test data has the arrays x_test and y_test, or images and labels",
    )
