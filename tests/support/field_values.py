"""Plain field arithmetic that only tests need: Montgomery form undone, eq by its definition."""

from __future__ import annotations

import numpy as np

from zkwm_protocols.field.scalar import ONE, Element, P, add, multiply, subtract
from zkwm_protocols.field.vector import Array

_RADIX_INVERSE = np.uint64(pow(1 << 32, -1, P))


def from_montgomery(values: np.ndarray) -> Array:
    """The canonical residues, uint64 (any shape), of residues in Montgomery form."""
    return values.astype(np.uint64) * _RADIX_INVERSE % np.uint64(P)


def evaluate_equality(left: list[Element], right: list[Element]) -> Element:
    """eq(left, right): the product over i of l_i r_i + (1 - l_i)(1 - r_i)."""
    result = ONE
    for a, b in zip(left, right, strict=True):
        both = multiply(a, b)
        result = multiply(result, add(subtract(subtract(ONE, a), b), add(both, both)))
    return result
