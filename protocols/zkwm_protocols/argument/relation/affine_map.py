"""A sparse affine map from cells to the values of lookups, and its transpose.

::

                     cells            public
                  0 ...... c - 1 | c ... c + 33
    value 0      [  .   a   .    |    .   .     ]   [cells ]   [   .      ]
    value 1      [  b   .   .    |    .   d     ] * [public] + [constant_1]
      ...

    value i is v_(exponents[i] + 1) of lookup lookups[i]; a, b, d are ``coefficients``

The leaf gadget is one such map. It is stored by entries, since each value reads a few of many
thousand cells, and it knows nothing of what the lookups mean. SPEC.md 17.3, 17.6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.relation.gadget import PUBLIC_CELLS
from zkwm_protocols.field.scalar import DEGREE, Element
from zkwm_protocols.field.vector import Array, add, from_elements, multiply, multiply_base, sum_all

Index = NDArray[np.int64]

_VALUES_AT_ONCE = 1 << 14
"""Values weighted together: few enough for the caches."""


@dataclass(frozen=True)
class AffineMap:
    """Values of lookups as sums of coefficients times columns, plus constants.

    Args:
        cells: the number of cell columns; columns from here on are the public cells.
        lookups (int64, (values,)): the lookup of each value, ascending.
        exponents (int64, (values,)): value i has the weight alpha^(exponents[i] + 1).
        values (int64, (entries,)): the value that an entry adds to, ascending.
        columns (int64, (entries,)): the column that an entry reads.
        coefficients (uint64, (entries,)): residues modulo p.
        constant_values (int64, (constants,)): values with a constant.
        constants (uint64, (constants,)): residues modulo p.
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
        self, weights: Array, alphas: Sequence[Element], gradient: Array, public_gradient: Array
    ) -> Element:
        """Apply the transpose: add the gradient of the weighted fingerprints.

        Args:
            weights (uint64, (5, lookups)): the weight of each lookup, over K.
            alphas: the powers of alpha, from alpha^1.
            gradient (uint64, (5, at least cells)): added to, for the cells.
            public_gradient (uint64, (5, 34)): added to, for the public cells.

        Returns:
            The constant term of the weighted sum of fingerprints.
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
            # exact in float64: less than 2^22 residues below 2^31 meet in one column
            totals = np.bincount(self.columns, weights=terms, minlength=width).astype(np.uint64)
            gradient[i, : self.cells] = add(gradient[i, : self.cells], totals[: self.cells])
            public_gradient[i] = add(public_gradient[i], totals[self.cells :])
        return sum_all(multiply_base(weighted[:, self.constant_values], self.constants))
