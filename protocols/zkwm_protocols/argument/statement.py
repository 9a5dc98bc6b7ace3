"""The public input of the argument, and the bytes of it that the transcript absorbs.

::

    blocks U of the commitment, ascending:      b = 0      1     ...    n - 1
      leaf digests c_b (32 bytes)                   .      .              .
      label fields (0xffff: derived)                .      .              .
      outputs o_b of the network                    .      .              .
    network, threshold k*, context

    claim: images x_b and salts s_b are known with c_b = Leaf(x_b, s_b) for all b, and at least k*
    of the x_b have the label o_b

Images and salts, the secret side, are in ``relation.witness``. SPEC.md 17.1 and 17.8.
"""

from __future__ import annotations

from dataclasses import dataclass

from zkwm_protocols.argument.parameters import Layout
from zkwm_protocols.encoding import encode
from zkwm_protocols.errors import UsageError
from zkwm_protocols.evidence import MAXIMUM_TRIALS
from zkwm_protocols.integer_network.codec import digest
from zkwm_protocols.integer_network.model import IntegerNetwork


@dataclass(frozen=True)
class Statement:
    """The owner knows all openings, and at least ``least_matches`` triggers have their label.

    Args:
        context: binds everything else: challenge, header, blocks.
        network: the integer network.
        leaves: n digests of 32 bytes.
        label_fields: the n label fields of the leaves, 0xffff for derived labels.
        outputs: for each trigger the output that stands for its label.
        least_matches: k*.

    Raises:
        UsageError: these do not fit each other.
    """

    context: bytes
    network: IntegerNetwork
    leaves: tuple[bytes, ...]
    label_fields: tuple[int, ...]
    outputs: tuple[int, ...]
    least_matches: int

    def __post_init__(self) -> None:
        count = len(self.leaves)
        if not 1 <= count <= MAXIMUM_TRIALS:
            raise UsageError(f"triggers: expected 1 to {MAXIMUM_TRIALS:,}, got {count}")
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
        """n, the number of triggers."""
        return len(self.leaves)

    def to_bytes(self, layout: Layout) -> bytes:
        """The bytes that the transcript absorbs as ``statement``, with the proof's sizes."""
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
                "folds": [[fold.rows_log, fold.code_log, fold.columns] for fold in layout.folds],
                "sizes": [layout.triggers, layout.cells, layout.lookups, layout.table_rows],
            }
        )
