"""Combine relations into one claim on cells, equations into one on combined rows: both sides.

::

    transcript (SPEC.md 17.9)                        this module
    (9)  challenge "relations"   gammas, zeta, rhos  combination_challenge
    (10) bytes     combined      root                challenge_columns absorbs it
    (11) challenge "columns"     t indices           challenge_columns draws them
    (12) elements  columns                           opening_claim absorbs them
    (13) challenge "claims"      4t factors          opening_claim draws them

    relations:  one for each level of the tree   RelationKind.LEVEL           (1) of SPEC.md 17.7
                T~(r) x = claim                  RelationKind.GRADIENT        (2)
                x = extension of the cells at r  RelationKind.CELLS           (3)
                multiplicities                   RelationKind.MULTIPLICITIES  (4)
                number of matches = k*           RelationKind.MATCHES         (5)

Both sides call the same functions, so that neither can combine differently.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.ligero.linear_claim import CombinedClaim
from zkwm_protocols.argument.ligero.messages import CombinationChallenge
from zkwm_protocols.argument.ligero.verifier import ColumnEquations, OpenedRows
from zkwm_protocols.argument.logup_gkr.protocol import Interaction, LeafClaim
from zkwm_protocols.argument.logup_gkr.relations import RelationKind, combine_relations
from zkwm_protocols.argument.parameters import Layout
from zkwm_protocols.argument.recursive_opening.weights import PowerWeights, UnitWeights, Weights
from zkwm_protocols.argument.relation.relation import Relation
from zkwm_protocols.argument.statement import Statement
from zkwm_protocols.argument.transcript import Transcript
from zkwm_protocols.field.scalar import ONE, Element, add, constant
from zkwm_protocols.field.vector import from_elements, multiply, sum_all


@dataclass(frozen=True)
class OpeningClaim:
    """What is claimed of the combined rows: their sum with ``weights`` is ``value``."""

    value: Element
    weights: tuple[Weights, ...]


def combination_challenge(
    interaction: Interaction,
    layout: Layout,
    relation: Relation,
    statement: Statement,
    leaf: LeafClaim,
) -> CombinationChallenge:
    """Draw gammas, zeta and rhos, and combine all relations (SPEC.md 17.7).

    Args:
        interaction: the transcript so far, and the relations that it noted.
        layout: all sizes.
        relation: where the match cells are.
        statement: whose outputs stand for the labels.
        leaf: the claim on the cells in which the tree ended.
    """
    count = layout.relation_count
    challenges = interaction.transcript.challenge_list(
        "relations", count + 1 + layout.combined_rows
    )
    gammas, zeta, rhos = challenges[:count], challenges[count], challenges[count + 1 :]
    kinds = (relation.kind for relation in interaction.relations)
    gamma = dict(zip(kinds, gammas, strict=True))  # of the levels the last; none is asked for
    coefficients, constant = combine_relations(interaction.relations, gammas, layout.pad_row)
    claim = CombinedClaim(
        batch=leaf.batch,
        point=interaction.position_point,
        cells_factor=gamma[RelationKind.CELLS],
        chunk_weights=leaf.chunk_weights,
        column_point=list(leaf.column_point),
        multiplicity_factor=gamma[RelationKind.MULTIPLICITIES],
        match_cells=relation.match_cells(statement),
        match_factor=gamma[RelationKind.MATCHES],
        pad_coefficients=coefficients,
        constant=constant,
    )
    return CombinationChallenge(claim=claim, rhos=from_elements(rhos), zeta=zeta)


def challenge_columns(transcript: Transcript, layout: Layout, root: bytes) -> list[int]:
    """Absorb the root of the combined rows and draw the columns: t indices, ascending, distinct."""
    transcript.absorb_bytes("combined", root)
    return transcript.challenge_indices("columns", layout.code_log, layout.columns)


def opening_claim(
    transcript: Transcript,
    layout: Layout,
    challenge: CombinationChallenge,
    indices: Sequence[int],
    cells: NDArray[np.uint32],
) -> OpeningClaim:
    """Absorb the opened columns; the relations and four equations at t points as one claim.

    Args:
        transcript: with everything that was sent before.
        layout: all sizes.
        challenge: what the rows were combined with.
        indices: the opened columns.
        cells (uint32, (t, base_rows)): their elements.
    """
    transcript.absorb_elements("columns", cells.reshape(-1).astype(np.uint64))
    factors = transcript.challenge("claims", 4 * layout.columns).reshape(5, 4, -1)
    places = np.asarray(indices, dtype=np.int64)
    equations = ColumnEquations(layout, challenge, places)
    rows = OpenedRows.of(layout, cells)
    at_points = (equations.low, equations.dot, equations.pads, equations.product)
    weights: list[Weights] = [_relation_weights(layout)]
    claim, offset = challenge.claim.constant, 0
    for i, (value, length) in enumerate(zip(at_points, layout.combined_lengths, strict=True)):
        claim = add(claim, sum_all(multiply(factors[:, i], value(rows))))
        weights.append(PowerWeights(offset, length, layout.code_log, places, factors[:, i]))
        offset += length
    return OpeningClaim(claim, tuple(weights))


def _relation_weights(layout: Layout) -> UnitWeights:
    """dot[R-1] + h (pads[0] + pads[h] + pads[2h]): the sum of coefficients times cells.

    The sum of a polynomial over the h-th roots of unity is h times its coefficients at multiples
    of h, which are 0, h and 2h here.
    """
    of_low, of_dot, _, _ = layout.combined_lengths
    dot, pads, h = of_low, of_low + of_dot, layout.pad_row
    indices = (dot + layout.row_length - 1, pads, pads + h, pads + 2 * h)
    return UnitWeights(indices, (ONE, *(constant(h),) * 3))
