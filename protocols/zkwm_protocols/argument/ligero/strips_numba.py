"""Strips of columns hashed by Numba: SHA-256 (FIPS 180-4) of a column's words; see ``strips``.

Words are int64, and cut to 32 bits where they are added.
"""

from __future__ import annotations

from math import isqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray

from zkwm_protocols.field.kernels.ntt import Coset
from zkwm_protocols.field.kernels.threads import run_tasks

_Words = NDArray[np.int64]

_WORD = 0xFFFFFFFF
_HASHED_AT_ONCE = 256
_HEAD_BYTES = 49


def _roots(count: int, *, cube: bool) -> _Words:
    """The first 32 bits behind the point of square or cube roots of the first primes."""
    primes = [n for n in range(2, 400) if all(n % d for d in range(2, isqrt(n) + 1))][:count]
    bits = []
    for prime in primes:
        if cube:
            target, low, high = prime << 96, 0, 1 << 36
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if middle**3 <= target else (low, middle)
        else:
            low = isqrt(prime << 64)
        bits.append(low & _WORD)
    return np.array(bits, dtype=np.int64)


_CONSTANTS = _roots(64, cube=True)
_START = _roots(8, cube=False)


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
    """As ``strips_native.hash_strip``."""
    length = strip.shape[1]
    sizes = columns.first, 1 << columns.step_log, done, total
    run_tasks(
        _hash_blocks, -(-length // _HASHED_AT_ONCE), prefix, nonces, strip, sizes, states, digests,
        work=strip.size,
    )  # fmt: skip


@njit(cache=True)
def _rotated(x: int, count: int) -> int:
    """A word rotated to the right."""
    return (x >> count | x << (32 - count)) & _WORD


@njit(cache=True)
def _block(h: _Words, w: _Words) -> None:
    """Take one block, ``w`` (16,), which is used up, into the hash value ``h`` (8,)."""
    a, b, c, d, e, f, g, last = h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7]
    for t in range(64):
        if t >= 16:
            x, y = w[(t + 1) % 16], w[(t + 14) % 16]
            low = _rotated(x, 7) ^ _rotated(x, 18) ^ (x >> 3)
            high = _rotated(y, 17) ^ _rotated(y, 19) ^ (y >> 10)
            w[t % 16] = (w[t % 16] + low + w[(t + 9) % 16] + high) & _WORD
        of_e = _rotated(e, 6) ^ _rotated(e, 11) ^ _rotated(e, 25)
        of_a = _rotated(a, 2) ^ _rotated(a, 13) ^ _rotated(a, 22)
        first = last + of_e + (g ^ (e & (f ^ g))) + _CONSTANTS[t] + w[t % 16]
        second = of_a + ((a & b) | (c & (a | b)))
        last, g, f, e = g, f, e, (d + first) & _WORD
        d, c, b, a = c, b, a, (first + second) & _WORD
    for i, word in enumerate((a, b, c, d, e, f, g, last)):
        h[i] = (h[i] + word) & _WORD


@njit(cache=True)
def _start(
    prefix: NDArray[np.uint8], nonce: NDArray[np.uint8], index: int, h: _Words, w: _Words
) -> int:
    """Begin a column: 12 words into ``w``; the byte behind them, at the top of a word."""
    h[:] = _START
    w[:] = 0
    before = 0
    for i in range(_HEAD_BYTES):
        if i < 13:
            byte = int(prefix[i])
        elif i < 17:
            byte = index >> (8 * (16 - i)) & 255
        else:
            byte = int(nonce[i - 17])
        if i < 48:
            w[i // 4] |= byte << (24 - 8 * (i % 4))
        else:
            before = byte << 24
    return before


@njit(cache=True, nogil=True)
def _hash_blocks(
    begin: int,
    end: int,
    prefix: NDArray[np.uint8],
    nonces: NDArray[np.uint8],
    strip: NDArray[np.uint32],
    sizes: tuple[int, int, int, int],
    states: NDArray[np.uint32],
    digests: NDArray[np.uint8],
) -> None:
    """Blocks of columns begin .. end - 1; ``sizes`` are first and step, done and total."""
    rows, length = strip.shape
    first, step, done, total = sizes
    h = np.empty(8, dtype=np.int64)
    w = np.zeros(16, dtype=np.int64)
    for column in range(_HASHED_AT_ONCE * begin, min(_HASHED_AT_ONCE * end, length)):
        count = 0
        if done:
            for i in range(8):
                h[i] = states[i, column]
            before = int(states[8, column])
        else:
            before, count = _start(prefix, nonces[column], first + step * column, h, w), 12
        for row in range(rows):
            x = int(strip[row, column])
            swapped = (x & 255) << 24 | (x >> 8 & 255) << 16 | (x >> 16 & 255) << 8 | x >> 24
            w[count] = before | swapped >> 8
            before = (swapped & 255) << 24
            count += 1
            if count == 16:
                _block(h, w)
                count = 0
        if done + rows < total:
            for i in range(8):
                states[i, column] = h[i]
            states[8, column] = before
        else:
            _end(h, w, count, before, total, digests[column])


@njit(cache=True)
def _end(
    h: _Words, w: _Words, count: int, before: int, rows: int, digest: NDArray[np.uint8]
) -> None:
    """The last byte of a column's elements, the padding and the length; write the digest (32,)."""
    bits = 8 * (_HEAD_BYTES + 4 * rows)
    w[count] = before | 1 << 23
    w[count + 1 :] = 0
    if count >= 14:
        _block(h, w)
        w[:] = 0
    w[14] = bits >> 32
    w[15] = bits & _WORD
    _block(h, w)
    for i in range(32):
        digest[i] = h[i // 4] >> (24 - 8 * (i % 4)) & 255
