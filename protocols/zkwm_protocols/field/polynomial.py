"""Polynomials over K for NumPy: at a few points of F_p, and from values on roots of unity.

What the verifier of SPEC.md 17.7 needs; exact, no compiler. The prover's transforms of long rows
are in ``compiled``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.field.scalar import P, root_of_unity
from zkwm_protocols.field.vector import Array, combine, multiply_base, power_base, powers_base

_P = np.uint64(P)


class Points:
    """Points of F_p, shape (t,), and values there of polynomials of at most ``length`` terms.

    Powers are kept in two short tables: x^e = x^(e mod B) (x^B)^(e div B).
    """

    def __init__(self, values: Array, length: int) -> None:
        self.values = values
        self._log = max(1, length - 1).bit_length() + 1 >> 1
        self._block = 1 << self._log
        self._low = powers_base(values, self._block)
        self._high = powers_base(power_base(values, self._block), -(-length >> self._log))

    def power(self, exponents: NDArray[np.integer]) -> Array:
        """x^e below the length: exponents (m,) -> (m, t)."""
        e = np.asarray(exponents, dtype=np.int64)
        return multiply_base(self._low[e & (self._block - 1)], self._high[e >> self._log])

    def evaluate(self, polynomials: Array) -> Array:
        """Values (r, t) of polynomials (r, d) over F_p, so (5, d) -> (5, t) over K."""
        count, terms = polynomials.shape
        blocks = -(-terms >> self._log)
        padded = np.zeros((count, blocks << self._log), dtype=np.uint64)
        padded[:, :terms] = polynomials
        inner = combine(padded.reshape(count * blocks, self._block), self._low)
        outer = inner.reshape(count, blocks, -1) * self._high[:blocks] % _P
        return np.asarray(outer.sum(axis=1) % _P)


def interpolate(values: Array) -> Array:
    """Coefficients from values at w_h^0, w_h^1, ... along the last axis, over F_p; same shape."""
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


def _bit_reversal(log: int) -> NDArray[np.intp]:
    order = np.zeros(1, dtype=np.intp)
    for _ in range(log):
        order = np.concatenate([2 * order, 2 * order + 1])
    return order
