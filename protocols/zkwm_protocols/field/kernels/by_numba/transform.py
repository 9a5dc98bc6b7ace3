"""Number-theoretic transforms of rows by Numba (SPEC.md 17.2, 17.7).

::

    a row of N = A B coefficients, as a matrix of A rows and B columns (index i B + j):

    1  transform the columns          strips of 64 columns at a time (second cache)
    2  multiply (k, j) by w_N^(k j)   twiddles
    3  transpose                      into ``middle``
    4  transform the columns again    -> values at w_N^0, w_N^1, ...

All inner loops run along rows of the strip.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from zkwm_protocols.field.kernels.by_numba.arithmetic import add, product, subtract
from zkwm_protocols.field.kernels.layout import RADIX, Residues
from zkwm_protocols.field.kernels.threads import run_tasks
from zkwm_protocols.field.scalar import P, root_of_unity

_STRIP = 64
"""Columns transformed together."""


@njit(cache=True)
def _transform_strip(strip: Residues, logarithm: int, width: int, roots: Residues) -> None:
    """Transform the columns of a strip in place; its rows end in bit-reversed order.

    Decimation in frequency.

    Args:
        strip (uint32, (at least 2^logarithm, at least width)): the columns.
        logarithm: of the length.
        width: the number of columns.
        roots (uint32, (2^(m-1),)): powers of the root of order 2^m, m at least ``logarithm``; one
            in ``stride`` of them is used.
    """
    size = 1 << logarithm
    half = size >> 1
    stride = (2 * roots.shape[0]) >> logarithm
    while half:
        for i in range(half):
            root = roots[i * stride]
            for block in range(0, size, 2 * half):
                top = strip[block + i]
                bottom = strip[block + i + half]
                for j in range(width):
                    a = top[j]
                    b = bottom[j]
                    top[j] = add(a, b)
                    bottom[j] = product(subtract(a, b), root)
        half >>= 1
        stride *= 2


@njit(cache=True)
def _reverse_bits(value: int, count: int) -> int:
    """The number with the low ``count`` bits of ``value`` in reverse order."""
    reversed_value = 0
    for _ in range(count):
        reversed_value = 2 * reversed_value + (value & 1)
        value >>= 1
    return reversed_value


@njit(cache=True)
def _transform_row(
    row: Residues,
    factors: Residues,
    roots: Residues,
    twiddles: Residues,
    logarithm: int,
    strip: Residues,
    middle: Residues,
    out: Residues,
) -> None:
    """Values of one row at all powers of the root of order N = 2^logarithm.

    Args:
        row (uint32, (d,)): coefficients, d at most N.
        factors (uint32, (d,)): what they are multiplied with first, in Montgomery form.
        roots (uint32, (N / 2,)): powers of the root.
        twiddles (uint32, (A, B)): see ``_fill_twiddles``.
        logarithm: of N.
        strip (uint32, (A, 64)): scratch.
        middle (uint32, (N,)): scratch.
        out (uint32, (N,)): written.
    """
    second_log = logarithm // 2
    first_log = logarithm - second_log
    first = 1 << first_log
    second = 1 << second_log
    width = min(second, _STRIP)
    length = row.shape[0]
    for start in range(0, second, width):
        for i in range(first):
            # the row ends at ``length``: zeros from there on
            base = i * second + start
            count = min(max(length - base, 0), width)
            for j in range(count):
                strip[i, j] = product(row[base + j], factors[base + j])
            for j in range(count, width):
                strip[i, j] = np.uint32(0)
        _transform_strip(strip, first_log, width, roots)
        for i in range(first):
            k = _reverse_bits(i, first_log)  # the strip's rows are in bit-reversed order
            line = strip[i]
            twiddle = twiddles[i, start : start + width]
            for j in range(width):
                line[j] = product(line[j], twiddle[j])
            for j in range(width):
                middle[(start + j) * first + k] = line[j]
    width = min(first, _STRIP)
    for start in range(0, first, width):
        for i in range(second):
            for j in range(width):
                strip[i, j] = middle[i * first + start + j]
        _transform_strip(strip, second_log, width, roots)
        for i in range(second):
            base = _reverse_bits(i, second_log) * first + start
            for j in range(width):
                out[base + j] = strip[i, j]


@njit(cache=True, nogil=True)
def _transform_rows(
    begin: int,
    end: int,
    rows: Residues,
    factors: Residues,
    roots: Residues,
    twiddles: Residues,
    logarithm: int,
    out: Residues,
) -> None:
    """Rows begin .. end - 1, with scratch of this thread's own."""
    size = 1 << logarithm
    first = 1 << (logarithm - logarithm // 2)
    strip = np.empty((first, _STRIP), dtype=np.uint32)
    middle = np.empty(size, dtype=np.uint32)
    for r in range(begin, end):
        _transform_row(rows[r], factors, roots, twiddles, logarithm, strip, middle, out[r])


@njit(cache=True)
def _fill_powers(base: np.uint32, start: np.uint32, out: Residues) -> None:
    """start, start base, start base^2, ... into ``out``; ``base`` in Montgomery form."""
    value = start
    for i in range(out.shape[0]):
        out[i] = value
        value = product(value, base)


@njit(cache=True)
def _fill_twiddles(root: np.uint32, out: Residues) -> None:
    """out[i, j] = root^(k j), k the reversed bits of i, in Montgomery form; ``out`` (A, B)."""
    rows = out.shape[0]
    bits = 0
    while rows >> (bits + 1):
        bits += 1
    base = np.uint32(RADIX)
    for k in range(rows):
        _fill_powers(base, np.uint32(RADIX), out[_reverse_bits(k, bits)])
        base = product(base, root)


def _powers(base: int, count: int, start: int = 1) -> Residues:
    """start base^i for i below ``count``, in Montgomery form."""
    out = np.empty(count, dtype=np.uint32)
    _fill_powers(np.uint32(base * RADIX % P), np.uint32(start * RADIX % P), out)
    return out


def transform(
    rows: NDArray[np.uint32], base: int, scale: int, logarithm: int, out: NDArray[np.uint32]
) -> None:
    """As ``ntt.transform``, which has checked the shapes."""
    size = 1 << logarithm
    factors = _powers(base, rows.shape[1], scale)
    # one root at least, so that the strides of short transforms exist
    roots = _powers(root_of_unity(logarithm), max(size // 2, 1))
    second_log = logarithm // 2
    twiddles = np.empty((size >> second_log, 1 << second_log), dtype=np.uint32)
    _fill_twiddles(np.uint32(root_of_unity(logarithm) * RADIX % P), twiddles)
    count = rows.shape[0]
    work = count * size
    run_tasks(_transform_rows, count, rows, factors, roots, twiddles, logarithm, out, work=work)


def transform_at(
    rows: Residues,
    base: int,
    scale: int,
    logarithm: int,
    places: NDArray[np.int64],
    out: Residues,
) -> None:
    """out[:, i] = scale * row polynomial at base w^places[i]: all values, row by row, and those.

    Args:
        rows (uint32, (r, d)): canonical coefficients.
        base: of the coset.
        scale: a factor of all values.
        logarithm: of the length.
        places (int64, (count,)): 0 to 2^logarithm - 1.
        out (uint32, (r, count)): written.
    """
    whole = np.empty((1, 1 << logarithm), dtype=np.uint32)
    for i in range(len(rows)):
        transform(rows[i : i + 1], base, scale, logarithm, whole)
        out[i] = whole[0, places]
