"""The loops that fill the leaf gadget's cells, by Numba; see ``blake2s_witness``.

Branches and memory accesses depend on secrets: it runs on the owner's machine, where images and
salts lie in the clear anyway.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from zkwm_protocols.argument.relation.blake2s_constants import MIXED, ROUNDS, SCHEDULE
from zkwm_protocols.argument.relation.blake2s_lookups import (
    BLOCK_CELLS,
    BLOCK_LOOKUPS,
    FOLDED,
    MIX_CELLS,
    MIX_LOOKUPS,
    NEXT_CHAINING,
)
from zkwm_protocols.field.kernels.threads import run_tasks

_Words = NDArray[np.int64]

_TRIGGERS_AT_ONCE = 8
_SCHEDULE = np.array(SCHEDULE, dtype=np.int64)
_MIXED = np.array(MIXED, dtype=np.int64)
_WORD = 0xFFFFFFFF
_MIXES = ROUNDS * len(MIXED)
_FOLD_LOOKUPS = _MIXES * MIX_LOOKUPS


def fill_blocks(
    messages: NDArray[np.uint32],
    upper: NDArray[np.uint32],
    chaining: NDArray[np.uint32],
    cells: NDArray[np.uint32],
    rows: NDArray[np.int32],
    first_lookup: int,
    first_rows: NDArray[np.uint32],
) -> None:
    """Write all cells and lookups of the blocks; as ``blake2s_native.fill_blocks``."""
    state = chaining.astype(np.int64)
    lookups = rows[:, first_lookup : first_lookup + len(upper) * BLOCK_LOOKUPS]
    # not Numba's prange: its OpenMP layer sets the number of threads of torch in this process
    run_tasks(
        _fill_blocks, -(-len(messages) // _TRIGGERS_AT_ONCE), messages.astype(np.int64),
        upper.astype(np.int64), state, cells, lookups, first_rows.astype(np.int64),
        work=lookups.size,
    )  # fmt: skip
    chaining[:] = state


@njit(cache=True, nogil=True)
def _fill_blocks(
    first_turn: int,
    last_turn: int,
    messages: _Words,
    upper: _Words,
    chaining: _Words,
    cells: NDArray[np.uint32],
    rows: NDArray[np.int32],
    first_rows: _Words,
) -> None:
    """Every block of the triggers of some turns; ``chaining`` (n, 8) ends as the digest's words.

    The triggers of a turn go through the blocks together: their cells share cache lines, since
    the trigger is the last axis.
    """
    count = messages.shape[0]
    for turn in range(first_turn, last_turn):
        first = turn * _TRIGGERS_AT_ONCE
        state = np.empty(16, dtype=np.int64)
        for block in range(upper.shape[0]):
            for trigger in range(first, min(first + _TRIGGERS_AT_ONCE, count)):
                state[:8] = chaining[trigger]
                state[8:] = upper[block]
                message = messages[trigger, 16 * block : 16 * block + 16]
                _fill_block(
                    state,
                    message,
                    chaining[trigger],
                    cells[block * BLOCK_CELLS :, trigger],
                    rows[trigger, block * BLOCK_LOOKUPS :],
                    first_rows,
                    block == upper.shape[0] - 1,
                )


@njit(cache=True)
def _fill_block(
    state: _Words,
    message: _Words,
    chaining: _Words,
    cells: NDArray[np.uint32],
    rows: NDArray[np.int32],
    first_rows: _Words,
    last: bool,
) -> None:
    """Fill cells (BLOCK_CELLS or more,) and rows (BLOCK_LOOKUPS or more,) of one block, from 0 on.

    ``state`` and ``message`` (16,) are used up; the new ``chaining`` (8,) replaces the old one.
    """
    for index in range(_MIXES):
        x = message[_SCHEDULE[index // 8, 2 * (index % 8)]]
        y = message[_SCHEDULE[index // 8, 2 * (index % 8) + 1]]
        _fill_mix(
            state,
            _MIXED[index % 8],
            x,
            y,
            cells[index * MIX_CELLS :],
            rows[index * MIX_LOOKUPS :],
            first_rows,
        )
    for i in range(8):
        folded = state[i] ^ state[i + 8]
        new = chaining[i] ^ folded
        _write_bytes(cells, FOLDED + 4 * i, folded)
        if not last:
            _write_bytes(cells, NEXT_CHAINING + 4 * i, new)
        _write_pairs(rows, _FOLD_LOOKUPS + 4 * i, first_rows[0], state[i], state[i + 8])
        _write_pairs(rows, _FOLD_LOOKUPS + 32 + 4 * i, first_rows[0], chaining[i], folded)
        chaining[i] = new


@njit(cache=True)
def _fill_mix(
    state: _Words,
    places: _Words,
    x: int,
    y: int,
    cells: NDArray[np.uint32],
    rows: NDArray[np.int32],
    first_rows: _Words,
) -> None:
    """G on the state words at ``places`` (4,): 40 cells and 17 rows, from 0 on."""
    a, b, c, d = state[places[0]], state[places[1]], state[places[2]], state[places[3]]
    carries = 0
    for half in range(2):
        shift = 12 - 5 * half  # b is rotated by 12, then by 7
        cut = 4 + 3 * half  # the bit of a byte where those rotations cut: 4, then 7
        operand = y if half else x
        # the row of the carries table is a number with the digits of _CARRY_BASES
        carries = carries * 9 + _carry_pair(a, b, operand, 3)
        a = (a + b + operand) & _WORD
        _write_bytes(cells, 20 * half, a)
        _write_pairs(rows, 8 * half, first_rows[0], d, a)
        d ^= a
        _write_bytes(cells, 20 * half + 4, d)
        d = _rotate(d, 16 - 8 * half)
        carries = carries * 4 + _carry_pair(c, d, 0, 2)
        c = (c + d) & _WORD
        _write_bytes(cells, 20 * half + 8, c)
        _write_pairs(rows, 8 * half + 4, first_rows[1 + half], b, c)
        b ^= c
        for k in range(4):
            byte = (b >> (8 * k)) & 0xFF
            cells[20 * half + 12 + k] = byte & ((1 << cut) - 1)
            cells[20 * half + 16 + k] = byte >> cut
        b = _rotate(b, shift)
    rows[16] = first_rows[3] + carries
    state[places[0]], state[places[1]], state[places[2]], state[places[3]] = a, b, c, d


@njit(cache=True)
def _carry_pair(a: int, b: int, x: int, base: int) -> int:
    """The carries of a + b + x as two digits: the low half's, then the high half's."""
    low = ((a & 0xFFFF) + (b & 0xFFFF) + (x & 0xFFFF)) >> 16
    return low * base + ((a + b + x) >> 32)


@njit(cache=True)
def _rotate(word: int, count: int) -> int:
    """A word of 32 bits rotated to the right."""
    return ((word >> count) | (word << (32 - count))) & _WORD


@njit(cache=True)
def _write_bytes(cells: NDArray[np.uint32], first: int, word: int) -> None:
    """Write the bytes of a word to ``cells`` (n,), the least significant first."""
    for k in range(4):
        cells[first + k] = (word >> (8 * k)) & 0xFF


@njit(cache=True)
def _write_pairs(rows: NDArray[np.int32], first: int, first_row: int, a: int, b: int) -> None:
    """Write to ``rows`` (n,) the xor-table rows of the bytes of a and b: first row + 256 a + b."""
    for k in range(4):
        rows[first + k] = first_row + ((a >> (8 * k)) & 0xFF) * 256 + ((b >> (8 * k)) & 0xFF)
