"""Challenges and claims of a recursive opening, for both sides.

::

    claim <w, v> = s, w as terms                     its root, or the last vector, is known
    for each fold:
      receive_round      s(0), s(inf) -> r           claim = s(r)                    a times
      receive_root       root of the next fold       or receive_last: F elements
      draw_columns       t indices
      receive_columns    column c -> one factor      claim += factor sum of eq(r, i) column[i]
                                                     w += factor (1, x_c, x_c^2, ...)
    holds                <w, last> = claim

The prover drives a ``Folding`` with what it sends, the verifier with what it reads. It checks the
last equation and nothing else: the columns' trees are ``verifier``'s. SPEC.md 17.11.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.recursive_opening.sizes import OpeningSizes
from zkwm_protocols.argument.recursive_opening.weights import PowerWeights, Weights
from zkwm_protocols.argument.transcript import Transcript
from zkwm_protocols.field.scalar import ONE, Element, P, add, multiply, subtract
from zkwm_protocols.field.vector import (
    Array,
    equality_table,
    sum_all,
)
from zkwm_protocols.field.vector import multiply as multiply_arrays


class Folding:
    """The claim on the vector of the fold that is reached, and the transcript.

    Args:
        sizes: of the opening.
        transcript: with everything that was sent before.
        claim: s.
        weights: the terms of w.
    """

    def __init__(
        self,
        sizes: OpeningSizes,
        transcript: Transcript,
        claim: Element,
        weights: Sequence[Weights],
    ) -> None:
        self._sizes = sizes
        self._transcript = transcript
        self._claim = claim
        self._weights = [(0, term) for term in weights]
        """Each term with the number of challenges that were drawn before it was added."""
        self._challenges: list[Element] = []
        self._fold = 0

    def receive_round(self, at_zero: Element, at_infinity: Element) -> Element:
        """Take s(0) and s(inf), the coefficient of X^2; draw and return r."""
        self._transcript.absorb_elements("fold", [at_zero, at_infinity])
        r = self._transcript.challenge_element("fold")
        # s(1) = claim - s(0), so s(r) = r claim + (1 - 2 r) s(0) + (r^2 - r) s(inf)
        of_zero = multiply(subtract(ONE, add(r, r)), at_zero)
        of_infinity = multiply(subtract(multiply(r, r), r), at_infinity)
        self._claim = add(multiply(r, self._claim), add(of_zero, of_infinity))
        self._challenges.append(r)
        return r

    def receive_root(self, root: bytes) -> None:
        """Take the root of the next fold's tree."""
        self._transcript.absorb_bytes("folded", root)

    def receive_last(self, last: Array) -> None:
        """Take the last vector, (5, F)."""
        self._transcript.absorb_elements("last", last)

    def draw_columns(self) -> list[int]:
        """Draw the columns of this fold that are opened: t indices, ascending, distinct."""
        fold = self._sizes.folds[self._fold]
        return self._transcript.challenge_indices("folded columns", fold.code_log, fold.columns)

    def receive_columns(self, indices: Sequence[int], columns: NDArray[np.uint32]) -> PowerWeights:
        """Take the columns (t, 5 2^a), join their claims to the claim; returns what w gained."""
        fold = self._sizes.folds[self._fold]
        elements = columns.reshape(-1).astype(np.uint64)
        self._transcript.absorb_elements("folded columns", elements)
        factors = self._transcript.challenge("claims", fold.columns)
        rows = elements.reshape(fold.columns, fold.rows, 5).transpose(2, 0, 1)
        table = equality_table(self._challenges[-fold.rows_log :])
        values = multiply_arrays(rows, table[:, None]).sum(axis=2) % np.uint64(P)
        self._claim = add(self._claim, sum_all(multiply_arrays(values, factors)))
        gained = PowerWeights(
            offset=0,
            length=self._sizes.row_length(self._fold),
            code_log=fold.code_log,
            places=np.asarray(indices, dtype=np.int64),
            factors=factors,
        )
        self._weights.append((len(self._challenges), gained))
        self._fold += 1
        return gained

    def holds(self, last: Array) -> bool:
        """Whether <w, last> is the claim; ``last`` (5, F)."""
        total = np.zeros_like(last)
        for drawn, term in self._weights:
            total = total + term.folded(self._challenges[drawn:], last.shape[1])
        return sum_all(multiply_arrays(total % np.uint64(P), last)) == self._claim
