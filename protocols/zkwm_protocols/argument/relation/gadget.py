"""What one part of the relation offers: its cells, its look-ups, and their gradient.

SPEC.md 17.3. The relation is the image part, the leaf part, the network part and the arg-max part,
one behind the other; what they have in common is here, nothing of what they compute.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from zkwm_protocols.field.scalar import Element
from zkwm_protocols.field.vector import Array

PUBLIC_CELLS = 34
"""Of each trigger: its label field (2 bytes, high first) and its leaf digest (32 bytes)."""


@dataclass(frozen=True)
class Group:
    """``count`` look-ups in a row in the table with the key ``table``."""

    table: str
    count: int


class Part(Protocol):
    """Cells and look-ups of one part, for one trigger."""

    @property
    def cell_count(self) -> int:
        """The number of cells that this part adds to a trigger."""

    @property
    def groups(self) -> tuple[Group, ...]:
        """The look-ups in the order of SPEC.md 17.3."""

    def pull_back(
        self, weights: Array, alphas: Sequence[Element], cells: Array, public: Array
    ) -> Element:
        """Add the gradient of the weighted fingerprints; return their constant term.

        ``weights`` (5, look-ups of this part) over K; ``alphas`` the powers of alpha from 1. Adds
        the coefficients of the sum over look-ups u of weights_u (alpha v_1 + alpha^2 v_2 + ...)
        into ``cells`` (5, J), all cells of a trigger, and ``public`` (5, 34).
        """


def lookup_count(groups: Sequence[Group]) -> int:
    """How many look-ups these groups have."""
    return sum(group.count for group in groups)
