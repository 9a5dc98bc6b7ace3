"""Sumcheck over arrays in K for the prover: lines to and from arrays, folding, sums of products.

SPEC.md 17.5 and 17.6: variables are bound from the lowest index bit, so that a step meets entries 2i
and 2i + 1. ``ProductSumcheck`` is the whole prover of 17.6; the tree's is in
``argument.tree_prover`` and uses the kernels of this module.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from zkwm_protocols.field.compiled import (
    LINE,
    Residues,
    add_product_line,
    canonical_element,
    fill_line,
    montgomery_element,
    subtract_line,
    sum_line,
    to_montgomery,
)
from zkwm_protocols.field.scalar import DEGREE, Element
from zkwm_protocols.field.vector import Array

CHUNK = 8 * LINE
"""Columns that one task of a kernel works on."""

_ONE = np.uint64(1)
_TWO = np.uint64(2)


@njit(cache=True)
def load_line(line: Residues, source: Residues, start: int, count: int) -> None:
    """Columns start .. start + count - 1 of ``source`` (5, C)."""
    for k in range(DEGREE):
        row = source[k, start : start + count]
        target = line[k * LINE : k * LINE + count]
        for i in range(count):
            target[i] = row[i]


@njit(cache=True)
def store_line(target: Residues, line: Residues, start: int, count: int) -> None:
    """The inverse of ``load_line``."""
    for k in range(DEGREE):
        row = target[k, start : start + count]
        source = line[k * LINE : k * LINE + count]
        for i in range(count):
            row[i] = source[i]


@njit(cache=True)
def load_pairs(low: Residues, high: Residues, source: Residues, start: int, count: int) -> None:
    """Columns 2i and 2i + 1 of ``source`` (5, C), i = start .. start + count - 1."""
    for k in range(DEGREE):
        row = source[k, 2 * start : 2 * (start + count)]
        even = low[k * LINE : k * LINE + count]
        odd = high[k * LINE : k * LINE + count]
        for i in range(np.uint64(count)):
            even[i] = row[_TWO * i]
            odd[i] = row[_TWO * i + _ONE]


@njit(cache=True)
def fold_lines(low: Residues, high: Residues, r: Residues, count: int) -> None:
    """low += r (high - low); ``r`` is a line of one element, ``high`` is lost."""
    subtract_line(high, high, low, count)
    add_product_line(low, high, r, count)


@njit(cache=True)
def fold_columns(source: Residues, target: Residues, r: Residues, start: int, stop: int) -> None:
    """target[:, i] = fold of source[:, 2i] and [:, 2i + 1] for i = start .. stop - 1.

    Behind the last pair of ``source`` the target is 0.
    """
    lines = np.empty((2, DEGREE * LINE), dtype=np.uint32)
    low = lines[0]
    high = lines[1]
    pairs = source.shape[1] // 2
    for at in range(start, min(stop, pairs), LINE):
        count = min(LINE, min(stop, pairs) - at)
        load_pairs(low, high, source, at, count)
        fold_lines(low, high, r, count)
        store_line(target, low, at, count)
    for k in range(DEGREE):
        for i in range(max(start, pairs), stop):
            target[k, i] = np.uint32(0)


@njit(cache=True, parallel=True, nogil=True)
def _fold(arrays: Residues, r: Residues, out: Residues) -> None:
    columns = out.shape[2]
    chunks = (columns + CHUNK - 1) // CHUNK
    for task in prange(arrays.shape[0] * chunks):
        line = np.empty(DEGREE * LINE, dtype=np.uint32)
        fill_line(line, r)
        which = task // chunks
        start = (task % chunks) * CHUNK
        fold_columns(arrays[which], out[which], line, start, min(start + CHUNK, columns))


def fold(arrays: Residues, r: Element, *, last: bool) -> Residues:
    """Bind the lowest index bit of ``arrays`` (count, 5, C), C even, to r: (count, 5, C / 2).

    Unless it is the ``last`` bit, columns are continued by zeros to an even number.
    """
    columns = arrays.shape[2] // 2
    if not last:
        columns += columns % 2
    out = np.empty((arrays.shape[0], DEGREE, columns), dtype=np.uint32)
    _fold(arrays, montgomery_element(r), out)
    return out


@njit(cache=True, parallel=True, nogil=True)
def _product_round(left: Residues, right: Residues, sums: NDArray[np.uint32]) -> None:
    """``left`` and ``right`` (5, C); ``sums`` (tasks, 2, 5)."""
    pairs = left.shape[1] // 2
    for task in prange(sums.shape[0]):
        lines = np.zeros((6, DEGREE * LINE), dtype=np.uint32)
        for at in range(task * CHUNK, min((task + 1) * CHUNK, pairs), LINE):
            count = min(LINE, pairs - at)
            load_pairs(lines[0], lines[1], left, at, count)
            load_pairs(lines[2], lines[3], right, at, count)
            add_product_line(lines[4], lines[0], lines[2], count)
            subtract_line(lines[1], lines[1], lines[0], count)
            subtract_line(lines[3], lines[3], lines[2], count)
            add_product_line(lines[5], lines[1], lines[3], count)
        sum_line(lines[4], sums[task, 0])
        sum_line(lines[5], sums[task, 1])


class ProductSumcheck:
    """The prover of SPEC.md 17.6: the sum over j of left_j right_j, both continued by zeros.

    For every round ``round`` and then ``bind``; after the last, ``values``.
    """

    def __init__(self, left: Array, right: Array, rounds: int) -> None:
        """``left``, ``right`` canonical (5, J) over K, J from 1 to 2^rounds; else ValueError."""
        columns = left.shape[1]
        if left.shape != right.shape or not 1 <= columns <= 1 << rounds:
            raise ValueError(f"{left.shape} and {right.shape} for {rounds} rounds")
        width = columns + (columns % 2 if rounds else 0)
        padded = np.zeros((2, DEGREE, width), dtype=np.uint64)
        padded[0, :, :columns] = left
        padded[1, :, :columns] = right
        self._arrays = to_montgomery(padded)
        self._rounds = rounds

    def round(self) -> tuple[Element, Element]:
        """s(0) and s(inf), the coefficient of X^2, of the round polynomial."""
        tasks = -(-self._arrays.shape[2] // (2 * CHUNK))
        sums = np.empty((tasks, 2, DEGREE), dtype=np.uint32)
        _product_round(self._arrays[0], self._arrays[1], sums)
        total = sums.sum(axis=0, dtype=np.uint64)
        # a sum over x y in Montgomery form is one itself
        return canonical_element(total[0]), canonical_element(total[1])

    def bind(self, r: Element) -> None:
        """Set the round's variable."""
        if not self._rounds:
            raise ValueError("all rounds are over")
        self._rounds -= 1
        self._arrays = fold(self._arrays, r, last=self._rounds == 0)

    def values(self) -> tuple[Element, Element]:
        """The extensions of left and right at the point of all challenges."""
        if self._rounds:
            raise ValueError(f"{self._rounds} rounds are left")
        return canonical_element(self._arrays[0, :, 0]), canonical_element(self._arrays[1, :, 0])
