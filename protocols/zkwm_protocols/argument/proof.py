"""The bytes of a proof (SPEC.md 17.10): read within limits, nothing checked but the form.

Which lengths are right follows from the parameters that the proof itself carries, once they are
known to lie within the limits and to be sound.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.parameters import MAXIMUM_PROOF_BYTES, Layout
from zkwm_protocols.encoding import decode, encode
from zkwm_protocols.errors import Malformed
from zkwm_protocols.field.scalar import Element
from zkwm_protocols.field.vector import Array, read_base, read_elements, to_bytes, to_list
from zkwm_protocols.schema import require_bytes, require_integer, require_list, require_map

_CHECK = "argument.format"
_KEYS = "parameters commitment messages low dot pads product columns nonces nodes"


@dataclass(frozen=True)
class Proof:
    """One proof. Arrays over K are (5, count); ``column_cells`` uint32 (t, rows over F_p)."""

    layout: Layout
    root: bytes
    messages: tuple[Element, ...]
    low: Array
    dot: Array
    pads: Array
    product: Array
    column_cells: NDArray[np.uint32]
    nonces: tuple[bytes, ...]
    nodes: tuple[bytes, ...]

    def to_bytes(self) -> bytes:
        """The one encoding."""
        layout = self.layout
        return encode(
            {
                "parameters": [layout.row_positions_log, layout.code_log, layout.columns],
                "commitment": self.root,
                "messages": b"".join(
                    c.to_bytes(4, "little") for element in self.messages for c in element
                ),
                "low": to_bytes(self.low),
                "dot": to_bytes(self.dot),
                "pads": to_bytes(self.pads),
                "product": to_bytes(self.product),
                "columns": np.ascontiguousarray(self.column_cells).astype("<u4").tobytes(),
                "nonces": b"".join(self.nonces),
                "nodes": b"".join(self.nodes),
            }
        )


def read_proof(data: bytes, *, triggers: int, cells: int, lookups: int, rows: int) -> Proof:
    """Read a proof for a relation of these public sizes.

    Raises Malformed (argument.format) and InvalidOpening (argument.format, argument.soundness), the
    parameters first: a length is believed only when it is the one that they give.
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
            low=read_elements(require_bytes(fields["low"]), r + t),
            dot=read_elements(require_bytes(fields["dot"]), 2 * r + t),
            pads=read_elements(require_bytes(fields["pads"]), 2 * h + t),
            product=read_elements(require_bytes(fields["product"]), h + 2 * t),
            column_cells=read_base(require_bytes(fields["columns"]), t * layout.base_rows)
            .astype(np.uint32)
            .reshape(t, layout.base_rows),
            nonces=_pieces(require_bytes(fields["nonces"], 32 * t)),
            nodes=_pieces(require_bytes(fields["nodes"])),
        )
    except Malformed as error:
        error.check = _CHECK
        raise


def _pieces(data: bytes) -> tuple[bytes, ...]:
    if len(data) % 32:
        raise Malformed("nonces and nodes have 32 bytes each")
    return tuple(data[start : start + 32] for start in range(0, len(data), 32))
