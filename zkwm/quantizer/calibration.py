"""The images on which scales are chosen: public, the same on every machine (SPEC.md 16.5).

Owner and judge must derive the same network without exchanging images, so the default images come
from the bundled part of Fashion-MNIST and from SHAKE-256.
"""

from __future__ import annotations

import hashlib
from math import prod

import numpy as np
from numpy.typing import NDArray

from zkwm.data.bundled import load_spread_images, load_test_images
from zkwm_protocols.errors import Unsupported

COUNT = 768
PUBLIC_COUNT = 500
RANDOM_COUNT = 200
FEWEST = 32
MULTIPLICATIONS = 1 << 35
ENTRIES = 1 << 28
MOST_MULTIPLICATIONS = 1 << 42
"""Multiplications of layers for all images of one task together."""
MOST_ENTRIES = 1 << 35
"""Entries of layers for all images of one task together."""
_DOMAIN = b"zkwm-calibration-1"
_AGREEMENT_DOMAIN = b"zkwm-agreement-1"
_BLOCKS = (1, 2, 4, 8)
TRIGGER_CELLS = 200
"""Independent cells of an image of a family of triggers, about."""


def image_count(multiplications: int, entries: int) -> int:
    """The number of calibration images for a network with this work for one image.

    Args:
        multiplications: multiplications of all convolutions.
        entries: entries of all layers.
    """
    affordable = min(MULTIPLICATIONS // max(multiplications, 1), ENTRIES // max(entries, 1))
    return max(FEWEST, min(COUNT, affordable) // 8 * 8)


def require_affordable(multiplications: int, entries: int, images: int) -> None:
    """Raise Unsupported (``network.unsupported``) for too much work, before it is begun.

    Args:
        multiplications, entries: of the layers, for one image.
        images: the number of images on which they are evaluated.
    """
    if multiplications * images > MOST_MULTIPLICATIONS or entries * images > MOST_ENTRIES:
        raise Unsupported(
            f"{images:,} images with {multiplications:,} multiplications and {entries:,} entries "
            "each are too much work",
            hint="give fewer images, or ask for an opening instead (`Judge.challenge`)",
            check="network.unsupported",
        )


def default_images(shape: tuple[int, int, int], count: int) -> NDArray[np.uint8]:
    """``count`` images (a multiple of 8) of ``shape``, uint8 (count, c, h, w).

    A quarter are public images, an eighth random ones, and the others random ones in which every
    value is 0 or 255: sums reach further there, and a scale must not cut them. Of these, three in
    five have blocks as fine as those of triggers.
    """
    eighth = count // 8
    extremes = random_images(shape, 2 * eighth, b"calibration-extremes")
    fine = _blocks(shape, 3 * eighth, b"calibration-triggers", _trigger_sides(shape))
    return np.concatenate(
        [
            public_images(shape, 2 * eighth),
            random_images(shape, eighth, b"calibration"),
            np.where(np.concatenate([extremes, fine]) < 128, np.uint8(0), np.uint8(255)),
        ]
    )


def public_images(
    shape: tuple[int, int, int], count: int, *, test: bool = False
) -> NDArray[np.uint8]:
    """Up to 2,000 Fashion-MNIST images, spread over the bundled training (or test) images.

    Returns uint8 (count, c, h, w): scaled by the nearest pixel and, with several channels, colored
    between two random colors.
    """
    if not test:
        return _resized(load_spread_images(count)[:, 0], shape)
    bundled = load_test_images()
    return _resized(bundled[np.arange(count) * len(bundled) // count, 0], shape)


def random_images(shape: tuple[int, int, int], count: int, purpose: bytes) -> NDArray[np.uint8]:
    """Images of random blocks with sides of 1, 2, 4, 8, 1, ... pixels, uint8 (count, c, h, w).

    Every ``purpose`` has different images.
    """
    return _blocks(shape, count, purpose, [(side, side) for side in _BLOCKS])


def _trigger_sides(shape: tuple[int, int, int]) -> list[tuple[int, int]]:
    """Heights and widths of blocks like the cells of generated triggers: about 200 in an image.

    The families of triggers compute with floating point numbers, so that their own images may
    differ between machines; a network must not.
    """
    coarse = 1
    while TRIGGER_CELLS * coarse * coarse < shape[1] * shape[2]:
        coarse += 1
    sides = (-(-coarse // 2), coarse)
    return [(down, across) for down in sides for across in sides]


def _blocks(
    shape: tuple[int, int, int], count: int, purpose: bytes, sides: list[tuple[int, int]]
) -> NDArray[np.uint8]:
    """Images of random blocks, uint8 (count, c, h, w), the (height, width) of ``sides`` in turn."""
    channels, height, width = shape
    images = np.empty((count, *shape), np.uint8)
    for index in range(count):
        down, across = sides[index % len(sides)]
        sizes = (channels, -(-height // down), -(-width // across))
        noise = _stream(purpose + index.to_bytes(4, "big"), shape, prod(sizes)).reshape(sizes)
        images[index] = noise.repeat(down, axis=1).repeat(across, axis=2)[:, :height, :width]
    return images


def agreement_seed(nonce: bytes, digest: bytes) -> bytes:
    """The 32 bytes from which images of a comparison are drawn (SPEC.md 18.1).

    They follow from a challenge's nonce and the suspect's digest, so that nobody who makes the file
    knows the images.
    """
    return hashlib.shake_256(_AGREEMENT_DOMAIN + nonce + digest).digest(32)


def drawn_pictures(shape: tuple[int, int, int], count: int, seed: bytes) -> NDArray[np.uint8]:
    """Public test images chosen and colored by ``seed`` (32 bytes), uint8 (count, c, h, w)."""
    bundled = load_test_images()
    stream = _stream(b"pictures" + seed, shape, 4 * count)
    chosen = stream.view("<u4").astype(np.int64) % len(bundled)
    return _resized(bundled[chosen, 0], shape, b"colours" + seed)


def public_sets(
    shape: tuple[int, int, int],
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """500 public and 200 random images, uint8 (n, c, h, w), on which no scale was chosen.

    Agreement is measured on them (SPEC.md 18.1), and the owner's check of a classifier (18.5).
    """
    return (
        public_images(shape, PUBLIC_COUNT, test=True),
        random_images(shape, RANDOM_COUNT, b"agreement"),
    )


def calibration_digest(images: NDArray[np.uint8]) -> bytes:
    """SHA-256 (32 bytes) of images uint8 (n, c, h, w): sizes of 4 bytes each, then the pixels."""
    sizes = b"".join(size.to_bytes(4, "big") for size in images.shape)
    return hashlib.sha256(_DOMAIN + sizes + np.ascontiguousarray(images).tobytes()).digest()


def _resized(
    pictures: NDArray[np.uint8], shape: tuple[int, int, int], purpose: bytes = b"colours"
) -> NDArray[np.uint8]:
    """Gray pictures uint8 (n, a, b) as (n, c, h, w): nearest pixels, colored if c > 1."""
    channels, height, width = shape
    rows = (2 * np.arange(height) + 1) * pictures.shape[1] // (2 * height)
    columns = (2 * np.arange(width) + 1) * pictures.shape[2] // (2 * width)
    gray: NDArray[np.uint8] = pictures[:, rows[:, None], columns][:, None]
    if channels == 1:
        return gray
    # The purpose is part of SPEC.md 16.5, spelled as it was first written.
    colors = _stream(purpose, shape, 2 * len(pictures) * channels).astype(np.int64)
    dark, bright = colors.reshape(2, len(pictures), channels, 1, 1)
    mixed = dark * (255 - gray) + bright * gray.astype(np.int64)
    return np.asarray(mixed // 255, np.uint8)


def _stream(purpose: bytes, shape: tuple[int, int, int], length: int) -> NDArray[np.uint8]:
    """``length`` bytes of SHAKE-256 for a shape and a purpose, uint8 (length,)."""
    sizes = b"".join(size.to_bytes(4, "big") for size in shape)
    seed = _DOMAIN + sizes + purpose
    return np.frombuffer(hashlib.shake_256(seed).digest(length), np.uint8)
