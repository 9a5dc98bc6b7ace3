"""Data sets as folders: train/<class>/<image files> and test/<class>/<image files>.

Where there is no folder ``test``, ``val`` is taken. Test data alone may leave out the training
part, and the folder ``test`` itself.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zkwm.data.foreign_files import is_litter
from zkwm.data.image_data import ImageData
from zkwm.data.images import MAX_FILES, Shape, list_pictures, read_pictures
from zkwm_protocols.errors import CouldNotCheck, UsageError

_TEST_PARTS = ("test", "val", "valid", "validation")
"""Names of the test part, the first that exists is taken."""
_HINT = "a folder of data has train/CLASS/IMAGES and test/CLASS/IMAGES (or val/CLASS/IMAGES)"


def _test_part(folder: Path) -> Path | None:
    """The folder of test images, or None."""
    return next((folder / name for name in _TEST_PARTS if (folder / name).is_dir()), None)


def _classes(folder: Path) -> list[str]:
    """The names of the folders in ``folder``, in string order. Raises UsageError, CouldNotCheck."""
    try:
        paths = sorted(path for path in folder.iterdir() if not is_litter(path))
    except OSError as error:
        raise CouldNotCheck(f"cannot read {folder}: {error.strerror}", hint=_HINT) from None
    for path in paths:
        if not path.is_dir():
            raise UsageError(
                f"{path} is not a folder; expected one folder for each class", hint=_HINT
            )
    return [path.name for path in paths]


def _part(
    folder: Path, classes: list[str], shape: Shape | None
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images uint8 (n, c, h, w) and labels int64 (n,) of train or test, class after class."""
    files = [list_pictures(folder / name) for name in classes]
    counts = [len(paths) for paths in files]
    if sum(counts) > MAX_FILES:
        raise UsageError(f"{folder} holds {sum(counts)} files; at most {MAX_FILES} are read")
    images = read_pictures([path for paths in files for path in paths], shape=shape, fit=None)
    return images, np.repeat(np.arange(len(classes)), counts).astype(np.int64)


def load_test_folder(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[str, ...]]:
    """The test images in the folder ``path``, their labels, and the names of the classes.

    They are in test/CLASS/IMAGES, or in CLASS/IMAGES where there is no such folder. Returns
    uint8 (n, c, h, w), int64 (n,) and the names, in string order. Raises as ``load_folder_data``.
    """
    part = _test_part(path) or path
    classes = _classes(part)
    if not classes:
        raise UsageError(
            f"{part} has no folders", hint="test data has a folder of images for each class"
        )
    images, labels = _part(part, classes, None)
    return images, labels, tuple(classes)


def load_folder_data(path: Path) -> ImageData:
    """Load the data set in the folder ``path``.

    Classes are numbered in the string order of their folders' names, which must be the same in
    train and test. All images have the size of the first, and are gray if it is. Raises
    UsageError, Malformed or CouldNotCheck, naming the file.
    """
    classes = _classes(path / "train")
    test = _test_part(path) or path / _TEST_PARTS[0]
    other = _classes(test)
    if classes != other:
        odd = sorted(set(classes) ^ set(other))
        raise UsageError(f"{path}: the class {odd[0]} is not in both train and {test.name}")
    train_images, train_labels = _part(path / "train", classes, None)
    channels, height, width = train_images.shape[1:]
    test_images, test_labels = _part(test, classes, (channels, height, width))
    return ImageData(train_images, train_labels, test_images, test_labels, len(classes), path.name)
