"""A worker of a proof: what a crew calls, with the state of one proof.

Its methods draw nothing at random: another worker that is told the same has the same state.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.ligero.codewords import hash_leaves
from zkwm_protocols.argument.ligero.rows import CommittedRows
from zkwm_protocols.argument.logup_gkr.blocks import Block
from zkwm_protocols.argument.logup_gkr.bound_rows import Messages
from zkwm_protocols.argument.parameters import Layout
from zkwm_protocols.argument.relation.witness import Triggers
from zkwm_protocols.argument.sharding.shard import TriggerShard
from zkwm_protocols.field.blas import one_blas_thread
from zkwm_protocols.field.kernels.layout import Residues
from zkwm_protocols.field.kernels.ntt import Coset
from zkwm_protocols.field.scalar import Element
from zkwm_protocols.field.vector import Array
from zkwm_protocols.integer_network.model import IntegerNetwork


class ShardWorker:
    """One part of a proof; ``crew`` says which calls its state follows from."""

    def __init__(self) -> None:
        self._shard: TriggerShard | None = None

    def __repr__(self) -> str:
        return "ShardWorker()"

    def run(
        self, network: IntegerNetwork, layout: Layout, triggers: Triggers, first: int
    ) -> NDArray[np.bool_]:
        """Run the network on these triggers, from ``first`` on: which of them match, (m,)."""
        with one_blas_thread():
            self._shard = TriggerShard(network, layout, triggers, first)
        return self._shard.matches

    def mark(self, chosen: NDArray[np.bool_]) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """As ``TriggerShard.mark``."""
        return self._held().mark(chosen)

    def leaves(
        self,
        cells: NDArray[np.uint32],
        rows: CommittedRows,
        layout: Layout,
        cosets: Sequence[Coset],
        nonces: Sequence[bytes],
    ) -> list[NDArray[np.uint8]]:
        """The leaves of some columns of the commitment, uint8 (m, 32) for each coset.

        Args:
            cells: of all triggers, (J, n).
            rows: the tableau without them.
            layout: all sizes.
            cosets: which columns.
            nonces: theirs, for each coset.
        """
        pairs = zip(cosets, nonces, strict=True)
        rows = rows.with_cells(cells)
        return [hash_leaves(layout, rows, drawn, coset) for coset, drawn in pairs]

    def columns(
        self,
        cells: NDArray[np.uint32],
        rows: CommittedRows,
        places: NDArray[np.int64],
        first: int,
        last: int,
    ) -> NDArray[np.uint32]:
        """Codewords of some rows at some places (t,): uint32 (last - first, t).

        Args:
            cells: of all triggers, (J, n).
            rows: the tableau without them.
            places: of the codewords.
            first: the first row.
            last: behind the last row.
        """
        return rows.with_cells(cells).encode_at(places, first, last)

    def tree(self, alphas: Sequence[Element], beta: Element) -> Block:
        """As ``TriggerShard.tree``."""
        return self._held().tree(alphas, beta)

    def level(
        self,
        depth: int,
        row_point: Sequence[Element],
        challenge: Element,
        point: Sequence[Element],
    ) -> Messages:
        """As ``TriggerShard.level``."""
        return self._held().level(depth, row_point, challenge, point)

    def bind(self, r: Element, point: Sequence[Element] | None) -> Messages:
        """As ``TriggerShard.bind``."""
        return self._held().bind(r, point)

    def bound(self, bits: int) -> tuple[Residues, int]:
        """As ``TriggerShard.bound``."""
        return self._held().bound(bits)

    def fold(self, weights: Array) -> NDArray[np.uint32]:
        """As ``TriggerShard.fold``."""
        return self._held().fold(weights)

    def _held(self) -> TriggerShard:
        """This worker's triggers."""
        assert self._shard is not None
        return self._shard
