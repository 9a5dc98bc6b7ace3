"""The lookups of one BLAKE2s block, and of a leaf's whole message, as affine forms.

::

    cells of a block                             lookups of a block
    0    G 0 of round 0   40 cells               17
    40   G 1 of round 0   40                     17
    ..   80 applications of G (RFC 7693, 3.1)    ..
    3200 FOLDED           32  v_i ^ v_(i+8)      32  xor (v_i, v_(i+8), folded)
    3232 NEXT_CHAINING    32  new h              32  xor (h, folded, new h)

    cells of G, four bytes each, least significant first:
      a1 = a + b + x      d1 = d ^ a1          c1 = c + (d1 >>> 16)   bl1, bh1 = cut of b ^ c1
      a2 = a1 + b' + y    d2 = d' ^ a2         c2 = c1 + (d2 >>> 8)   bl2, bh2 = cut of b' ^ c2
    lookups of G, k = 0 .. 3:
      xor (d, a1, d1)     xor12 (b, c1, bl1, bh1)     rotations by 16 and 8 move whole bytes; by 12
      xor (d', a2, d2)    xor7 (b', c2, bl2, bh2)     and 7 they join halves cut at bits 4 and 7
      carries: low and high carry of the sums a1, c1, a2, c2

    columns that the forms of a block read:
      0 .. 3263  its cells | h (32) | v_8 .. v_15 (32) | message (64)
                 _CHAINING ^        ^ _UPPER           ^ _MESSAGE

The forms are the same in every block (``block_template``, built once). ``block_columns`` says which
cells, public cells and constants the columns of a block stand for. SPEC.md 17.3, item 2.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.relation.affine_map import AffineMap, Index
from zkwm_protocols.argument.relation.blake2s_constants import (
    BLOCK_BYTES,
    LABEL_OFFSET,
    MIXED,
    PIXEL_OFFSET,
    ROUNDS,
    SALT_OFFSET,
    SCHEDULE,
    block_count,
    initial_chaining,
    message_length,
    message_start,
    upper_state,
)
from zkwm_protocols.argument.relation.gadget import PUBLIC_CELLS, LookupGroup
from zkwm_protocols.field.scalar import P
from zkwm_protocols.field.vector import Array

Form: TypeAlias = dict[int, int]
"""Coefficients by column: a linear form in the columns of a block."""
Word: TypeAlias = list[Form]
"""Four bytes, the least significant first."""

MIX_CELLS = 40
MIX_LOOKUPS = 17
FOLDED = ROUNDS * len(MIXED) * MIX_CELLS
"""A block's first cell behind its rounds: 32 cells v_i ^ v_(i+8)."""
NEXT_CHAINING = FOLDED + 32
"""A block's 32 cells with the new chaining value; in the last block columns of public cells."""
BLOCK_CELLS = NEXT_CHAINING + 32
BLOCK_LOOKUPS = ROUNDS * len(MIXED) * MIX_LOOKUPS + 64
_CHAINING = BLOCK_CELLS
_UPPER = _CHAINING + 32
_MESSAGE = _UPPER + 32
BLOCK_COLUMNS = _MESSAGE + BLOCK_BYTES

NO_CELL = -1
"""Stands for a column that is no cell, or no public cell."""
_PER_HALF = pow(1 << 16, -1, P)
"""2^-16 modulo p: a carry is what remains of a half's sum, divided by 2^16."""


@dataclass(frozen=True)
class BlockTemplate:
    """The lookups of a block, and their values as a map of the block's own columns."""

    groups: tuple[LookupGroup, ...]
    values: AffineMap


@lru_cache(maxsize=1)
def block_template() -> BlockTemplate:
    """The lookups of one block, in order."""
    state = [_word(_CHAINING + 4 * i) for i in range(8)] + [_word(_UPPER + 4 * i) for i in range(8)]
    message = [_word(_MESSAGE + 4 * i) for i in range(16)]
    groups: list[LookupGroup] = []
    lookups: list[list[Form]] = []
    for index in range(ROUNDS * len(MIXED)):
        first, second = SCHEDULE[index // 8][2 * (index % 8) :][:2]
        groups += [
            LookupGroup("xor", 4),
            LookupGroup("xor12", 4),
            LookupGroup("xor", 4),
            LookupGroup("xor7", 4),
        ]
        groups.append(LookupGroup("carries", 1))
        lookups += _mix(state, MIXED[index % 8], message[first], message[second], index * MIX_CELLS)
    groups.append(LookupGroup("xor", 64))
    for i in range(8):
        folded = _word(FOLDED + 4 * i)
        lookups += _bytewise(state[i], state[i + 8], folded)
    for i in range(8):
        chaining, folded = _word(_CHAINING + 4 * i), _word(FOLDED + 4 * i)
        lookups += _bytewise(chaining, folded, _word(NEXT_CHAINING + 4 * i))
    return _template(tuple(groups), lookups)


@dataclass(frozen=True)
class BlockColumns:
    """What the columns of some consecutive blocks stand for, each (blocks, BLOCK_COLUMNS).

    Args:
        cells (int64): the number of a cell; ``NO_CELL`` for the others.
        public (int64): the number of a public cell, likewise.
        constants (uint64): the value of a constant, 0 for the others.
    """

    cells: Index
    public: Index
    constants: Array


def block_columns(
    shape: tuple[int, int, int], first_cell: int, block_numbers: Index
) -> BlockColumns:
    """The columns of some blocks of a leaf.

    Args:
        shape: channels, height, width of the image.
        first_cell: the leaf gadget's first cell; pixels are the cells 0 .. c*h*w - 1, the salt
            the 32 cells behind them.
        block_numbers (int64, (blocks,)): which, from 0.
    """
    size = (len(block_numbers), BLOCK_COLUMNS)
    cells, public = np.full(size, NO_CELL, np.int64), np.full(size, NO_CELL, np.int64)
    constants = np.zeros(size, dtype=np.uint64)
    numbers = block_numbers[:, None]
    first, last = block_numbers == 0, block_numbers == block_count(shape) - 1
    own = first_cell + numbers * BLOCK_CELLS + np.arange(BLOCK_CELLS)
    cells[:, :BLOCK_CELLS] = own
    cells[:, _CHAINING:_UPPER] = own[:, NEXT_CHAINING:] - BLOCK_CELLS
    cells[first, _CHAINING:_UPPER] = NO_CELL
    constants[first, _CHAINING:_UPPER] = _bytes_of(initial_chaining())
    # the last block has no cells for its chaining value
    cells[last, NEXT_CHAINING:BLOCK_CELLS] = NO_CELL
    public[last, NEXT_CHAINING:BLOCK_CELLS] = np.arange(2, PUBLIC_CELLS)
    upper = upper_state(shape)[block_numbers]
    constants[:, _UPPER:_MESSAGE] = _bytes_of(upper).reshape(-1, 32)
    places = numbers * BLOCK_BYTES + np.arange(BLOCK_BYTES)  # in the message
    pixels = shape[0] * shape[1] * shape[2]
    message, labels = cells[:, _MESSAGE:], (places >= LABEL_OFFSET) & (places < SALT_OFFSET)
    of_salt = (places >= SALT_OFFSET) & (places < PIXEL_OFFSET)
    of_image = (places >= PIXEL_OFFSET) & (places < message_length(shape))
    message[of_salt] = pixels + places[of_salt] - SALT_OFFSET
    message[of_image] = places[of_image] - PIXEL_OFFSET
    public[:, _MESSAGE:][labels] = places[labels] - LABEL_OFFSET
    start = np.frombuffer(message_start(shape), dtype=np.uint8)
    constants[first, _MESSAGE : _MESSAGE + len(start)] = start
    return BlockColumns(cells, public, constants)


def _mix(
    state: list[Word], places: tuple[int, ...], x: Word, y: Word, cell: int
) -> list[list[Form]]:
    """The 17 lookups of one G; its four words in ``state`` are replaced.

    Args:
        state: the 16 state words as forms.
        places: the words a, b, c, d of the state.
        x: the first message word.
        y: the second message word.
        cell: the first of its 40 cells.
    """
    a, b, c, d = (state[place] for place in places)
    a1, d1, c1, low1, high1, a2, d2, c2, low2, high2 = (
        _word(cell + 4 * i) for i in range(MIX_CELLS // 4)
    )
    lookups = _bytewise(d, a1, d1) + _bytewise(b, c1, low1, high1)
    carries = _carries([a, b, x], a1)
    d = [d1[(k + 2) % 4] for k in range(4)]  # rotated by 16: two bytes
    carries += _carries([c, d], c1)
    # rotated by 12: one byte, then the high 4 bits of a byte below the low 4 of the next
    b = [_combine([(high1[(k + 1) % 4], 1), (low1[(k + 2) % 4], 16)]) for k in range(4)]
    lookups += _bytewise(d, a2, d2) + _bytewise(b, c2, low2, high2)
    carries += _carries([a1, b, y], a2)
    d = [d2[(k + 1) % 4] for k in range(4)]  # rotated by 8: one byte
    carries += _carries([c1, d], c2)
    # rotated by 7: one bit to the left of a rotation by 8
    b = [_combine([(low2[(k + 1) % 4], 2), (high2[k], 1)]) for k in range(4)]
    for place, word in zip(places, (a2, b, c2, d), strict=True):
        state[place] = word
    return [*lookups, carries]


def _carries(operands: list[Word], total: Word) -> list[Form]:
    """The low and the high carry of ``total`` = the sum of ``operands``, as forms.

    Sums are taken in halves of 16 bits, so that they stay far below p.
    """
    low = _combine(
        [(word[k], 256**k * _PER_HALF) for word in operands for k in range(2)]
        + [(total[k], -(256**k) * _PER_HALF) for k in range(2)]
    )
    high = _combine(
        [(word[k + 2], 256**k * _PER_HALF) for word in operands for k in range(2)]
        + [(low, _PER_HALF)]
        + [(total[k + 2], -(256**k) * _PER_HALF) for k in range(2)]
    )
    return [low, high]


def _bytewise(*words: Word) -> list[list[Form]]:
    """Four lookups; the values of lookup k are byte k of every word."""
    return [list(forms) for forms in zip(*words, strict=True)]


def _word(column: int) -> Word:
    """The word whose bytes are the four columns from ``column`` on."""
    return [{column + k: 1} for k in range(4)]


def _combine(terms: Iterable[tuple[Form, int]]) -> Form:
    """The sum of forms times factors, modulo p."""
    result: Form = {}
    for form, factor in terms:
        for column, coefficient in form.items():
            result[column] = (result.get(column, 0) + coefficient * factor) % P
    return result


def _template(groups: tuple[LookupGroup, ...], lookups: list[list[Form]]) -> BlockTemplate:
    """The lookups' forms, flattened into arrays."""
    forms = [(u, k, form) for u, values in enumerate(lookups) for k, form in enumerate(values)]
    entries = [(i, *entry) for i, (_, _, form) in enumerate(forms) for entry in form.items()]
    values = AffineMap(
        width=BLOCK_COLUMNS,
        lookups=np.array([u for u, _, _ in forms], dtype=np.int64),
        exponents=np.array([k for _, k, _ in forms], dtype=np.int64),
        values=np.array([value for value, _, _ in entries], dtype=np.int64),
        columns=np.array([column for _, column, _ in entries], dtype=np.int64),
        coefficients=np.array([coefficient for _, _, coefficient in entries], dtype=np.uint64),
    )
    return BlockTemplate(groups, values)


def _bytes_of(words: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """The bytes (4 n,) of words (n,), or of any shape flattened, the least significant first."""
    return np.ascontiguousarray(words).astype("<u4").view(np.uint8).reshape(-1)
