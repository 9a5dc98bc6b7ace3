"""The loops that fill the leaf gadget's cells, from C (blake2s.h); see ``blake2s_witness``.

Sizes are checked here: C checks nothing. Branches and memory accesses do not depend on secrets, but
the lookups' rows are secrets, and so is what is done with them later.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.relation.blake2s_lookups import BLOCK_CELLS, BLOCK_LOOKUPS
from zkwm_protocols.field.kernels.native import call, require, words
from zkwm_protocols.field.kernels.threads import run_tasks

_TURN = 16
"""Triggers of a task, as in blake2s.h."""


def fill_blocks(
    messages: NDArray[np.uint32],
    upper: NDArray[np.uint32],
    chaining: NDArray[np.uint32],
    cells: NDArray[np.uint32],
    rows: NDArray[np.int32],
    first_lookup: int,
    first_rows: NDArray[np.uint32],
) -> None:
    """Write all cells and lookups of all blocks.

    Args:
        messages (uint32, (n, 16 blocks)): the padded messages' words.
        upper (uint32, (blocks, 8)): v_8 .. v_15 of every block.
        chaining (uint32, (n, 8)): the initial value; ends as the digests.
        cells (uint32, (the gadget's, n)): written; the last block has none for its chaining value.
        rows (int32, (n, M)): written, the gadget's columns from ``first_lookup`` on.
        first_lookup: the gadget's first lookup.
        first_rows (uint32, (4,)): of the tables xor, xor12, xor7 and carries.

    Raises:
        UsageError: shapes that do not fit.
    """
    count, blocks = len(messages), len(upper)
    require(
        blocks > 0
        and len(cells) >= blocks * BLOCK_CELLS - 32
        and 0 <= first_lookup <= rows.shape[1] - blocks * BLOCK_LOOKUPS,
        "blocks of BLAKE2s",
    )
    addresses = (
        count, blocks, words(messages, count, 16 * blocks), words(upper, blocks, 8),
        words(chaining, count, 8, out=True), words(cells, None, count, out=True),
        words(rows, count, None, dtype=np.int32, out=True), rows.shape[1], first_lookup,
        words(first_rows, 4),
    )  # fmt: skip

    def turns(begin: int, end: int) -> None:
        """Turns begin .. end - 1, with scratch of this thread's own."""
        scratch = np.empty(BLOCK_LOOKUPS * _TURN, dtype=np.uint32)
        call("fill_blocks", begin, end, *addresses, words(scratch, None, out=True))

    run_tasks(turns, -(-count // _TURN), work=count * blocks * BLOCK_LOOKUPS)
