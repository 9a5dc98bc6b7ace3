"""The whole relation of one trigger: four gadgets, their tables, and their common gradient.

::

    cells J      | image       | leaf      | network            | argmax          |
                 | pixels salt | BLAKE2s   | r, y, e of nodes   | V, g, limbs     |
    lookups M    | image       | leaf      | network            | argmax          |
                 ^ 0           ^ first_lookups["leaf"]  ...      ^ ["argmax"]
    public 34    label field, leaf digest

    all n triggers satisfy the same relation; one claim joins them: the sum over triggers of
    g of the label's output is the threshold k* (``match_cells``)

It follows from public data alone and is the same object for prover and verifier. ``witness`` fills
in cells. SPEC.md 17.3, 17.4.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.relation.argmax import ArgmaxGadget
from zkwm_protocols.argument.relation.blake2s_constants import block_count
from zkwm_protocols.argument.relation.blake2s_lookups import BLOCK_LOOKUPS
from zkwm_protocols.argument.relation.gadget import PUBLIC_CELLS, Gadget, LookupGroup
from zkwm_protocols.argument.relation.image import ImageGadget
from zkwm_protocols.argument.relation.leaf import LeafGadget
from zkwm_protocols.argument.relation.lookup_tables import Tables
from zkwm_protocols.argument.relation.lookup_weights import LookupWeights
from zkwm_protocols.argument.relation.network import NetworkGadget
from zkwm_protocols.argument.statement import Statement
from zkwm_protocols.errors import Unsupported
from zkwm_protocols.field.scalar import DEGREE, Element, add
from zkwm_protocols.field.vector import Array
from zkwm_protocols.integer_network.model import IntegerNetwork

MAXIMUM_LOOKUPS = 1 << 25
MAXIMUM_CELLS = 1 << 25


class Relation:
    """The relation that every trigger's cells satisfy: ``lookup_count`` lookups into ``tables``.

    The gadgets are ``image``, ``leaf``, ``network`` and ``argmax``, with cells and lookups in this
    order; ``first_lookups`` has the first lookup of each by name.

    Raises:
        Unsupported: more lookups or cells than the limits (network.size), found out before
            anything is built that grows with the images.
    """

    def __init__(self, network: IntegerNetwork) -> None:
        if block_count(network.shape) * BLOCK_LOOKUPS > MAXIMUM_LOOKUPS:
            raise _too_large(network)
        self.image = ImageGadget(network.shape)
        cells = self.image.cell_count
        self.leaf = LeafGadget(network.shape, first_cell=cells)
        cells += self.leaf.cell_count
        self.network = NetworkGadget(network, first_cell=cells)
        cells += self.network.cell_count
        self.argmax = ArgmaxGadget(network, first_cell=cells)
        self.cell_count = cells + self.argmax.cell_count
        gadgets: dict[str, Gadget] = {
            "image": self.image,
            "leaf": self.leaf,
            "network": self.network,
            "argmax": self.argmax,
        }
        self.first_lookups: dict[str, int] = {}
        self.groups: tuple[LookupGroup, ...] = ()
        total = 0
        for name, gadget in gadgets.items():
            self.first_lookups[name] = total
            self.groups += gadget.groups
            total += gadget.lookup_count
        self.lookup_count = total
        if total > MAXIMUM_LOOKUPS or self.cell_count > MAXIMUM_CELLS:
            raise _too_large(network)
        widths = {
            int(table.removeprefix("range:"))
            for table in {group.table for group in self.groups}
            if table.startswith("range:")
        }
        self.tables = Tables(network, widths)

    def pull_back(self, weights: LookupWeights) -> tuple[NDArray[np.uint32], Array, Element]:
        """The gradient of the sum over lookups of weight times fingerprint (SPEC.md 17.6).

        Beside the gradient, memory grows with the largest layer, not with all lookups.

        Args:
            weights: of each lookup.

        Returns:
            The coefficients of the cells, uint32 (5, J), and of the public cells, uint64 (5, 34),
            and the constant term without the tags.
        """
        cells = np.zeros((DEGREE, self.cell_count), dtype=np.uint32)
        public = np.zeros((DEGREE, PUBLIC_CELLS), dtype=np.uint64)
        first = self.first_lookups
        self.image.pull_back(weights, cells)
        total = self.leaf.pull_back(weights, first["leaf"], cells, public)
        # the argmax first: it gives the network's reverse pass its gradient in the logits
        logits, of_argmax = self.argmax.pull_back(weights, first["argmax"], cells)
        total = add(total, of_argmax)
        total = add(total, self.network.pull_back(weights, first["network"], cells, logits))
        return cells, public, total

    def public_cells(self, statement: Statement) -> Array:
        """Label field and leaf digest of every trigger, byte by byte, uint64 (34, n)."""
        rows = [
            field.to_bytes(2, "big") + leaf
            for field, leaf in zip(statement.label_fields, statement.leaves, strict=True)
        ]
        data = np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(-1, PUBLIC_CELLS)
        return np.ascontiguousarray(data.T).astype(np.uint64)

    def match_cells(self, statement: Statement) -> NDArray[np.int64]:
        """For every trigger the cell g of the output that stands for its label, int64 (n,)."""
        return np.array([self.argmax.g_cell(o) for o in statement.outputs], dtype=np.int64)


def _too_large(network: IntegerNetwork) -> Unsupported:
    """The refusal of a network with too many lookups or cells."""
    shape = " x ".join(str(size) for size in network.shape)
    return Unsupported(
        f"an argument about this network on images of {shape} needs more than "
        f"{MAXIMUM_LOOKUPS:,} lookups or {MAXIMUM_CELLS:,} cells for each image",
        hint="ask for an opening instead (`Judge.challenge`)",
        check="network.size",
    )
