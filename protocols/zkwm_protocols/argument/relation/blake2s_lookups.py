"""The look-ups of one BLAKE2s block as affine forms, and those of a leaf's whole message.

SPEC.md 17.3, item 2. The forms are the same in every block (``_block_template``); what a block
reads from outside, its message bytes, chaining value and initial state, are columns that
``leaf_map`` puts in place for a shape. Which values cells have is the prover's business.
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
from zkwm_protocols.argument.relation.gadget import PUBLIC_CELLS, Group
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
_BLOCK_COLUMNS = _MESSAGE + BLOCK_BYTES

_CONSTANT = -1
_PER_HALF = pow(1 << 16, -1, P)


@dataclass(frozen=True)
class BlockTemplate:
    """The look-ups of a block, over its own columns; the arrays are as in ``AffineMap``."""

    groups: tuple[Group, ...]
    lookups: Index
    exponents: Index
    values: Index
    columns: Index
    coefficients: Array


@lru_cache(maxsize=1)
def block_template() -> BlockTemplate:
    """The look-ups of one block, in order."""
    state = [_word(_CHAINING + 4 * i) for i in range(8)] + [_word(_UPPER + 4 * i) for i in range(8)]
    message = [_word(_MESSAGE + 4 * i) for i in range(16)]
    groups: list[Group] = []
    lookups: list[list[Form]] = []
    for index in range(ROUNDS * len(MIXED)):
        first, second = SCHEDULE[index // 8][2 * (index % 8) :][:2]
        groups += [Group("xor", 4), Group("xor12", 4), Group("xor", 4), Group("xor7", 4)]
        groups.append(Group("carries", 1))
        lookups += _mix(state, MIXED[index % 8], message[first], message[second], index * MIX_CELLS)
    groups.append(Group("xor", 64))
    for i in range(8):
        folded = _word(FOLDED + 4 * i)
        lookups += _bytewise(state[i], state[i + 8], folded)
    for i in range(8):
        chaining, folded = _word(_CHAINING + 4 * i), _word(FOLDED + 4 * i)
        lookups += _bytewise(chaining, folded, _word(NEXT_CHAINING + 4 * i))
    return _template(tuple(groups), lookups)


@lru_cache(maxsize=2)
def leaf_map(shape: tuple[int, int, int], first_cell: int) -> AffineMap:
    """All look-ups of a leaf over its trigger's cells, the leaf's own from ``first_cell`` on.

    Pixels are the cells 0 .. c*h*w - 1, the salt the 32 cells behind them.
    """
    template = block_template()
    blocks = block_count(shape)
    columns, constants = _place_columns(shape, first_cell)
    entry_columns = columns[:, template.columns].reshape(-1)
    entry_constants = constants[:, template.columns].reshape(-1)
    shift = np.arange(blocks, dtype=np.int64)[:, None]
    values = (template.values + shift * len(template.lookups)).reshape(-1)
    coefficients = np.tile(template.coefficients, blocks)
    variable = entry_columns != _CONSTANT
    constant = entry_constants != 0
    return AffineMap(
        cells=first_cell + blocks * BLOCK_CELLS - 32,
        lookups=(template.lookups + shift * BLOCK_LOOKUPS).reshape(-1),
        exponents=np.tile(template.exponents, blocks),
        values=values[variable],
        columns=entry_columns[variable],
        coefficients=coefficients[variable],
        constant_values=values[constant],
        constants=coefficients[constant] * entry_constants[constant] % np.uint64(P),
    )


def _mix(
    state: list[Word], places: tuple[int, ...], x: Word, y: Word, cell: int
) -> list[list[Form]]:
    """The 17 look-ups of G, whose 40 cells begin at ``cell``; replaces its four state words."""
    a, b, c, d = (state[place] for place in places)
    a1, d1, c1, low1, high1, a2, d2, c2, low2, high2 = (
        _word(cell + 4 * i) for i in range(MIX_CELLS // 4)
    )
    lookups = _bytewise(d, a1, d1) + _bytewise(b, c1, low1, high1)
    carries = _carries([a, b, x], a1)
    d = [d1[(k + 2) % 4] for k in range(4)]
    carries += _carries([c, d], c1)
    b = [_combine([(high1[(k + 1) % 4], 1), (low1[(k + 2) % 4], 16)]) for k in range(4)]
    lookups += _bytewise(d, a2, d2) + _bytewise(b, c2, low2, high2)
    carries += _carries([a1, b, y], a2)
    d = [d2[(k + 1) % 4] for k in range(4)]
    carries += _carries([c1, d], c2)
    b = [_combine([(low2[(k + 1) % 4], 2), (high2[k], 1)]) for k in range(4)]
    for place, word in zip(places, (a2, b, c2, d), strict=True):
        state[place] = word
    return [*lookups, carries]


def _carries(operands: list[Word], total: Word) -> list[Form]:
    """The low and the high carry of a sum of words."""
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
    """Four look-ups, of byte k of every word."""
    return [list(forms) for forms in zip(*words, strict=True)]


def _word(column: int) -> Word:
    return [{column + k: 1} for k in range(4)]


def _combine(terms: Iterable[tuple[Form, int]]) -> Form:
    result: Form = {}
    for form, factor in terms:
        for column, coefficient in form.items():
            result[column] = (result.get(column, 0) + coefficient * factor) % P
    return result


def _template(groups: tuple[Group, ...], lookups: list[list[Form]]) -> BlockTemplate:
    """Look-ups as arrays."""
    forms = [(u, k, form) for u, values in enumerate(lookups) for k, form in enumerate(values)]
    entries = [(i, *entry) for i, (_, _, form) in enumerate(forms) for entry in form.items()]
    return BlockTemplate(
        groups=groups,
        lookups=np.array([u for u, _, _ in forms], dtype=np.int64),
        exponents=np.array([k for _, k, _ in forms], dtype=np.int64),
        values=np.array([value for value, _, _ in entries], dtype=np.int64),
        columns=np.array([column for _, column, _ in entries], dtype=np.int64),
        coefficients=np.array([coefficient for _, _, coefficient in entries], dtype=np.uint64),
    )


def _place_columns(shape: tuple[int, int, int], first_cell: int) -> tuple[Index, Array]:
    """Where the columns of every block are, (blocks, columns), and their value where constant."""
    blocks = block_count(shape)
    columns = np.full((blocks, _BLOCK_COLUMNS), _CONSTANT, dtype=np.int64)
    constants = np.zeros((blocks, _BLOCK_COLUMNS), dtype=np.uint64)
    own = first_cell + np.arange(blocks * BLOCK_CELLS, dtype=np.int64).reshape(blocks, BLOCK_CELLS)
    columns[:, :BLOCK_CELLS] = own
    public = int(own[-1, NEXT_CHAINING])  # the last block has no cells for its chaining value
    columns[-1, NEXT_CHAINING:BLOCK_CELLS] = public + np.arange(2, PUBLIC_CELLS)
    columns[1:, _CHAINING:_UPPER] = own[:-1, NEXT_CHAINING:]
    constants[0, _CHAINING:_UPPER] = _bytes_of(initial_chaining())
    constants[:, _UPPER:_MESSAGE] = _bytes_of(upper_state(shape)).reshape(blocks, -1)
    message, start = _place_message(shape, public)
    columns[:, _MESSAGE:] = message.reshape(blocks, BLOCK_BYTES)
    constants[0, _MESSAGE : _MESSAGE + len(start)] = np.frombuffer(start, dtype=np.uint8)
    return columns, constants


def _place_message(shape: tuple[int, int, int], public: int) -> tuple[Index, bytes]:
    """The columns of all message bytes, and the constants that they begin with; the tail is 0."""
    pixels = shape[0] * shape[1] * shape[2]
    columns = np.full(block_count(shape) * BLOCK_BYTES, _CONSTANT, dtype=np.int64)
    columns[LABEL_OFFSET:SALT_OFFSET] = public + np.arange(2)
    columns[SALT_OFFSET:PIXEL_OFFSET] = pixels + np.arange(PIXEL_OFFSET - SALT_OFFSET)
    columns[PIXEL_OFFSET : message_length(shape)] = np.arange(pixels)
    return columns, message_start(shape)


def _bytes_of(words: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """The bytes of words, the least significant first."""
    return np.ascontiguousarray(words).astype("<u4").view(np.uint8).reshape(-1)
