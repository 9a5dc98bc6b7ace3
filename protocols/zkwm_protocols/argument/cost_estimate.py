"""The cost of a proof before it is started: sizes exactly, time and memory approximately.

Sizes follow from the layout that the prover will choose. Time is linear in lookups and in bytes of
codewords; the constants were measured by ``benchmarks/argument.py`` on two cores, so other machines
differ.
"""

from __future__ import annotations

from dataclasses import dataclass

from zkwm_protocols.argument.layout_choice import choose_layout
from zkwm_protocols.argument.ligero import codeword_memory
from zkwm_protocols.argument.parameters import Layout
from zkwm_protocols.argument.relation.relation import Relation
from zkwm_protocols.integer_network.model import IntegerNetwork

_FIXED_SECONDS = 0.2
_SECONDS_A_LOOKUP = 1.2e-7
_SECONDS_A_CODE_BYTE = 2.5e-9
_SECONDS_OF_ONE_TRIGGER = 3.0e-7
"""For each lookup and each cell of one trigger, in the step from leaves to cells."""
_FIXED_BYTES = 80 * 2**20
_BYTES_A_LOOKUP = 4
"""Its table row."""
_TREE_BYTES_A_LOOKUP = 11
_TREE_BYTES_A_TABLE_ROW = 130
_BYTES_A_CELL_OF_ONE_TRIGGER = 45
"""Network and relation."""
_GRADIENT_BYTES_A_CELL = 216
"""The step from leaves to cells, whose arrays are as long as one trigger's cells."""


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
    return estimate_of_layout(layout)


def estimate_of_layout(layout: Layout) -> Estimate:
    """The estimate of a layout, by the measured constants."""
    lookups = layout.triggers * layout.lookups
    cells = layout.triggers * layout.cells
    tree_bytes = _TREE_BYTES_A_LOOKUP * lookups + _TREE_BYTES_A_TABLE_ROW * layout.table_rows
    return Estimate(
        lookups=lookups,
        cells=cells,
        prove_seconds=_FIXED_SECONDS
        + _SECONDS_A_LOOKUP * lookups
        + _SECONDS_A_CODE_BYTE * layout.code_bytes
        + _SECONDS_OF_ONE_TRIGGER * (layout.lookups + layout.cells),
        peak_bytes=_FIXED_BYTES
        + _BYTES_A_CELL_OF_ONE_TRIGGER * layout.cells
        + _BYTES_A_LOOKUP * lookups
        + 4 * cells
        + codeword_memory.held_bytes(layout)
        + max(
            codeword_memory.transient_bytes(layout),
            tree_bytes,
            _GRADIENT_BYTES_A_CELL * layout.cells,
        ),
        proof_bytes=layout.proof_bytes,
        soundness_bits=layout.soundness_bits,
    )
