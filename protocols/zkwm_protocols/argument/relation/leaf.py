"""The leaf gadget shows that pixels, salt and label field hash to the public leaf.

::

    message   version c h w  | label field | salt          | pixels        | zeros
    bytes     0 .......... 7 | 8, 9        | 10 ....... 41 | 42 ..........
    are       constants      | public 0, 1 | image's cells | image's cells | constants

              64 bytes         64 bytes                  last 64 bytes
                 |                |                         |
    h_0 --> [10 rounds] --> [10 rounds] --> ... -->   [10 rounds] --> leaf digest
    constant            new h            new h                        public cells 2 ... 33
                        (cells)          (cells)

The hash is BLAKE2s-256 (RFC 7693), the message that of SPEC.md 5.1. ``blake2s_lookups`` draws the
cells of one block; ``blake2s_witness`` computes them for the prover. SPEC.md 17.3, item 2.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zkwm_protocols.argument.relation.affine_map import Index
from zkwm_protocols.argument.relation.blake2s_constants import block_count
from zkwm_protocols.argument.relation.blake2s_lookups import (
    BLOCK_CELLS,
    NO_CELL,
    block_columns,
    block_template,
)
from zkwm_protocols.argument.relation.gadget import LookupGroup, lookup_count
from zkwm_protocols.commitment import MAXIMUM_PIXELS
from zkwm_protocols.errors import Malformed
from zkwm_protocols.field.scalar import DEGREE, Element, add, constant
from zkwm_protocols.field.vector import Array, from_elements, multiply_base, sum_all
from zkwm_protocols.field.vector import add as add_arrays
from zkwm_protocols.leaves import SALT_BYTES

_BLOCKS_AT_ONCE = 4
"""Few enough for the caches."""


class LeafGadget:
    """BLAKE2s over an image of ``shape`` (channels, height, width); cells from ``first_cell`` on.

    Pixels are the trigger's cells 0 .. c*h*w - 1, the salt the 32 cells behind them.

    Raises:
        Malformed: no leaf of SPEC.md 5.1 has this shape.
        ValueError: ``first_cell`` lies inside pixels and salt.
    """

    def __init__(self, shape: tuple[int, int, int], first_cell: int) -> None:
        channels, height, width = shape
        if channels not in (1, 3) or not (1 <= height <= 65_535 and 1 <= width <= 65_535):
            raise Malformed("a trigger has 1 or 3 channels and sides of 1 to 65,535 pixels")
        pixels = channels * height * width
        if pixels > MAXIMUM_PIXELS:
            raise Malformed("a trigger has at most 16,777,216 values")
        if first_cell < pixels + SALT_BYTES:
            raise ValueError("the leaf's cells come behind pixels and salt")
        self.shape = shape
        self.first_cell = first_cell
        self.blocks = block_count(shape)
        # the last block's new chaining value is the digest: 32 public cells instead of own ones
        self.cell_count = self.blocks * BLOCK_CELLS - 32
        self.groups: tuple[LookupGroup, ...] = block_template().groups * self.blocks
        self.lookup_count = self.blocks * lookup_count(block_template().groups)

    def pull_back(
        self, weights: Array, alphas: Sequence[Element], gradient: Array, public_gradient: Array
    ) -> Element:
        """Add the gradient of the weighted fingerprints; return the constant term.

        Args:
            weights (uint64, (5, lookup_count)): the weight of each lookup, over K.
            alphas: the powers of alpha, from alpha^1 to alpha^8.
            gradient (uint64, (5, J)): added to, for the cells.
            public_gradient (uint64, (5, 34)): added to, for the public cells.
        """
        forms, powers = block_template().values, from_elements(alphas)
        blocks = weights.reshape(DEGREE, self.blocks, -1)
        total = constant(0)
        for first in range(0, self.blocks, _BLOCKS_AT_ONCE):
            last = min(first + _BLOCKS_AT_ONCE, self.blocks)
            found = forms.pull_back(blocks[:, first:last], powers)
            columns = block_columns(self.shape, self.first_cell, first, last)
            total = add(total, sum_all(multiply_base(found, columns.constants)))
            _scatter(found, columns.cells, gradient)
            _scatter(found, columns.public, public_gradient)
        return total


def _scatter(found: Array, numbers: Index, gradient: Array) -> None:
    """Add the gradient in columns, (5, blocks, columns), to that in the cells they stand for."""
    chosen = numbers != NO_CELL
    cells, places = np.unique(numbers[chosen], return_inverse=True)
    for i in range(DEGREE):
        # exact in float64: few residues below 2^31 meet in one cell
        totals = np.bincount(places, weights=found[i][chosen]).astype(np.uint64)
        gradient[i, cells] = add_arrays(gradient[i, cells], totals)
