"""The prover's cells of the leaf gadget: BLAKE2s-256 with every step written down.

::

    triggers in turns of 8, turns in threads; in a turn:
        for each block:           state = chaining value | upper state
            for each trigger:     80 x G -> 40 cells and 17 rows each
                                  fold    -> 32 cells, 32 rows
                                  chain   -> 32 cells (but in the last block), 32 rows

The layout is that of ``blake2s_lookups``. Branches and memory accesses depend on secrets: it runs
on the owner's machine, where images and salts lie in the clear anyway. SPEC.md 17.3, item 2.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from zkwm_protocols.argument.relation.blake2s_constants import (
    BLOCK_BYTES,
    LABEL_OFFSET,
    MIXED,
    PIXEL_OFFSET,
    ROUNDS,
    SALT_OFFSET,
    SCHEDULE,
    initial_chaining,
    message_length,
    message_start,
    upper_state,
)
from zkwm_protocols.argument.relation.blake2s_lookups import (
    BLOCK_CELLS,
    BLOCK_LOOKUPS,
    FOLDED,
    MIX_CELLS,
    MIX_LOOKUPS,
    NEXT_CHAINING,
)
from zkwm_protocols.argument.relation.leaf import LeafGadget
from zkwm_protocols.argument.relation.lookup_tables import Tables
from zkwm_protocols.field.kernels.threads import run_tasks
from zkwm_protocols.leaves import SALT_BYTES

_Words = NDArray[np.int64]

_TRIGGERS_AT_ONCE = 8
_SCHEDULE = np.array(SCHEDULE, dtype=np.int64)
_MIXED = np.array(MIXED, dtype=np.int64)
_TABLES = ("xor", "xor12", "xor7", "carries")
_WORD = 0xFFFFFFFF
_MIXES = ROUNDS * len(MIXED)
_FOLD_LOOKUPS = _MIXES * MIX_LOOKUPS


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
    chaining = np.tile(initial_chaining().astype(np.int64), (count, 1))
    # not Numba's prange: its OpenMP layer sets the number of threads of torch in this process
    run_tasks(
        _fill_blocks,
        -(-count // _TRIGGERS_AT_ONCE),
        _messages(gadget, images, salts, labels),
        upper_state(gadget.shape).astype(np.int64),
        chaining,
        cells[gadget.first_cell :],
        rows[:, first_lookup : first_lookup + gadget.lookup_count],
        np.array([tables.first_row(key) for key in _TABLES], dtype=np.int64),
        work=count * gadget.blocks * BLOCK_LOOKUPS,
    )
    return chaining.astype("<u4").view(np.uint8)


def _messages(
    gadget: LeafGadget,
    images: NDArray[np.uint8],
    salts: NDArray[np.uint8],
    labels: NDArray[np.uint16],
) -> _Words:
    """The words of all messages, padded with zeros, int64 (n, 16 times the blocks)."""
    data = np.zeros((len(images), gadget.blocks * BLOCK_BYTES), dtype=np.uint8)
    data[:, :LABEL_OFFSET] = np.frombuffer(message_start(gadget.shape), dtype=np.uint8)
    data[:, LABEL_OFFSET:SALT_OFFSET] = labels.astype(">u2").reshape(-1, 1).view(np.uint8)
    data[:, SALT_OFFSET:PIXEL_OFFSET] = salts
    data[:, PIXEL_OFFSET : message_length(gadget.shape)] = images.reshape(len(images), -1)
    return data.view("<u4").astype(np.int64)


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
