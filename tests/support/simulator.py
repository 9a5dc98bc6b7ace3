"""A simulator of the argument: accepted transcripts without a witness, true statement or false.

SPEC.md 17.7. It chooses the challenges (it programs the random oracle), draws every message, the
combined rows and every opened column uniformly, and solves for the masks; the combined rows are
then opened as an honest prover opens them. That this is accepted, with nothing but uniform values
and public data, is why a transcript shows nothing of a witness.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from zkwm_protocols.argument.combined_claim import (
    challenge_columns,
    combination_challenge,
    opening_claim,
)
from zkwm_protocols.argument.ligero.column_tree import build_tree, hash_columns
from zkwm_protocols.argument.ligero.messages import CombinedRows, OpenedColumns
from zkwm_protocols.argument.ligero.verifier import ColumnEquations, OpenedRows
from zkwm_protocols.argument.logup_gkr.protocol import Interaction
from zkwm_protocols.argument.parameters import (
    MASK_DOT_A,
    MASK_LOW,
    MASK_PADS_A,
    MASK_PRODUCT,
    Layout,
)
from zkwm_protocols.argument.proof import Proof
from zkwm_protocols.argument.recursive_opening.prover import RecursiveProver
from zkwm_protocols.argument.relation.lookup_form import lookup_form
from zkwm_protocols.argument.relation.relation import Relation
from zkwm_protocols.argument.statement import Statement
from zkwm_protocols.argument.transcript import Transcript
from zkwm_protocols.field.scalar import Element, P, constant, multiply, subtract
from zkwm_protocols.field.vector import (
    Array,
    from_element,
    from_elements,
    subtract_arrays,
    sum_all,
)


class ProgrammedOracle:
    """Challenges drawn beforehand: the same for every transcript made with it."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._answers: dict[int, Any] = {}

    def transcript(self) -> Transcript:
        """A transcript whose challenges do not depend on what it absorbed."""
        oracle, asked = self, iter(range(1 << 20))

        class Programmed(Transcript):
            def challenge_list(self, label: str, count: int) -> list[Element]:
                return oracle.answer(next(asked), lambda: oracle.elements(count))

            def challenge(self, label: str, count: int) -> Array:
                return from_elements(self.challenge_list(label, count))

            def challenge_indices(self, label: str, bits: int, count: int) -> list[int]:
                def drawn() -> list[int]:
                    return oracle.indices(bits, count)

                return oracle.answer(next(asked), drawn)

        return Programmed()

    def elements(self, count: int) -> list[Element]:
        """Uniform elements of K."""
        drawn = self._random.integers(0, P, (count, 5)).tolist()
        return [(a[0], a[1], a[2], a[3], a[4]) for a in drawn]

    def indices(self, bits: int, count: int) -> list[int]:
        """Different indices below 2^``bits``, ascending."""
        drawn = self._random.choice(1 << bits, count, replace=False)
        return sorted(int(index) for index in drawn)

    def answer(self, number: int, draw: Callable[[], Any]) -> Any:
        """The challenge with this number, drawn when it is asked for the first time."""
        if number not in self._answers:
            self._answers[number] = draw()
        return self._answers[number]


def simulate(
    statement: Statement, relation: Relation, layout: Layout, oracle: ProgrammedOracle, seed: int
) -> Proof:
    """A proof that is accepted by a verifier whose challenges come from ``oracle``."""
    random = np.random.default_rng(seed)

    def uniform(count: int) -> Array:
        return random.integers(0, P, (5, count)).astype(np.uint64)

    def messages(count: int) -> list[Element]:
        drawn = random.integers(0, P, (count, 5)).tolist()
        sent.extend((a[0], a[1], a[2], a[3], a[4]) for a in drawn)
        return sent[-count:]

    sent: list[Element] = []
    interaction = Interaction(layout, relation, statement, bytes(32))
    interaction.transcript = oracle.transcript()
    # the lookup challenges were drawn by the constructor: draw the programmed ones instead
    alpha, interaction.beta = interaction.transcript.challenge_list("look-ups", 2)
    interaction.alphas = [alpha]
    while len(interaction.alphas) < 8:
        interaction.alphas.append(multiply(interaction.alphas[-1], alpha))
    interaction.receive_root(*messages(1))
    for level in range(layout.levels):
        interaction.begin_level()
        for _ in range(level):
            interaction.receive_round(*messages(2))
        interaction.receive_children(*messages(4))
    columns = interaction.columns()
    form = lookup_form(relation, columns, interaction.alphas)
    leaf = interaction.leaf_claim(form, columns)
    for _ in range(layout.position_rounds):
        interaction.receive_position(*messages(2))
    interaction.receive_cells(*messages(1), leaf)
    challenge = combination_challenge(interaction, layout, relation, statement, leaf)
    r, h, t = layout.row_length, layout.pad_row, layout.columns
    combined = CombinedRows(
        low=uniform(r + t),
        dot=uniform(2 * r + t),
        pads=uniform(2 * h + t),
        product=uniform(h + 2 * t),
    )
    of_pads = multiply(constant(h), sum_all(combined.pads[:, ::h]))
    combined.dot[:, r - 1] = from_element(subtract(challenge.claim.constant, of_pads))
    opener = RecursiveProver(layout.opening, combined.joined())
    indices = challenge_columns(interaction.transcript, layout, opener.root)
    columns = random.integers(0, P, (t, layout.base_rows)).astype(np.uint32)
    masks = layout.witness_rows + layout.multiplicity_rows
    equations = ColumnEquations(layout, challenge, np.array(indices))
    # mask_low last: its equation reads the other masks
    for mask, polynomial, values in (
        (MASK_DOT_A, combined.dot, equations.dot),
        (MASK_PADS_A, combined.pads, equations.pads),
        (MASK_PRODUCT, combined.product, equations.product),
        (MASK_LOW, combined.low, equations.low),
    ):
        at_points = equations.points.evaluate(polynomial)
        _solve(columns, masks + 5 * mask, layout, at_points, values)
    nonces = [random.bytes(32) for _ in range(t)]
    leaves = bytearray(random.bytes(32 << layout.code_log))
    opened = hash_columns(columns, b"".join(nonces), np.array(indices))
    for place, index in enumerate(indices):
        leaves[32 * index : 32 * index + 32] = opened[32 * place : 32 * place + 32]
    tree = build_tree(bytes(leaves))
    # nothing of the recursive opening is secret: it is the honest prover's
    claim = opening_claim(interaction.transcript, layout, challenge, indices, columns)
    opening = opener.prove(interaction.transcript, claim.value, claim.weights)
    return Proof(
        layout=layout,
        root=tree.root,
        messages=tuple(sent),
        opened=OpenedColumns(columns, tuple(nonces), tuple(tree.missing_nodes(indices))),
        opening=opening,
    )


def _solve(
    columns: np.ndarray,
    place: int,
    layout: Layout,
    sent: Array,
    values: Callable[[OpenedRows], Array],
) -> None:
    """Choose the mask's elements in the opened columns so that the equation holds."""
    columns[:, place : place + 5] = 0
    without = values(OpenedRows.of(layout, columns))
    columns[:, place : place + 5] = subtract_arrays(sent, without).T.astype(np.uint32)
