"""Read how a model takes its images from the files that are published beside it (SPEC.md 6.1).

Two formats: ``preprocessor_config.json`` of Hugging Face's image processors, and timm's
``config.json`` with ``pretrained_cfg``. The reader is strict: a step that changes pixels and that
``Preprocessing`` cannot say is refused by name, since a step left out asks another function.
"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

from zkwm.files import read_limited
from zkwm_protocols.errors import Malformed, Unsupported, UsageError
from zkwm_protocols.suspect_identity import Preprocessing

FILE_LIMIT = 2**20
_MOST_DIGITS = 12
_LARGEST = 100_000
_SMALLEST = Fraction(1, 10**6)
_UNIT = Fraction(1, 255)
_OFFSETS = ("rescale_offset", "offset")
_ROUNDING = Fraction(1, 10**6)
"""Files write 1/255 with six digits or more."""
_OF_PIXELS = frozenset(("do_resize", "do_center_crop", "do_rescale", "do_normalize"))
_HARMLESS = frozenset(("do_convert_rgb", "do_flip_channel_order", "do_reduce_labels"))
_HINT = "give `mean`, `std`, `scale` and `channels` as the suspect's documentation says"


def read_preprocessor_config(
    path: str | Path, shape: tuple[int, int, int], layout: str = "nchw"
) -> Preprocessing:
    """The preprocessing that a model's own file states.

    Args:
        path: a ``preprocessor_config.json`` of Hugging Face, or timm's ``config.json``; at most
            1 MiB.
        shape: (channels, height, width) of the images, which the file's size must allow.
        layout: the order of the axes of the suspect's input, which no such file tells.

    Raises:
        Malformed: not such a file, or its values are outside their range.
        Unsupported: it states a step that ``Preprocessing`` cannot say.
        UsageError: it is for images of another size or number of channels.
        CouldNotCheck: the file cannot be read.
    """
    config = _read_object(path)
    try:
        return _stated(config, shape, layout)
    except (Malformed, Unsupported, UsageError) as error:
        raise type(error)(f"{path}: {error.message}", hint=error.hint or _HINT) from None


def _stated(config: dict[str, Any], shape: tuple[int, int, int], layout: str) -> Preprocessing:
    """The preprocessing of either format. Raises Malformed, Unsupported, UsageError."""
    if config.get("auto_map"):
        raise Unsupported("it names code of its own for the preprocessing (auto_map)")
    if isinstance(config.get("pretrained_cfg"), dict):
        scale, mean, std, flipped = _timm(config["pretrained_cfg"], shape)
    else:
        scale, mean, std, flipped = _hugging_face(config, shape)
    if min(std) < _SMALLEST:
        raise Malformed("its std is not positive, or too small to be stated")
    means, stds = _per_channel(mean, shape[0]), _per_channel(std, shape[0])
    if set(means) == {"0"} and set(stds) == {"1"}:
        means = stds = ()
    return Preprocessing(layout, scale, means, stds, "bgr" if flipped else "rgb")


def _read_object(path: str | Path) -> dict[str, Any]:
    """The JSON object in a file, numbers as exact fractions. Raises Malformed, CouldNotCheck."""
    data = read_limited(path, FILE_LIMIT)
    try:
        value = json.loads(
            data.decode("utf-8-sig"),
            parse_float=_fraction,
            parse_constant=_no_number,
            object_pairs_hook=_object,
        )
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise Malformed(
            f"{path} is not a preprocessor config",
            hint="give a preprocessor_config.json of Hugging Face, or timm's config.json",
        )
    return value


def _fraction(text: str) -> Fraction:
    """A number of JSON, exactly. Raises ValueError for one of absurd length or size."""
    if len(text) > 40 or abs(int(text.lower().partition("e")[2] or 0)) > 30:
        raise ValueError("not a plausible number")
    return Fraction(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON. Raises ValueError for a key that occurs twice."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key occurs twice")
    return value


def _no_number(text: str) -> Fraction:
    """Refuse NaN and the infinities, which JSON does not have."""
    raise ValueError(text)


_Steps = tuple[str, list[Fraction], list[Fraction], bool]


def _timm(config: dict[str, Any], shape: tuple[int, int, int]) -> _Steps:
    """Scale, mean, std and whether the order is bgr, of timm's ``pretrained_cfg``."""
    size = config.get("input_size")
    if not isinstance(size, list) or len(size) != 3 or not all(type(one) is int for one in size):
        raise Malformed("its pretrained_cfg has no input_size of three numbers")
    if tuple(size) != shape:
        raise _other_size(" x ".join(map(str, size))[:60], shape)
    return "unit", _numbers(config, "mean"), _numbers(config, "std"), False


def _hugging_face(config: dict[str, Any], shape: tuple[int, int, int]) -> _Steps:
    """The same of Hugging Face's ``preprocessor_config.json``."""
    if not any(key in config for key in ("image_mean", "do_resize", "do_rescale")):
        raise Malformed("it has neither pretrained_cfg nor the keys of an image processor")
    for key in config:
        unknown = key not in _OF_PIXELS | _HARMLESS
        if key.startswith("do_") and unknown and _flag(config, key, default=False):
            raise Unsupported(f"it has a step that cannot be stated: {key[:60]!r}")
    if _flag(config, "include_top", default=False):
        raise Unsupported("it divides by std twice (include_top)")
    _check_size(config, shape)
    flipped = _flag(config, "do_flip_channel_order", default=False)
    if flipped and shape[0] != 3:
        raise UsageError(
            "it reverses the channels (do_flip_channel_order), and the commitment's images have "
            f"{shape[0]}, not 3"
        )
    factor = Fraction(1)
    if _flag(config, "do_rescale", default=True):
        factor = _number(config.get("rescale_factor", _UNIT), "rescale_factor")
        if not 0 < factor <= 1:
            raise Malformed("its rescale_factor is not between 0 and 1")
    offset = Fraction(any(_flag(config, key, default=False) for key in _OFFSETS))
    mean, std = [Fraction(0)], [Fraction(1)]
    # What a processor without the key does differs from class to class: the file has to say it.
    if "do_normalize" not in config and "image_mean" not in config:
        raise Malformed("it does not say whether images are normalized (do_normalize)")
    if _flag(config, "do_normalize", default=True):
        mean, std = _numbers(config, "image_mean"), _numbers(config, "image_std")
    unit = abs(factor / _UNIT - 1) <= _ROUNDING
    steps = _UNIT if unit else Fraction(1)
    factor = _UNIT if unit else factor
    # ((p * factor) - offset - mean) / std, said of p * steps
    stretch = steps / factor
    if flipped and len(set(mean)) + len(set(std)) > 2:
        raise Unsupported("it reverses the channels, and does not say whether mean and std too")
    means = [stretch * (one + offset) for one in mean]
    return "unit" if unit else "raw", means, [stretch * one for one in std], flipped


def _check_size(config: dict[str, Any], shape: tuple[int, int, int]) -> None:
    """Raise UsageError where the processor makes images of another size than ``shape``."""
    final = None
    if _flag(config, "do_resize", default=True):
        final = config.get("size")
    if _flag(config, "do_center_crop", default="crop_size" in config):
        final = config.get("crop_size", final)
    if final is None:
        return
    sides = final if isinstance(final, dict) else {"height": final, "width": final}
    if not all(type(side) is int and 1 <= side <= 65_535 for side in sides.values()):
        raise Malformed("its size is not that of an image")
    told = " x ".join(str(side) for side in sides.values())
    height, width = sides.get("height"), sides.get("width")
    edge = sides.get("shortest_edge")
    if edge is not None and min(shape[1:]) != edge:
        raise _other_size(told, shape)
    if height is not None and width is not None and (height, width) != shape[1:]:
        raise _other_size(told, shape)


def _other_size(told: str, shape: tuple[int, int, int]) -> UsageError:
    """The error for a file that is about images of another size."""
    return UsageError(
        f"it is for images of {told}, and the commitment's are {' x '.join(map(str, shape))}",
        hint="if the suspect does take images of this size, give `mean` and `std` yourself",
    )


def _flag(config: dict[str, Any], key: str, *, default: bool) -> bool:
    """A flag, ``default`` where it is missing or null. Raises Malformed."""
    value = config.get(key)
    if value is not None and type(value) is not bool:
        raise Malformed(f"its {key} is neither true nor false")
    return default if value is None else value


def _number(value: object, key: str) -> Fraction:
    """A number of moderate size. Raises Malformed."""
    if isinstance(value, int | Fraction) and not isinstance(value, bool):
        number = Fraction(value)
        if abs(number) <= _LARGEST:
            return number
    raise Malformed(f"its {key} is not a number of moderate size")


def _numbers(config: dict[str, Any], key: str) -> list[Fraction]:
    """One number, or one for each of up to three channels. Raises Malformed."""
    value = config.get(key)
    values = value if isinstance(value, list) else [value]
    if not 1 <= len(values) <= 3:
        raise Malformed(f"its {key} does not have one number for each channel")
    return [_number(one, key) for one in values]


def _per_channel(values: list[Fraction], channels: int) -> tuple[str, ...]:
    """Decimal texts, one for each channel, one number standing for all. Raises UsageError."""
    if len(values) not in (1, channels):
        raise UsageError(
            f"it has {len(values)} means, and the commitment's images {channels} channel"
            + "s" * (channels > 1)
        )
    texts = [_decimal(value) for value in values]
    return tuple(texts * channels if len(texts) == 1 else texts)


def _decimal(value: Fraction) -> str:
    """A number as decimal text, rounded to 12 digits after the point."""
    scaled = round(abs(value) * 10**_MOST_DIGITS)
    whole, rest = divmod(scaled, 10**_MOST_DIGITS)
    digits = f"{rest:0{_MOST_DIGITS}}".rstrip("0")
    return ("-" if value < 0 and scaled else "") + str(whole) + (f".{digits}" if digits else "")
