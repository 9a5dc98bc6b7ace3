"""Data sets in one .npz file: plain arrays, or difference-coded color planes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkwm.data.arrays import read_arrays
from zkwm.data.image_data import ImageData
from zkwm.data.images import MAX_LABEL, as_nchw
from zkwm_protocols.errors import UsageError


def plain_labels(labels: NDArray[Any], where: str) -> NDArray[np.int64]:
    """Labels of any integer type, (n,) or (n, 1), as int64 (n,). Raises UsageError."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or len(labels) == 0:
        raise UsageError(f"{where} holds {labels.dtype} {labels.shape}, not a list of labels")
    if labels.min() < 0 or labels.max() > MAX_LABEL:
        raise UsageError(f"{where} holds a label outside of 0 to {MAX_LABEL}")
    return labels.astype(np.int64)


def decode_differences(planes: NDArray[Any], where: str) -> NDArray[np.uint8]:
    """Decode color images, uint8 (n, 3, h, w), from difference-coded planes uint8 (3, n, h, w).

    The planes are R - G, G, B - G, each differenced along height and width, all modulo 256.
    Raises UsageError for any other array.
    """
    if planes.dtype != np.uint8 or planes.ndim != 4 or len(planes) != 3:
        raise UsageError(f"{where} is not uint8 (3, N, H, W) of differences")
    images = np.empty((planes.shape[1], 3, *planes.shape[2:]), np.uint8)
    for channel in (1, 0, 2):
        down = np.cumsum(planes[channel], axis=1, dtype=np.uint8)
        np.cumsum(down, axis=2, dtype=np.uint8, out=images[:, channel])
    images[:, 0] += images[:, 1]
    images[:, 2] += images[:, 1]
    return images


def from_arrays(arrays: Mapping[str, NDArray[Any]], name: str) -> ImageData:
    """Make a data set of x_train, y_train, x_test, y_test (or x_train_d2 and x_test_d2).

    Images are uint8 N,H,W or N,H,W,C or N,C,H,W. The number of classes is the largest label plus 1.
    Raises UsageError where something is missing or does not fit.
    """
    parts: list[NDArray[Any]] = []
    for part in ("train", "test"):
        if f"x_{part}_d2" in arrays:
            parts.append(decode_differences(arrays[f"x_{part}_d2"], f"x_{part}_d2 of {name}"))
        elif f"x_{part}" in arrays:
            parts.append(as_nchw(arrays[f"x_{part}"], f"x_{part} of {name}"))
        if f"y_{part}" in arrays:
            parts.append(plain_labels(arrays[f"y_{part}"], f"y_{part} of {name}"))
    if len(parts) != 4:
        raise UsageError(
            f"{name} holds {', '.join(sorted(arrays)) or 'nothing'}",
            hint="a data set has the arrays x_train, y_train, x_test and y_test: numpy.savez(file, "
            "x_train=..., y_train=..., x_test=..., y_test=...)",
        )
    class_count = 1 + max(int(parts[1].max()), int(parts[3].max()))
    return ImageData(parts[0], parts[1], parts[2], parts[3], class_count, name)


def load_array_data(path: Path) -> ImageData:
    """Load the data set in a .npz file. Raises UsageError, Malformed or CouldNotCheck."""
    return from_arrays(read_arrays(path), path.stem)
