"""The tables that lookups point into, one behind the other, each with its tag.

::

    row 0                                                                total_rows - 1
    | xor | xor12 | xor7 | carries | positive | network:0 .. | range:w .. |
    tag 1   2       3      4         5          6 ..           ..

    xor       a, b, a ^ b                           65,536 rows, a the slower
    xor12     a, b, (a ^ b) mod 16, (a ^ b) / 16    65,536
    xor7      a, b, (a ^ b) mod 128, (a ^ b) / 128  65,536
    carries   eight carries of BLAKE2s's G          1,296
    positive  d, max(d, 0)                          511, d = -255 .. 255
    network:i q, f(q)                               the activations of the integer network
    range:w   v                                     2^w, for every width in use

A lookup claims that its values are a row. LogUp sees a row by its fingerprint, the one element
tag + alpha v_1 + alpha^2 v_2 + ... of K; the tag keeps rows of different tables apart. SPEC.md
17.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.field.equality import Equality
from zkwm_protocols.field.scalar import Element, P, add, constant, multiply, scale
from zkwm_protocols.field.vector import (
    Array,
    from_element,
    from_integers,
    multiply_base,
    subtract_arrays,
    to_element,
)
from zkwm_protocols.integer_network.model import IntegerNetwork

Columns = NDArray[np.uint32]
"""The rows of one table as residues, shape (rows, width)."""

_CARRY_BASES = (3, 3, 2, 2, 3, 3, 2, 2)
"""A sum of three words carries 0 to 2, a sum of two 0 or 1; each has a low and a high carry."""


class Tables:
    """All tables of a relation, in order; ``widths`` are the bits of the range tables."""

    def __init__(self, network: IntegerNetwork, widths: Iterable[int]) -> None:
        self._columns: dict[str, Columns] = {
            "xor": _xor_table(8),
            "xor12": _xor_table(4),
            "xor7": _xor_table(7),
            "carries": _carry_table(),
            "positive": _positive_table(),
        }
        for index, table in enumerate(network.tables):
            inputs = table.first + np.arange(len(table.values), dtype=np.int64)
            outputs = np.asarray(table.values, dtype=np.int64)
            self._columns[f"network:{index}"] = _residues(np.stack([inputs, outputs], axis=1))
        for width in sorted(set(widths)):
            self._columns[f"range:{width}"] = _range_table(width)
        self._first: dict[str, int] = {}
        total = 0
        for key, columns in self._columns.items():
            self._first[key] = total
            total += len(columns)
        self.total_rows = total
        """Rows of all tables together."""
        self._tags = {key: index for index, key in enumerate(self._columns, 1)}

    def tag(self, key: str) -> int:
        """The tag of the table ``key``, from 1."""
        return self._tags[key]

    def first_row(self, key: str) -> int:
        """The number of a table's first row, counted over all tables."""
        return self._first[key]

    def columns(self, key: str) -> Columns:
        """A table's rows as residues, uint32 (rows, width)."""
        return self._columns[key]

    def fingerprints(self, alphas: Sequence[Element]) -> Array:
        """The fingerprints of all rows over K, uint64 (5, rows); ``alphas`` from alpha^1."""
        fingerprints = []
        for key, columns in self._columns.items():
            total = np.zeros((5, len(columns)), dtype=np.uint64)
            total[0] = self._tags[key]
            for index in range(columns.shape[1]):
                weight = from_element(alphas[index]).reshape(5, 1)
                total += multiply_base(weight, columns[:, index].astype(np.uint64))
            fingerprints.append(total % np.uint64(P))  # at most nine residues
        return np.concatenate(fingerprints, axis=1)

    def denominators(self, count: int, alphas: Sequence[Element], beta: Element) -> Array:
        """beta minus the fingerprints, uint64 (5, count), the last row repeated."""
        fingerprints = self.fingerprints(alphas)
        of_beta = from_element(beta).reshape(5, 1)
        rows = subtract_arrays(np.broadcast_to(of_beta, fingerprints.shape), fingerprints)
        copies = count - rows.shape[1]
        return np.concatenate([rows, rows[:, -1:].repeat(copies, axis=1)], axis=1)

    def weigh(
        self, weights: Equality, first: int, count: int, alphas: Sequence[Element]
    ) -> Element:
        """The sum of weight times fingerprint over consecutive rows, without the fingerprints.

        Args:
            weights: over K, of the rows from ``first`` on.
            first: the number of the first row.
            count: how many rows.
            alphas: the powers of alpha, from alpha^1.

        Rows behind the last one are copies of it, as in the tree (SPEC.md 17.5).
        """
        result = constant(0)
        end = first + count
        spans = [(key, self._first[key], columns) for key, columns in self._columns.items()]
        if end > self.total_rows:
            key, _, columns = spans[-1]
            last = columns[-1:].repeat(end - self.total_rows, axis=0)
            spans.append((key, self.total_rows, last))
        for key, start, columns in spans:
            low, high = max(first, start), min(end, start + len(columns))
            if low >= high:
                continue
            total = weights.sum_of(low - first, high - low)
            result = add(result, scale(total, self._tags[key]))
            sums = weights.combine(low - first, columns[low - start : high - start].T)
            for index in range(columns.shape[1]):
                result = add(result, multiply(alphas[index], to_element(sums[:, index])))
        return result


def _residues(rows: NDArray[np.int64]) -> Columns:
    """Signed rows, of any shape, as read-only residues: tables are cached and shared."""
    columns: Columns = from_integers(rows).astype(np.uint32)
    columns.setflags(write=False)
    return columns


@lru_cache(maxsize=3)
def _xor_table(split: int) -> Columns:
    """Rows (a, b, a ^ b) of bytes, a the slower.

    With ``split`` below 8, a ^ b is cut into its low bits and the others.
    """
    a, b = np.divmod(np.arange(1 << 16, dtype=np.int64), 256)
    both = a ^ b
    if split == 8:
        return _residues(np.stack([a, b, both], axis=1))
    return _residues(np.stack([a, b, both & ((1 << split) - 1), both >> split], axis=1))


@lru_cache(maxsize=1)
def _carry_table() -> Columns:
    """All combinations of the carries of a1, c1, a2, c2, low and high, the last the fastest."""
    grid = np.indices(_CARRY_BASES, dtype=np.int64).reshape(len(_CARRY_BASES), -1)
    return _residues(np.ascontiguousarray(grid.T))


@lru_cache(maxsize=1)
def _positive_table() -> Columns:
    """Rows (d, max(d, 0)) for every difference d of two bytes."""
    difference = np.arange(-255, 256, dtype=np.int64)
    return _residues(np.stack([difference, np.maximum(difference, 0)], axis=1))


@lru_cache(maxsize=32)
def _range_table(width: int) -> Columns:
    """Rows (v) of all integers of ``width`` bits."""
    return _residues(np.arange(1 << width, dtype=np.int64).reshape(-1, 1))
