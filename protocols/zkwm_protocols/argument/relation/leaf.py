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

import numpy as np

from zkwm_protocols.argument.relation.affine_map import Index
from zkwm_protocols.argument.relation.blake2s_constants import block_count
from zkwm_protocols.argument.relation.blake2s_lookups import (
    BLOCK_CELLS,
    BLOCK_LOOKUPS,
    NEXT_CHAINING,
    NO_CELL,
    block_columns,
    block_template,
)
from zkwm_protocols.argument.relation.gadget import Gradient, LookupGroup, add_to, lookup_count
from zkwm_protocols.argument.relation.lookup_weights import LookupWeights
from zkwm_protocols.commitment import MAXIMUM_PIXELS
from zkwm_protocols.errors import Malformed
from zkwm_protocols.field.scalar import Element, add, constant
from zkwm_protocols.field.vector import (
    Array,
    from_elements,
    multiply,
    multiply_base,
    multiply_matrices,
    sum_all,
)
from zkwm_protocols.field.vector import add as add_arrays
from zkwm_protocols.leaves import SALT_BYTES

_BLOCKS_AT_ONCE = 8
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
        self,
        weights: LookupWeights,
        first_lookup: int,
        gradient: Gradient,
        public_gradient: Gradient,
    ) -> Element:
        """Add the gradient of the weighted fingerprints; return the constant term.

        A large image has thousands of blocks, whose weights are products of a hundred parts.

        Args:
            weights: of all lookups.
            first_lookup: the gadget's first.
            gradient (uint32 or uint64, (5, J)): added to, for the cells.
            public_gradient (uint32 or uint64, (5, 34)): added to, for the public cells.
        """
        forms, powers = block_template().values, from_elements(weights.alphas)
        total = constant(0)
        for numbers, factors, parts in weights.windows(first_lookup, BLOCK_LOOKUPS, self.blocks):
            found = forms.pull_back(parts, powers)
            for first in range(0, len(numbers), _BLOCKS_AT_ONCE):
                some = slice(first, first + _BLOCKS_AT_ONCE)
                of_blocks = (multiply if found.shape[1] == 1 else multiply_matrices)(
                    factors[:, some], found
                )
                columns = block_columns(self.shape, self.first_cell, numbers[some])
                total = add(total, sum_all(multiply_base(of_blocks, columns.constants)))
                for block, number in enumerate(numbers[some]):
                    self._scatter(int(number), of_blocks[:, block], columns.cells[block], gradient)
                    _scatter(of_blocks[:, block], columns.public[block], public_gradient)
        return total

    def _scatter(self, number: int, found: Array, cells: Index, gradient: Gradient) -> None:
        """Add the gradient in a block's columns, (5, columns), to that in their ``cells``."""
        own = BLOCK_CELLS if number < self.blocks - 1 else NEXT_CHAINING
        add_to(gradient, self.first_cell + number * BLOCK_CELLS, found[:, :own])
        _scatter(found[:, own:], cells[own:], gradient)


def _scatter(found: Array, numbers: Index, gradient: Gradient) -> None:
    """Add the gradient in some columns to that in the cells they stand for, all different."""
    chosen = np.flatnonzero(numbers != NO_CELL)
    if len(chosen):
        cells = numbers[chosen]
        gradient[:, cells] = add_arrays(gradient[:, cells].astype(np.uint64), found[:, chosen])
