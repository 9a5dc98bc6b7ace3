"""Data sets to train on: a part of Fashion-MNIST inside the package, files, and folders.

Not downloads: nothing here touches the network. Does not import torch.
"""

from __future__ import annotations

from pathlib import Path

from zkwm.data.array_data import load_array_data
from zkwm.data.bundled import EMBEDDED, load_embedded
from zkwm.data.folder_data import load_folder_data
from zkwm.data.image_data import ImageData

__all__ = ["EMBEDDED", "ImageData", "load_data"]


def load_data(location: str | Path) -> ImageData:
    """The data set at ``location``.

    It is "fashion-mnist-small" (inside the package), a .npz file with x_train, y_train, x_test,
    y_test (uint8 images N,H,W or N,H,W,C or N,C,H,W; also difference-coded planes x_train_d2 and
    x_test_d2), or a folder with train/CLASS/IMAGES and test/CLASS/IMAGES. Raises UsageError,
    Malformed or CouldNotCheck.
    """
    if location == EMBEDDED:
        return load_embedded()
    path = Path(location)
    return load_folder_data(path) if path.is_dir() else load_array_data(path)
