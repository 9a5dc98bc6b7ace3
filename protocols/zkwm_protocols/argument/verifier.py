"""The verifier of the argument: raises, by name, or returns nothing.

SPEC.md 17. NumPy and hashlib only. Work that grows with the proof comes after the checks that bound
it: parameters and soundness, lengths, the transcript, then the opening.
"""

from __future__ import annotations

from zkwm_protocols.argument.combined_claim import combined_claim
from zkwm_protocols.argument.ligero.verifier import check_opening
from zkwm_protocols.argument.logup_gkr.protocol import Interaction, LeafClaim
from zkwm_protocols.argument.parameters import Layout
from zkwm_protocols.argument.proof import Proof, read_proof
from zkwm_protocols.argument.relation.relation import Relation
from zkwm_protocols.argument.statement import Statement
from zkwm_protocols.field.vector import from_elements


def verify(statement: Statement, proof: bytes) -> Layout:
    """Accept a proof of the statement, or raise; returns the layout, which knows its soundness.

    Raises Malformed or InvalidOpening with one of the checks argument.format, argument.soundness,
    argument.tree, argument.columns, argument.relations, argument.low_degree, argument.dot,
    argument.pads, argument.product.
    """
    relation = Relation(statement.network)
    parsed = read_proof(
        proof,
        triggers=statement.triggers,
        cells=relation.cell_count,
        lookups=relation.lookup_count,
        rows=relation.tables.total_rows,
    )
    layout = parsed.layout
    interaction = Interaction(layout, relation, statement, parsed.root)
    leaf = _replay(interaction, parsed)
    claim, rhos, zeta = combined_claim(interaction, layout, relation, statement, leaf)
    transcript = interaction.transcript
    for label in ("low", "dot", "pads", "product"):
        transcript.absorb_elements(label, getattr(parsed, label))
    check_opening(
        layout,
        root=parsed.root,
        claim=claim,
        rhos=from_elements(rhos),
        zeta=zeta,
        low=parsed.low,
        dot=parsed.dot,
        pads=parsed.pads,
        product=parsed.product,
        columns=parsed.column_cells,
        nonces=parsed.nonces,
        nodes=parsed.nodes,
        indices=transcript.challenge_indices("columns", layout.code_log, layout.columns),
    )
    return layout


def _replay(interaction: Interaction, proof: Proof) -> LeafClaim:
    messages = iter(proof.messages)
    interaction.receive_root(next(messages))
    for level in range(proof.layout.levels):
        interaction.begin_level()
        for _ in range(level):
            interaction.receive_round(next(messages), next(messages))
        interaction.receive_children(next(messages), next(messages), next(messages), next(messages))
    leaf = interaction.leaf_claim()
    for _ in range(proof.layout.position_rounds):
        interaction.receive_position(next(messages), next(messages))
    interaction.receive_cells(next(messages), leaf)
    return leaf
