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

from zkwm_protocols.argument.relation.blake2s_constants import block_count
from zkwm_protocols.argument.relation.blake2s_lookups import BLOCK_CELLS, block_template, leaf_map
from zkwm_protocols.argument.relation.gadget import LookupGroup, lookup_count
from zkwm_protocols.commitment import MAXIMUM_PIXELS
from zkwm_protocols.errors import Malformed
from zkwm_protocols.field.scalar import Element
from zkwm_protocols.field.vector import Array
from zkwm_protocols.leaves import SALT_BYTES


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
        self.lookup_count = lookup_count(self.groups)

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
        mapping = leaf_map(self.shape, self.first_cell)
        return mapping.pull_back(weights, alphas, gradient, public_gradient)
