"""Values of look-ups as sparse affine maps of cells: their gradient, and the values themselves.

SPEC.md 17.3, 17.6. Knows nothing of what the look-ups mean. The columns of a map are a range of a
trigger's cells, from the first on, and behind it the public cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.relation.gadget import PUBLIC_CELLS
from zkwm_protocols.field.scalar import DEGREE, Element, P
from zkwm_protocols.field.vector import Array, add, from_elements, multiply, multiply_base, sum_all

Index = NDArray[np.int64]

_ENTRIES_AT_ONCE = 1 << 22
_VALUES_AT_ONCE = 1 << 14
"""Few enough for the caches."""


@dataclass(frozen=True)
class AffineMap:
    """Values of look-ups; each is a sum of coefficients times columns, and a constant.

    Value i is v_(``exponents[i]`` + 1) of look-up ``lookups[i]``, ascending. Entry e adds
    ``coefficients[e]`` (residues) times column ``columns[e]`` to value ``values[e]``, ascending.
    ``constant_values`` and ``constants`` (residues) add constants to values. Columns from
    ``cells`` on are the public cells.
    """

    cells: int
    lookups: Index
    exponents: Index
    values: Index
    columns: Index
    coefficients: Array
    constant_values: Index
    constants: Array

    def pull_back(
        self, weights: Array, alphas: Sequence[Element], cells: Array, public: Array
    ) -> Element:
        """Add the gradient of the weighted fingerprints; return their constant term.

        As ``Part.pull_back``: ``weights`` (5, look-ups); ``cells`` (5, at least ``self.cells``)
        and ``public`` (5, 34) are added to.
        """
        factors = from_elements(alphas)
        weighted = np.empty((DEGREE, len(self.lookups)), dtype=np.uint64)
        for first in range(0, len(self.lookups), _VALUES_AT_ONCE):
            part = slice(first, first + _VALUES_AT_ONCE)
            weighted[:, part] = multiply(
                weights[:, self.lookups[part]], factors[:, self.exponents[part]]
            )
        width = self.cells + PUBLIC_CELLS
        for i in range(DEGREE):
            terms = multiply_base(weighted[i, self.values], self.coefficients)
            # exact: less than 2^22 residues below 2^31 meet in one column
            totals = np.bincount(self.columns, weights=terms, minlength=width).astype(np.uint64)
            cells[i, : self.cells] = add(cells[i, : self.cells], totals[: self.cells])
            public[i] = add(public[i], totals[self.cells :])
        return sum_all(multiply_base(weighted[:, self.constant_values], self.constants))

    def evaluate(self, cells: NDArray[np.uint32], public: NDArray[np.uint8]) -> list[Array]:
        """The values of every look-up, from any cells: for each, residues of shape (values, n).

        ``cells`` (at least ``self.cells``, n) are residues, ``public`` (34, n) bytes. Slow.
        """
        count = cells.shape[1]
        inputs = np.concatenate([cells[: self.cells], public]).astype(np.uint64)
        values = np.zeros((len(self.lookups), count), dtype=np.uint64)
        np.add.at(values, self.constant_values, self.constants[:, None])
        present, starts = np.unique(self.values, return_index=True)
        step = max(1, _ENTRIES_AT_ONCE // len(self.values))
        for first in range(0, count, step):
            part = slice(first, first + step)
            terms = inputs[self.columns, part] * self.coefficients[:, None] % np.uint64(P)
            values[present, part] += np.add.reduceat(terms, starts, axis=0)
        return np.split(values % np.uint64(P), np.flatnonzero(np.diff(self.lookups)) + 1)
