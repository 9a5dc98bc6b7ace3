"""Canonical digests of models, data sets and trigger sets (SPEC.md 3.4).

They identify what went into a training and what came out of it. A file's hash could not: a
safetensors file is not byte-reproducible.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from zkwm_protocols.encoding import tensor_digest
from zkwm_protocols.errors import Unsupported

if TYPE_CHECKING:
    from zkwm.data import ImageData
    from zkwm.triggers import TriggerSet

_BYTES = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def model_tensors(model: torch.nn.Module) -> Iterator[tuple[str, str, tuple[int, ...], bytes]]:
    """Every parameter and buffer as (name, dtype, shape, little-endian C-order bytes).

    Names and order are those of ``state_dict``. Raises Unsupported for a state that is no tensor
    of 1, 2, 4 or 8 bytes a value.
    """
    for name, tensor in model.state_dict().items():
        if not isinstance(tensor, torch.Tensor) or tensor.dtype.itemsize not in _BYTES:
            raise Unsupported(f"the model's state {name!r} is not a plain tensor")
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        array = flat.view(_BYTES[tensor.dtype.itemsize]).numpy()
        if sys.byteorder == "big":
            array = array.byteswap()
        yield name, str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape), array.tobytes()


def model_digest(model: torch.nn.Module) -> bytes:
    """The canonical digest of a model's parameters and buffers, 32 bytes (SPEC.md 3.4)."""
    return tensor_digest(model_tensors(model))


def trigger_digest(triggers: TriggerSet) -> bytes:
    """The digest of trigger images (uint8) and labels (int64), 32 bytes."""
    return _arrays_digest({"images": triggers.images, "labels": triggers.labels})


def data_digest(data: ImageData) -> bytes:
    """The digest of training and test images (uint8) and labels (int64), 32 bytes."""
    names = ("train_images", "train_labels", "test_images", "test_labels")
    return _arrays_digest({name: getattr(data, name) for name in names})


def _arrays_digest(arrays: dict[str, NDArray[np.generic]]) -> bytes:
    """The canonical digest of arrays of any shape and dtype, 32 bytes (SPEC.md 3.4)."""
    return tensor_digest(
        (
            name,
            array.dtype.name,
            tuple(int(size) for size in array.shape),
            np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes(),
        )
        for name, array in arrays.items()
    )
