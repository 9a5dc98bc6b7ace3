"""Strips of columns hashed by the kernel from C; see ``strips``. Sizes are checked here."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.field.kernels.native import call, words
from zkwm_protocols.field.kernels.ntt import Coset
from zkwm_protocols.field.kernels.threads import run_tasks

_HASHED_AT_ONCE = 256


def hash_strip(
    prefix: NDArray[np.uint8],
    nonces: NDArray[np.uint8],
    strip: NDArray[np.uint32],
    columns: Coset,
    done: int,
    total: int,
    states: NDArray[np.uint32],
    digests: NDArray[np.uint8],
) -> None:
    """Hash the next rows of all columns; behind the last row write their digests.

    Args:
        prefix (uint8, (13,)): of the leaves.
        nonces (uint8, (N, 32)): theirs.
        strip (uint32, (m, N)): the rows.
        columns: which of the codewords' they are.
        done: rows before them, 0 or 4 more than a multiple of 16.
        total: rows of all strips.
        states (uint32, (9, N)): read behind the first strip, written before the last one.
        digests (uint8, (N, 32)): written with the last strip.

    Raises:
        UsageError: shapes that do not fit.
    """
    rows, length = strip.shape
    addresses = (
        words(prefix, 13, dtype=np.uint8), words(nonces, length, 32, dtype=np.uint8),
        words(strip, rows, length), rows, length, columns.first, 1 << columns.step_log, done, total,
        words(states, 9, length, out=True), words(digests, length, 32, dtype=np.uint8, out=True),
    )  # fmt: skip

    def blocks(begin: int, end: int) -> None:
        """Blocks of columns that fill vectors."""
        stop = min(end * _HASHED_AT_ONCE, length)
        call("hash_strip", begin * _HASHED_AT_ONCE, stop, *addresses)

    run_tasks(blocks, -(-length // _HASHED_AT_ONCE), work=strip.size // 8)
