"""Arithmetic in F_p and K for Numba: scalars, lines, conversions (SPEC.md 17.2).

Kernels load columns of an array into lines and work line by line: a line is small enough for the
first cache and has a fixed stride, so that the compiler vectorizes the loops.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from zkwm_protocols.field.kernels.layout import LINE, RADIX, Residues
from zkwm_protocols.field.scalar import DEGREE, P

_P64 = np.uint64(P)
_P32 = np.uint32(P)
_P_HIGH = np.uint64(P << 32)
_INVERSE = np.uint64(pow(P, -1, 1 << 32))
_LOW = np.uint64(0xFFFFFFFF)
_WORD = np.uint64(32)
_SIGN = np.uint64(63)
_ZERO = np.uint64(0)
_ONE = np.uint32(RADIX)


@njit(forceinline=True)
def add(a: np.uint32, b: np.uint32) -> np.uint32:
    """a + b of residues."""
    # the smaller of total and total - p modulo 2^32: an underflow is large
    total = np.uint32(a + b)
    return min(total, np.uint32(total - _P32))


@njit(forceinline=True)
def subtract(a: np.uint32, b: np.uint32) -> np.uint32:
    """a - b of residues."""
    # the smaller again: an underflow is large, and adding p repairs it
    difference = np.uint32(a - b)
    return min(difference, np.uint32(difference + _P32))


@njit(forceinline=True)
def saturate(total: np.uint64) -> np.uint64:
    """A sum of at most four products of residues, made smaller than 2^63 for ``reduce``.

    p 2^32, a multiple of p, is subtracted where the top bit is set. Four products of residues are
    below 4 p^2 < 2^64.
    """
    return total - (_P_HIGH & (_ZERO - (total >> _SIGN)))


@njit(forceinline=True)
def reduce(total: np.uint64) -> np.uint32:
    """total / 2^32 modulo p, below p, of a number below 2^63 (Montgomery reduction)."""
    multiple = (total * _INVERSE) & _LOW
    # both words agree in the low half; of the high ones the first is below 1.008 p, the second p
    residue = np.uint32((total >> _WORD) - ((multiple * _P64) >> _WORD))
    residue = min(residue, np.uint32(residue + _P32))
    return min(residue, np.uint32(residue - _P32))


@njit(forceinline=True)
def product(a: np.uint32, b: np.uint32) -> np.uint32:
    """a b / 2^32: in Montgomery form if both are; canonical if one is and the other canonical."""
    return reduce(np.uint64(a) * np.uint64(b))


@njit(forceinline=True)
def _sum_of_five(a0, a1, a2, a3, a4, b0, b1, b2, b3, b4):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """a0 b0 + ... + a4 b4, reduced; four products are below 2^64, five are not."""
    four = a0 * np.uint64(b0) + a1 * np.uint64(b1) + a2 * np.uint64(b2) + a3 * np.uint64(b3)
    return reduce(saturate(saturate(four) + a4 * np.uint64(b4)))


@njit(forceinline=True)
def quintic_product(a0, a1, a2, a3, a4, b0, b1, b2, b3, b4):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """The product in K of two elements in Montgomery form, X^5 = 1 - X^2: five residues."""
    # coefficient k is an inner product of a with row k of the matrix of b, folded: c .. f are the
    # entries that X^5 = 1 - X^2 makes of more than one coefficient
    x0, x1, x2, x3, x4 = np.uint64(a0), np.uint64(a1), np.uint64(a2), np.uint64(a3), np.uint64(a4)
    c = subtract(b1, b4)
    d = subtract(b0, b3)
    e = subtract(b4, b2)
    f = subtract(b3, c)
    return (
        _sum_of_five(x0, x1, x2, x3, x4, b0, b4, b3, b2, c),
        _sum_of_five(x0, x1, x2, x3, x4, b1, b0, b4, b3, b2),
        _sum_of_five(x0, x1, x2, x3, x4, b2, c, d, e, f),
        _sum_of_five(x0, x1, x2, x3, x4, b3, b2, c, d, e),
        _sum_of_five(x0, x1, x2, x3, x4, b4, b3, b2, c, d),
    )


@njit(cache=True)
def product_line(out: Residues, a: Residues, b: Residues, count: int) -> None:
    """out = a b over K, for the first ``count`` elements; out may be a or b."""
    for i in range(count):
        out[i], out[LINE + i], out[2 * LINE + i], out[3 * LINE + i], out[4 * LINE + i] = (
            quintic_product(
                a[i], a[LINE + i], a[2 * LINE + i], a[3 * LINE + i], a[4 * LINE + i],
                b[i], b[LINE + i], b[2 * LINE + i], b[3 * LINE + i], b[4 * LINE + i],
            )
        )  # fmt: skip


@njit(cache=True)
def add_product_line(out: Residues, a: Residues, b: Residues, count: int) -> None:
    """out += a b over K, the first ``count`` elements of three different lines."""
    for i in range(count):
        c = quintic_product(
            a[i], a[LINE + i], a[2 * LINE + i], a[3 * LINE + i], a[4 * LINE + i],
            b[i], b[LINE + i], b[2 * LINE + i], b[3 * LINE + i], b[4 * LINE + i],
        )  # fmt: skip
        out[i] = add(out[i], c[0])
        out[LINE + i] = add(out[LINE + i], c[1])
        out[2 * LINE + i] = add(out[2 * LINE + i], c[2])
        out[3 * LINE + i] = add(out[3 * LINE + i], c[3])
        out[4 * LINE + i] = add(out[4 * LINE + i], c[4])


@njit(cache=True)
def add_line(out: Residues, a: Residues, b: Residues, count: int) -> None:
    """out = a + b, the first ``count`` elements of three lines."""
    for k in range(DEGREE):
        for i in range(k * LINE, k * LINE + count):
            out[i] = add(a[i], b[i])


@njit(cache=True)
def subtract_line(out: Residues, a: Residues, b: Residues, count: int) -> None:
    """out = a - b, the first ``count`` elements of three lines."""
    for k in range(DEGREE):
        for i in range(k * LINE, k * LINE + count):
            out[i] = subtract(a[i], b[i])


@njit(cache=True)
def sum_line(sums: Residues, task: int, which: int, line: Residues) -> None:
    """The sum of a whole line, into sums[task, which]; ``sums`` uint32 (tasks, number, 5)."""
    for k in range(DEGREE):
        total = _ZERO
        for i in range(k * LINE, (k + 1) * LINE):
            total += np.uint64(line[i])
        sums[task, which, k] = np.uint32(total % _P64)


@njit(cache=True)
def scale(values: Residues, factor: int, out: Residues) -> None:
    """out = values * factor / 2^32 modulo p, both (n,)."""
    for i in range(values.shape[0]):
        out[i] = product(values[i], np.uint32(factor))


@njit(cache=True)
def equality_table(table: Residues, point: Residues) -> None:
    """Fill ``table`` (5, 2^len) from ``point`` (len, 5), doubling its length at each coordinate."""
    for k in range(DEGREE):
        table[k, 0] = _ONE if k == 0 else np.uint32(0)
    size = 1
    for q in point:
        for i in range(size):
            high = quintic_product(
                table[0, i], table[1, i], table[2, i], table[3, i], table[4, i],
                q[0], q[1], q[2], q[3], q[4],
            )  # fmt: skip
            for k in range(DEGREE):
                table[k, size + i] = high[k]
                table[k, i] = subtract(table[k, i], high[k])
        size *= 2
