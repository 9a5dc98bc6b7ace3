"""Equality tables of long points, by halves: never a table of 2^21 elements of K at once.

::

    eq(point, i) = high[i >> h] low[i mod 2^h]        h = half of the coordinates

    part     eq at consecutive numbers, times a factor
    combine  sums of consecutive entries times values: those of a row of low, then of high
    sums     of the first e entries:  C_high[e >> h] + high[e >> h] C_low[e mod 2^h]
             C_: sums of the first entries of a half; all of low is 1
    windows  blocks of any length, one behind the other: those at the same place of a row at once
    terms    a block (rows, width), width a power of two, from any number on, as two products
             of a factor by row and one by column:

             first = a width + b       row r, column s is number (a + r) width + b + s
             s < width - b             high part a + r,     low part b + s
             s >= width - b            high part a + r + 1, low part b + s - width

What a verifier of SPEC.md 17.6 needs of the columns' and positions' equality tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.field.scalar import DEGREE, ONE, ZERO, Element, P
from zkwm_protocols.field.scalar import add as add_elements
from zkwm_protocols.field.scalar import multiply as multiply_elements
from zkwm_protocols.field.vector import (
    Array,
    add,
    equality_table,
    from_element,
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
_AT_ONCE = 1 << 13
"""Entries that are made together, in a processor's cache."""
_SUMMED_AT_ONCE = 1 << 20
"""Entries that are combined together: 40 MiB of doubles for the five coefficients of K."""


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

    def part(self, first: int, count: int, factor: Element = ONE) -> Array:
        """The entries from ``first`` on times ``factor``, uint64 (5, count).

        Raises:
            ValueError: entries behind the last.
        """
        self._require(first, count)
        width, begin, end = 1 << self._half, first >> self._half, first + count - 1 >> self._half
        factors = self._high[:, begin : end + 1]
        if factor != ONE:
            factors = multiply(factors, from_element(factor).reshape(DEGREE, 1))
        if count < width:
            numbers = np.arange(first, first + count)
            low = self._low[:, numbers & (width - 1)]
            return multiply(factors[:, (numbers >> self._half) - begin], low)
        result = np.empty((DEGREE, count), dtype=np.uint64)
        step = max(1, _AT_ONCE // width)
        for row in range(begin, end + 1, step):
            entries = self._rows(factors[:, row - begin :][:, :step])
            start = row * width - first  # where they begin in the result
            cut = max(0, -start)
            entries = entries[:, cut : cut + count - max(0, start)]
            result[:, start + cut : start + cut + entries.shape[1]] = entries
        return result

    def _rows(self, factors: Array) -> Array:
        """Rows of the table, each a factor (5, m) times the lower half, uint64 (5, m width)."""
        return multiply(factors[:, :, None], self._low[:, None, :]).reshape(DEGREE, -1)

    def _require(self, first: int, count: int) -> None:
        """Raise ValueError where entries lie behind the last."""
        if first < 0 or count < 0 or first + count > self.length:
            raise ValueError("these entries are not all in the table")

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
        (sums, count), width = values.shape, 1 << self._half
        self._require(first, count)
        total = np.zeros((DEGREE, sums), dtype=np.uint64)
        step = max(1, _SUMMED_AT_ONCE // width) * width
        for start in range(first - first % width, first + count, step):
            # some rows, the first and the last of all continued by zeros
            here = slice(max(first, start), min(first + count, start + step))
            rows = -(-(here.stop - start) // width)
            padded = np.zeros((sums, rows * width), dtype=values.dtype)
            padded[:, here.start - start : here.stop - start] = values[
                :, here.start - first : here.stop - first
            ]
            inner = multiply_base_matrices(padded.reshape(sums * rows, width), self._low.T)
            by_row = inner.reshape(sums, rows, DEGREE).transpose(2, 0, 1)
            high = self._high[:, start >> self._half :][:, :rows, None]
            total = add(total, multiply_matrices(by_row, high)[:, :, 0])
        return total

    def inner(self, first: int, coefficients: NDArray[np.unsignedinteger]) -> Element:
        """The sum of consecutive entries times coefficients over K, (5, count).

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

    def windows(
        self, first: int, length: int, count: int
    ) -> Iterator[tuple[NDArray[np.int64], Array, Array]]:
        """``count`` windows of ``length`` entries, one behind the other from ``first`` on.

        Those that begin at the same place of rows of 2^w entries, the shortest that hold a window,
        have the same parts: of a row from there to its end, and of the next from its begin on.

        Yields:
            The numbers (m,) of some windows, factors (5, m, k) and parts (5, k, length); the sum
            over k of their products is the windows. Every window once.

        Raises:
            ValueError: entries behind the last.
        """
        self._require(first, length * count)
        if not count:
            return
        bits = min((length - 1).bit_length(), len(self.point))
        low, high = self._cut(bits)
        starts = first + length * np.arange(count, dtype=np.int64)
        rows, offsets = starts >> bits, starts & ((1 << bits) - 1)
        order = np.argsort(offsets, kind="stable")
        for numbers in np.split(order, np.flatnonzero(np.diff(offsets[order])) + 1):
            if len(numbers) == 1:  # nothing to share
                one = from_element(ONE).reshape(DEGREE, 1, 1)
                yield numbers, one, self.part(int(starts[numbers[0]]), length)[:, None]
                continue
            own = min(length, (1 << bits) - int(offsets[numbers[0]]))
            parts = np.zeros((DEGREE, 1 if own == length else 2, length), dtype=np.uint64)
            parts[:, 0, :own] = low[:, offsets[numbers[0]] :][:, :own]
            factors = [high.at(rows[numbers])]
            if own < length:
                parts[:, 1, own:] = low[:, : length - own]
                factors.append(high.at(rows[numbers] + 1))
            yield numbers, np.stack(factors, axis=2), parts

    def at(self, numbers: NDArray[np.int64]) -> Array:
        """The entries with these numbers (m,), uint64 (5, m)."""
        low = self._low[:, numbers & ((1 << self._half) - 1)]
        return multiply(self._high[:, numbers >> self._half], low)

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
