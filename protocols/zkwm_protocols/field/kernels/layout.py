"""How the prover's kernels lay out elements of K, and single elements in that form.

::

    Montgomery form      a * 2^32 modulo p, below p, uint32
    an array over K      uint32 (5, ...)
    a line               LINE elements in one flat array:

        | coefficient 0 of elements 0 .. 127 | coefficient 1 ... | ... | coefficient 4 ... |
          0                                    LINE                      4 LINE

    a task               CHUNK columns of an array, which are worked on together

Kernels from C and by Numba have the same layout.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.field.scalar import DEGREE, Element, P

Residues = NDArray[np.uint32]

LINE = 128
"""Elements of a line."""
CHUNK = 8 * LINE
"""Columns of one task of a kernel."""
RADIX = (1 << 32) % P
"""The Montgomery form of 1."""

_RADIX_INVERSE = pow(RADIX, -1, P)


def montgomery_element(element: Element) -> Residues:
    """One element of K in Montgomery form, shape (5,)."""
    return np.array([coefficient * RADIX % P for coefficient in element], dtype=np.uint32)


def line_of(element: Element) -> Residues:
    """A line of one element, repeated."""
    return np.repeat(montgomery_element(element), LINE)


def element_of_line(line: Residues) -> Residues:
    """The one element that a line repeats, shape (5,)."""
    return line.reshape(DEGREE, LINE)[:, 0].copy()


def canonical_element(values: NDArray[np.unsignedinteger]) -> Element:
    """The element of K of integers (5,) in Montgomery form, which may be sums above p."""
    a = [int(value) * _RADIX_INVERSE % P for value in values]
    return (a[0], a[1], a[2], a[3], a[4])
