"""Number-theoretic transforms from C: their tables of roots, and rows in threads (transform.h).

Sizes are checked here: C checks nothing. See ``native``.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.field.kernels.layout import RADIX, Residues
from zkwm_protocols.field.kernels.native import call, require, words
from zkwm_protocols.field.kernels.threads import run_tasks
from zkwm_protocols.field.scalar import TWO_ADICITY, P, root_of_unity

Index = NDArray[np.int64]

_STRIP = 16
"""Columns transformed together, as in transform.h."""
_GROUP = 4
"""Strips read and written together."""
_SHORT = 8
"""Below this logarithm rows are transformed without strips."""


def _powers(base: int, start: int, count: int) -> Residues:
    """start base^i for i below ``count``, in Montgomery form."""
    out = np.empty(count, dtype=np.uint32)
    call(
        "fill_powers", base * RADIX % P, start * RADIX % P, words(out, None, out=True), count
    )  # fmt: skip
    return out


@lru_cache(maxsize=2)
def _factors(base: int, scale: int, count: int) -> Residues:
    """scale base^i, kept for the next rows of the same code."""
    return _powers(base, scale, count)


@lru_cache(maxsize=8)
def _roots(logarithm: int) -> Residues:
    """Powers of the root of order 2^logarithm, each with its quotient: (half the order, 2)."""
    count = max(1 << logarithm >> 1, 1)
    powers = _powers(root_of_unity(logarithm), 1, count).astype(np.uint64)
    canonical = powers * np.uint64(pow(RADIX, -1, P)) % np.uint64(P)
    quotients = (canonical << np.uint64(32)) // np.uint64(P)
    return np.stack([canonical, quotients], axis=1).astype(np.uint32)


@lru_cache(maxsize=2)
def _twiddles(logarithm: int, rows: int, columns: int) -> Residues:
    """w^(k j) in Montgomery form, (rows, columns), w the root of order 2^logarithm."""
    out = np.empty((rows, columns), dtype=np.uint32)
    row_roots = _powers(root_of_unity(logarithm), 1, rows)
    addresses = words(row_roots, rows), words(out, rows, columns, out=True), columns, RADIX

    def part(begin: int, end: int) -> None:
        call("fill_twiddles", begin, end, *addresses)

    run_tasks(part, rows, work=out.size // 8)
    return out


@lru_cache(maxsize=1)
def _lines_and_powers(logarithm: int, places: bytes) -> tuple[Index, Residues, int]:
    """What ``transform_at`` needs for its places: lines of a strip, powers, log of its length.

    Args:
        logarithm: of N.
        places: the bytes of int64 (count,), 0 to N - 1.
    """
    at = np.frombuffer(places, dtype=np.int64)
    # a strip about as long as there are places: transforms and sums then cost about the same
    longest = logarithm - (_GROUP * _STRIP).bit_length() + 1
    rows_log = min(max((len(at) - 1).bit_length(), 2), longest)
    columns = 1 << logarithm - rows_log
    within = at & ((1 << rows_log) - 1)
    lines = np.zeros(len(at), dtype=np.int64)
    for bit in range(rows_log):  # a strip's lines are in bit-reversed order
        lines = 2 * lines + (within >> bit & 1)
    root = root_of_unity(logarithm)
    points = [pow(root, int(c), P) * RADIX % P for c in at]
    powers = np.empty((len(at), columns), dtype=np.uint32)
    call(
        "fill_twiddles", 0, len(at), words(np.array(points, dtype=np.uint32), len(at)),
        words(powers, len(at), columns, out=True), columns, RADIX,
    )  # fmt: skip
    strips = powers.reshape(len(at), -1, _STRIP).transpose(1, 0, 2)
    return lines, np.ascontiguousarray(strips), rows_log


def transform_at(
    rows: NDArray[np.uint32],
    base: int,
    scale: int,
    logarithm: int,
    places: Index,
    out: NDArray[np.uint32],
) -> None:
    """out[:, i] = scale * row polynomial at base w^places[i], w the root of order 2^logarithm.

    Args:
        rows (uint32, (r, d)): canonical coefficients, d at most 2^logarithm.
        base: of the coset.
        scale: a factor of all values.
        logarithm: of the length.
        places (int64, (count,)): 0 to 2^logarithm - 1.
        out (uint32, (r, count)): written.

    Raises:
        UsageError: shapes that do not fit.
    """
    number, length = rows.shape
    count, size = len(places), 1 << logarithm
    require(0 <= logarithm <= TWO_ADICITY and length <= size, "a transform")
    require(bool(((places >= 0) & (places < size)).all()), "places of a transform")
    if logarithm < _SHORT:
        whole = np.empty((number, size), dtype=np.uint32)
        transform(rows, base, scale, logarithm, whole)
        out[:] = whole[:, places]
        return
    at = np.ascontiguousarray(places, dtype=np.int64)
    lines, powers, rows_log = _lines_and_powers(logarithm, at.tobytes())
    columns = size >> rows_log
    factors = _factors(base, scale, length)
    addresses = (
        words(rows, number, length), length, words(factors, length),
        words(_roots(rows_log), None, 2), rows_log, columns, words(lines, count, dtype=np.int64),
        count, words(powers, columns // _STRIP, count, _STRIP),
    )  # fmt: skip
    target = words(out, number, count, out=True)

    def part(begin: int, end: int) -> None:
        """Rows begin .. end - 1, with scratch of this thread's own."""
        strips = np.empty(_GROUP * _STRIP << rows_log, dtype=np.uint32)
        sums = np.empty(count * _STRIP, dtype=np.uint32)
        scratch = words(strips, None, out=True), words(sums, None, out=True)
        call("transform_at", begin, end, *addresses, *scratch, target)

    run_tasks(part, number, work=number * size // 8)


def transform(
    rows: NDArray[np.uint32], base: int, scale: int, logarithm: int, out: NDArray[np.uint32]
) -> None:
    """out[:, c] = scale * row polynomial at base w^c, w the root of order 2^logarithm.

    Args:
        rows (uint32, (r, d)): canonical coefficients, d at most 2^logarithm.
        base: of the coset.
        scale: a factor of all values.
        logarithm: of the length.
        out (uint32, (r, 2^logarithm)): written.

    Raises:
        UsageError: shapes that do not fit.
    """
    count, length = rows.shape
    size = 1 << logarithm
    require(0 <= logarithm <= TWO_ADICITY and length <= size, "a transform")
    columns = 1 << logarithm // 2
    first = size // columns
    short = logarithm < _SHORT
    factors = _factors(base, scale, length)
    roots = _roots(logarithm if short else logarithm - logarithm // 2)
    twiddles = np.empty((1, 1), dtype=np.uint32) if short else _twiddles(logarithm, first, columns)
    addresses = (
        words(rows, count, length), length, words(factors, length), words(roots, None, 2),
        words(twiddles, None, None), logarithm,
    )  # fmt: skip
    target = words(out, count, size, out=True)

    def part(begin: int, end: int) -> None:
        """Rows begin .. end - 1, with scratch of this thread's own."""
        strips = np.empty(size if short else _GROUP * first * _STRIP, dtype=np.uint32)
        middle = np.empty(0 if short else first * (columns + _STRIP), dtype=np.uint32)
        scratch = words(strips, None, out=True), words(middle, None, out=True)
        call("transform_rows", begin, end, *addresses, *scratch, target)

    run_tasks(part, count, work=count * size // 4)
