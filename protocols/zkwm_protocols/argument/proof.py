"""The bytes of a proof, read within limits (SPEC.md 17.10).

::

    map key       length in bytes              what it is
    parameters    [a, k, t]                    from them and public sizes all lengths follow
    commitment    32                           root of the column tree
    messages      20 message_count             masked messages of tree and sumcheck, in order
    low           20 (R + t)                   combined rows, coefficients over K
    dot           20 (2R + t)
    pads          20 (2h + t)
    product       20 (h + 2t)
    columns       4 t base_rows                opened columns, ascending
    nonces        32 t                         of the columns' leaves
    nodes         32 each                      missing nodes of the column tree

Reading checks the form alone: parameters within limits and sound, lengths, canonical residues. A
length is believed only where the parameters give it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zkwm_protocols.argument.ligero.messages import CombinedRows, OpenedColumns
from zkwm_protocols.argument.parameters import MAXIMUM_PROOF_BYTES, Layout
from zkwm_protocols.encoding import decode, encode
from zkwm_protocols.errors import Malformed
from zkwm_protocols.field.scalar import Element
from zkwm_protocols.field.vector import read_base, read_elements, to_bytes, to_list
from zkwm_protocols.schema import require_bytes, require_integer, require_list, require_map

_CHECK = "argument.format"
_KEYS = "parameters commitment messages low dot pads product columns nonces nodes"


@dataclass(frozen=True)
class Proof:
    """One proof.

    Args:
        layout: all sizes.
        root: of the column tree, 32 bytes.
        messages: the masked messages, in the order of sending.
        combined: the four combined rows.
        opened: the opened columns.
    """

    layout: Layout
    root: bytes
    messages: tuple[Element, ...]
    combined: CombinedRows
    opened: OpenedColumns

    def to_bytes(self) -> bytes:
        """The only encoding of this proof: reading it and writing it again gives the same bytes."""
        layout, combined, opened = self.layout, self.combined, self.opened
        return encode(
            {
                "parameters": [layout.row_positions_log, layout.code_log, layout.columns],
                "commitment": self.root,
                "messages": b"".join(
                    c.to_bytes(4, "little") for element in self.messages for c in element
                ),
                "low": to_bytes(combined.low),
                "dot": to_bytes(combined.dot),
                "pads": to_bytes(combined.pads),
                "product": to_bytes(combined.product),
                "columns": np.ascontiguousarray(opened.cells).astype("<u4").tobytes(),
                "nonces": b"".join(opened.nonces),
                "nodes": b"".join(opened.nodes),
            }
        )


def read_proof(data: bytes, *, triggers: int, cells: int, lookups: int, rows: int) -> Proof:
    """Read a proof for a relation of these public sizes, its parameters first.

    Args:
        data: the proof's bytes.
        triggers: n.
        cells: J, of one trigger.
        lookups: M, of one trigger.
        rows: of all tables together.

    Raises:
        Malformed: wrong encoding, lengths or residues (argument.format).
        InvalidOpening: parameters outside the limits (argument.format) or unsound
            (argument.soundness).
    """
    try:
        fields = require_map(decode(data, limit=MAXIMUM_PROOF_BYTES), _KEYS, "argument")
        numbers = [
            require_integer(value, 2**20) for value in require_list(fields["parameters"], 3, 3)
        ]
        layout = Layout(triggers, cells, lookups, rows, numbers[0], numbers[1], numbers[2])
        layout.require_sound()
        r, h, t = layout.row_length, layout.pad_row, layout.columns
        messages = read_elements(require_bytes(fields["messages"]), layout.message_count)
        return Proof(
            layout=layout,
            root=require_bytes(fields["commitment"], 32),
            messages=tuple(to_list(messages)),
            combined=CombinedRows(
                low=read_elements(require_bytes(fields["low"]), r + t),
                dot=read_elements(require_bytes(fields["dot"]), 2 * r + t),
                pads=read_elements(require_bytes(fields["pads"]), 2 * h + t),
                product=read_elements(require_bytes(fields["product"]), h + 2 * t),
            ),
            opened=OpenedColumns(
                cells=read_base(require_bytes(fields["columns"]), t * layout.base_rows)
                .astype(np.uint32)
                .reshape(t, layout.base_rows),
                nonces=_pieces(require_bytes(fields["nonces"], 32 * t)),
                nodes=_pieces(require_bytes(fields["nodes"])),
            ),
        )
    except Malformed as error:
        error.check = _CHECK
        raise


def _pieces(data: bytes) -> tuple[bytes, ...]:
    """Pieces of 32 bytes."""
    if len(data) % 32:
        raise Malformed("nonces and nodes have 32 bytes each")
    return tuple(data[start : start + 32] for start in range(0, len(data), 32))
