"""The vector w of a claim <w, v> = s, as few terms: what a verifier folds without building it.

::

    PowerWeights     w[offset + e] = sum over points x of factor x^e      e = 0 .. length - 1
    UnitWeights      w[index] = factor

    folding B bits to challenges r:    w'[j] = sum over low < 2^B of eq(r, low) w[low + 2^B j]

    of powers, a block of 2^B entries inside the range:    x^(2^B j - offset) G(x),
    G(x) = product over i of 1 - r_i + r_i x^(2^i);        at both ends of the range a part of G

Points are those of a code, x_c = 3 w_N^c. A prover builds w by one transform, since x_c^e is
3^e w_N^(c e) (``prover``). SPEC.md 17.11.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.field.polynomial import code_points
from zkwm_protocols.field.scalar import Element, P, multiply
from zkwm_protocols.field.vector import (
    Array,
    add,
    combine,
    from_element,
    multiply_base,
    one_minus,
    power_base,
    powers_base,
    subtract_arrays,
)
from zkwm_protocols.field.vector import multiply as multiply_arrays


@dataclass(frozen=True, eq=False)
class PowerWeights:
    """Sums of powers of code points.

    Args:
        offset: the first entry.
        length: the number of entries.
        code_log: k of the code; its points are 3 w_N^c.
        places (int64, (t,)): the points' c.
        factors (uint64, (5, t)): over K.
    """

    offset: int
    length: int
    code_log: int
    places: NDArray[np.int64]
    factors: Array

    def folded(self, challenges: Sequence[Element], length: int) -> Array:
        """The weights after folding: bit i of an index bound to challenges[i], (5, length)."""
        parts = _PartsOfBlock(code_points(self.code_log, self.places), challenges)
        result = np.zeros((5, length), dtype=np.uint64)
        block, end = 1 << len(challenges), self.offset + self.length
        first = -(-self.offset // block)
        last = max(first, end // block)
        if last > first:
            factors = multiply_arrays(self._shifted(parts, first * block), parts.whole)
            steps = powers_base(power_base(parts.points, block), last - first)
            result[:, first:last] = combine(factors, steps.T)
        for j in {self.offset // block, last} - set(range(first, last)):
            low, high = max(self.offset - j * block, 0), min(end - j * block, block)
            if low < high:
                part = subtract_arrays(parts.below(high), parts.below(low))
                terms = multiply_arrays(self._shifted(parts, j * block), part)
                result[:, j] = terms.sum(axis=1) % np.uint64(P)
        return result

    def _shifted(self, parts: _PartsOfBlock, start: int) -> Array:
        """factor x^(start - offset), the exponent being negative in a first block."""
        powers = power_base(parts.points, (start - self.offset) % (P - 1))
        return multiply_base(self.factors, powers)


@dataclass(frozen=True)
class UnitWeights:
    """Single entries: ``indices``, and for each its factor."""

    indices: tuple[int, ...]
    factors: tuple[Element, ...]

    def folded(self, challenges: Sequence[Element], length: int) -> Array:
        """The weights after folding, (5, length)."""
        result = np.zeros((5, length), dtype=np.uint64)
        for index, factor in zip(self.indices, self.factors, strict=True):
            value = factor
            for bit, r in enumerate(challenges):
                value = multiply(value, r if index >> bit & 1 else one_minus(r))
            j = index >> len(challenges)
            result[:, j] = add(result[:, j], from_element(value))
        return result


Weights = PowerWeights | UnitWeights


class _PartsOfBlock:
    """Sums over the first entries of a block: eq(r, i) x^i for i below a bound.

    Args:
        points (uint64, (t,)): x, over F_p.
        challenges: r.
    """

    def __init__(self, points: Array, challenges: Sequence[Element]) -> None:
        self.points = points
        one = np.zeros((5, len(points)), dtype=np.uint64)
        one[0] = 1
        self._one = one
        self._zeros = [from_element(one_minus(r))[:, None] for r in challenges]
        self._ones: list[Array] = []
        self._whole = [one]  # of 2^k entries, for every k
        power = points
        for zero, r in zip(self._zeros, challenges, strict=True):
            self._ones.append(multiply_base(from_element(r)[:, None], power))
            both = add(np.broadcast_to(zero, one.shape), self._ones[-1])
            self._whole.append(multiply_arrays(self._whole[-1], both))
            power = multiply_base(power, power)

    @property
    def whole(self) -> Array:
        """The sum over all entries, (5, t)."""
        return self._whole[-1]

    def below(self, bound: int) -> Array:
        """The sum over the first ``bound`` entries, (5, t)."""
        if bound >> len(self._ones):
            return self.whole
        # entries that agree with the bound above bit k, where it has a 1 and they have a 0
        total, head = np.zeros_like(self._one), self._one
        for k in reversed(range(len(self._ones))):
            zero = multiply_arrays(head, self._zeros[k])
            if bound >> k & 1:
                total = add(total, multiply_arrays(zero, self._whole[k]))
                head = multiply_arrays(head, self._ones[k])
            else:
                head = zero
        return total
