"""The image part of the relation: pixels and salt are bytes (SPEC.md 17.3, item 1).

The first cells of a trigger. What they hash to is the leaf part's, what the network makes of them
the network part's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.relation.gadget import Group
from zkwm_protocols.argument.relation.lookup_tables import Tables
from zkwm_protocols.commitment import SALT_BYTES
from zkwm_protocols.field.scalar import ZERO, Element
from zkwm_protocols.field.vector import Array, add, from_element, multiply

TABLE = "range:8"


class ImagePart:
    """c*h*w pixels and 32 salt bytes for images of ``shape`` (c, h, w): the cells from 0 on."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.cell_count = shape[0] * shape[1] * shape[2] + SALT_BYTES
        self.groups: tuple[Group, ...] = (Group(TABLE, self.cell_count),)
        self.lookup_count = self.cell_count

    def pull_back(
        self, weights: Array, alphas: Sequence[Element], cells: Array, public: Array
    ) -> Element:
        """Add the gradient of the weighted fingerprints; return their constant term, 0.

        ``weights`` (5, ``lookup_count``) over K; ``alphas`` from alpha^1; adds into ``cells``
        (5, J), and nothing into ``public`` (5, 34); see ``Part``.
        """
        own = cells[:, : self.cell_count]
        own[:] = add(own, multiply(weights, from_element(alphas[0]).reshape(-1, 1)))
        return ZERO

    def look_up_values(self, cells: NDArray[np.uint32], public: NDArray[np.uint8]) -> list[Array]:
        """The value of every look-up for any cells (J, n): residues of shape (1, n) for each."""
        return list(cells[: self.cell_count, None, :].astype(np.uint64))

    def fill(
        self,
        images: NDArray[np.uint8],
        salts: NDArray[np.uint8],
        cells: NDArray[np.uint32],
        rows: NDArray[np.int32],
        tables: Tables,
    ) -> None:
        """The prover's cells, and the table row of every look-up.

        ``images`` (n, c, h, w) and ``salts`` (n, 32); writes the first rows of ``cells`` (J, n) and
        the first columns of ``rows`` (n, M).
        """
        values = np.concatenate([images.reshape(len(images), -1), salts], axis=1)
        cells[: self.cell_count] = values.T
        rows[:, : self.lookup_count] = values.astype(np.int32) + np.int32(tables.first_row(TABLE))
