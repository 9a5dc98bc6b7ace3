"""What a proof will cost, told before it is started: sizes exactly, time and memory about.

The laws are those of the algorithms (SPEC.md 17); the constants were measured by
``benchmarks/argument.py`` on two cores, and other machines differ.
"""

from __future__ import annotations

from dataclasses import dataclass

from zkwm_protocols.argument.parameters import Layout, choose_layout
from zkwm_protocols.argument.relation.relation import Relation
from zkwm_protocols.integer_network.model import IntegerNetwork

_FIXED_SECONDS = 0.3
_SECONDS_A_LOOKUP = 3.0e-7
_SECONDS_A_CODE_BYTE = 4.5e-9
_FIXED_BYTES = 300 * 2**20
_BYTES_A_LOOKUP = 48


@dataclass(frozen=True)
class Estimate:
    """``lookups`` and ``cells`` of all triggers; seconds and bytes of proving; the proof's bytes;
    proven soundness in bits."""

    lookups: int
    cells: int
    prove_seconds: float
    peak_bytes: int
    proof_bytes: int
    soundness_bits: float


def estimate(network: IntegerNetwork, triggers: int) -> Estimate:
    """The cost of proving for this many triggers. Raises UsageError where no proof is possible."""
    relation = Relation(network)
    layout = choose_layout(
        triggers=triggers,
        cells=relation.cell_count,
        lookups=relation.lookup_count,
        rows=relation.tables.total_rows,
    )
    return _of_layout(layout)


def _of_layout(layout: Layout) -> Estimate:
    lookups = layout.triggers * layout.lookups
    cells = layout.triggers * layout.cells
    code_bytes = 4 * layout.base_rows * layout.code_length
    return Estimate(
        lookups=lookups,
        cells=cells,
        prove_seconds=_FIXED_SECONDS
        + _SECONDS_A_LOOKUP * lookups
        + _SECONDS_A_CODE_BYTE * code_bytes,
        peak_bytes=_FIXED_BYTES + _BYTES_A_LOOKUP * lookups + 4 * cells + code_bytes,
        proof_bytes=layout.proof_bytes,
        soundness_bits=layout.soundness_bits,
    )
