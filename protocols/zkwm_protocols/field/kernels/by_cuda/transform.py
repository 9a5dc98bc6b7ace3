"""Number-theoretic transforms of rows on the GPU (SPEC.md 17.2, 17.7).

::

    1  coefficient i times scale base^i      to the place of the reversed bits of i
    2  butterflies of 2, 4, ... N values     a kernel for each, a thread for each pair

Roots and factors are powers that each thread computes by itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.field.kernels.by_cuda.arithmetic import add, product, subtract
from zkwm_protocols.field.kernels.by_cuda.launch import Session, cuda, kernel
from zkwm_protocols.field.kernels.layout import RADIX, Residues
from zkwm_protocols.field.kernels.native import require
from zkwm_protocols.field.scalar import TWO_ADICITY, P, root_of_unity


@kernel
def _fill_powers(out: Residues, base: np.uint32, start: np.uint32) -> None:
    """out[i] = start base^i, in Montgomery form."""
    i = cuda.grid(1)
    if i < out.shape[0]:
        value, square, exponent = start, base, i
        while exponent:
            if exponent & 1:
                value = product(value, square)
            square = product(square, square)
            exponent >>= 1
        out[i] = value


@kernel
def _place(out: Residues, rows: Residues, factors: Residues, logarithm: int) -> None:
    """Coefficients times factors, in the order of reversed bits; zeros behind the last."""
    i = cuda.grid(1)
    if i < out.shape[0] << logarithm:
        row = i >> logarithm
        at = i - (row << logarithm)
        value = np.uint32(0)
        if at < rows.shape[1]:
            value = product(rows[row, at], factors[at])
        place = 0
        for bit in range(logarithm):
            place |= ((at >> bit) & 1) << (logarithm - 1 - bit)
        out[row, place] = value


@kernel
def _butterfly(values: Residues, roots: Residues, logarithm: int, stage: int) -> None:
    """Pairs at a distance of 2^stage; ``roots`` are the powers of that of order 2^logarithm."""
    i = cuda.grid(1)
    pairs = logarithm - 1
    if i < values.shape[0] << pairs:
        row = i >> pairs
        pair = i - (row << pairs)
        within = pair & ((1 << stage) - 1)
        at = 2 * pair - within
        a = values[row, at]
        b = product(values[row, at + (1 << stage)], roots[within << (pairs - stage)])
        values[row, at] = add(a, b)
        values[row, at + (1 << stage)] = subtract(a, b)


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
    require(
        0 <= logarithm <= TWO_ADICITY and length <= size and out.shape == (count, size),
        "a transform",
    )
    with Session() as gpu:
        factors, roots = gpu.make(max(length, 1)), gpu.make(max(size // 2, 1))
        root = root_of_unity(logarithm)
        for powers, of, start in ((factors, base, scale), (roots, root, 1)):
            gpu.run(
                _fill_powers, powers.shape[0], powers, np.uint32(of * RADIX % P),
                np.uint32(start * RADIX % P),
            )  # fmt: skip
        values = gpu.make(count, size)
        gpu.run(_place, count * size, values, gpu.send(rows), factors, logarithm)
        for stage in range(logarithm):
            gpu.run(_butterfly, count * size // 2, values, roots, logarithm, stage)
        gpu.fetch(values, out)
