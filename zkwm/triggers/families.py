"""Draw trigger images and their decoys from the owner's key, block by block.

The same key gives the same images on one machine with one NumPy version, and perhaps others
elsewhere. Nothing depends on drawing them again: the vault stores the images themselves.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from zkwm.triggers.keystream import KeyStream
from zkwm.triggers.public_families import AbstractFields, BlockNoise, DataMixture
from zkwm.triggers.secret_family import SecretGenerator
from zkwm.triggers.trigger_set import Generated, check_images, check_shape
from zkwm_protocols.errors import UsageError

FAMILIES = ("secret", "blocks", "abstract", "mixture")
_DOMAIN = "zkwm-trigger-block-1"
_LARGEST_OUTPUT = 1 << 31
_LEAST_DATA = 4


def _check_data(data: NDArray[np.uint8] | None, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return pictures uint8 (n, c, h, w) of ``shape``, at least four. Raises UsageError."""
    if data is None:
        raise UsageError(
            "the family mixture mixes the owner's pictures, and none were given",
            hint="give the training data, or choose another family",
        )
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 4:
        raise UsageError("pictures to mix are a uint8 array (images, channels, height, width)")
    if data.shape[1:] != shape:
        raise UsageError(f"pictures of shape {data.shape[1:]} cannot make triggers of {shape}")
    if len(data) < _LEAST_DATA:
        raise UsageError(f"{len(data)} pictures are too few to mix: give at least {_LEAST_DATA}")
    return data


def _painter(
    family: str, shape: tuple[int, int, int], data: NDArray[np.uint8] | None
) -> Callable[[KeyStream, list[KeyStream]], NDArray[np.uint8]]:
    """The function (stream of a block, a stream for each image) -> uint8 images of that block."""
    if family == "secret":
        return lambda block, streams: SecretGenerator.draw(block, shape).images(streams)
    single: BlockNoise | AbstractFields | DataMixture
    if family == "blocks":
        single = BlockNoise.fitting(shape)
    elif family == "abstract":
        single = AbstractFields(shape)
    else:
        single = DataMixture(_check_data(data, shape))
    return lambda block, streams: np.stack([single.image(stream) for stream in streams])


def generate(
    family: str,
    count: int,
    shape: tuple[int, int, int],
    *,
    key: bytes,
    block_size: int = 50,
    data: NDArray[np.uint8] | None = None,
) -> Generated:
    """Draw trigger images and as many decoys from a key.

    Block b (images b * block_size and on) has the subkey
    SHAKE-256("zkwm-trigger-block-1", key, family, shape, b), and each image a stream of its own
    under it: more blocks do not change the first ones, and no block reveals anything about another.

    Args:
        family: one of ``FAMILIES``.
        count: the number of triggers, a positive multiple of ``block_size``.
        shape: (c, h, w) of an image, at least 200 values.
        key: 32 secret bytes.
        block_size: triggers in a block.
        data (uint8, (n, c, h, w)): the owner's pictures, for ``mixture`` only.

    Raises UsageError for an unknown family and arguments that do not fit.
    """
    if family not in FAMILIES:
        raise UsageError(
            f"there is no family {family!r}", hint=f"choose one of {', '.join(FAMILIES)}"
        )
    if block_size < 1 or count < 1 or count % block_size:
        raise UsageError(
            f"{count} triggers do not fill blocks of {block_size}",
            hint=f"ask for a multiple of {max(block_size, 1)}",
        )
    check_shape(shape)
    if 2 * count * int(np.prod(shape, dtype=np.int64)) > _LARGEST_OUTPUT:
        raise UsageError(
            f"{count} images of shape {shape}, and decoys, would take more than 2 GiB",
            hint="ask for fewer or smaller images",
        )
    BlockNoise.fitting(shape)  # refuses shapes with fewer than 200 values
    paint = _painter(family, shape, data)
    root = KeyStream(key, _DOMAIN).derive(family, *shape)
    images: list[NDArray[np.uint8]] = []
    decoys: list[NDArray[np.uint8]] = []
    for number in range(count // block_size):
        block = root.derive("block", number)
        kinds = [block.derive(kind, j) for kind in ("image", "decoy") for j in range(block_size)]
        both = paint(block.derive("generator"), kinds)
        images.append(both[:block_size])
        decoys.append(both[block_size:])
    generated = Generated(np.concatenate(images), np.concatenate(decoys))
    check_images(np.concatenate([generated.images, generated.decoys]))
    return generated
