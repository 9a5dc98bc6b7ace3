"""Sumcheck over arrays in K for the prover: lines, folding, and sums of products.

::

    entries   0  1   2  3   4  5   6  7          the lowest index bit is bound first:
              |__|   |__|   |__|   |__|          entries 2i and 2i + 1 meet
    after r     0      1      2      3           a_2i + r (a_2i+1 - a_2i)

``ProductSumcheck`` is the whole prover of SPEC.md 17.6. That of the fraction tree (17.5) is in
``argument.logup_gkr`` and uses the kernels of this module.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from zkwm_protocols.field.kernels import native_kernels
from zkwm_protocols.field.kernels.layout import CHUNK, LINE, Residues, canonical_element, line_of
from zkwm_protocols.field.kernels.montgomery import (
    add_product_line,
    subtract_line,
    sum_line,
    to_montgomery,
)
from zkwm_protocols.field.kernels.native import LEVEL
from zkwm_protocols.field.kernels.threads import run_tasks
from zkwm_protocols.field.scalar import DEGREE, Element
from zkwm_protocols.field.vector import Array

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


@njit(cache=True, nogil=True)
def _fold(first: int, last: int, arrays: Residues, r: Residues, out: Residues) -> None:
    """Fold pairs of columns; a task is CHUNK pairs of one array.

    ``arrays`` (number, 5, C), ``r`` a line, ``out`` (number, 5, at least C / 2) with zeros behind.
    """
    pairs = arrays.shape[2] // 2
    chunks = (pairs + CHUNK - 1) // CHUNK
    low = new_line()
    high = new_line()
    for task in range(first, last):
        which = task // chunks
        start = (task % chunks) * CHUNK
        stop = min(start + CHUNK, pairs)
        for at in range(start, stop, LINE):
            count = min(LINE, stop - at)
            load_pairs(low, high, arrays, which, at, count)
            fold_lines(low, high, r, count)
            store_line(out, which, low, at, count)


def fold(arrays: Residues, r: Element, *, last: bool) -> Residues:
    """Bind the lowest index bit of ``arrays`` to r.

    Args:
        arrays (uint32, (number, 5, C)): in Montgomery form, C even.
        r: the challenge.
        last: whether it is the last bit; else columns are continued by a zero to an even number.

    Returns:
        uint32 (number, 5, C / 2, or one more).
    """
    columns = arrays.shape[2] // 2
    if not last:
        columns += columns % 2
    out = np.empty((arrays.shape[0], DEGREE, columns), dtype=np.uint32)
    out[:, :, -1] = 0
    count = arrays.shape[0] * -(-(arrays.shape[2] // 2) // CHUNK)
    kernel = _fold if LEVEL is None else native_kernels.fold
    run_tasks(kernel, count, arrays, line_of(r), out, work=arrays.size // 10)
    return out


@njit(cache=True, nogil=True)
def _product_round(first: int, last: int, arrays: Residues, sums: Residues) -> None:
    """s(0) and s(inf) of CHUNK pairs a task; ``arrays`` (2, 5, C), ``sums`` (tasks, 2, 5)."""
    pairs = arrays.shape[2] // 2
    a = new_line()
    b = new_line()
    c = new_line()
    d = new_line()
    for task in range(first, last):
        at_zero = new_line()
        at_infinity = new_line()
        start = task * CHUNK
        stop = min(start + CHUNK, pairs)
        for at in range(start, stop, LINE):
            count = min(LINE, stop - at)
            load_pairs(a, b, arrays, 0, at, count)
            load_pairs(c, d, arrays, 1, at, count)
            add_product_line(at_zero, a, c, count)
            subtract_line(b, b, a, count)
            subtract_line(d, d, c, count)
            add_product_line(at_infinity, b, d, count)
        sum_line(sums, task, 0, at_zero)
        sum_line(sums, task, 1, at_infinity)


class ProductSumcheck:
    """The prover of the sum over j of left_j right_j, both continued by zeros.

    For every round ``round`` and then ``bind``; after the last, ``values`` (SPEC.md 17.6).
    """

    def __init__(self, left: Array, right: Array, rounds: int) -> None:
        """Start.

        Args:
            left (uint64, (5, J)): over K, canonical.
            right (uint64, (5, J)): over K, canonical.
            rounds: the number of rounds; J is 1 to 2^rounds.

        Raises:
            ValueError: other shapes.
        """
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
        """s(0) and s(inf), the coefficient of X^2, of the round polynomial s.

        Raises:
            ValueError: all rounds are over.
        """
        if not self._rounds:
            raise ValueError("all rounds are over")
        tasks = -(-self._arrays.shape[2] // (2 * CHUNK))
        sums = np.empty((tasks, 2, DEGREE), dtype=np.uint32)
        run_tasks(_product_round, tasks, self._arrays, sums, work=self._arrays.size // 10)
        total = sums.sum(axis=0, dtype=np.uint64)
        # products of Montgomery forms are in Montgomery form, and so are their sums
        return canonical_element(total[0]), canonical_element(total[1])

    def bind(self, r: Element) -> None:
        """Fix the round's variable to the challenge r.

        Raises:
            ValueError: all rounds are over.
        """
        if not self._rounds:
            raise ValueError("all rounds are over")
        self._rounds -= 1
        self._arrays = fold(self._arrays, r, last=self._rounds == 0)

    def values(self) -> tuple[Element, Element]:
        """The extensions of left and right at the point of all challenges.

        Raises:
            ValueError: rounds are left.
        """
        if self._rounds:
            raise ValueError(f"{self._rounds} rounds are left")
        return canonical_element(self._arrays[0, :, 0]), canonical_element(self._arrays[1, :, 0])
