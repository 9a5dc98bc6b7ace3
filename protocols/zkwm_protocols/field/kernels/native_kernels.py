"""Kernels of the field from C, with the arguments of those by Numba (``by_numba``).

Sizes are checked here: C checks nothing. See ``native``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.field.kernels.layout import CHUNK, RADIX, Residues, element_of_line
from zkwm_protocols.field.kernels.native import call, require, words
from zkwm_protocols.field.kernels.threads import run_tasks
from zkwm_protocols.field.scalar import DEGREE, P
from zkwm_protocols.field.vector import Array

_COLUMNS = 1024
"""Columns of a task of ``fold_rows``, as in sums.h."""
_PADDING = 16
"""Weights of ``fold_batch`` are continued to a multiple of two vectors."""


def scale(values: Residues, factor: int, out: Residues) -> None:
    """out = values * factor / 2^32 modulo p.

    Args:
        values (uint32, (n,)): below p.
        factor: below p.
        out (uint32, (n,)): written.

    Raises:
        UsageError: shapes that do not fit.
    """
    require(values.shape == out.shape and 0 <= factor < P, "a product with a constant")
    call("scale", 0, len(values), words(values, None), factor, words(out, None, out=True))


def equality_table(table: Residues, point: Residues) -> None:
    """Fill ``table`` (5, 2^len) from ``point`` (len, 5), in Montgomery form.

    Raises:
        UsageError: shapes that do not fit.
    """
    length = len(point)
    require(length < 32, "an equality table")
    call(
        "equality_table", words(point, None, DEGREE), length, RADIX,
        words(table, DEGREE, 1 << length, out=True),
    )  # fmt: skip


def fold(begin: int, end: int, arrays: Residues, r: Residues, out: Residues) -> None:
    """Bind the lowest index bit of some arrays: tasks begin .. end - 1 of CHUNK pairs of one array.

    Args:
        begin: the first task.
        end: behind the last task.
        arrays (uint32, (number, 5, C)): C even.
        r: the challenge, a line.
        out (uint32, (number, 5, at least C / 2)): written.

    Raises:
        UsageError: shapes that do not fit.
    """
    number, _, columns = arrays.shape
    pairs = columns // 2
    require(
        0 <= begin <= end <= number * -(-pairs // CHUNK) and out.shape[2] >= pairs, "binding a bit"
    )
    r = element_of_line(r)
    call(
        "fold", begin, end, words(arrays, number, DEGREE, columns), columns, words(r, DEGREE),
        words(out, number, DEGREE, None, out=True), out.shape[2],
    )  # fmt: skip


def product_round(begin: int, end: int, arrays: Residues, sums: Residues) -> None:
    """s(0) and s(inf) of CHUNK pairs a task; ``arrays`` (2, 5, C), ``sums`` (tasks, 2, 5).

    Raises:
        UsageError: shapes that do not fit.
    """
    columns = arrays.shape[2]
    tasks = -(-(columns // 2) // CHUNK)
    require(0 <= begin <= end <= min(tasks, len(sums)), "a round of products")
    call(
        "product_round", begin, end, words(arrays, 2, DEGREE, columns), columns,
        words(sums, None, 2, DEGREE, out=True),
    )  # fmt: skip


def _montgomery(weights: Array, padded: int) -> Residues:
    """Weights (5, m) in Montgomery form, continued by zeros to (5, padded)."""
    flat = np.zeros((DEGREE, padded), dtype=np.uint32)
    flat[:, : weights.shape[1]] = weights
    out = np.empty_like(flat)
    scale(flat.reshape(-1), RADIX * RADIX % P, out.reshape(-1))
    return out


def fold_rows(weights: Array, rows: NDArray[np.uint32], out: Array) -> None:
    """out = the sum over i of weights[:, i] rows[i]; as ``linear_combination.fold_rows``.

    Raises:
        UsageError: shapes that do not fit.
    """
    count, columns = rows.shape
    require(weights.shape == (DEGREE, count), "rows and weights")
    form = _montgomery(weights, count)
    addresses = (
        words(form, DEGREE, count), words(rows, count, columns), count, columns,
        words(out, DEGREE, columns, dtype=np.uint64, out=True),
    )  # fmt: skip

    def strips(begin: int, end: int) -> None:
        call("fold_rows", begin, end, *addresses)

    run_tasks(strips, -(-columns // _COLUMNS), work=rows.size // 8)


def fold_batch(weights: Array, cells: NDArray[np.uint32], out: Array) -> None:
    """out = the sum over b of weights[:, b] cells[:, b]; as ``linear_combination.fold_batch``.

    Raises:
        UsageError: shapes that do not fit.
    """
    number, count = cells.shape
    require(weights.shape == (DEGREE, count), "cells and weights")
    padded = -(-count // _PADDING) * _PADDING
    form = _montgomery(weights, padded)
    addresses = (
        words(form, DEGREE, padded), padded, words(cells, number, count), count, number,
        words(out, DEGREE, number, dtype=np.uint64, out=True),
    )  # fmt: skip

    def part(begin: int, end: int) -> None:
        call("fold_batch", begin, end, *addresses)

    run_tasks(part, number, work=cells.size // 8)
