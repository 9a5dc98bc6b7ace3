"""Combine all relations into one claim, and draw the columns to open, for both sides.

::

    transcript (SPEC.md 17.8)                        this module
    (9)  challenge "relations"   gammas, zeta, rhos  combination_challenge
    (10) elements  low dot pads product              challenge_columns absorbs them
    (11) challenge "columns"     t indices           challenge_columns draws them

    relations:  one for each level of the tree   RelationKind.LEVEL           (1) of SPEC.md 17.7
                T~(r) x = claim                  RelationKind.GRADIENT        (2)
                x = extension of the cells at r  RelationKind.CELLS           (3)
                multiplicities                   RelationKind.MULTIPLICITIES  (4)
                number of matches = k*           RelationKind.MATCHES         (5)

Both sides call the same two functions, so that neither can combine differently.
"""

from __future__ import annotations

from zkwm_protocols.argument.ligero.linear_claim import CombinedClaim
from zkwm_protocols.argument.ligero.messages import CombinationChallenge, CombinedRows
from zkwm_protocols.argument.logup_gkr.protocol import Interaction, LeafClaim
from zkwm_protocols.argument.logup_gkr.relations import RelationKind, combine_relations
from zkwm_protocols.argument.parameters import Layout
from zkwm_protocols.argument.relation.relation import Relation
from zkwm_protocols.argument.statement import Statement
from zkwm_protocols.field.vector import from_elements


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


def challenge_columns(
    interaction: Interaction, layout: Layout, combined: CombinedRows
) -> list[int]:
    """Absorb the combined rows and draw the columns to open: t indices, ascending, distinct."""
    transcript = interaction.transcript
    transcript.absorb_elements("low", combined.low)
    transcript.absorb_elements("dot", combined.dot)
    transcript.absorb_elements("pads", combined.pads)
    transcript.absorb_elements("product", combined.product)
    return transcript.challenge_indices("columns", layout.code_log, layout.columns)
