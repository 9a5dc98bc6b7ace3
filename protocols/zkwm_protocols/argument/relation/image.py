"""The image gadget shows that pixels and salt are bytes (SPEC.md 17.3, item 1).

::

    cells     0 ............... c*h*w - 1 | c*h*w ... c*h*w + 31
              pixels, C order             | salt
    lookups   range:8 of every cell, in the same order

Its cells are the first of a trigger. The leaf gadget hashes them, the network gadget reads the
pixels; neither repeats the range check.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.relation.gadget import Gradient, LookupGroup, add_to
from zkwm_protocols.argument.relation.lookup_tables import Tables
from zkwm_protocols.argument.relation.lookup_weights import LookupWeights
from zkwm_protocols.leaves import SALT_BYTES

TABLE = "range:8"


class ImageGadget:
    """Pixels and salt of an image of ``shape`` (c, h, w); its cells start at 0."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.cell_count = shape[0] * shape[1] * shape[2] + SALT_BYTES
        self.groups: tuple[LookupGroup, ...] = (LookupGroup(TABLE, self.cell_count),)
        self.lookup_count = self.cell_count

    def pull_back(self, weights: LookupWeights, gradient: Gradient) -> None:
        """Add the gradient of the weighted fingerprints, which have no constant term.

        Args:
            weights: of all lookups, these the first.
            gradient (uint32 or uint64, (5, J)): added to, for the cells.
        """
        add_to(gradient, 0, weights.part(0, self.lookup_count, 1))

    def fill(
        self,
        images: NDArray[np.uint8],
        salts: NDArray[np.uint8],
        cells: NDArray[np.uint32],
        rows: NDArray[np.int32],
        tables: Tables,
    ) -> None:
        """Write the prover's cells, and the table row of every lookup.

        Args:
            images (uint8, (n, c, h, w)): the triggers.
            salts (uint8, (n, 32)): their salts.
            cells (uint32, (J, n)): written, the first ``cell_count`` rows.
            rows (int32, (n, M)): written, the first ``lookup_count`` columns.
            tables: the relation's tables.
        """
        values = np.concatenate([images.reshape(len(images), -1), salts], axis=1)
        cells[: self.cell_count] = values.T
        # row v of a range table holds the value v
        rows[:, : self.lookup_count] = values.astype(np.int32) + np.int32(tables.first_row(TABLE))
