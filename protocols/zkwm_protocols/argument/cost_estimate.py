"""The cost of a proof before it is started: sizes exactly, time and memory approximately.

Sizes follow from the layout that the prover will choose. Time is linear in lookups and in bytes of
codewords; the constants were measured by ``benchmarks/argument.py`` on two cores, so other machines
differ. Memory is right within ten percent from one trigger of a dense network to 100 of ResNet-18.
"""

from __future__ import annotations

from dataclasses import dataclass

from zkwm_protocols.argument.layout_choice import choose_layout
from zkwm_protocols.argument.ligero import codeword_memory
from zkwm_protocols.argument.parameters import Layout
from zkwm_protocols.argument.relation.relation import Relation
from zkwm_protocols.integer_network.model import Convolution, IntegerNetwork

_FIXED_SECONDS = 0.2
_SECONDS_A_LOOKUP = 7e-8
_SECONDS_A_CODE_BYTE = 1e-9
_SECONDS_OF_ONE_TRIGGER = 1.5e-7
"""For each lookup and each cell of one trigger, in the step from leaves to cells."""
_FIXED_BYTES = 70 * 2**20
_BYTES_A_LOOKUP = 4
"""Its table row."""
_TREE_BYTES_A_LOOKUP = 10.2
"""Layers that are stored, or what is bound of those that are not: each ten bytes."""
_TREE_BYTES_A_TABLE_ROW = 130
_BYTES_A_WEIGHT = 5
_BYTES_A_CELL_OF_ONE_TRIGGER = 8
"""The relation."""
_GRADIENT_BYTES_A_CELL = 100
"""The step from leaves to cells, whose arrays are as long as one trigger's cells."""
_RUN_BYTES_A_CELL = 18
"""Of the network's own cells: what is left in the heap of the values of images run together."""
_MOST_RUN_BYTES = 60 * 2**20
"""Images are run in batches, side by side in two threads."""
_BYTES_A_COLUMN = 60
"""Tables of the transform, and what steps of the commitment leave in the heap."""


@dataclass(frozen=True)
class Estimate:
    """The cost of a proof.

    Args:
        lookups: of all triggers.
        cells: of all triggers.
        prove_seconds: time of proving, approximately.
        peak_bytes: memory of proving, approximately.
        proof_bytes: size of the proof, within a few percent.
        soundness_bits: proven soundness.
    """

    lookups: int
    cells: int
    prove_seconds: float
    peak_bytes: int
    proof_bytes: int
    soundness_bits: float


def estimate(network: IntegerNetwork, triggers: int) -> Estimate:
    """The cost of a proof about ``triggers`` triggers of a network.

    Raises:
        Unsupported: the network has too many lookups or cells (network.size).
        UsageError: no parameters are sound for this number of triggers.
    """
    relation = Relation(network)
    layout = choose_layout(
        triggers=triggers,
        cells=relation.cell_count,
        lookups=relation.lookup_count,
        rows=relation.tables.total_rows,
    )
    return estimate_of_layout(relation, layout)


def estimate_of_layout(relation: Relation, layout: Layout) -> Estimate:
    """The estimate of a layout, by the measured constants."""
    lookups = layout.triggers * layout.lookups
    cells = layout.triggers * layout.cells
    return Estimate(
        lookups=lookups,
        cells=cells,
        prove_seconds=_FIXED_SECONDS
        + _SECONDS_A_LOOKUP * lookups
        + _SECONDS_A_CODE_BYTE * layout.code_bytes
        + _SECONDS_OF_ONE_TRIGGER * (layout.lookups + layout.cells),
        peak_bytes=_peak_bytes(relation, layout),
        proof_bytes=layout.proof_bytes,
        soundness_bits=layout.soundness_bits,
    )


def _peak_bytes(relation: Relation, layout: Layout) -> int:
    """Memory: what is there from the start, the commitment, and the largest of three steps."""
    nodes = relation.network.network.nodes
    weights = sum(node.weights.size for node in nodes if isinstance(node, Convolution))
    network_cells = layout.triggers * relation.network.cell_count
    lookups = layout.triggers * layout.lookups
    tree = _TREE_BYTES_A_LOOKUP * lookups + _TREE_BYTES_A_TABLE_ROW * layout.table_rows
    return int(
        _FIXED_BYTES
        + _BYTES_A_WEIGHT * weights
        + _BYTES_A_CELL_OF_ONE_TRIGGER * layout.cells
        + min(_RUN_BYTES_A_CELL * network_cells, _MOST_RUN_BYTES)
        + _BYTES_A_LOOKUP * lookups
        + 4 * layout.triggers * layout.cells
        + codeword_memory.held_bytes(layout)
        + _BYTES_A_COLUMN * layout.code_length
        + max(codeword_memory.transient_bytes(layout), tree, _GRADIENT_BYTES_A_CELL * layout.cells)
    )
