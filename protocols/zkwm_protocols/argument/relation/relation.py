"""The whole relation: image, leaf, network and arg-max, for one trigger; its tables.

SPEC.md 17.3, 17.4. A relation is made from public data alone and is the same for prover and
verifier. Filling in a witness is done in ``witness``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.relation.argmax import ArgmaxPart
from zkwm_protocols.argument.relation.blake2s_constants import block_count
from zkwm_protocols.argument.relation.blake2s_lookups import BLOCK_LOOKUPS
from zkwm_protocols.argument.relation.gadget import PUBLIC_CELLS, Group
from zkwm_protocols.argument.relation.image import ImagePart
from zkwm_protocols.argument.relation.leaf import LeafPart
from zkwm_protocols.argument.relation.lookup_tables import Tables
from zkwm_protocols.argument.relation.network import NetworkPart
from zkwm_protocols.argument.statement import Statement
from zkwm_protocols.errors import Unsupported
from zkwm_protocols.field.scalar import DEGREE, Element, P, add
from zkwm_protocols.field.vector import Array, multiply_base, sum_all
from zkwm_protocols.integer_network.model import IntegerNetwork

MAXIMUM_LOOKUPS = 1 << 23
MAXIMUM_CELLS = 1 << 24


class Relation:
    """What every trigger's cells have to satisfy: ``lookup_count`` look-ups in ``tables``.

    Raises Unsupported (network.size) for a network with too many of them, before it builds anything
    that grows with the images. The parts are ``image``, ``leaf``, ``network_part`` and ``argmax``,
    their look-ups and cells in this order; ``first_lookups`` has the first look-up of each by name.
    """

    def __init__(self, network: IntegerNetwork) -> None:
        if block_count(network.shape) * BLOCK_LOOKUPS > MAXIMUM_LOOKUPS:
            raise _too_large(network)
        self.image = ImagePart(network.shape)
        cells = self.image.cell_count
        self.leaf = LeafPart(network.shape, first_cell=cells)
        cells += self.leaf.cell_count
        self.network_part = NetworkPart(network, first_cell=cells)
        cells += self.network_part.cell_count
        self.argmax = ArgmaxPart(network, first_cell=cells)
        self.cell_count = cells + self.argmax.cell_count
        parts: dict[str, ImagePart | LeafPart | NetworkPart | ArgmaxPart] = {
            "image": self.image,
            "leaf": self.leaf,
            "network": self.network_part,
            "argmax": self.argmax,
        }
        self.first_lookups: dict[str, int] = {}
        self.groups: tuple[Group, ...] = ()
        total = 0
        for name, part in parts.items():
            self.first_lookups[name] = total
            self.groups += part.groups
            total += part.lookup_count
        self.lookup_count = total
        if total > MAXIMUM_LOOKUPS or self.cell_count > MAXIMUM_CELLS:
            raise _too_large(network)
        widths = {
            int(group.table.removeprefix("range:"))
            for group in self.groups
            if group.table.startswith("range:")
        }
        self.tables = Tables(network, widths)

    def pull_back(self, weights: Array, alphas: Sequence[Element]) -> tuple[Array, Array, Element]:
        """The gradient of the sum over look-ups of weight times fingerprint (SPEC.md 17.6).

        ``weights`` (5, M) over K; ``alphas`` the powers of alpha from 1 to 8. Returns the
        coefficients of the cells (5, J) and of the public cells (5, 34), and the constant term with
        all tags.
        """
        cells = np.zeros((DEGREE, self.cell_count), dtype=np.uint64)
        public = np.zeros((DEGREE, PUBLIC_CELLS), dtype=np.uint64)
        first = self.first_lookups
        known = self._tag_terms(weights)
        known = add(known, self.image.pull_back(weights[:, : first["leaf"]], alphas, cells, public))
        of_leaf = weights[:, first["leaf"] : first["network"]]
        known = add(known, self.leaf.pull_back(of_leaf, alphas, cells, public))
        logits, fixed = self.argmax.pull_back(weights[:, first["argmax"] :], alphas, cells)
        known = add(known, fixed)
        of_network = weights[:, first["network"] : first["argmax"]]
        known = add(known, self.network_part.pull_back(of_network, alphas, cells, logits))
        return cells, public, known

    def public_cells(self, statement: Statement) -> Array:
        """Label field and leaf digest of every trigger, byte by byte, (34, n)."""
        rows = [
            field.to_bytes(2, "big") + leaf
            for field, leaf in zip(statement.label_fields, statement.leaves, strict=True)
        ]
        data = np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(-1, PUBLIC_CELLS)
        return np.ascontiguousarray(data.T).astype(np.uint64)

    def match_cells(self, statement: Statement) -> NDArray[np.int64]:
        """For every trigger the cell g of the output that stands for its label, (n,)."""
        return np.array([self.argmax.g_cell(o) for o in statement.outputs], dtype=np.int64)

    def _tag_terms(self, weights: Array) -> Element:
        """The sum over look-ups of weight times the tag of its table."""
        starts = np.cumsum([0] + [group.count for group in self.groups[:-1]])
        tags = np.array([self.tables.tag(group.table) for group in self.groups], dtype=np.uint64)
        totals = np.add.reduceat(weights, starts, axis=1) % np.uint64(P)
        return sum_all(multiply_base(totals, tags))


def _too_large(network: IntegerNetwork) -> Unsupported:
    shape = " x ".join(str(size) for size in network.shape)
    return Unsupported(
        f"an argument about this network on images of {shape} needs more than "
        f"{MAXIMUM_LOOKUPS:,} look-ups or {MAXIMUM_CELLS:,} cells an image",
        hint="ask for a selective opening instead: zkwm challenge --reveal",
        check="network.size",
    )
