"""Derive seeds and generators for each purpose from the one seed of a training.

Choices for different purposes are then independent, and none depends on how many others were made.
"""

from __future__ import annotations

import hashlib

import torch


def derived_seed(seed: int, purpose: str, *position: int) -> int:
    """A 63-bit seed for one purpose at one position: the start of a SHA-256."""
    text = "/".join((str(seed), purpose, *map(str, position)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, purpose: str, *position: int) -> torch.Generator:
    """A CPU generator for one purpose at one position."""
    return torch.Generator().manual_seed(derived_seed(seed, purpose, *position))
