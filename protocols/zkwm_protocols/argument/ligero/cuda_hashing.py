"""Leaves of the column tree on the GPU: SHA-256 (FIPS 180-4), a thread for each column.

``column_tree`` says what a leaf hashes. The nodes above are few and stay on the processor.
"""

from __future__ import annotations

from math import isqrt

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.ligero.column_tree import NONCE_BYTES
from zkwm_protocols.field.kernels.by_cuda.launch import Session, cuda, device_function, kernel
from zkwm_protocols.field.kernels.native import require

_ROUNDS = 64
_BLOCK = 64
"""Bytes."""
_WORD = np.uint32(32)
_PRIMES = [n for n in range(2, 312) if all(n % m for m in range(2, isqrt(n) + 1))]


def _cube_root(n: int) -> int:
    """The cube root, rounded down."""
    root = 1 << -(-n.bit_length() // 3)
    while root**3 > n:
        root = (2 * root + n // root**2) // 3
    return root


# The first 32 bits behind the point of square and cube roots of primes.
_START = np.array([isqrt(p << 64) & 0xFFFFFFFF for p in _PRIMES[:8]], dtype=np.uint32)
_CONSTANTS = np.array([_cube_root(p << 96) & 0xFFFFFFFF for p in _PRIMES], dtype=np.uint32)


@device_function
def _rotate(word: np.uint32, count: int) -> np.uint32:
    """A word rotated to the right."""
    by = np.uint32(count)
    return np.uint32(np.uint32(word >> by) | np.uint32(word << np.uint32(_WORD - by)))


@device_function
def _byte(at: int, length: int, header, values, column: int):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Byte ``at`` of a column's padded message of ``length`` bytes."""
    if at < header.shape[1]:
        return np.uint32(header[column, at])
    if at < length:
        row = (at - header.shape[1]) // 4
        shift = np.uint32(8 * ((at - header.shape[1]) % 4))
        return np.uint32(np.uint32(values[row, column] >> shift) & np.uint32(255))
    return np.uint32(0x80) if at == length else np.uint32(0)


@device_function
def _next_word(w: NDArray[np.uint32], i: int) -> np.uint32:
    """Word i of the schedule, of the sixteen before it."""
    x, y = w[(i + 1) % 16], w[(i + 14) % 16]
    s0 = _rotate(x, 7) ^ _rotate(x, 18) ^ np.uint32(x >> np.uint32(3))
    s1 = _rotate(y, 17) ^ _rotate(y, 19) ^ np.uint32(y >> np.uint32(10))
    return np.uint32(np.uint32(w[i % 16] + s0) + np.uint32(w[(i + 9) % 16] + s1))


@device_function
def _compress(state, column: int, w, constants) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """One block: the words ``w`` (16,), which are used up, into state[column]."""
    a, b, c, d = state[column, 0], state[column, 1], state[column, 2], state[column, 3]
    e, f, g, h = state[column, 4], state[column, 5], state[column, 6], state[column, 7]
    for i in range(_ROUNDS):
        if i >= 16:
            w[i % 16] = _next_word(w, i)
        choice = (e & f) ^ (np.uint32(~e) & g)
        s1 = _rotate(e, 6) ^ _rotate(e, 11) ^ _rotate(e, 25)
        first = np.uint32(np.uint32(h + s1) + np.uint32(choice + constants[i]))
        first = np.uint32(first + w[i % 16])
        majority = (a & b) ^ (a & c) ^ (b & c)
        s0 = _rotate(a, 2) ^ _rotate(a, 13) ^ _rotate(a, 22)
        h, g, f, e = g, f, e, np.uint32(d + first)
        d, c, b, a = c, b, a, np.uint32(first + np.uint32(s0 + majority))
    for i, word in enumerate((a, b, c, d, e, f, g, h)):
        state[column, i] = np.uint32(state[column, i] + word)


@kernel
def _hash_columns(
    digests: NDArray[np.uint32],
    header: NDArray[np.uint8],
    values: NDArray[np.uint32],
    constants: NDArray[np.uint32],
    start: NDArray[np.uint32],
) -> None:
    """digests[c] = SHA-256 of header[c] and the words of column c, as eight words."""
    column = cuda.grid(1)
    if column < digests.shape[0]:
        length = header.shape[1] + 4 * values.shape[0]
        blocks = (length + 8) // _BLOCK + 1
        w = cuda.local.array(16, np.uint32)
        for i in range(8):
            digests[column, i] = start[i]
        for block in range(blocks):
            for i in range(16):
                word = np.uint32(0)
                for k in range(4):
                    byte = _byte(block * _BLOCK + 4 * i + k, length, header, values, column)
                    word = np.uint32(np.uint32(word << np.uint32(8)) | byte)
                w[i] = word
            if block == blocks - 1:
                w[14] = np.uint32(length >> 29)
                w[15] = np.uint32((length << 3) & 0xFFFFFFFF)
            _compress(digests, column, w, constants)


def hash_leaves(codewords: NDArray[np.uint32], nonces: bytes, prefix: bytes) -> bytes:
    """The leaf digests of all columns, joined; as ``column_tree.hash_columns``.

    Args:
        codewords (uint32, (rows, N)): canonical.
        nonces: 32 N bytes.
        prefix: of the leaves.

    Raises:
        UsageError: sizes that do not fit.
    """
    count = codewords.shape[1]
    require(len(nonces) == NONCE_BYTES * count and count < 1 << 32, "columns and nonces")
    header = np.empty((count, len(prefix) + 4 + NONCE_BYTES), dtype=np.uint8)
    header[:, : len(prefix)] = np.frombuffer(prefix, dtype=np.uint8)
    places = np.arange(count).astype(">u4").view(np.uint8).reshape(count, 4)
    header[:, len(prefix) : len(prefix) + 4] = places
    header[:, len(prefix) + 4 :] = np.frombuffer(nonces, dtype=np.uint8).reshape(count, -1)
    digests = np.empty((count, 8), dtype=np.uint32)
    with Session() as gpu:
        result = gpu.make(count, 8)
        gpu.run(
            _hash_columns, count, result, gpu.send(header), gpu.send(codewords),
            gpu.send(_CONSTANTS), gpu.send(_START),
        )  # fmt: skip
        gpu.fetch(result, digests)
    return digests.astype(">u4").tobytes()
