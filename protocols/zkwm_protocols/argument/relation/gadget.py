"""A gadget is one piece of the relation: cells, lookups, and a gradient.

::

    cells    0 ... J - 1    | image | leaf        | network      | argmax |
    lookups  0 ... M - 1    | image | leaf        | network      | argmax |
    public   0 ... 33       label field (2 bytes), leaf digest (32 bytes)

    lookup u:  table key, and values v_1, v_2, ...: affine in cells, public cells and constants
    gradient:  of  sum over u of w_u (alpha v_1 + alpha^2 v_2 + ...)  in cells and public cells

The four gadgets of a trigger lie one behind the other. Prover and verifier both need the gradient:
the lookup argument ends in a weighted sum of fingerprints, and the gradient turns that into one
linear claim about cells (SPEC.md 17.3, 17.6).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.field.scalar import DEGREE, P
from zkwm_protocols.field.vector import Array

Gradient = NDArray[np.uint32] | Array
"""Coefficients of cells, over K, (5, J): residues of 4 bytes where there are millions of them."""
PUBLIC_CELLS = 34
"""Of each trigger: its label field (2 bytes, high first) and its leaf digest (32 bytes)."""


@dataclass(frozen=True)
class LookupGroup:
    """``count`` consecutive lookups into the table with the key ``table``."""

    table: str
    count: int


class Gadget(Protocol):
    """The sizes that the relation needs to place a gadget behind the one before it.

    Every gadget also has ``pull_back``, which adds its share of the gradient to an array and
    returns the constant term, and ``fill`` for the prover's cells. Their arguments differ: the
    network's gradient starts from that of the argmax gadget.
    """

    @property
    def cell_count(self) -> int:
        """Cells that the gadget adds to each trigger."""

    @property
    def groups(self) -> tuple[LookupGroup, ...]:
        """The gadget's lookups, in the order of SPEC.md 17.3."""

    @property
    def lookup_count(self) -> int:
        """Lookups of the gadget, for each trigger."""


def lookup_count(groups: Sequence[LookupGroup]) -> int:
    """The number of lookups in some groups."""
    return sum(group.count for group in groups)


def add_to(gradient: Gradient, first: int, values: Array) -> None:
    """Add values over K, uint64 (5, ...), to the gradient (5, J) in the cells from ``first`` on."""
    flat = values.reshape(DEGREE, -1)
    own = gradient[:, first : first + flat.shape[1]]
    total = own.astype(np.uint32, copy=False) + flat.astype(np.uint32)  # below 2^32
    own[:] = np.minimum(total, total - np.uint32(P))  # where the sum is below p, that is above
