"""The prover's cells of the leaf gadget: BLAKE2s-256 with every step written down.

::

    triggers in turns, turns in threads; in a turn:
        for each block:           state = chaining value | upper state
            for each trigger:     80 x G -> 40 cells and 17 rows each
                                  fold    -> 32 cells, 32 rows
                                  chain   -> 32 cells (but in the last block), 32 rows

The layout is that of ``blake2s_lookups``; the loops are from C or by Numba. SPEC.md 17.3, item 2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.relation.blake2s_constants import (
    BLOCK_BYTES,
    LABEL_OFFSET,
    PIXEL_OFFSET,
    SALT_OFFSET,
    initial_chaining,
    message_length,
    message_start,
    upper_state,
)
from zkwm_protocols.argument.relation.leaf import LeafGadget
from zkwm_protocols.argument.relation.lookup_tables import Tables
from zkwm_protocols.field.kernels.native import LEVEL
from zkwm_protocols.leaves import SALT_BYTES

if LEVEL is not None:
    from zkwm_protocols.argument.relation.blake2s_native import fill_blocks
else:
    from zkwm_protocols.argument.relation.blake2s_numba import fill_blocks

_TABLES = ("xor", "xor12", "xor7", "carries")


def fill(
    gadget: LeafGadget,
    images: NDArray[np.uint8],
    salts: NDArray[np.uint8],
    labels: NDArray[np.uint16],
    cells: NDArray[np.uint32],
    rows: NDArray[np.int32],
    tables: Tables,
    first_lookup: int,
) -> NDArray[np.uint8]:
    """Write all cells of the gadget and the table row of every lookup; return the leaves.

    Args:
        gadget: the leaf gadget.
        images (uint8, (n, c, h, w)): the triggers.
        salts (uint8, (n, 32)): their salts.
        labels (uint16, (n,)): their label fields.
        cells (uint32, (J, n)): written, the gadget's rows.
        rows (int32, (n, M)): written, the columns from ``first_lookup`` on.
        tables: the relation's tables.
        first_lookup: the gadget's first lookup.

    Returns:
        The leaf digests, uint8 (n, 32).

    Raises:
        ValueError: shapes that do not fit each other.
    """
    count = len(images)
    if images.shape != (count, *gadget.shape):
        raise ValueError(f"images of shape {images.shape[1:]}, not {gadget.shape}")
    if salts.shape != (count, SALT_BYTES) or labels.shape != (count,):
        raise ValueError("salts and label fields are one for each image")
    if len(cells) < gadget.first_cell + gadget.cell_count or cells.shape[1] != count:
        raise ValueError("no room for the cells of the gadget")
    if len(rows) != count or rows.shape[1] < first_lookup + gadget.lookup_count:
        raise ValueError("no room for the rows of the gadget")
    chaining = np.tile(initial_chaining(), (count, 1))
    fill_blocks(
        _messages(gadget, images, salts, labels),
        upper_state(gadget.shape),
        chaining,
        cells[gadget.first_cell : gadget.first_cell + gadget.cell_count],
        rows,
        first_lookup,
        np.array([tables.first_row(key) for key in _TABLES], dtype=np.uint32),
    )
    return chaining.astype("<u4").view(np.uint8)


def _messages(
    gadget: LeafGadget,
    images: NDArray[np.uint8],
    salts: NDArray[np.uint8],
    labels: NDArray[np.uint16],
) -> NDArray[np.uint32]:
    """The words of all messages, padded with zeros, uint32 (n, 16 times the blocks)."""
    data = np.zeros((len(images), gadget.blocks * BLOCK_BYTES), dtype=np.uint8)
    data[:, :LABEL_OFFSET] = np.frombuffer(message_start(gadget.shape), dtype=np.uint8)
    data[:, LABEL_OFFSET:SALT_OFFSET] = labels.astype(">u2").reshape(-1, 1).view(np.uint8)
    data[:, SALT_OFFSET:PIXEL_OFFSET] = salts
    data[:, PIXEL_OFFSET : message_length(gadget.shape)] = images.reshape(len(images), -1)
    return data.view("<u4").astype(np.uint32)
