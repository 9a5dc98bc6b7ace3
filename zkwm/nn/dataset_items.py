"""One item of a torch data set: an image and its label, in the forms that people use.

A pair (image, label), or a map as data sets of Hugging Face give it.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from zkwm_protocols.errors import UsageError

IMAGE_KEYS = ("pixel_values", "image", "img")
LABEL_KEYS = ("labels", "label")


@dataclass(frozen=True)
class Item:
    """An item that was read.

    Attributes:
        image (uint8 or a float type, (c, h, w)): As the data set gives it.
        label: A class, from 0.
        given: The item itself.
    """

    image: Tensor
    label: int
    given: Any

    def with_values(self, image: Tensor, label: int) -> Any:  # noqa: ANN401
        """An item of the same form with another image and label."""
        if not isinstance(self.given, Mapping):
            return image, _like(self.given[1], label)
        image_key, label_key = keys_of(self.given)
        return {image_key: image, label_key: _like(self.given[label_key], label)}


def read_item(item: Any, number: int) -> Item:  # noqa: ANN401
    """The image and label of item ``number`` of a data set.

    Raises UsageError for what is neither a pair nor a map of them, for an image that is no tensor
    (c, h, w), and for a label that is no whole number.
    """
    if isinstance(item, Mapping):
        image_key, label_key = keys_of(item)
        if not image_key or not label_key:
            raise UsageError(
                f"item {number} of a data set has {', '.join(map(repr, list(item)[:8]))} and no "
                "image and label",
                hint=f"call them {IMAGE_KEYS[0]!r} and {LABEL_KEYS[0]!r}, or give pairs",
            )
        image, label = item[image_key], item[label_key]
    else:
        try:
            image, label = item
        except (TypeError, ValueError):
            raise UsageError(
                f"item {number} of a data set is no (image, label)",
                hint="an item is a pair of a tensor (channels, height, width) and a whole number, "
                f"or a map with {IMAGE_KEYS[0]!r} and {LABEL_KEYS[0]!r}",
            ) from None
    if not isinstance(image, Tensor) or image.ndim != 3:
        raise UsageError(
            f"image {number} of a data set is not a tensor (channels, height, width)",
            hint="convert images in the data set, for example to uint8 tensors",
        )
    return Item(image, _whole(label, number), item)


def keys_of(item: Mapping[str, Any]) -> tuple[str, str]:
    """Under which names a map has its image and its label; empty where it has none."""
    found = ([key for key in keys if key in item] + [""] for keys in (IMAGE_KEYS, LABEL_KEYS))
    image, label = (keys[0] for keys in found)
    return image, label


def _whole(label: Any, number: int) -> int:  # noqa: ANN401
    """The class of a label: an int, or an array or tensor that holds a single one."""
    try:
        return operator.index(label)  # also of an array or tensor that holds one whole number
    except (TypeError, ValueError, RuntimeError):
        shown = f"{label!r}"[:60].splitlines()[0]
        raise UsageError(
            f"the label of item {number} of a data set is {shown}, no whole number",
            hint="let the data set give each class as an int, from 0: int(label)",
        ) from None


def _like(given: Any, label: int) -> Any:  # noqa: ANN401
    """A label in the type of another, so that both can be put into one batch."""
    return torch.full_like(given, label) if isinstance(given, Tensor) else label
