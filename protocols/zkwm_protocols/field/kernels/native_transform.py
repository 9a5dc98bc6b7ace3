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
