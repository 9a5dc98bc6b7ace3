"""The verifier of the argument: it accepts a proof, or raises the check that failed.

::

    read_proof               form, parameters, soundness, lengths        work bounded by its size
      |
    Interaction (_replay)    all messages through the transcript         argument.tree
      |   root, levels of the tree, leaf_claim, sumcheck over cells
      v
    combination_challenge    one linear claim
      |
    challenge_columns        t indices, columns of the root              argument.columns
      |
    opening_claim            relations and four equations, one claim
      |
    check_recursive_opening  that claim on the combined rows             argument.relations

Work that grows with the proof comes after the checks that bound it. NumPy and hashlib only: no
compiled code stands between a verdict and its reader. SPEC.md 17.
"""

from __future__ import annotations

from zkwm_protocols.argument.combined_claim import (
    challenge_columns,
    combination_challenge,
    opening_claim,
)
from zkwm_protocols.argument.ligero.column_tree import check_columns
from zkwm_protocols.argument.logup_gkr.protocol import Interaction, LeafClaim
from zkwm_protocols.argument.parameters import Layout
from zkwm_protocols.argument.proof import Proof, read_proof
from zkwm_protocols.argument.recursive_opening.verifier import check_recursive_opening
from zkwm_protocols.argument.relation.lookup_form import lookup_form
from zkwm_protocols.argument.relation.relation import Relation
from zkwm_protocols.argument.statement import Statement
from zkwm_protocols.field.blas import one_blas_thread


def verify(statement: Statement, proof: bytes) -> Layout:
    """Accept a proof of the statement, or raise; returns the layout, which knows its soundness.

    Raises:
        Malformed: argument.format.
        InvalidOpening: argument.format, argument.soundness, argument.tree, argument.columns or
            argument.relations.
    """
    with one_blas_thread():
        return _verify(statement, proof)


def _verify(statement: Statement, proof: bytes) -> Layout:
    """As ``verify``."""
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
    leaf = _replay(interaction, relation, parsed)
    challenge = combination_challenge(interaction, layout, relation, statement, leaf)
    opened, opening = parsed.opened, parsed.opening
    indices = challenge_columns(interaction.transcript, layout, opening.folds[0].root)
    check_columns(
        parsed.root,
        opened.cells,
        indices,
        opened.nodes,
        depth=layout.code_log,
        nonces=b"".join(opened.nonces),
    )
    claim = opening_claim(interaction.transcript, layout, challenge, indices, opened.cells)
    check_recursive_opening(
        layout.opening, interaction.transcript, claim.value, claim.weights, opening
    )
    return layout


def _replay(interaction: Interaction, relation: Relation, proof: Proof) -> LeafClaim:
    """Drive the interaction with the messages that were read; their number was checked."""
    messages = iter(proof.messages)
    interaction.receive_root(next(messages))
    for level in range(proof.layout.levels):
        interaction.begin_level()
        for _ in range(level):
            interaction.receive_round(next(messages), next(messages))
        interaction.receive_children(next(messages), next(messages), next(messages), next(messages))
    columns = interaction.columns()
    form = lookup_form(relation, columns, interaction.alphas)
    leaf = interaction.leaf_claim(form, columns)
    for _ in range(proof.layout.position_rounds):
        interaction.receive_position(next(messages), next(messages))
    interaction.receive_cells(next(messages), leaf)
    return leaf
