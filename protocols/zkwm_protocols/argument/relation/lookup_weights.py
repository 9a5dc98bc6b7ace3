"""The weights of a trigger's lookups, a part at a time: never all of them in memory.

::

    lookup u has weight eq(rho_u, u) and values v_1, v_2, ...
    gradient of   sum over u of weight (alpha v_1 + alpha^2 v_2 + ...)

    part       weights of consecutive lookups times a power of alpha
    windows    those of blocks of lookups that repeat, by factors and common parts

A network for images of 224 by 224 has 24 million lookups: their weights alone would take 1 GB, and
their products with powers of alpha as much again. SPEC.md 17.6.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.field.equality import Equality
from zkwm_protocols.field.scalar import ONE, Element
from zkwm_protocols.field.vector import Array

Windows = Iterator[tuple[NDArray[np.int64], Array, Array]]
"""Numbers (m,) of some windows, factors (5, m, k) and parts (5, k, length): their products."""


class LookupWeights(Protocol):
    """Weights of all lookups of a trigger, over K, and the powers of alpha."""

    @property
    def alphas(self) -> Sequence[Element]:
        """alpha^1 to alpha^8."""

    def part(self, first: int, count: int, power: int = 0) -> Array:
        """The weights of ``count`` lookups times alpha^power, uint64 (5, count)."""

    def windows(self, first: int, length: int, count: int) -> Windows:
        """The weights of ``count`` blocks of ``length`` lookups, as ``Equality.windows``."""


class EqualityWeights:
    """Entries of an equality table as weights.

    Args:
        columns: the weight of each lookup.
        alphas: the powers of alpha, from alpha^1 to alpha^8.
    """

    def __init__(self, columns: Equality, alphas: Sequence[Element]) -> None:
        self.columns = columns
        self.alphas = tuple(alphas)

    def part(self, first: int, count: int, power: int = 0) -> Array:
        """The weights of ``count`` lookups times alpha^power, uint64 (5, count)."""
        return self.columns.part(first, count, self.alphas[power - 1] if power else ONE)

    def windows(self, first: int, length: int, count: int) -> Windows:
        """The weights of ``count`` blocks of ``length`` lookups, as ``Equality.windows``."""
        return self.columns.windows(first, length, count)
