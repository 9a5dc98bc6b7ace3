"""A small dispute for the argument: network, images, salts, a true statement, and its parts.

Shared by the tests of the argument and of attacks on it. ``violations`` says which look-ups of any
witness, honest or not, are outside their tables: what a cheating prover broke, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tests.support.small_networks import small_network
from zkwm_protocols.argument.parameters import Layout, choose_layout
from zkwm_protocols.argument.proof import Proof
from zkwm_protocols.argument.prover import prove_witness
from zkwm_protocols.argument.prover_randomness import RandomStream
from zkwm_protocols.argument.relation.relation import Relation
from zkwm_protocols.argument.relation.witness import Witness, make_witness
from zkwm_protocols.argument.statement import Statement
from zkwm_protocols.commitment import leaf
from zkwm_protocols.field.scalar import Element, P
from zkwm_protocols.field.vector import Array, from_element, multiply_base, subtract_arrays
from zkwm_protocols.integer_network.evaluate import labels
from zkwm_protocols.integer_network.model import IntegerNetwork

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
        """A proof for a witness, the honest one by default; look-ups as the cells say."""
        given = witness or self.witness
        return prove_witness(
            self.statement,
            self.relation,
            self.layout,
            given,
            RandomStream(b"vault secret" * 3),
            lambda step, part: None,
            leaf_denominators=None if witness is None else self.denominators(given),
        )

    def public(self, statement: Statement | None = None) -> NDArray[np.uint8]:
        """The public cells (34, n)."""
        return self.relation.public_cells(statement or self.statement).astype(np.uint8)

    def look_up_values(self, cells: NDArray[np.uint32]) -> list[Array]:
        """For every look-up its values (width, n), from the cells alone."""
        relation, public = self.relation, self.public()
        values = relation.image.look_up_values(cells, public)
        values += relation.leaf.look_up_values(cells, public)
        values += relation.network_part.look_up_values(cells, public)
        values += relation.argmax.look_up_values(cells, relation.network_part.logit_values(cells))
        return values

    def violations(self, cells: NDArray[np.uint32]) -> list[tuple[int, int]]:
        """(look-up, trigger) wherever the values are no row of the look-up's table."""
        tables, found, index = self.relation.tables, [], 0
        values = self.look_up_values(cells)
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
        """The part and the table that a look-up belongs to."""
        part = [name for name, first in self.relation.first_lookups.items() if first <= lookup][-1]
        for group in self.relation.groups:
            if lookup < group.count:
                return part, group.table
            lookup -= group.count
        raise AssertionError("no such look-up")

    def denominators(self, witness: Witness) -> Callable[[Sequence[Element], Element], Array]:
        """d of every look-up as the cells have it, in its table or not."""
        values = self.look_up_values(witness.cells)
        keys = [group.table for group in self.relation.groups for _ in range(group.count)]

        def compute(alphas: Sequence[Element], beta: Element) -> Array:
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

        return compute

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
