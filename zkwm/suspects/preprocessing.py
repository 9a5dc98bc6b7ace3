"""Convert uint8 pixels to the input of a model (SPEC.md 4.3), without resizing or cropping.

The steps, in float64: the pixel p (0 to 255); p / 255 if ``scale`` is ``unit``; minus the channel's
mean and divided by its std, if there are any, each the float64 nearest to its decimal text; one
rounding to the model's type (usually float32); then the order of the channels, since mean and std
are those of the image, and of the axes. For plain ``unit`` the result equals the float32 quotient
p / 255 exactly. A model that takes whole numbers gets the pixels unchanged, so it needs ``raw``
without mean and std.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.errors import Malformed, SuspectUnusable
from zkwm_protocols.suspect_identity import Preprocessing

WHOLE_TYPES = ("uint8", "int32", "int64")
INPUT_TYPES = ("float32", "float16", "float64", *WHOLE_TYPES)


def check_input(preprocessing: Preprocessing, channels: int, dtype: str) -> None:
    """Raise unless ``preprocessing`` yields an input of ``dtype`` for images of ``channels``.

    Raises Malformed without one mean and std for each channel (or none), or for the order bgr of
    other than three channels; SuspectUnusable for an input of whole numbers for pixels that are not
    raw.
    """
    if misfit := preprocessing.misfit(channels):
        raise Malformed(misfit[0], hint=misfit[1])
    if dtype in WHOLE_TYPES and (preprocessing.scale != "raw" or preprocessing.mean):
        raise SuspectUnusable(
            f"the suspect takes {dtype} pixels, so they cannot be scaled first",
            hint="challenge it with `scale='raw'` and without `mean` and `std`",
            check="suspect.answers",
        )


def preprocess(
    images: NDArray[np.uint8], preprocessing: Preprocessing, *, dtype: str = "float32"
) -> NDArray[Any]:
    """The model's input for images.

    Args:
        images (uint8, (n, c, h, w)): the images.
        preprocessing: layout, scale, mean and std, order of channels.
        dtype: the type of the result, one of INPUT_TYPES.

    Returns a C-contiguous array, (n, c, h, w) or (n, h, w, c) as the layout says. Raises as
    ``check_input`` does.
    """
    check_input(preprocessing, images.shape[1], dtype)
    if dtype in WHOLE_TYPES:
        values: NDArray[Any] = images.astype(dtype)
    else:
        exact = images.astype(np.float64)
        if preprocessing.scale == "unit":
            exact /= 255.0
        if preprocessing.mean:
            per_channel = (1, images.shape[1], 1, 1)
            exact -= np.array([float(text) for text in preprocessing.mean]).reshape(per_channel)
            exact /= np.array([float(text) for text in preprocessing.std]).reshape(per_channel)
        with np.errstate(over="ignore"):
            values = exact.astype(dtype)
    if preprocessing.channels == "bgr":
        values = values[:, ::-1]
    if preprocessing.layout == "nhwc":
        values = values.transpose(0, 2, 3, 1)
    return np.ascontiguousarray(values)


def read_preprocessing(fields: dict[str, Any]) -> Preprocessing:
    """Preprocessing from its fields in JSON, in which tuples are lists."""
    read: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()
    }
    return Preprocessing(**read)
