"""Folds, rounds of products and linear combinations on the GPU (SPEC.md 17.6, 17.7)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.field.kernels.by_cuda.arithmetic import (
    ZERO,
    add,
    bind,
    least,
    load,
    minus,
    plus,
    product,
    store,
    times,
)
from zkwm_protocols.field.kernels.by_cuda.launch import THREADS, Session, cuda, kernel
from zkwm_protocols.field.kernels.layout import CHUNK, RADIX, Residues, element_of_line
from zkwm_protocols.field.kernels.native import require
from zkwm_protocols.field.kernels.threads import at_once
from zkwm_protocols.field.scalar import DEGREE, P
from zkwm_protocols.field.vector import Array


@kernel
def _scale(out: Residues, values: Residues, factor: np.uint32) -> None:
    """out = values * factor / 2^32 modulo p."""
    i = cuda.grid(1)
    if i < out.shape[0]:
        out[i] = product(values[i], factor)


@kernel
def _fold(out: Residues, arrays: Residues, r: Residues, first: int, last: int) -> None:
    """Bind the lowest bit: pairs first .. last - 1, counted through all arrays."""
    i = cuda.grid(1) + first
    pairs = arrays.shape[2] // 2
    if i < last:
        which, pair = i // pairs, i % pairs
        low, high = load(arrays, which, 2 * pair), load(arrays, which, 2 * pair + 1)
        store(out, which, pair, bind(low, high, load(r, 0, 0)))


@kernel
def _product_parts(parts: Residues, arrays: Residues, begin: int) -> None:
    """Of each task a part of both sums for each thread; ``parts`` (2 tasks, 5, THREADS)."""
    task, thread = cuda.blockIdx.x, cuda.threadIdx.x
    start = (begin + task) * CHUNK
    stop = least(start + CHUNK, arrays.shape[2] // 2)
    at_zero, at_infinity = ZERO, ZERO
    for pair in range(start + thread, stop, THREADS):
        a, b = load(arrays, 0, 2 * pair), load(arrays, 0, 2 * pair + 1)
        c, d = load(arrays, 1, 2 * pair), load(arrays, 1, 2 * pair + 1)
        at_zero = plus(at_zero, times(a, c))
        at_infinity = plus(at_infinity, times(minus(b, a), minus(d, c)))
    store(parts, 2 * task, thread, at_zero)
    store(parts, 2 * task + 1, thread, at_infinity)


@kernel
def _join_parts(sums: Residues, parts: Residues) -> None:
    """sums[i // 2, i % 2] of ``parts`` (2 tasks, 5, THREADS)."""
    i = cuda.grid(1)
    if i < parts.shape[0]:
        total = ZERO
        for thread in range(THREADS):
            total = plus(total, load(parts, i, thread))
        for k in range(DEGREE):
            sums[i // 2, i % 2, k] = total[k]


@kernel
def _combine(out: Residues, weights: Residues, rows: Residues, across: int) -> None:
    """out[k, j] = the sum over i of weights[k, i] rows[i, j], or of rows[j, i] where across."""
    t = cuda.grid(1)
    count = weights.shape[1]
    columns = out.shape[1]
    if t < DEGREE * columns:
        k, j = t // columns, t % columns
        total = np.uint32(0)
        for i in range(count):
            value = rows[j, i] if across else rows[i, j]
            total = add(total, product(weights[k, i], value))
        out[k, j] = total


def scale(values: Residues, factor: int, out: Residues) -> None:
    """As ``native_kernels.scale``."""
    require(values.shape == out.shape and 0 <= factor < P, "a product with a constant")
    with Session() as gpu:
        result = gpu.make(len(out))
        gpu.run(_scale, len(out), result, gpu.send(values), np.uint32(factor))
        gpu.fetch(result, out)


@at_once
def fold(begin: int, end: int, arrays: Residues, r: Residues, out: Residues) -> None:
    """As ``native_kernels.fold``."""
    number, _, columns = arrays.shape
    pairs = columns // 2
    chunks = -(-pairs // CHUNK)
    require(0 <= begin <= end <= number * chunks and out.shape[2] >= pairs, "binding a bit")
    first, last = (
        task // chunks * pairs + min(task % chunks * CHUNK, pairs) for task in (begin, end)
    )
    with Session() as gpu:
        result = gpu.send(out)
        challenge = gpu.send(element_of_line(r).reshape(1, DEGREE, 1))
        gpu.run(_fold, last - first, result, gpu.send(arrays), challenge, first, last)
        gpu.fetch(result, out)


@at_once
def product_round(begin: int, end: int, arrays: Residues, sums: Residues) -> None:
    """As ``native_kernels.product_round``."""
    tasks = -(-(arrays.shape[2] // 2) // CHUNK)
    require(0 <= begin <= end <= min(tasks, len(sums)), "a round of products")
    with Session() as gpu:
        parts, result = gpu.make(2 * (end - begin), DEGREE, THREADS), gpu.send(sums[begin:end])
        gpu.run(_product_parts, (end - begin) * THREADS, parts, gpu.send(arrays), begin)
        gpu.run(_join_parts, 2 * (end - begin), result, parts)
        gpu.fetch(result, sums[begin:end])


def _combination(weights: Array, rows: Residues, out: Array, across: int) -> None:
    """Both combinations: weights to Montgomery form, the sums, back as uint64."""
    flat = np.ascontiguousarray(weights, dtype=np.uint32)
    with Session() as gpu:
        form, result = gpu.make(flat.size), gpu.make(*out.shape)
        gpu.run(_scale, flat.size, form, gpu.send(flat.reshape(-1)), np.uint32(RADIX * RADIX % P))
        gpu.run(_combine, out.size, result, form.reshape(flat.shape), gpu.send(rows), across)
        gpu.fetch(result, out)


def fold_rows(weights: Array, rows: NDArray[np.uint32], out: Array) -> None:
    """As ``native_kernels.fold_rows``."""
    fits = weights.shape == (DEGREE, rows.shape[0]) and out.shape == (DEGREE, rows.shape[1])
    require(fits, "rows and weights")
    _combination(weights, rows, out, 0)


def fold_batch(weights: Array, cells: NDArray[np.uint32], out: Array) -> None:
    """As ``native_kernels.fold_batch``."""
    fits = weights.shape == (DEGREE, cells.shape[1]) and out.shape == (DEGREE, cells.shape[0])
    require(fits, "cells and weights")
    _combination(weights, cells, out, 1)
