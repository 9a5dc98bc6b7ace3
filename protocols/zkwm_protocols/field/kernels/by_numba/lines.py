"""Columns of arrays into lines and back, for the kernels by Numba."""

from __future__ import annotations

import numpy as np
from numba import njit

from zkwm_protocols.field.kernels.by_numba.arithmetic import add_product_line, subtract_line
from zkwm_protocols.field.kernels.layout import LINE, Residues
from zkwm_protocols.field.scalar import DEGREE

_ONE = np.uint64(1)
_TWO = np.uint64(2)


@njit(cache=True)
def new_line() -> Residues:
    """A line of zeros."""
    return np.zeros(DEGREE * LINE, dtype=np.uint32)


# Unsigned indices below: a signed one could be negative, and the loop is then not vectorized.
@njit(cache=True)
def load_line(line: Residues, arrays: Residues, which: int, start: int, count: int) -> None:
    """Columns start .. start + count - 1 of array ``which`` (5, C) into a line."""
    first = np.uint64(start)
    for k in range(DEGREE):
        for i in range(np.uint64(count)):
            line[np.uint64(k * LINE) + i] = arrays[which, k, first + i]


@njit(cache=True)
def store_line(arrays: Residues, which: int, line: Residues, start: int, count: int) -> None:
    """A line into columns start .. start + count - 1 of array ``which``."""
    first = np.uint64(start)
    for k in range(DEGREE):
        for i in range(np.uint64(count)):
            arrays[which, k, first + i] = line[np.uint64(k * LINE) + i]


@njit(cache=True)
def load_pairs(
    low: Residues, high: Residues, arrays: Residues, which: int, start: int, count: int
) -> None:
    """Columns 2i and 2i + 1 of array ``which`` into two lines, i = start .. start + count - 1."""
    first = np.uint64(start)
    for k in range(DEGREE):
        for i in range(np.uint64(count)):
            low[np.uint64(k * LINE) + i] = arrays[which, k, _TWO * (first + i)]
            high[np.uint64(k * LINE) + i] = arrays[which, k, _TWO * (first + i) + _ONE]


@njit(cache=True)
def fold_lines(low: Residues, high: Residues, r: Residues, count: int) -> None:
    """low += r (high - low); ``r`` is a line of one element, ``high`` is overwritten."""
    subtract_line(high, high, low, count)
    add_product_line(low, high, r, count)
