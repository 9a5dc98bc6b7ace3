"""Read pictures and labels: arrays in files, folders of image files, one image file.

Files may come from strangers: formats, sizes and counts are bounded, nothing is unpickled, and
every error names the file. Data sets with a training and a test part are read by
``zkwm.data.load_data``.
"""

from __future__ import annotations

import codecs
import io
import re
import warnings
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from zkwm.data.arrays import MAX_BYTES, read_arrays
from zkwm.data.foreign_files import is_litter, kind_of
from zkwm.files import read_limited
from zkwm_protocols.errors import CouldNotCheck, Malformed, UsageError

if TYPE_CHECKING:
    from PIL.Image import Image

Shape = tuple[int, int, int]
Fit = Literal["exact", "crop", "resize"]

MAX_FILES = 200_000
MAX_PICTURE_BYTES = 1 << 26
MAX_PICTURE_PIXELS = 1 << 26
MAX_LABEL = 65534
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "PPM")
_KNOWN = f"known formats: {', '.join(_FORMATS)}"
_HINT = f"{_KNOWN}; convert it, PNG keeps every pixel"
_SAME_SIZE = "store all images at {} pixels"
_GRAY = ("1", "L", "LA", "La")
_COLOR = ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")
_IMAGE_KEYS = ("images", "x", "x_trigger", "x_crop")
_LABEL_KEYS = ("labels", "y", "y_trigger")
_NUMBER = re.compile(r"[0-9]{1,30}(\.[0-9]{0,30})?([eE][+-]?[0-9]{1,2})?")
_MAX_TEXT = 1 << 24


def as_nchw(array: NDArray[Any], where: str, shape: Shape | None = None) -> NDArray[np.uint8]:
    """Convert pixels (n, h, w), (n, h, w, c) or (n, c, h, w) to uint8 (n, c, h, w), c 1 or 3.

    ``shape`` (c, h, w) decides where both readings are possible. Raises UsageError, naming
    ``where``, for other types than uint8, other shapes, and no images at all.
    """
    if array.dtype != np.uint8:
        raise UsageError(f"{where} holds {array.dtype}; pixels are uint8", hint=_to_pixels(array))
    if array.ndim == 3:
        array = array[:, None]
    elif array.ndim == 4:
        first, last = array.shape[1] in (1, 3), array.shape[3] in (1, 3)
        if first and last and shape is not None:
            first = array.shape[1:] == shape
            last = (array.shape[3], *array.shape[1:3]) == shape
        if first and last:
            raise UsageError(
                f"{where} of shape {array.shape} can be read with channels first or last",
                hint="give the `shape` of an image: channels, height, width",
            )
        array = array if first or not last else array.transpose(0, 3, 1, 2)
    if array.ndim != 4 or array.shape[1] not in (1, 3) or 0 in array.shape:
        raise UsageError(
            f"{where} has the shape {array.shape}: these are not images",
            hint="images are arrays N,H,W or N,H,W,C or N,C,H,W with 1 or 3 channels",
        )
    return np.ascontiguousarray(array)


def _to_pixels(array: NDArray[Any]) -> str:
    """How to make uint8 pixels of an array of another type: a hint, for numbers of any range."""
    if array.dtype.kind not in "biuf" or not array.size:
        return "store pixels as whole numbers 0 to 255, of the type uint8"
    least, largest = float(array.min()), float(array.max())
    if 0 <= least <= largest <= 1:
        return "store pixels as whole numbers 0 to 255 (numpy: (x * 255.0).round().astype('uint8'))"
    if 0 <= least <= largest <= 255:
        return "store pixels as whole numbers 0 to 255 (numpy: x.round().astype('uint8'))"
    return (
        f"its values go from {least:.4g} to {largest:.4g}: undo what was done to the pixels, and "
        "store them as whole numbers 0 to 255, of the type uint8"
    )


def list_pictures(folder: Path) -> list[Path]:
    """List the files in ``folder`` in the string order of their names (1, 10, 100, 11, ..., 2).

    That is the order in which Adi et al. pair their trigger images with labels. What ``is_litter``
    names is skipped. Raises UsageError for a folder inside, no file at all, or more than MAX_FILES.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if not is_litter(path))
    except OSError as error:
        raise CouldNotCheck(f"cannot read {folder}: {error.strerror}") from None
    if not paths:
        raise UsageError(f"there are no images in {folder}")
    if len(paths) > MAX_FILES:
        raise UsageError(f"{folder} holds {len(paths)} files; at most {MAX_FILES} are read")
    for path in paths:
        if path.is_dir():
            raise UsageError(
                f"{path} is a folder, where only images should be",
                hint=f"give a folder that holds the images themselves, such as {path}",
            )
    return paths


def _open(path: Path) -> Image:
    """Load the picture in a file, at most MAX_PICTURE_PIXELS.

    Raises Malformed for a damaged or too large file, UsageError for pixels of an unknown kind.
    """
    from PIL import Image

    data = read_limited(path, MAX_PICTURE_BYTES)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture = Image.open(io.BytesIO(data), formats=_FORMATS)
            pixels = picture.width * picture.height
            if pixels <= MAX_PICTURE_PIXELS:
                picture.load()
    except Image.DecompressionBombError:
        raise Malformed(f"{path} claims far too many pixels") from None
    except Exception:  # what Pillow's readers raise on damaged files is an open list
        raise Malformed(f"{path} is {kind_of(data)}", hint=_HINT) from None
    if pixels > MAX_PICTURE_PIXELS:
        raise Malformed(f"{path} has {pixels} pixels; at most {MAX_PICTURE_PIXELS} are read")
    if picture.mode not in _GRAY + _COLOR:
        raise UsageError(
            f"{path} has pixels of the kind {picture.mode}", hint="convert it to 8 bits a channel"
        )
    if (frames := getattr(picture, "n_frames", 1)) > 1:
        raise UsageError(
            f"{path} is an animation of {frames} pictures", hint="store the one that you mean"
        )
    return picture


def _converted(picture: Image, path: Path, channels: int) -> Image:
    """``picture`` in gray or color. Raises Malformed for a damaged palette."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # transparency is dropped
            return picture.convert("L" if channels == 1 else "RGB")
    except Exception:  # as in ``_open``
        raise Malformed(f"{path} is not an intact image", hint=_KNOWN) from None


def _fitted(picture: Image, path: Path, size: tuple[int, int], fit: Fit | None) -> Image:
    """``picture`` at ``size`` (height, width): unchanged, its center, or all of it scaled."""
    from PIL import Image

    height, width = size
    if (picture.height, picture.width) == size:
        return picture
    if fit == "resize":
        return picture.resize((width, height), Image.Resampling.BICUBIC)
    if fit in ("exact", None):
        raise UsageError(
            f"{path} is {picture.height} by {picture.width} pixels, not {height} by {width}",
            hint=_SAME_SIZE.format(f"{height} by {width}")
            if fit is None
            else "give a `shape`, and `fit='crop'` (the center of every picture) or "
            "`fit='resize'` (all of it)",
        )
    if picture.height < height or picture.width < width:
        raise UsageError(
            f"{path}, {picture.height} by {picture.width} pixels, is too small to crop "
            f"{height} by {width} out of it"
        )
    top, left = round((picture.height - height) / 2), round((picture.width - width) / 2)
    return picture.crop((left, top, left + width, top + height))


def read_pictures(
    paths: Sequence[Path], *, shape: Shape | None = None, fit: Fit | None = "exact"
) -> NDArray[np.uint8]:
    """Read image files as uint8 (n, c, h, w), all of one shape.

    Gray becomes color and the reverse by Pillow (ITU-R 601 luma); transparency is dropped, a
    camera's rotation tag is not followed.

    Args:
        paths: the files, in the order of the result.
        shape: (c, h, w) of the result; None for the first file's, with c 3 if it has colors.
        fit: for other sizes: "exact" refuses, "crop" takes the center h by w pixels at full
            resolution (as the loader of Adi et al.), "resize" scales (bicubic, without keeping the
            aspect ratio). None is "exact" for people who have no choice: a refusal names none.

    Raises UsageError, Malformed or CouldNotCheck, naming the file.
    """
    result: NDArray[np.uint8] | None = None
    for index, path in enumerate(paths):
        picture = _open(path)
        if shape is None:
            shape = (1 if picture.mode in _GRAY else 3, picture.height, picture.width)
        channels, height, width = shape
        if result is None:
            if len(paths) * channels * height * width > MAX_BYTES:
                raise UsageError(
                    f"{len(paths)} images of shape {shape} take more than {MAX_BYTES} bytes"
                )
            result = np.empty((len(paths), *shape), np.uint8)
        picture = _converted(picture, path, channels)
        pixels = np.asarray(_fitted(picture, path, (height, width), fit))
        result[index] = pixels.reshape(height, width, channels).transpose(2, 0, 1)
    if result is None:
        raise UsageError("there are no images")
    return result


def _pick(
    arrays: Mapping[str, NDArray[Any]], keys: Sequence[str], path: Path, what: str
) -> NDArray[Any]:
    """The only array, or the first under one of ``keys``. Raises UsageError if there is none."""
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    for key in keys:
        if key in arrays:
            return arrays[key]
    names = ", ".join(sorted(arrays)) or "nothing"
    raise UsageError(
        f"{path} holds {names}, and none is named {' or '.join(keys)}",
        hint=f"store the {what} alone, or under the name {keys[0]}",
    )


def _channels(images: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """Gray (n, 1, h, w) to color, or color (n, 3, h, w) to gray by Pillow's luma."""
    if images.shape[1] == channels:
        return images
    if channels == 3:
        return np.repeat(images, 3, axis=1)
    weighted = np.tensordot(np.array([19595, 38470, 7471]), images.astype(np.int64), axes=(0, 1))
    return ((weighted + 32768) >> 16).astype(np.uint8)[:, None]


def load_images(
    path: str | Path, *, shape: Shape | None = None, fit: Fit | None = "exact"
) -> NDArray[np.uint8]:
    """Load the images at ``path``, uint8 (n, c, h, w).

    Args:
        path: a .npz file (one array, or one named images, x, x_trigger or x_crop), a .npy file
            (both uint8 N,H,W or N,H,W,C or N,C,H,W), one image file, or a folder of image files,
            taken in the string order of their names.
        shape: (c, h, w) of the result, as in ``read_pictures``.
        fit: as in ``read_pictures``; a stored array of another size can be cropped, not resized.

    Raises UsageError for images that do not fit the request, Malformed for damaged files,
    CouldNotCheck for unreadable ones.
    """
    path = Path(path)
    if fit not in ("exact", "crop", "resize", None):
        raise UsageError(f"there is no fit {fit!r}", hint="choose of exact, crop, resize")
    if path.is_dir():
        return read_pictures(list_pictures(path), shape=shape, fit=fit)
    if path.suffix.lower() not in (".npz", ".npy"):
        return read_pictures([path], shape=shape, fit=fit)
    images = as_nchw(_pick(read_arrays(path), _IMAGE_KEYS, path, "images"), str(path), shape)
    if shape is None or images.shape[1:] == shape:
        return images
    height, width = images.shape[2:]
    if (height, width) != shape[1:]:
        if fit != "crop" or height < shape[1] or width < shape[2]:
            raise UsageError(
                f"the images in {path} have the shape {images.shape[1:]}, not {shape}",
                hint=_SAME_SIZE.format(f"{shape[1]} by {shape[2]}")
                if fit is None
                else "`fit='crop'` takes the center of larger images; else store them at that size",
            )
        top, left = round((height - shape[1]) / 2), round((width - shape[2]) / 2)
        images = images[:, :, top : top + shape[1], left : left + shape[2]]
    return np.ascontiguousarray(_channels(images, shape[0]))


def load_labels(path: str | Path, count: int) -> NDArray[np.int64]:
    """Load ``count`` labels, int64 (count,), each 0 to 65534, one for each image in order.

    ``path`` is a text file with one whole number a line (7, or 7.000e+00 as numpy writes it), a
    .npy file, or a .npz file (one array, or one named labels, y or y_trigger). Raises UsageError
    naming the line or index, Malformed and CouldNotCheck as ``load_images``.
    """
    path = Path(path)
    if path.suffix.lower() in (".npz", ".npy"):
        array = _pick(read_arrays(path), _LABEL_KEYS, path, "labels")
        if array.ndim != 1 or array.dtype.kind not in "iu":
            raise UsageError(f"{path} holds {array.dtype} {array.shape}, not a list of labels")
        numbers = [int(value) for value in array[: count + 1]]
        length = len(array)
    else:
        try:
            text = read_limited(path, _MAX_TEXT).removeprefix(codecs.BOM_UTF8)
            lines = text.decode("ascii").splitlines()
        except UnicodeDecodeError:
            raise Malformed(f"{path} is not a text file of labels") from None
        numbers = [_whole(line.strip(), path, number) for number, line in enumerate(lines, 1)]
        length = len(lines)
    if length != count:
        raise UsageError(f"{path} has {length} labels for {count} images")
    for index, value in enumerate(numbers):
        if not 0 <= value <= MAX_LABEL:
            raise UsageError(f"label {index} in {path} is {value}; labels are 0 to {MAX_LABEL}")
    return np.array(numbers, np.int64)


def _whole(text: str, path: Path, line: int) -> int:
    """The whole number in ``text``. Raises UsageError naming the line."""
    value = Decimal(text) if _NUMBER.fullmatch(text) else None
    if value is None or value > MAX_LABEL or value != value.to_integral_value():
        raise UsageError(f"line {line} of {path} is not a label: {text[:20]!r}")
    return int(value)
