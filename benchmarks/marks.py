"""Committed trigger sets for benchmarks, drawn from a number so that a run can be repeated.

The number makes key, images and salts predictable: for measuring only.
"""

from __future__ import annotations

import hashlib
from fractions import Fraction
from math import comb, log2

import numpy as np
from numpy.typing import NDArray

from zkwm.triggers import TriggerSet, generate
from zkwm_protocols.keys import SigningKey
from zkwm_protocols.make_commitment import make_commitment

BLOCK_SIZE = 50


def committed_triggers(
    family: str,
    count: int,
    shape: tuple[int, int, int],
    class_count: int,
    number: int,
    *,
    salts: str = "salt",
) -> TriggerSet:
    """Draw trigger images and commit to them; the labels follow from the commitment.

    Args:
        family: Of triggers.
        count: How many.
        shape: Channels, height and width.
        class_count: C.
        number: Decides everything.
        salts: Another name makes another commitment, so other labels, to the same images.
    """
    generated = generate(family, count, shape, key=_secret("images", number), block_size=BLOCK_SIZE)
    return commit_to(generated.images, family, class_count, number, salts=salts)


def commit_to(
    images: NDArray[np.uint8],
    family: str,
    class_count: int,
    number: int,
    *,
    salts: str = "salt",
) -> TriggerSet:
    """Commit to given images; arguments and result as of ``committed_triggers``."""
    commitment = make_commitment(
        images,
        [_secret(salts, number, index) for index in range(len(images))],
        class_count=class_count,
        signers=(SigningKey.from_bytes("ed25519", _secret("owner", number)),),
        block_size=BLOCK_SIZE,
    )
    return TriggerSet(
        images=images,
        labels=commitment.labels(),
        family=family,
        block_size=BLOCK_SIZE,
        class_count=class_count,
    )


def tail_bits(matches: int, count: int, class_count: int) -> float:
    """-log2 P[Binomial(count, 1/class_count) >= matches], exact but for the last logarithm."""
    ways = sum(comb(count, k) * (class_count - 1) ** (count - k) for k in range(matches, count + 1))
    tail = Fraction(ways, class_count**count)
    return round(log2(tail.denominator) - log2(tail.numerator), 2)


def two_sided(matches: int, count: int, class_count: int) -> float:
    """P that Binomial(count, 1/class_count) is at least as improbable as ``matches``."""
    weights = [comb(count, k) * (class_count - 1) ** (count - k) for k in range(count + 1)]
    rare = sum(weight for weight in weights if weight <= weights[matches])
    return round(float(Fraction(rare, class_count**count)), 4)


def _secret(*parts: str | int) -> bytes:
    """32 bytes that follow from the parts: predictable, for measuring only."""
    return hashlib.sha256("/".join(["zkwm-benchmark", *map(str, parts)]).encode()).digest()
