"""What a worker holds of a proof: some triggers, from their pixels to their part of every sum.

::

    run       pixels -> cells and lookups of these triggers; who matches
    mark      which of them count as matches -> cells, and how often they hit each table row
    tree      alpha, beta -> these triggers' rows of the fraction tree; their top layer
    level     a level's point and lambda -> this part of h(0) and h(inf)
    bind      a round's challenge -> the same of the next round
    bound     the rows that are left when few columns are
    fold      weights -> these triggers' cells, combined to one vector

Everything is a sum over triggers, and sums in a field have no order: the parts add up to what one
prover would have. No randomness is drawn here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.logup_gkr.blocks import Block, Lookups, lookup_table
from zkwm_protocols.argument.logup_gkr.bound_rows import BoundRows, Messages
from zkwm_protocols.argument.logup_gkr.level import begin_rows
from zkwm_protocols.argument.logup_gkr.prover import layers_in_rows, lookup_layers
from zkwm_protocols.argument.logup_gkr.round_weights import NO_ROUND, round_weights
from zkwm_protocols.argument.logup_gkr.unit_fractions import UnitFractions
from zkwm_protocols.argument.parameters import Layout
from zkwm_protocols.argument.relation.relation import Relation
from zkwm_protocols.argument.relation.witness import RunTriggers, Triggers, Witness
from zkwm_protocols.field.kernels.layout import Residues
from zkwm_protocols.field.kernels.montgomery import to_montgomery
from zkwm_protocols.field.scalar import Element
from zkwm_protocols.field.vector import Array
from zkwm_protocols.integer_network.model import IntegerNetwork


class TriggerShard:
    """Some triggers of one proof, from ``first`` on; methods are called in the module's order.

    Args:
        network: the statement's.
        layout: all sizes of the proof.
        triggers: this part of the statement's.
        first: the number of the first.

    Raises:
        UsageError: an image and salt that do not hash to their leaf.
    """

    def __init__(
        self, network: IntegerNetwork, layout: Layout, triggers: Triggers, first: int
    ) -> None:
        self._layout = layout
        self._first = first
        self._relation = Relation(network)
        self._run: RunTriggers | None = RunTriggers(self._relation, triggers)
        self.matches: NDArray[np.bool_] = self._run.matches
        self._witness: Witness | None = None
        self._layers: list[Block | Lookups] = []
        self._rows: BoundRows | UnitFractions | None = None

    def __repr__(self) -> str:
        return "TriggerShard()"

    def mark(self, chosen: NDArray[np.bool_]) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """Mark the chosen triggers (m,): cells (J, m) and multiplicities (M_T,)."""
        assert self._run is not None
        witness, self._run = self._run.marked(chosen), None
        self._witness = witness
        return witness.cells, witness.multiplicities(self._layout.table_rows)

    def tree(self, alphas: Sequence[Element], beta: Element) -> Block:
        """Build these rows of the fraction tree; the first layer that has 2^5 columns or fewer."""
        layout = self._layout
        table_d = self._relation.tables.denominators(layout.table_rows, alphas, beta)
        lookups = Lookups(self._held().rows, lookup_table(to_montgomery(table_d)))
        self._layers, top = lookup_layers(lookups, layers_in_rows(layout.tree_columns_log))
        return top

    def level(
        self,
        depth: int,
        row_point: Sequence[Element],
        challenge: Element,
        point: Sequence[Element],
    ) -> Messages:
        """Begin a level: this part of its first round's messages.

        Args:
            depth: of the children, from 0 at the leaves; layers above are freed.
            row_point: the coordinates of the rows.
            challenge: lambda.
            point: of the weights of the first round.
        """
        del self._layers[depth + 1 :]
        self._rows = None
        source = self._layers[depth]
        self._rows = begin_rows(source, depth, row_point, self._first, challenge)
        return self._rows.start(round_weights(point))

    def bind(self, r: Element, point: Sequence[Element] | None) -> Messages:
        """Bind a bit to r: this part of the messages of the next round.

        Args:
            r: the challenge.
            point: of the weights of the next round; None where none follows.
        """
        assert self._rows is not None
        return self._rows.bind(r, NO_ROUND if point is None else round_weights(point))

    def bound(self, bits: int) -> tuple[Residues, int]:
        """What is bound, (4 m, 5, columns), and its columns, at most 2^bits."""
        assert self._rows is not None
        arrays, columns = self._rows.bound(bits)
        return np.ascontiguousarray(arrays[..., :columns]), columns  # what is behind is no use

    def fold(self, weights: Array) -> NDArray[np.uint32]:
        """These triggers' cells to one vector: weights (uint64, (5, m)) to (5, J)."""
        self._layers, self._rows = [], None  # the tree has ended
        return self._held().fold(weights)

    def _held(self) -> Witness:
        """The witness of these triggers."""
        assert self._witness is not None
        return self._witness
