"""The leaf part of the relation: a trigger's pixels, salt and label field hash to its leaf.

SPEC.md 17.3, item 2: cells and look-ups of BLAKE2s-256 over the message of 5.1. That pixels and
salt are bytes is the image part's; the values of the cells are the prover's (``leaf_witness``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.relation.blake2s_constants import block_count
from zkwm_protocols.argument.relation.blake2s_lookups import BLOCK_CELLS, block_template, leaf_map
from zkwm_protocols.argument.relation.gadget import Group, lookup_count
from zkwm_protocols.commitment import MAXIMUM_PIXELS, SALT_BYTES
from zkwm_protocols.errors import Malformed
from zkwm_protocols.field.scalar import Element
from zkwm_protocols.field.vector import Array


class LeafPart:
    """The leaf part for images of ``shape`` (channels, height, width).

    Its cells begin at ``first_cell``; pixels are the trigger's cells 0 .. c*h*w - 1, the salt the
    32 cells behind them. Raises Malformed for a shape that a leaf (SPEC.md 5.1) cannot have.
    """

    def __init__(self, shape: tuple[int, int, int], first_cell: int) -> None:
        channels, height, width = shape
        if channels not in (1, 3) or not (1 <= height <= 65_535 and 1 <= width <= 65_535):
            raise Malformed("a trigger has 1 or 3 channels and sides of 1 to 65,535 pixels")
        pixels = channels * height * width
        if pixels > MAXIMUM_PIXELS:
            raise Malformed("a trigger has at most 16,777,216 values")
        if first_cell < pixels + SALT_BYTES:
            raise ValueError("the cells of the leaf come behind pixels and salt")
        self.shape = shape
        self.first_cell = first_cell
        self.blocks = block_count(shape)
        self.cell_count = self.blocks * BLOCK_CELLS - 32
        self.groups: tuple[Group, ...] = block_template().groups * self.blocks
        self.lookup_count = lookup_count(self.groups)

    def pull_back(
        self, weights: Array, alphas: Sequence[Element], cells: Array, public: Array
    ) -> Element:
        """Add the gradient of the weighted fingerprints; return their constant term.

        ``weights`` (5, ``lookup_count``) and ``alphas`` (alpha^1 to alpha^8) over K. Adds into
        ``cells`` (5, J) and ``public`` (5, 34); see ``Part`` and SPEC.md 17.6.
        """
        return leaf_map(self.shape, self.first_cell).pull_back(weights, alphas, cells, public)

    def look_up_values(self, cells: NDArray[np.uint32], public: NDArray[np.uint8]) -> list[Array]:
        """The values of every look-up for any cells, honest or not: residues (values, n) for each.

        ``cells`` (J, n) are residues, ``public`` (34, n) bytes. Slow: for tests.
        """
        return leaf_map(self.shape, self.first_cell).evaluate(cells, public)
