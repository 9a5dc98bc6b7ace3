"""Labeled data sets and pictures, from the package, files or folders; nothing is downloaded.

``load_data`` reads a data set for training (``bundled``, ``array_data``, ``folder_data``);
``images`` reads an owner's own pictures. Does not import torch.
"""

from __future__ import annotations

from pathlib import Path

from zkwm.data.array_data import load_array_data
from zkwm.data.bundled import BUNDLED, load_bundled
from zkwm.data.folder_data import load_folder_data
from zkwm.data.image_data import ImageData
from zkwm.data.labeled_images import LabeledImages, load_test_data
from zkwm_protocols.errors import CouldNotCheck, Malformed

_KINDS = (
    f"a data set is a .npz file, a folder with train/CLASS and test/CLASS, or {BUNDLED}, which "
    "comes with zkwm"
)

__all__ = ["BUNDLED", "ImageData", "LabeledImages", "load_data", "load_test_data"]


def load_data(location: str | Path) -> ImageData:
    """Load the data set at ``location``.

    - ``"fashion-mnist-small"``: the part of Fashion-MNIST that comes with the package.
    - A .npz file with x_train, y_train, x_test and y_test: images uint8 N,H,W or N,H,W,C or
      N,C,H,W, or difference-coded planes x_train_d2 and x_test_d2.
    - A folder with train/CLASS/IMAGES and test/CLASS/IMAGES.

    Raises UsageError, Malformed or CouldNotCheck, naming the file.
    """
    if location == BUNDLED:
        return load_bundled()
    path = Path(location)
    if not path.exists():
        raise CouldNotCheck(f"there is no {path}", hint=_KINDS)
    if path.is_dir():
        return load_folder_data(path)
    try:
        return load_array_data(path)
    except Malformed as error:
        raise Malformed(error.message, hint=_KINDS) from None
