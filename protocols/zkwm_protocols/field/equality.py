"""Equality tables of long points, by halves: never a table of 2^21 elements of K at once.

::

    eq(point, i) = high[i >> h] low[i mod 2^h]        h = half of the coordinates

    part     eq at consecutive numbers
    combine  sums of consecutive entries times values: those of a row of low, then of high
    sums     of the first e entries:  C_high[e >> h] + high[e >> h] C_low[e mod 2^h]
             C_: sums of the first entries of a half; all of low is 1
    terms    a block (rows, width), width a power of two, from any number on, as two products
             of a factor by row and one by column:

             first = a width + b       row r, column s is number (a + r) width + b + s
             s < width - b             high part a + r,     low part b + s
             s >= width - b            high part a + r + 1, low part b + s - width

What a verifier of SPEC.md 17.6 needs of the columns' and positions' equality tables.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.field.scalar import DEGREE, ZERO, Element, P
from zkwm_protocols.field.scalar import add as add_elements
from zkwm_protocols.field.scalar import multiply as multiply_elements
from zkwm_protocols.field.vector import (
    Array,
    add,
    equality_table,
    multiply,
    multiply_base_matrices,
    multiply_matrices,
    subtract_arrays,
    sum_all,
    to_element,
)

_POWERS: tuple[Element, ...] = (
    (1, 0, 0, 0, 0),
    (0, 1, 0, 0, 0),
    (0, 0, 1, 0, 0),
    (0, 0, 0, 1, 0),
    (0, 0, 0, 0, 1),
)
"""X^0 to X^4."""


class Equality:
    """eq(point, i) for i below 2^len(point); point[0] is for bit 0."""

    def __init__(self, point: Sequence[Element]) -> None:
        self.point = tuple(point)
        self._half = (len(self.point) + 1) // 2
        self._low = equality_table(self.point[: self._half])
        self._high = equality_table(self.point[self._half :])
        self._behind: dict[int, tuple[Array, Equality]] = {}

    @property
    def length(self) -> int:
        """The number of entries."""
        return 1 << len(self.point)

    def part(self, first: int, count: int) -> Array:
        """The entries from ``first`` on, uint64 (5, count).

        Raises:
            ValueError: entries behind the last.
        """
        if first < 0 or count < 0 or first + count > self.length:
            raise ValueError("these entries are not all in the table")
        width = 1 << self._half
        if count < width:
            numbers = np.arange(first, first + count)
            return multiply(
                self._high[:, numbers >> self._half], self._low[:, numbers & (width - 1)]
            )
        begin, end = first >> self._half, -(-(first + count) >> self._half)
        rows = multiply(self._high[:, begin:end, None], self._low[:, None, :])
        start = first - begin * width
        return rows.reshape(DEGREE, -1)[:, start : start + count]

    def sums(self, counts: NDArray[np.int64]) -> Array:
        """The sums of the first ``counts`` (m,) entries, uint64 (5, m); counts up to the length."""
        low, high = _running_sums(self._low), _running_sums(self._high)
        whole, rest = counts >> self._half, counts & ((1 << self._half) - 1)
        # behind the last row there is nothing left of one
        factors = np.concatenate([self._high, np.zeros((DEGREE, 1), dtype=np.uint64)], axis=1)
        return add(high[:, whole], multiply(factors[:, whole], low[:, rest]))

    def sum_of(self, first: int, count: int) -> Element:
        """The sum of ``count`` entries from ``first`` on."""
        both = self.sums(np.array([first, first + count], dtype=np.int64))
        return sum_all(subtract_arrays(both[:, 1], both[:, 0]))

    def combine(self, first: int, values: NDArray[np.unsignedinteger]) -> Array:
        """The sums of consecutive entries times values over F_p.

        Args:
            first: the number of the first entry.
            values (unsigned integers, (t, count)): residues.

        Returns:
            uint64 (5, t), the sum over i of eq(point, first + i) values[., i].

        Raises:
            ValueError: entries behind the last.
        """
        width, (sums, count) = 1 << self._half, values.shape
        if first < 0 or first + count > self.length:
            raise ValueError("these entries are not all in the table")
        begin, start = divmod(first, width)
        rows = -(-(start + count) // width)
        padded = np.zeros((sums, rows * width), dtype=values.dtype)
        padded[:, start : start + count] = values
        inner = multiply_base_matrices(padded.reshape(sums * rows, width), self._low.T)
        by_row = inner.reshape(sums, rows, DEGREE).transpose(2, 0, 1)
        return multiply_matrices(by_row, self._high[:, begin : begin + rows, None])[:, :, 0]

    def inner(self, first: int, coefficients: Array) -> Element:
        """The sum of consecutive entries times coefficients over K, uint64 (5, count).

        Raises:
            ValueError: entries behind the last.
        """
        pairs = self.combine(first, coefficients)
        total = ZERO
        for i in range(DEGREE):  # coefficients are sums of powers of X
            total = add_elements(total, multiply_elements(to_element(pairs[:, i]), _POWERS[i]))
        return total

    def terms(self, first: int, rows: int, width: int) -> tuple[Array, Array]:
        """A block of entries (rows, width) as a sum of at most two products.

        Args:
            first: the number of its first entry.
            rows: how many.
            width: a power of two.

        Returns:
            Factors by row (5, k, rows) and by column (5, k, width); the block is the sum over k of
            their products.

        Raises:
            ValueError: entries behind the last, or another width.
        """
        if width < 1 or width & (width - 1) or first < 0 or first + rows * width > self.length:
            raise ValueError("this block is not in the table, or its width no power of two")
        low, high = self._cut(width.bit_length() - 1)
        begin, offset = divmod(first, width)
        if not offset:
            return high.part(begin, rows)[:, None, :], low[:, None, :]
        by_row = high.part(begin, rows + 1)
        by_column = np.zeros((DEGREE, 2, width), dtype=np.uint64)
        by_column[:, 0, : width - offset] = low[:, offset:]
        by_column[:, 1, width - offset :] = low[:, :offset]
        return np.stack([by_row[:, :-1], by_row[:, 1:]], axis=1), by_column

    def _cut(self, bits: int) -> tuple[Array, Equality]:
        """The table of the first ``bits`` coordinates, and that of the others by halves."""
        if bits not in self._behind:
            self._behind[bits] = (equality_table(self.point[:bits]), Equality(self.point[bits:]))
        return self._behind[bits]


def _running_sums(table: Array) -> Array:
    """Sums of the first 0, 1, ... entries of a table (5, m), uint64 (5, m + 1)."""
    result = np.zeros((DEGREE, table.shape[1] + 1), dtype=np.uint64)
    # below 2^64 for up to 2^33 entries
    np.cumsum(table, axis=1, out=result[:, 1:])
    return result % np.uint64(P)
