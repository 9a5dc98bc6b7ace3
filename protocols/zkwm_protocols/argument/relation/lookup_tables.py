"""The tables that look-ups point into, one behind the other, each with its tag.

SPEC.md 17.3. Rows are what a look-up's values must be one of; a fingerprint of a row is
tag + alpha v_1 + alpha^2 v_2 + .... Which look-ups there are is the parts' business.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.field.scalar import Element, P, add, constant, multiply, scale
from zkwm_protocols.field.vector import (
    Array,
    combine,
    from_element,
    from_integers,
    multiply_base,
    sum_all,
    to_element,
)
from zkwm_protocols.integer_network.model import IntegerNetwork

Columns = NDArray[np.uint32]
"""The rows of one table as residues, shape (rows, width)."""

_CARRY_BASES = (3, 3, 2, 2, 3, 3, 2, 2)


class Tables:
    """All tables of a relation, in order; ``widths`` are those of the range tables."""

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
        """The tag of a table, from 1."""
        return self._tags[key]

    def first_row(self, key: str) -> int:
        """The number of a table's first row among all rows."""
        return self._first[key]

    def row_count(self, key: str) -> int:
        """The number of a table's rows."""
        return len(self._columns[key])

    def columns(self, key: str) -> Columns:
        """A table's rows as residues, shape (rows, width)."""
        return self._columns[key]

    def fingerprints(self, alphas: Sequence[Element]) -> Array:
        """The fingerprints of all rows over K, shape (5, rows), for the powers of alpha from 1."""
        parts = []
        for key, columns in self._columns.items():
            total = np.zeros((5, len(columns)), dtype=np.uint64)
            total[0] = self._tags[key]
            for index in range(columns.shape[1]):
                weight = from_element(alphas[index]).reshape(5, 1)
                total += multiply_base(weight, columns[:, index].astype(np.uint64))
            parts.append(total % np.uint64(P))
        return np.concatenate(parts, axis=1)

    def weigh(self, weights: Array, first: int, alphas: Sequence[Element]) -> Element:
        """The sum of weight times fingerprint over the rows from ``first`` on.

        ``weights`` over K, (5, count). Rows behind the last one are copies of it (SPEC.md 17.5).
        """
        result = constant(0)
        end = first + weights.shape[1]
        spans = [(key, self._first[key], columns) for key, columns in self._columns.items()]
        if end > self.total_rows:
            key, _, columns = spans[-1]
            last = columns[-1:].repeat(end - self.total_rows, axis=0)
            spans.append((key, self.total_rows, last))
        for key, start, columns in spans:
            low, high = max(first, start), min(end, start + len(columns))
            if low >= high:
                continue
            part = weights[:, low - first : high - first]
            result = add(result, scale(sum_all(part), self._tags[key]))
            sums = combine(part, columns[low - start : high - start])
            for index in range(columns.shape[1]):
                result = add(result, multiply(alphas[index], to_element(sums[:, index])))
        return result


def _residues(rows: NDArray[np.int64]) -> Columns:
    columns: Columns = from_integers(rows).astype(np.uint32)
    columns.setflags(write=False)
    return columns


@lru_cache(maxsize=3)
def _xor_table(split: int) -> Columns:
    """(a, b, a^b), the last in its low ``split`` bits and, below 8, the others."""
    a, b = np.divmod(np.arange(1 << 16, dtype=np.int64), 256)
    both = a ^ b
    if split == 8:
        return _residues(np.stack([a, b, both], axis=1))
    return _residues(np.stack([a, b, both & ((1 << split) - 1), both >> split], axis=1))


@lru_cache(maxsize=1)
def _carry_table() -> Columns:
    grid = np.indices(_CARRY_BASES, dtype=np.int64).reshape(len(_CARRY_BASES), -1)
    return _residues(np.ascontiguousarray(grid.T))


@lru_cache(maxsize=1)
def _positive_table() -> Columns:
    difference = np.arange(-255, 256, dtype=np.int64)
    return _residues(np.stack([difference, np.maximum(difference, 0)], axis=1))


@lru_cache(maxsize=32)
def _range_table(width: int) -> Columns:
    return _residues(np.arange(1 << width, dtype=np.int64).reshape(-1, 1))
