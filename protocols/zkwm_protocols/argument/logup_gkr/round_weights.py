"""Weights of a round's pairs: eq of the later coordinates, as two short tables and not a long one.

::

    eq(q, i) = low[i mod CHUNK] * high[i div CHUNK]

A task of a kernel is a chunk of CHUNK pairs: it weights them with ``low``, which stays in the first
cache, and its sum with one element of ``high``. A whole table would be as long as the row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zkwm_protocols.argument.logup_gkr.loop_arguments import Weights
from zkwm_protocols.field.kernels.layout import CHUNK, Residues
from zkwm_protocols.field.kernels.montgomery import (
    equality_table,
)
from zkwm_protocols.field.scalar import ONE, ZERO, Element, add, multiply, subtract

_CHUNK_LOG = CHUNK.bit_length() - 1


@dataclass(frozen=True)
class RoundWeights:
    """eq by halves, in Montgomery form.

    Args:
        point: the coordinates.
        low (uint32, (1, 5, at most CHUNK)): of the first coordinates; empty for no sums at all.
        high (uint32, (5, chunks)): of the others.
    """

    point: tuple[Element, ...]
    low: Residues
    high: Residues

    def of_rows(self, rows: Residues) -> Weights:
        """With the weights of rows (5, rows), for the kernels."""
        return Weights(self.low, self.high, rows)


NO_ROUND = RoundWeights((), np.empty((1, 5, 0), dtype=np.uint32), np.zeros((5, 1), dtype=np.uint32))
"""For a fold that no round follows."""


def round_weights(point: Sequence[Element]) -> RoundWeights:
    """The weights eq(point, i) of pairs i."""
    low = equality_table(point[:_CHUNK_LOG])
    return RoundWeights(tuple(point), low.reshape(1, 5, -1), equality_table(point[_CHUNK_LOG:]))


def equality_at(point: Sequence[Element], index: int) -> Element:
    """eq(point, index), or 0 where the index has more bits."""
    result = ONE if index < 1 << len(point) else ZERO
    for bit, q in enumerate(point):
        result = multiply(result, q if index >> bit & 1 else subtract(ONE, q))
    return result


def equality_prefix(point: Sequence[Element], count: int) -> Element:
    """The sum of eq(point, i), i < count, of at most all 2^len: one term for each bit of count."""
    if count == 1 << len(point):
        return ONE
    result, above = ZERO, ONE
    for bit in range(len(point) - 1, -1, -1):
        q = point[bit]
        if count >> bit & 1:
            # all i that agree with count above this bit and have a 0 here
            result = add(result, multiply(above, subtract(ONE, q)))
            above = multiply(above, q)
        else:
            above = multiply(above, subtract(ONE, q))
    return result
