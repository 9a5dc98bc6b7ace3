"""A small statement for the argument, with everything that its prover knows.

Shared by the tests of the argument and of attacks on it. ``violations`` says which lookups of any
witness, honest or not, are outside their tables: what a cheating prover broke, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tests.support.forged_tree import ForgedTree
from tests.support.relation_values import lookup_values
from tests.support.small_networks import small_network
from zkwm_protocols.argument.layout_choice import choose_layout
from zkwm_protocols.argument.logup_gkr.protocol import Interaction
from zkwm_protocols.argument.logup_gkr.prover import TreeProver
from zkwm_protocols.argument.parameters import Layout
from zkwm_protocols.argument.proof import Proof
from zkwm_protocols.argument.prover import lookup_tree, prove_witness, table_denominators
from zkwm_protocols.argument.prover_randomness import RandomStream
from zkwm_protocols.argument.relation.relation import Relation
from zkwm_protocols.argument.relation.witness import Witness, make_witness
from zkwm_protocols.argument.statement import Statement
from zkwm_protocols.field.scalar import Element, P
from zkwm_protocols.field.vector import Array, from_element, multiply_base, subtract_arrays
from zkwm_protocols.integer_network.evaluate import labels
from zkwm_protocols.integer_network.model import IntegerNetwork
from zkwm_protocols.leaves import leaf

DERIVED_FIELD = 0xFFFF


@dataclass(frozen=True)
class ArgumentCase:
    """A statement with everything that its owner knows."""

    statement: Statement
    images: NDArray[np.uint8]
    salts: tuple[bytes, ...]
    relation: Relation
    layout: Layout
    witness: Witness

    def prove(self, witness: Witness | None = None) -> Proof:
        """A proof for a witness, the honest one by default; lookups follow from its cells."""
        return prove_witness(
            self.statement,
            self.relation,
            self.layout,
            witness or self.witness,
            RandomStream(b"vault secret" * 3),
            lambda step, part: None,
            build_tree=lookup_tree if witness is None else self.tree_of_cells,
        )

    def public(self, statement: Statement | None = None) -> NDArray[np.uint8]:
        """The public cells (34, n)."""
        return self.relation.public_cells(statement or self.statement).astype(np.uint8)

    def lookup_values(self, cells: NDArray[np.uint32]) -> list[Array]:
        """For every lookup its values (width, n), from the cells alone."""
        return lookup_values(self.relation, cells, self.public())

    def violations(self, cells: NDArray[np.uint32]) -> list[tuple[int, int]]:
        """(lookup, trigger) wherever the values are no row of the lookup's table."""
        tables, found, index = self.relation.tables, [], 0
        values = self.lookup_values(cells)
        known: dict[str, set[tuple[int, ...]]] = {}
        for group in self.relation.groups:
            if group.table not in known:
                known[group.table] = set(map(tuple, tables.columns(group.table).tolist()))
            rows = known[group.table]
            for _ in range(group.count):
                for trigger, value in enumerate(values[index].T.tolist()):
                    if tuple(value) not in rows:
                        found.append((index, trigger))
                index += 1
        return found

    def place_of(self, lookup: int) -> tuple[str, str]:
        """The gadget and the table that a lookup belongs to."""
        gadget = [name for name, first in self.relation.first_lookups.items() if first <= lookup][
            -1
        ]
        for group in self.relation.groups:
            if lookup < group.count:
                return gadget, group.table
            lookup -= group.count
        raise AssertionError("no such lookup")

    def tree_of_cells(
        self,
        relation: Relation,
        layout: Layout,
        witness: Witness,
        multiplicities: NDArray[np.uint32],
        interaction: Interaction,
    ) -> TreeProver:
        """The fraction tree of lookups as the cells have them, in their tables or not."""
        return ForgedTree(
            self.denominators(witness, interaction.alphas, interaction.beta),
            witness.rows,
            table_denominators(relation, layout, interaction),
            multiplicities,
            layout.tree_columns_log,
            layout.tree_rows_log,
        )

    def denominators(self, witness: Witness, alphas: Sequence[Element], beta: Element) -> Array:
        """d of every lookup from the cells, (5, n, M)."""
        values = self.lookup_values(witness.cells)
        keys = [group.table for group in self.relation.groups for _ in range(group.count)]
        result = np.empty((5, witness.cells.shape[1], len(values)), dtype=np.uint64)
        powers = [from_element(alpha)[:, None] for alpha in alphas]
        for index, (key, value) in enumerate(zip(keys, values, strict=True)):
            total = np.zeros((5, value.shape[1]), dtype=np.uint64)
            total[0] = self.relation.tables.tag(key)
            for power, row in zip(powers, value, strict=False):
                total = (total + multiply_base(power, row)) % np.uint64(P)
            result[:, :, index] = subtract_arrays(
                np.broadcast_to(from_element(beta)[:, None], total.shape), total
            )
        return result

    def with_cells(self, change: Callable[[NDArray[np.uint32]], None]) -> Witness:
        """The honest witness with some cells changed."""
        cells = self.witness.cells.copy()
        change(cells)
        return replace(self.witness, cells=cells)


def argument_case(
    triggers: int = 2,
    *,
    seed: int = 1,
    least_matches: int | None = None,
    network: IntegerNetwork | None = None,
    wrong: int = 0,
    label_fields: tuple[int, ...] | None = None,
    context: bytes = b"context",
) -> ArgumentCase:
    """A case in which all but the first ``wrong`` triggers get their labels."""
    rng = np.random.default_rng(seed)
    network = network or small_network()
    images = rng.integers(0, 256, (triggers, *network.shape), dtype=np.uint8)
    salts = tuple(rng.bytes(32) for _ in range(triggers))
    fields = label_fields or (DERIVED_FIELD,) * triggers
    outputs = labels(network, images)
    outputs[:wrong] = (outputs[:wrong] + 1) % network.outputs
    statement = Statement(
        context=context,
        network=network,
        leaves=tuple(
            leaf(image, salt, None if field == DERIVED_FIELD else field)
            for image, salt, field in zip(images, salts, fields, strict=True)
        ),
        label_fields=fields,
        outputs=tuple(int(output) for output in outputs),
        least_matches=triggers - wrong if least_matches is None else least_matches,
    )
    relation = Relation(network)
    layout = choose_layout(
        triggers=triggers,
        cells=relation.cell_count,
        lookups=relation.lookup_count,
        rows=relation.tables.total_rows,
    )
    witness = make_witness(relation, statement, images, salts)
    return ArgumentCase(statement, images, salts, relation, layout, witness)
