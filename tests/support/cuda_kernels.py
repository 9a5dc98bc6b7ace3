"""The kernels on a GPU, or in CUDA's simulator, beside those of the processor: bit for bit.

A program, for ``test_by_cuda``: NUMBA_ENABLE_CUDASIM counts before numba is first imported. In the
simulator every thread is one of Python's, so that sizes are small; ``large`` as an argument takes
sizes of several tasks, for a real GPU. Prints what it has compared.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from zkwm_protocols.argument.ligero import cuda_hashing
from zkwm_protocols.argument.ligero.column_tree import FOLD_PREFIX, hash_columns
from zkwm_protocols.argument.logup_gkr import cuda_rounds, native_kernels, native_rounds
from zkwm_protocols.argument.logup_gkr.blocks import width
from zkwm_protocols.argument.logup_gkr.loop_arguments import Weights
from zkwm_protocols.field.kernels import native_kernels as field_kernels
from zkwm_protocols.field.kernels import native_transform
from zkwm_protocols.field.kernels.by_cuda import sums, transform
from zkwm_protocols.field.kernels.layout import CHUNK, Residues, line_of
from zkwm_protocols.field.scalar import DEGREE, P

_random = np.random.default_rng(14)
_LARGE = sys.argv[1:] == ["large"]
COLUMNS = (2 * CHUNK + 18, 8 * CHUNK + 14) if _LARGE else (2, 14, 130)
LOGARITHMS = (0, 1, 7, 8, 13, 17) if _LARGE else (0, 1, 2, 5)


def residues(*shape: int) -> Residues:
    """A third of them 0 or p - 1."""
    values = _random.integers(0, P, shape, dtype=np.uint64)
    edges = _random.choice(np.array([0, P - 1], dtype=np.uint64), shape)
    return np.where(_random.integers(0, 3, shape) == 0, edges, values).astype(np.uint32)


def line() -> Residues:
    """One element, repeated."""
    a = [int(value) for value in residues(DEGREE)]
    return line_of((a[0], a[1], a[2], a[3], a[4]))


def arrays(number: int, columns: int) -> Residues:
    """(number, 5, width), zeros behind the columns."""
    out = residues(number, DEGREE, width(columns))
    out[:, :, columns:] = 0
    return out


def same(
    ours: Callable[..., None],
    processors: Callable[..., None],
    *arguments: Any,
    out: tuple[Any, ...],
) -> None:
    """Both write the same over ``out``, which they are given last."""
    expected = [array.copy() for array in out]
    processors(*arguments, *expected)
    ours(*arguments, *out)
    for got, want in zip(out, expected, strict=True):
        assert np.array_equal(got, want), ours


def room(*shape: int, dtype: type = np.uint32) -> Any:
    """Memory to write to, none of it zero."""
    return np.full(shape, 7, dtype=dtype)


def transforms() -> None:
    """Rows of every length up to the whole."""
    for logarithm in LOGARITHMS:
        size = 1 << logarithm
        for length in {1, size // 2 + 1, size}:
            rows, out = residues(2, length), room(2, size)
            given = rows, 3, P - 5, logarithm
            same(transform.transform, native_transform.transform, *given, out=(out,))


def field_loops() -> None:
    """Products with a constant, folds, rounds of products, combinations."""
    for columns in COLUMNS:
        pairs = columns // 2
        tasks = -(-pairs // CHUNK)
        same(sums.scale, field_kernels.scale, residues(columns), P - 1, out=(room(columns),))
        given = 0, 3 * tasks, residues(3, DEGREE, columns), line()
        same(sums.fold, field_kernels.fold, *given, out=(room(3, DEGREE, pairs + 1),))
        one = 1, 2 * tasks, *given[2:]
        same(sums.fold, field_kernels.fold, *one, out=(room(3, DEGREE, pairs + 1),))
        both = residues(2, DEGREE, columns)
        out = room(tasks + 1, 2, DEGREE)
        same(sums.product_round, field_kernels.product_round, 0, tasks, both, out=(out,))
        wide = room(DEGREE, min(columns, 70), dtype=np.uint64)
        weights, rows = residues(DEGREE, 9).astype(np.uint64), residues(9, wide.shape[1])
        same(sums.fold_rows, field_kernels.fold_rows, weights, rows, out=(wide,))
        cells = np.ascontiguousarray(rows.T)
        same(sums.fold_batch, field_kernels.fold_batch, weights, cells, out=(wide,))


def tree_loops(rows: int = 2) -> None:
    """Parents, the sums of a round, and folds with and without the next one's."""
    for columns in (*COLUMNS, COLUMNS[0] + 1, COLUMNS[-1] - 1):
        pairs = -(-columns // 2)
        tasks = rows * -(-pairs // CHUNK)
        out = tuple(room(rows, DEGREE, width(pairs)) for _ in range(2))
        given = 0, tasks, arrays(rows, columns), arrays(rows, columns), columns
        same(cuda_rounds.make_parents, native_kernels.make_parents, *given, out=out)
        bound, challenge, r = arrays(4 * rows, columns), line(), line()
        weights = _weights(pairs, rows)
        found = room(tasks, 2, DEGREE)
        given_sums = 0, tasks, bound, columns, challenge, weights
        same(cuda_rounds.sum_bound, native_rounds.sum_bound, *given_sums, out=(found,))
        folds = rows * -(-pairs // (2 * CHUNK))
        for following in (_weights(-(-pairs // 2), rows), _weights(0, rows)):
            out = room(4 * rows, DEGREE, width(pairs)), room(folds, 2, DEGREE)
            given_fold = 0, folds, bound, columns, challenge, r, following
            same(cuda_rounds.fold_bound, native_rounds.fold_bound, *given_fold, out=out)
        # where it is read
        there, again = bound.copy(), bound.copy()
        following, found, expected = _weights(-(-pairs // 2), rows), out[1], out[1].copy()
        challenges = challenge, r, following
        native_rounds.fold_bound(0, folds, there, columns, *challenges, there, expected)
        cuda_rounds.fold_bound(0, folds, again, columns, *challenges, again, found)
        assert np.array_equal(there, again)
        assert np.array_equal(found, expected)


def _weights(pairs: int, rows: int) -> Weights:
    """The weights of a round; of none for no pairs."""
    return Weights(
        residues(1, DEGREE, min(pairs, CHUNK)),
        residues(DEGREE, max(1, -(-pairs // CHUNK))),
        residues(DEGREE, rows),
    )


def leaves() -> None:
    """Messages that end around the end of a block; compared with hashlib."""
    for rows, count in ((0, 1), (1, 3), (2, 2), (3, 2), (17, 1), (130, 300 if _LARGE else 1)):
        columns, nonces = residues(rows, count), _random.bytes(32 * count)
        for prefix in (b"zkwm-column-1", FOLD_PREFIX):
            expected = hash_columns(columns.T, nonces, np.arange(count), prefix)
            assert cuda_hashing.hash_leaves(columns, nonces, prefix) == expected


for compare in (transforms, field_loops, tree_loops, leaves):
    compare()
    sys.stdout.write(f"{compare.__name__}\n")
