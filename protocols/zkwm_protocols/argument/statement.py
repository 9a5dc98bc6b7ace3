"""What is proven, as public data (SPEC.md 17.1), and its bytes for the transcript (17.8).

The secret side, images and salts, is no part of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from zkwm_protocols.argument.parameters import Layout
from zkwm_protocols.encoding import encode
from zkwm_protocols.errors import UsageError
from zkwm_protocols.integer_network.codec import digest
from zkwm_protocols.integer_network.model import IntegerNetwork

MAXIMUM_TRIGGERS = 10_000


@dataclass(frozen=True)
class Statement:
    """The owner knows all openings, and at least ``least_matches`` triggers have their label.

    ``context`` binds everything else (challenge, header, blocks); ``leaves`` are n digests of 32
    bytes; ``label_fields`` the n label fields of the leaves (0xffff for derived labels);
    ``outputs[b]`` the output of the network that stands for the label of trigger b. Raises
    UsageError when these do not fit each other.
    """

    context: bytes
    network: IntegerNetwork
    leaves: tuple[bytes, ...]
    label_fields: tuple[int, ...]
    outputs: tuple[int, ...]
    least_matches: int

    def __post_init__(self) -> None:
        count = len(self.leaves)
        if not 1 <= count <= MAXIMUM_TRIGGERS:
            raise UsageError(f"a statement has 1 to {MAXIMUM_TRIGGERS:,} triggers, not {count}")
        if len(self.label_fields) != count or len(self.outputs) != count:
            raise UsageError("leaves, label fields and outputs are one for each trigger")
        if any(len(leaf) != 32 for leaf in self.leaves):
            raise UsageError("a leaf digest has 32 bytes")
        if any(not 0 <= label <= 0xFFFF for label in self.label_fields):
            raise UsageError("a label field has two bytes")
        if any(not 0 <= output < self.network.outputs for output in self.outputs):
            raise UsageError("an output that the network does not have")
        if not 1 <= self.least_matches <= count:
            raise UsageError("the threshold is 1 to the number of triggers")

    @property
    def triggers(self) -> int:
        """n."""
        return len(self.leaves)

    def to_bytes(self, layout: Layout) -> bytes:
        """What the transcript absorbs as ``statement``."""
        return encode(
            {
                "context": self.context,
                "network": digest(self.network),
                "shape": list(self.network.shape),
                "leaves": b"".join(self.leaves),
                "labels": b"".join(field.to_bytes(2, "big") for field in self.label_fields),
                "outputs": b"".join(output.to_bytes(4, "big") for output in self.outputs),
                "threshold": self.least_matches,
                "parameters": [layout.row_positions_log, layout.code_log, layout.columns],
                "sizes": [layout.triggers, layout.cells, layout.lookups, layout.table_rows],
            }
        )
