"""What prover and verifier both derive from the transcript: the one linear claim to open."""

from __future__ import annotations

from zkwm_protocols.argument.ligero.linear_claim import CombinedClaim
from zkwm_protocols.argument.logup_gkr.protocol import Interaction, LeafClaim, combine_relations
from zkwm_protocols.argument.parameters import Layout
from zkwm_protocols.argument.relation.relation import Relation
from zkwm_protocols.argument.statement import Statement
from zkwm_protocols.field.scalar import Element


def combined_claim(
    interaction: Interaction,
    layout: Layout,
    relation: Relation,
    statement: Statement,
    leaf: LeafClaim,
) -> tuple[CombinedClaim, list[Element], Element]:
    """Draw gammas, zeta and rhos, and combine all relations (SPEC.md 17.7)."""
    count = layout.relation_count
    challenges = interaction.transcript.challenge_list(
        "relations", count + 1 + layout.combined_rows
    )
    gammas, zeta, rhos = challenges[:count], challenges[count], challenges[count + 1 :]
    coefficients, known = combine_relations(interaction.relations, gammas, layout.pad_row)
    claim = CombinedClaim(
        batch=leaf.batch,
        point=interaction.position_point,
        cells_factor=gammas[-3],
        chunk_weights=leaf.chunk_weights,
        column_point=list(leaf.column_point),
        multiplicity_factor=gammas[-2],
        match_cells=relation.match_cells(statement),
        match_factor=gammas[-1],
        pad_coefficients=coefficients,
        constant=known,
    )
    return claim, rhos, zeta
