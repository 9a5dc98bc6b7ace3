"""Fake triggers: images of the adversary's making that he hopes are like the owner's.

Not the owner's triggers and not labels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkwm.attacks.block_imitation import imitations
from zkwm.triggers import FAMILIES, generate
from zkwm_protocols.errors import UsageError

NOISE, OPENED = "noise", "opened"
KINDS = (NOISE, *FAMILIES, OPENED)
BLOCK = 50


def fake_triggers(
    kind: str,
    count: int,
    data: NDArray[np.uint8],
    random: np.random.Generator,
    opened: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """``count`` images, uint8 (count, c, h, w), in the shape of ``data`` (the adversary's images).

    ``noise`` has independent uniform pixels; a family of ``zkwm.triggers`` is drawn from a fresh
    key, a new generator for every 100 images; ``opened`` is the opened block itself, imitations of
    it, and for the other half the family ``secret``, since other blocks are none of the opened
    one's. Raises UsageError for an unknown kind, or ``opened`` where nothing has been opened.
    """
    if kind not in KINDS:
        raise UsageError(
            f"there are no fake triggers {kind!r}", hint=f"choose of {', '.join(KINDS)}"
        )
    shape = (int(data.shape[1]), int(data.shape[2]), int(data.shape[3]))
    if kind == NOISE:
        return random.integers(0, 256, (count, *shape), dtype=np.uint8)
    if kind == OPENED:
        if opened is None:
            raise UsageError(
                "no block has been opened that fakes could be made like",
                hint="give the target an opened block, or choose other fakes",
            )
        if opened.shape[1:] != data.shape[1:]:
            raise UsageError("what was opened is no images of the shape of the adversary's data")
        own = opened[: count // 2]
        alike = imitations(opened, count // 2 - len(own), random)
        fresh = fake_triggers("secret", count - count // 2, data, random)
        return np.concatenate([own, alike, fresh])
    blocks = -(-count // (2 * BLOCK))
    made = generate(kind, blocks * BLOCK, shape, key=random.bytes(32), block_size=BLOCK, data=data)
    both = np.stack([made.images, made.decoys], axis=1).reshape(-1, *shape)
    return both[:count]
