"""Fake triggers: images that an adversary makes to resemble the owner's triggers.

``unlearning``, ``confident_noise`` and ``blockdoor`` train on them. They are drawn without any
secret of the owner, except that ``opened`` starts from a block that the owner has published. The
owner's decoys in ``zkwm.training.robust.decoys`` prepare a model against such images.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkwm.attacks.block_imitation import imitations
from zkwm.triggers import FAMILIES, generate
from zkwm_protocols.errors import UsageError

NOISE, OPENED = "noise", "opened"
KINDS = (NOISE, *FAMILIES, OPENED)
BLOCK_SIZE = 50


def fake_triggers(
    kind: str,
    count: int,
    data: NDArray[np.uint8],
    random: np.random.Generator,
    opened: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Make fake triggers of one kind.

    Args:
        kind: ``noise`` has independent uniform pixels. A family of ``zkwm.triggers`` is drawn from
            a fresh key, with a new distribution for every 100 images. ``opened`` is for one half
            the opened block itself and then imitations of it, and for the other half the family
            ``secret``, because the blocks still closed have distributions of their own.
        count: How many.
        data (uint8, (n, c, h, w)): The adversary's images; the fakes have their shape.
        random: Decides everything.
        opened (uint8, (m, c, h, w)): The opened block, for the kind ``opened``.

    Returns:
        The fakes, uint8 (count, c, h, w).

    Raises:
        UsageError: The kind is unknown, or ``opened`` is missing or of another shape.
    """
    if kind not in KINDS:
        raise UsageError(
            f"unknown kind of fake triggers: {kind!r}", hint=f"choose one of {', '.join(KINDS)}"
        )
    shape = (int(data.shape[1]), int(data.shape[2]), int(data.shape[3]))
    if kind == NOISE:
        return random.integers(0, 256, (count, *shape), dtype=np.uint8)
    if kind == OPENED:
        return _like_opened(count, data, random, opened)
    # each block has a distribution of its own; its decoys are as good a fake as its triggers
    blocks = -(-count // (2 * BLOCK_SIZE))
    drawn = generate(
        kind, blocks * BLOCK_SIZE, shape, key=random.bytes(32), block_size=BLOCK_SIZE, data=data
    )
    pairs = np.stack([drawn.images, drawn.decoys], axis=1).reshape(-1, *shape)
    return pairs[:count]


def _like_opened(
    count: int,
    data: NDArray[np.uint8],
    random: np.random.Generator,
    opened: NDArray[np.uint8] | None,
) -> NDArray[np.uint8]:
    """The opened block, imitations of it, and fresh images of ``secret``; as ``fake_triggers``."""
    if opened is None:
        raise UsageError(
            "no block of triggers has been opened that fakes could imitate",
            hint="give the target an opened block, or choose another kind of fakes",
        )
    if opened.shape[1:] != data.shape[1:]:
        raise UsageError(
            f"expected an opened block of images of shape {data.shape[1:]}, "
            f"got shape {opened.shape[1:]}"
        )
    originals = opened[: count // 2]
    imitated = imitations(opened, count // 2 - len(originals), random)
    fresh = fake_triggers("secret", count - count // 2, data, random)
    return np.concatenate([originals, imitated, fresh])
