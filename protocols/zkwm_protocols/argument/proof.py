"""The bytes of a proof, read within limits (SPEC.md 17.10).

::

    map key       length in bytes              what it is
    parameters    [a, k, t]                    from them and public sizes all lengths follow
    commitment    32                           root of the column tree
    messages      20 message_count             masked messages of tree and sumcheck, in order
    columns       4 t base_rows                opened columns, ascending
    nonces        32 t                         of the columns' leaves
    nodes         32 each                      missing nodes of the column tree
    folds         a list of maps: the recursive opening of the combined rows, fold by fold
      parameters  [a, k, t]
      commitment  32                           root of the fold's column tree
      messages    40 a                         values of its rounds
      columns     20 t 2^a                     opened columns, ascending
      nodes       32 each                      missing nodes
    last          20 F                         what is left behind the last fold

Reading checks the form alone: parameters within limits and sound, lengths, canonical residues. A
length is believed only where the parameters give it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.ligero.messages import OpenedColumns
from zkwm_protocols.argument.parameters import MAXIMUM_PROOF_BYTES, Layout
from zkwm_protocols.argument.recursive_opening.messages import FoldMessages, RecursiveOpening
from zkwm_protocols.argument.recursive_opening.sizes import MAXIMUM_FOLDS, Fold
from zkwm_protocols.encoding import decode, encode
from zkwm_protocols.errors import Malformed
from zkwm_protocols.field.scalar import DEGREE, Element
from zkwm_protocols.field.vector import read_base, read_elements, to_bytes, to_list
from zkwm_protocols.schema import require_bytes, require_integer, require_list, require_map

_CHECK = "argument.format"
_KEYS = "parameters commitment messages columns nonces nodes folds last"
_FOLD_KEYS = "parameters commitment messages columns nodes"


@dataclass(frozen=True)
class Proof:
    """One proof.

    Args:
        layout: all sizes.
        root: of the column tree, 32 bytes.
        messages: the masked messages, in the order of sending.
        opened: the opened columns.
        opening: of the combined rows.
    """

    layout: Layout
    root: bytes
    messages: tuple[Element, ...]
    opened: OpenedColumns
    opening: RecursiveOpening

    def to_bytes(self) -> bytes:
        """The only encoding of this proof: reading it and writing it again gives the same bytes."""
        layout, opened = self.layout, self.opened
        return encode(
            {
                "parameters": [layout.row_positions_log, layout.code_log, layout.columns],
                "commitment": self.root,
                "messages": _joined(self.messages),
                "columns": _elements(opened.cells),
                "nonces": b"".join(opened.nonces),
                "nodes": b"".join(opened.nodes),
                "folds": [
                    {
                        "parameters": [fold.rows_log, fold.code_log, fold.columns],
                        "commitment": sent.root,
                        "messages": b"".join(_joined(values) for values in sent.rounds),
                        "columns": _elements(sent.columns),
                        "nodes": b"".join(sent.nodes),
                    }
                    for fold, sent in zip(layout.folds, self.opening.folds, strict=True)
                ],
                "last": to_bytes(self.opening.last),
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
        sent = [
            require_map(fold, _FOLD_KEYS, "fold")
            for fold in require_list(fields["folds"], 1, MAXIMUM_FOLDS)
        ]
        a, k, t = _parameters(fields)
        folds = tuple(Fold(*_parameters(fold)) for fold in sent)
        layout = Layout(triggers, cells, lookups, rows, a, k, t, folds)
        layout.require_sound()
        messages = read_elements(require_bytes(fields["messages"]), layout.message_count)
        return Proof(
            layout=layout,
            root=require_bytes(fields["commitment"], 32),
            messages=tuple(to_list(messages)),
            opened=OpenedColumns(
                cells=_columns(fields, t, layout.base_rows),
                nonces=_pieces(require_bytes(fields["nonces"], 32 * t)),
                nodes=_pieces(require_bytes(fields["nodes"])),
            ),
            opening=RecursiveOpening(
                tuple(_fold(fold, values) for fold, values in zip(folds, sent, strict=True)),
                read_elements(require_bytes(fields["last"]), layout.opening.last_length),
            ),
        )
    except Malformed as error:
        error.check = _CHECK
        raise


def _parameters(fields: dict[str, Any]) -> tuple[int, int, int]:
    """a, k and t of a map."""
    a, k, t = (require_integer(value, 2**20) for value in require_list(fields["parameters"], 3, 3))
    return a, k, t


def _fold(fold: Fold, fields: dict[str, Any]) -> FoldMessages:
    """The messages of one fold."""
    values = to_list(read_elements(require_bytes(fields["messages"]), 2 * fold.rows_log))
    return FoldMessages(
        root=require_bytes(fields["commitment"], 32),
        rounds=tuple(zip(values[::2], values[1::2], strict=True)),
        columns=_columns(fields, fold.columns, DEGREE * fold.rows),
        nodes=_pieces(require_bytes(fields["nodes"])),
    )


def _columns(fields: dict[str, Any], count: int, rows: int) -> NDArray[np.uint32]:
    """Opened columns, uint32 (count, rows)."""
    values = read_base(require_bytes(fields["columns"]), count * rows)
    return values.astype(np.uint32).reshape(count, rows)


def _joined(elements: Iterable[Element]) -> bytes:
    """Elements of K, one behind the other."""
    return b"".join(c.to_bytes(4, "little") for element in elements for c in element)


def _elements(columns: NDArray[np.uint32]) -> bytes:
    """Elements of F_p, column by column."""
    return np.ascontiguousarray(columns).astype("<u4").tobytes()


def _pieces(data: bytes) -> tuple[bytes, ...]:
    """Pieces of 32 bytes."""
    if len(data) % 32:
        raise Malformed("nonces and nodes have 32 bytes each")
    return tuple(data[start : start + 32] for start in range(0, len(data), 32))
