"""Sumcheck over arrays in K for the prover: lines, folding, and sums of products.

::

    entries   0  1   2  3   4  5   6  7          the lowest index bit is bound first:
              |__|   |__|   |__|   |__|          entries 2i and 2i + 1 meet
    after r     0      1      2      3           a_2i + r (a_2i+1 - a_2i)

``ProductSumcheck`` is the whole prover of SPEC.md 17.6. That of the fraction tree (17.5) is in
``argument.logup_gkr`` and uses the kernels of this module.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.field.kernels import loops
from zkwm_protocols.field.kernels.layout import CHUNK, Residues, canonical_element, line_of
from zkwm_protocols.field.kernels.montgomery import to_montgomery
from zkwm_protocols.field.kernels.threads import run_tasks
from zkwm_protocols.field.scalar import DEGREE, Element


def fold(arrays: Residues, r: Element, *, last: bool) -> Residues:
    """Bind the lowest index bit of ``arrays`` to r.

    Args:
        arrays (uint32, (number, 5, C)): in Montgomery form, C even.
        r: the challenge.
        last: whether it is the last bit; else columns are continued by a zero to an even number.

    Returns:
        uint32 (number, 5, C / 2, or one more).
    """
    columns = arrays.shape[2] // 2
    if not last:
        columns += columns % 2
    out = np.empty((arrays.shape[0], DEGREE, columns), dtype=np.uint32)
    out[:, :, -1] = 0
    count = arrays.shape[0] * -(-(arrays.shape[2] // 2) // CHUNK)
    run_tasks(loops.fold, count, arrays, line_of(r), out, work=arrays.size // 10)
    return out


def product_round(arrays: Residues) -> tuple[Element, Element]:
    """s(0) and s(inf), the coefficient of X^2, of the sum over i of left_i right_i.

    ``arrays`` (uint32, (2, 5, C)): left and right, in Montgomery form, C even.
    """
    tasks = -(-arrays.shape[2] // (2 * CHUNK))
    sums = np.empty((tasks, 2, DEGREE), dtype=np.uint32)
    run_tasks(loops.product_round, tasks, arrays, sums, work=arrays.size // 10)
    total = sums.sum(axis=0, dtype=np.uint64)
    # products of Montgomery forms are in Montgomery form, and so are their sums
    return canonical_element(total[0]), canonical_element(total[1])


class ProductSumcheck:
    """The prover of the sum over j of left_j right_j, both continued by zeros.

    For every round ``round`` and then ``bind``; after the last, ``values`` (SPEC.md 17.6).
    """

    def __init__(
        self,
        left: NDArray[np.unsignedinteger],
        right: NDArray[np.unsignedinteger],
        rounds: int,
    ) -> None:
        """Start.

        Args:
            left (uint32 or uint64, (5, J)): over K, canonical.
            right (uint32 or uint64, (5, J)): over K, canonical.
            rounds: the number of rounds; J is 1 to 2^rounds.

        Raises:
            ValueError: other shapes.
        """
        columns = left.shape[1]
        if left.shape != right.shape or not 1 <= columns <= 1 << rounds:
            raise ValueError(f"{left.shape} and {right.shape} for {rounds} rounds")
        width = columns + (columns % 2 if rounds else 0)
        self._arrays = np.zeros((2, DEGREE, width), dtype=np.uint32)
        for array, values in zip(self._arrays, (left, right), strict=True):
            for coefficients, own in zip(array, values, strict=True):
                coefficients[:columns] = to_montgomery(own)
        self._rounds = rounds

    def round(self) -> tuple[Element, Element]:
        """s(0) and s(inf), the coefficient of X^2, of the round polynomial s.

        Raises:
            ValueError: all rounds are over.
        """
        if not self._rounds:
            raise ValueError("all rounds are over")
        return product_round(self._arrays)

    def bind(self, r: Element) -> None:
        """Fix the round's variable to the challenge r.

        Raises:
            ValueError: all rounds are over.
        """
        if not self._rounds:
            raise ValueError("all rounds are over")
        self._rounds -= 1
        self._arrays = fold(self._arrays, r, last=self._rounds == 0)

    def values(self) -> tuple[Element, Element]:
        """The extensions of left and right at the point of all challenges.

        Raises:
            ValueError: rounds are left.
        """
        if self._rounds:
            raise ValueError(f"{self._rounds} rounds are left")
        return canonical_element(self._arrays[0, :, 0]), canonical_element(self._arrays[1, :, 0])
