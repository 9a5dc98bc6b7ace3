"""Elements of K in Montgomery form: conversion, equality tables (SPEC.md 17.2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.field.kernels import loops
from zkwm_protocols.field.kernels.layout import RADIX, Residues, montgomery_element
from zkwm_protocols.field.scalar import DEGREE, Element, P

_P32 = np.uint32(P)


def to_montgomery(values: NDArray[np.unsignedinteger]) -> Residues:
    """Canonical residues (uint32 or uint64, any shape) in Montgomery form."""
    out = np.empty(values.shape, dtype=np.uint32)
    flat = np.ascontiguousarray(values.reshape(-1), dtype=np.uint32)
    loops.scale(flat, RADIX * RADIX % P, out.reshape(-1))
    return out


def from_montgomery(values: Residues) -> Residues:
    """Canonical residues (uint32, any shape) of values in Montgomery form."""
    out = np.empty(values.shape, dtype=np.uint32)
    loops.scale(np.ascontiguousarray(values.reshape(-1)), 1, out.reshape(-1))
    return out


def equality_table(point: Sequence[Element]) -> Residues:
    """eq(point, i), i = 0 .. 2^len - 1, in Montgomery form, uint32 (5, 2^len)."""
    table = np.empty((DEGREE, 1 << len(point)), dtype=np.uint32)
    rows = [montgomery_element(q) for q in point]
    loops.equality_table(table, np.array(rows, dtype=np.uint32).reshape(-1, DEGREE))
    return table


def drop_first_bit(table: Residues) -> Residues:
    """The equality table of a point without its first coordinate: sums of neighbors.

    eq(q, 2i) + eq(q, 2i + 1) = eq(q without q_0, i), as (1 - q_0) + q_0 = 1.
    """
    total = table[:, 0::2] + table[:, 1::2]
    result: Residues = np.minimum(total, total - _P32)
    return result
