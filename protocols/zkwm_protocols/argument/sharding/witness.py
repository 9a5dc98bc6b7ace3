"""The witness of all triggers where workers hold it: the prover has its cells, and sums."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.ligero.rows import CommittedRows
from zkwm_protocols.argument.parameters import Layout
from zkwm_protocols.argument.relation.witness import Triggers, choose_matches
from zkwm_protocols.argument.sharding.code import ShardedCodewords
from zkwm_protocols.argument.sharding.crew import Crew, even_parts
from zkwm_protocols.argument.statement import Statement
from zkwm_protocols.field.scalar import P
from zkwm_protocols.field.vector import Array


class ShardedWitness:
    """As ``relation.witness.make_witness``, each worker with an equal part of the triggers.

    Args:
        crew: the workers, at most as many as triggers.
        layout: all sizes.
        statement: the public input.
        images (uint8, (n, c, h, w)): the triggers.
        salts: 32 bytes for each trigger.

    Raises:
        UsageError: wrong shapes, or an image and salt that do not hash to their leaf.
        NotEnoughMatches: fewer triggers than the threshold get their labels.
    """

    def __init__(
        self,
        crew: Crew,
        layout: Layout,
        statement: Statement,
        images: NDArray[np.uint8],
        salts: Sequence[bytes],
    ) -> None:
        triggers = Triggers.of(statement, images, salts)
        self.crew = crew
        self._parts = even_parts(layout.triggers, crew.size)
        network = crew.share(statement.network)
        matches = crew.call(
            "run",
            [(network, layout, triggers.part(first, end), first) for first, end in self._parts],
        )
        # which matches count is secret, and the prover's choice alone
        chosen = choose_matches(np.concatenate(matches), statement.least_matches)
        marked = crew.call("mark", [(chosen[first:end],) for first, end in self._parts])
        self._multiplicities = np.zeros(layout.table_rows, dtype=np.uint32)
        cells = np.empty((layout.cells, layout.triggers), dtype=np.uint32)
        while marked:  # of each worker's cells one copy is left
            (first, end), (own, multiplicities) = self._parts[len(marked) - 1], marked.pop()
            cells[:, first:end] = own
            self._multiplicities += multiplicities
            del own
        self._shared = crew.share(cells)
        self.cells: NDArray[np.uint32] = crew.local(self._shared)
        """All cells, (J, n), in memory that workers on this machine have, too."""

    def __repr__(self) -> str:
        return "ShardedWitness()"

    def codewords(self, layout: Layout, rows: CommittedRows, nonces: bytes) -> ShardedCodewords:
        """The commitment's, of these cells."""
        return ShardedCodewords(self.crew, self._shared, layout, rows, nonces)

    def multiplicities(self, count: int) -> NDArray[np.uint32]:
        """How often each of ``count`` table rows is hit, (count,)."""
        assert len(self._multiplicities) == count
        return self._multiplicities

    def fold(self, weights: Array) -> NDArray[np.uint32]:
        """The cells of all triggers to one vector: weights (uint64, (5, n)) to (5, J)."""
        calls = [(np.ascontiguousarray(weights[:, first:end]),) for first, end in self._parts]
        parts: list[NDArray[np.uint32]] = self.crew.call("fold", calls)
        total = np.zeros(parts[0].shape, dtype=np.uint64)
        for part in parts:
            total += part
        return (total % np.uint64(P)).astype(np.uint32)
