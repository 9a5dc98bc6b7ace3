"""Prove by a crew of workers: the proof that ``argument.prover`` makes, byte for byte."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.layout_choice import choose_layout
from zkwm_protocols.argument.logup_gkr.protocol import Interaction
from zkwm_protocols.argument.parameters import Layout
from zkwm_protocols.argument.prover import Progress, prove_witness, table_denominators
from zkwm_protocols.argument.prover_randomness import RandomStream, proof_purpose
from zkwm_protocols.argument.relation.relation import Relation
from zkwm_protocols.argument.sharding.crew import Crew
from zkwm_protocols.argument.sharding.tree import ShardedTree
from zkwm_protocols.argument.sharding.witness import ShardedWitness
from zkwm_protocols.argument.statement import Statement
from zkwm_protocols.argument.verifier import verify
from zkwm_protocols.errors import CouldNotCheck
from zkwm_protocols.field.blas import one_blas_thread
from zkwm_protocols.field.kernels.kept_memory import kept


def prove_by_crew(
    statement: Statement,
    images: NDArray[np.uint8],
    salts: Sequence[bytes],
    *,
    secret: bytes,
    release: str,
    crew: Crew,
    progress: Progress | None = None,
) -> bytes:
    """Prove the statement with workers; arguments as those of ``argument.prover.prove``.

    The proof is verified before it is returned: a worker that computes wrongly would otherwise
    make its owner hand in a proof that fails, or show a value that no mask was meant for.

    Args:
        crew: the workers, at most as many as triggers.

    Raises:
        UsageError: openings that do not belong to the leaves.
        NotEnoughMatches: fewer triggers than the threshold get their labels.
        CouldNotCheck: too many workers were lost, or what they computed is wrong.
    """
    tell = progress or (lambda step, part: None)

    def report(step: str, part: float) -> None:
        """All steps of the prover but its last: the proof is still to be verified."""
        tell(*(("verify the proof", 0.99) if step == "done" else (step, part)))

    report("run the network and hash the triggers", 0.0)
    relation = Relation(statement.network)
    layout = choose_layout(
        triggers=statement.triggers,
        cells=relation.cell_count,
        lookups=relation.lookup_count,
        rows=relation.tables.total_rows,
    )
    with kept(), one_blas_thread():
        witness = ShardedWitness(crew, layout, statement, images, salts)
        stream = RandomStream(secret, *proof_purpose(release, layout, statement, witness.cells))
        proof = prove_witness(
            statement, relation, layout, witness, stream, report,
            build_tree=_sharded_tree, make_codewords=witness.codewords,
        ).to_bytes()  # fmt: skip
    try:
        verify(statement, proof)
    except CouldNotCheck as error:
        raise CouldNotCheck(
            "the proof that the workers made does not verify; nothing was released",
            hint="a machine of the cluster computes wrongly, or has another version: look at its "
            "machines, or prove without it",
        ) from error
    tell("done", 1.0)
    return proof


def _sharded_tree(
    relation: Relation,
    layout: Layout,
    witness: ShardedWitness,
    multiplicities: NDArray[np.uint32],
    interaction: Interaction,
) -> ShardedTree:
    """The fraction tree, lookups at the workers; arguments as those of ``lookup_tree``."""
    return ShardedTree(
        witness.crew,
        layout,
        table_denominators(relation, layout, interaction),
        multiplicities,
        interaction.alphas,
        interaction.beta,
    )
