"""A sparse linear map from the columns of a block to the values of its lookups, and its transpose.

::

                   columns of a block
                  0 ............... c - 1
    value 0      [  .   a   .    .   .   ]   [ cells, public cells ]
    value 1      [  b   .   .    .   d   ] * [ and constants that  ]
      ...                                    [ the block reads     ]

    value i is v_(exponents[i] + 1) of lookup lookups[i]; a, b, d are ``coefficients``

The leaf gadget repeats one such map for every block of its message. It is stored by entries, since
each value reads a few of thousands of columns, and it knows nothing of what the lookups mean.
SPEC.md 17.3, 17.6.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.field.scalar import DEGREE, P
from zkwm_protocols.field.vector import Array, multiply, multiply_base

Index = NDArray[np.int64]

_P = np.uint64(P)


@dataclass(frozen=True)
class AffineMap:
    """Values of a block's lookups as sums of coefficients times columns.

    Args:
        width: the number of columns.
        lookups (int64, (values,)): the lookup of each value, ascending.
        exponents (int64, (values,)): value i has the weight alpha^(exponents[i] + 1).
        values (int64, (entries,)): the value that an entry adds to, ascending.
        columns (int64, (entries,)): the column that an entry reads.
        coefficients (uint64, (entries,)): residues modulo p.
    """

    width: int
    lookups: Index
    exponents: Index
    values: Index
    columns: Index
    coefficients: Array

    @cached_property
    def _by_column(self) -> tuple[Index, Array, Index, Index]:
        """Values and coefficients of the entries, columns ascending; the columns; their starts."""
        order = np.argsort(self.columns, kind="stable")
        present, starts = np.unique(self.columns[order], return_index=True)
        return self.values[order], self.coefficients[order], present, starts

    def pull_back(self, weights: Array, alphas: Array) -> Array:
        """Apply the transpose: the gradient of the weighted fingerprints in every column.

        Args:
            weights (uint64, (5, blocks, lookups)): the weight of each lookup, over K.
            alphas (uint64, (5, powers)): the powers of alpha, from alpha^1.

        Returns:
            uint64 (5, blocks, width).
        """
        weighted = multiply(weights[:, :, self.lookups], alphas[:, None, self.exponents])
        values, coefficients, present, starts = self._by_column
        gradient = np.zeros((DEGREE, weights.shape[1], self.width), dtype=np.uint64)
        for i in range(DEGREE):
            terms = multiply_base(weighted[i][:, values], coefficients)
            # below 2^64: at most 2^14 residues meet in one column
            gradient[i][:, present] = np.add.reduceat(terms, starts, axis=1) % _P
        return gradient
