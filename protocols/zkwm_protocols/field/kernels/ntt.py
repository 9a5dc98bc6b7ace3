"""Number-theoretic transforms over F_p for the prover: codewords, interpolation, products.

Rows are canonical uint32. An array over K is five rows over F_p.
SPEC.md 17.2, 17.7.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.field.kernels import loops
from zkwm_protocols.field.scalar import DEGREE, GENERATOR, TWO_ADICITY, P, root_of_unity
from zkwm_protocols.field.vector import Array, multiply, multiply_base


class Coset(NamedTuple):
    """Every 2^step_log-th column of a codeword from column ``first`` on."""

    first: int
    step_log: int


ALL_COLUMNS = Coset(0, 0)


def _transform(
    rows: NDArray[np.uint32], base: int, scale: int, logarithm: int, out: NDArray[np.uint32]
) -> None:
    """out[:, c] = scale * row polynomial at base w^c, w the root of order 2^logarithm.

    Args:
        rows (uint32, (r, d)): canonical coefficients.
        base: of the coset.
        scale: a factor of all values.
        logarithm: of the length.
        out (uint32, (r, 2^logarithm)): written.

    Raises:
        ValueError: shapes that do not fit.
    """
    if not 0 <= logarithm <= TWO_ADICITY:
        raise ValueError("lengths of 2^0 to 2^24")
    size = 1 << logarithm
    if rows.shape[1] > size or out.shape != (rows.shape[0], size):
        raise ValueError(f"{rows.shape} does not fit {out.shape} at length {size}")
    if not out.flags.c_contiguous or not rows.flags.c_contiguous:
        raise ValueError("rows must lie one behind the other")
    loops.transform(rows, base, scale, logarithm, out)


def encode(
    coefficients: NDArray[np.uint32],
    logarithm: int,
    out: NDArray[np.uint32] | None = None,
    columns: Coset = ALL_COLUMNS,
) -> NDArray[np.uint32]:
    """Reed-Solomon codewords: each row's polynomial at 3 w_N^c, c = 0 .. N - 1 (SPEC.md 17.7).

    Args:
        coefficients (uint32, (r, d)): canonical, d at most N.
        logarithm: of N.
        out (uint32, (r, m)): written and returned, C-contiguous.
        columns: which c are wanted: m of them.

    Raises:
        ValueError: shapes that do not fit.
    """
    if not 0 <= columns.step_log <= logarithm or not 0 <= columns.first < 1 << columns.step_log:
        raise ValueError(f"no such columns of 2^{logarithm}: {columns}")
    if coefficients.shape[1] > 1 << logarithm:
        raise ValueError(f"{coefficients.shape} does not fit length 2^{logarithm}")
    length_log = logarithm - columns.step_log
    base = GENERATOR * pow(root_of_unity(logarithm), columns.first, P) % P
    if out is None:
        out = np.empty((coefficients.shape[0], 1 << length_log), dtype=np.uint32)
    rows = _remainder(coefficients, pow(base, 1 << length_log, P), 1 << length_log)
    _transform(np.ascontiguousarray(rows), base, 1, length_log, out)
    return out


def _remainder(rows: NDArray[np.uint32], c: int, size: int) -> NDArray[np.uint32]:
    """Rows (r, d) modulo X^size - c, whose roots are a coset: (r, at most size)."""
    if rows.shape[1] <= size:
        return rows
    total = rows[:, :size].astype(np.uint64)
    factor = c
    for start in range(size, rows.shape[1], size):
        part = rows[:, start : start + size].astype(np.uint64)
        part *= np.uint64(factor)
        total[:, : part.shape[1]] += part  # below p + p^2, which is below 2^63
        total %= np.uint64(P)
        factor = factor * c % P
    return total.astype(np.uint32)


def encode_at(
    coefficients: NDArray[np.uint32], logarithm: int, places: NDArray[np.int64]
) -> NDArray[np.uint32]:
    """Some columns of Reed-Solomon codewords, at a fraction of the cost of ``encode``.

    Args:
        coefficients (uint32, (r, d)): canonical, d at most N.
        logarithm: of N.
        places (int64, (t,)): 0 to N - 1.

    Returns:
        uint32 (r, t).

    Raises:
        ValueError: shapes or places that do not fit.
    """
    size = 1 << logarithm
    if not 0 <= logarithm <= TWO_ADICITY or coefficients.shape[1] > size:
        raise ValueError(f"{coefficients.shape} does not fit length 2^{logarithm}")
    if places.size and not 0 <= places.min() <= places.max() < size:
        raise ValueError(f"places outside of 0 to {size - 1}")
    out = np.empty((coefficients.shape[0], len(places)), dtype=np.uint32)
    rows = np.ascontiguousarray(coefficients)
    loops.transform_at(rows, GENERATOR, 1, logarithm, places, out)
    return out


def evaluate(coefficients: Array, logarithm: int) -> Array:
    """Values at w^0, w^1, ... of polynomials (r, d), canonical: uint64 (r, 2^logarithm)."""
    out = np.empty((coefficients.shape[0], 1 << logarithm), dtype=np.uint32)
    _transform(coefficients.astype(np.uint32), 1, 1, logarithm, out)
    return out.astype(np.uint64)


def interpolate(values: Array) -> Array:
    """Coefficients from values at w_h^0, w_h^1, ..., h a power of two.

    Canonical residues (r, h) to (r, h), for instance an array over K (5, h).

    Raises:
        ValueError: h is no power of two.
    """
    size = values.shape[1]
    logarithm = size.bit_length() - 1
    if size != 1 << logarithm:
        raise ValueError("the number of values must be a power of two")
    out = np.empty(values.shape, dtype=np.uint32)
    _transform(np.ascontiguousarray(values, dtype=np.uint32), 1, pow(size, -1, P), logarithm, out)
    # the transform with the inverse root: the same values in the other direction
    return np.roll(out[:, ::-1], 1, axis=1).astype(np.uint64)


def multiply_polynomials(a: Array, b: Array) -> Array:
    """The product of polynomials, uint64 (5, l + m - 1), canonical.

    Args:
        a (uint64, (5, l)): over K.
        b (uint64, (5, m) or (m,)): over K or over F_p.
    """
    length = a.shape[-1] + b.shape[-1] - 1
    logarithm = max(length - 1, 0).bit_length()
    left = evaluate(a, logarithm)
    right = evaluate(b.reshape(-1, b.shape[-1]), logarithm)
    both = multiply(left, right) if right.shape[0] == DEGREE else multiply_base(left, right)
    return interpolate(both)[:, :length]
