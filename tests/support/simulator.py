"""A simulator of the argument: accepted transcripts without a witness, true statement or false.

SPEC.md 17.7. It chooses the challenges (it programs the random oracle), draws every message and
every opened column uniformly, and solves for the masks. That this is accepted, with nothing but
uniform values and public data, is why a transcript shows nothing of a witness.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from zkwm_protocols.argument.combined_claim import combined_claim
from zkwm_protocols.argument.ligero import verifier as opening_check
from zkwm_protocols.argument.ligero.column_tree import build_tree, hash_columns
from zkwm_protocols.argument.ligero.linear_claim import (
    MASK_DOT_A,
    MASK_LOW,
    MASK_PADS_A,
    MASK_PRODUCT,
)
from zkwm_protocols.argument.logup_gkr.protocol import Interaction
from zkwm_protocols.argument.parameters import Layout
from zkwm_protocols.argument.proof import Proof
from zkwm_protocols.argument.relation.relation import Relation
from zkwm_protocols.argument.statement import Statement
from zkwm_protocols.argument.transcript import Transcript
from zkwm_protocols.field.scalar import Element, P, constant, multiply, subtract
from zkwm_protocols.field.vector import Array, from_element, from_elements, subtract_arrays, sum_all


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
                return oracle._answer(next(asked), lambda: oracle.elements(count))

            def challenge_indices(self, label: str, bits: int, count: int) -> list[int]:
                def drawn() -> list[int]:
                    found = oracle._random.choice(1 << bits, count, replace=False)
                    return sorted(int(index) for index in found)

                return oracle._answer(next(asked), drawn)

        return Programmed()

    def elements(self, count: int) -> list[Element]:
        """Uniform elements of K."""
        drawn = self._random.integers(0, P, (count, 5)).tolist()
        return [(a[0], a[1], a[2], a[3], a[4]) for a in drawn]

    def _answer(self, number: int, draw: Callable[[], Any]) -> Any:
        if number not in self._answers:
            self._answers[number] = draw()
        return self._answers[number]


def simulate(
    statement: Statement, relation: Relation, layout: Layout, oracle: ProgrammedOracle, seed: int
) -> Proof:
    """A proof that a verifier accepts who gets his challenges from ``oracle``."""
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
    # the look-up challenges were drawn by the constructor: draw the programmed ones instead
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
    leaf = interaction.leaf_claim()
    for _ in range(layout.position_rounds):
        interaction.receive_position(*messages(2))
    interaction.receive_cells(*messages(1), leaf)
    claim, rhos, zeta = combined_claim(interaction, layout, relation, statement, leaf)
    r, h, t = layout.row_length, layout.pad_row, layout.columns
    low, dot, pads, product = (
        uniform(r + t),
        uniform(2 * r + t),
        uniform(2 * h + t),
        uniform(h + 2 * t),
    )
    of_pads = multiply(constant(h), sum_all(pads[:, ::h]))
    dot[:, r - 1] = from_element(subtract(claim.constant, of_pads))
    indices = interaction.transcript.challenge_indices("columns", layout.code_log, t)
    columns = random.integers(0, P, (t, layout.base_rows)).astype(np.uint32)
    masks = layout.witness_rows + layout.multiplicity_rows
    points = opening_check._opened_points(layout, np.array(indices))
    # mask_low last: its equation reads the other masks
    for mask, polynomial, values in (
        (MASK_DOT_A, dot, lambda rows: opening_check._dot_values(layout, claim, rows, points)),
        (MASK_PADS_A, pads, lambda rows: opening_check._pads_values(layout, claim, rows, points)),
        (
            MASK_PRODUCT,
            product,
            lambda rows: opening_check._product_values(layout, rows, points, zeta),
        ),
        (MASK_LOW, low, lambda rows: opening_check._low_values(layout, rows, from_elements(rhos))),
    ):
        _solve(columns, masks + 5 * mask, layout, points.evaluate(polynomial), values)
    nonces = [random.bytes(32) for _ in range(t)]
    leaves = bytearray(random.bytes(32 << layout.code_log))
    opened = hash_columns(columns, b"".join(nonces), np.array(indices))
    for place, index in enumerate(indices):
        leaves[32 * index : 32 * index + 32] = opened[32 * place : 32 * place + 32]
    tree = build_tree(bytes(leaves))
    return Proof(
        layout=layout,
        root=tree.root,
        messages=tuple(sent),
        low=low,
        dot=dot,
        pads=pads,
        product=product,
        column_cells=columns,
        nonces=tuple(nonces),
        nodes=tuple(tree.missing_nodes(indices)),
    )


def _solve(
    columns: np.ndarray, place: int, layout: Layout, sent: Array, values: Callable[[Any], Array]
) -> None:
    """Choose the mask's elements in the opened columns so that the equation holds."""
    columns[:, place : place + 5] = 0
    without = values(opening_check._split(layout, columns))
    columns[:, place : place + 5] = subtract_arrays(sent, without).T.astype(np.uint32)
