"""Polynomials for NumPy: values at a few points, coefficients, multilinear extensions.

::

    Points:       x^e = x^(e mod B) * (x^B)^(e div B)     two tables of about sqrt(length) powers
                  f(x) = sum over blocks of B terms       two matrix products, not length * t powers

    interpolate:  values at w^0, w^1, ..., w^(h-1)  ->  coefficients, by a radix-2 transform

What the verifier of SPEC.md 17.7 needs; exact, no compiler. The prover's transforms of long rows
are in ``kernels.ntt``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.field.scalar import GENERATOR, Element, P, root_of_unity
from zkwm_protocols.field.vector import (
    Array,
    combine,
    equality_table,
    multiply,
    multiply_base,
    power_base,
    powers_base,
    sum_all,
)

_P = np.uint64(P)


class Points:
    """Points of F_p, and values there of polynomials of at most ``length`` terms.

    Args:
        values (uint64, (t,)): the points.
        length: the largest number of terms.
    """

    def __init__(self, values: Array, length: int) -> None:
        self.values = values
        self._log = max(1, length - 1).bit_length() + 1 >> 1  # B = 2^log, about sqrt(length)
        self._block = 1 << self._log
        self._low = powers_base(values, self._block)
        self._high = powers_base(power_base(values, self._block), -(-length >> self._log))

    def power(self, exponents: NDArray[np.integer]) -> Array:
        """x^e of every point, e below the length: exponents (m,) to uint64 (m, t)."""
        e = np.asarray(exponents, dtype=np.int64)
        return multiply_base(self._low[e & (self._block - 1)], self._high[e >> self._log])

    def evaluate(self, polynomials: Array) -> Array:
        """Values (r, t) of polynomials (r, d) over F_p; one over K is (5, d) to (5, t)."""
        count, terms = polynomials.shape
        blocks = -(-terms >> self._log)
        padded = np.zeros((count, blocks << self._log), dtype=np.uint64)
        padded[:, :terms] = polynomials
        inner = combine(padded.reshape(count * blocks, self._block), self._low)
        outer = inner.reshape(count, blocks, -1) * self._high[:blocks] % _P
        return np.asarray(outer.sum(axis=1) % _P)


def code_points(logarithm: int, places: NDArray[np.integer]) -> Array:
    """The points 3 w^c of a codeword of 2^``logarithm`` elements, uint64 (t,); ``places``: c."""
    root = np.array([root_of_unity(logarithm)], dtype=np.uint64)
    powers = Points(root, 1 << logarithm).power(places)[:, 0]
    return powers * np.uint64(GENERATOR) % _P


def interpolate(values: Array) -> Array:
    """Coefficients from values at w_h^0, w_h^1, ... along the last axis; the same shape.

    The inverse transform over F_p, decimation in time: h = 2^log values in bit-reversed order,
    then log stages of butterflies with the inverse roots, then a division by h.
    """
    size = values.shape[-1]
    log = size.bit_length() - 1
    result = values.reshape(-1, size)[:, _bit_reversal(log)]
    for stage in range(1, log + 1):
        half = 1 << (stage - 1)
        step = pow(root_of_unity(stage), -1, P)
        twiddles = powers_base(np.array([step], dtype=np.uint64), half)[:, 0]
        pairs = result.reshape(-1, 2, half)
        turned = pairs[:, 1] * twiddles % _P
        first = (pairs[:, 0] + turned) % _P
        second = (pairs[:, 0] + (_P - turned)) % _P
        result = np.concatenate([first, second], axis=1)
    return (result.reshape(values.shape) * np.uint64(pow(size, -1, P))) % _P


def evaluate_extension(array: Array, point: Sequence[Element]) -> Element:
    """The multilinear extension of an array (5, J) over K, continued by zeros, at a point.

    In two steps, so that no equality table of 2^len(point) entries is needed.
    """
    low = min(len(point), 12)
    inner = equality_table(point[:low])
    rows = -(-array.shape[1] >> low)
    padded = np.zeros((5, rows << low), dtype=np.uint64)
    padded[:, : array.shape[1]] = array
    products = multiply(padded.reshape(5, rows, 1 << low), inner[:, None, :])
    outer = equality_table(point[low:])[:, :rows]
    sums = products.sum(axis=2) % _P
    return sum_all(multiply(sums, outer))


def _bit_reversal(log: int) -> NDArray[np.intp]:
    """The bit-reversed numbers of 0 .. 2^log - 1."""
    order = np.zeros(1, dtype=np.intp)
    for _ in range(log):
        order = np.concatenate([2 * order, 2 * order + 1])
    return order
