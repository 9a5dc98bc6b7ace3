"""The prover's side of a recursive opening: encode, fold, commit to what is left, open columns.

::

    vector (5, m)  --rows: entries i, i + 2^a, ...-->  (2^a, 5, D)  --encode-->  columns  --> root
       |
    sumcheck with w, lowest bit first: both are folded to D entries
       |
    w += what the opened columns claim        x_c^e = 3^e w_N^(c e): one transform of all factors

Needs Numba; the other side is ``recursive_opening.verifier``. Nothing here is secret: the vector is
masked.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zkwm_protocols.argument.ligero.column_tree import FOLD_PREFIX, fold_nonces
from zkwm_protocols.argument.ligero.hashing import hash_codewords
from zkwm_protocols.argument.recursive_opening.messages import FoldMessages, RecursiveOpening
from zkwm_protocols.argument.recursive_opening.protocol import Folding
from zkwm_protocols.argument.recursive_opening.sizes import OpeningSizes
from zkwm_protocols.argument.recursive_opening.weights import PowerWeights, UnitWeights, Weights
from zkwm_protocols.argument.transcript import Transcript
from zkwm_protocols.field.kernels.layout import Residues
from zkwm_protocols.field.kernels.montgomery import from_montgomery, to_montgomery
from zkwm_protocols.field.kernels.ntt import encode, evaluate
from zkwm_protocols.field.kernels.sumcheck import fold, product_round
from zkwm_protocols.field.polynomial import code_points
from zkwm_protocols.field.scalar import DEGREE, GENERATOR, Element
from zkwm_protocols.field.vector import (
    Array,
    add,
    combine,
    from_element,
    multiply_base,
    powers_base,
)

_SHORT = 1 << 13
"""Entries up to which weights are summed point by point instead of by a transform."""


class CommittedVector:
    """The vector of one fold as codewords: rows are entries with equal low bits of their index.

    Args:
        sizes: of the opening.
        number: of the fold, from 0.
        vector (uint32, (5, 2^a D)): canonical.
    """

    def __init__(self, sizes: OpeningSizes, number: int, vector: Residues) -> None:
        sizes_of_fold = sizes.folds[number]
        rows = vector.reshape(DEGREE, -1, sizes_of_fold.rows).transpose(2, 0, 1)
        coefficients = np.ascontiguousarray(rows).reshape(-1, rows.shape[2])
        self._codewords = encode(coefficients, sizes_of_fold.code_log)
        nonces = fold_nonces(number + 1, sizes_of_fold.code_length)
        self._tree = hash_codewords(self._codewords, nonces, FOLD_PREFIX)

    @property
    def root(self) -> bytes:
        """The root of the column tree, 32 bytes."""
        return self._tree.root

    def open(
        self, indices: Sequence[int], rounds: Sequence[tuple[Element, Element]]
    ) -> FoldMessages:
        """What is sent for this fold: columns ``indices``, and its ``rounds``."""
        return FoldMessages(
            root=self.root,
            rounds=tuple(rounds),
            columns=np.ascontiguousarray(self._codewords[:, list(indices)].T),
            nodes=self._tree.missing_nodes(indices),
        )


class RecursiveProver:
    """The opening of one vector.

    Args:
        sizes: of the opening.
        vector (uint64, (5, length)): canonical.
    """

    def __init__(self, sizes: OpeningSizes, vector: Array) -> None:
        self._sizes = sizes
        padded = np.zeros((DEGREE, sizes.padded_length), dtype=np.uint32)
        padded[:, : vector.shape[1]] = vector
        self._vector = padded
        self._committed = CommittedVector(sizes, 0, padded)

    @property
    def root(self) -> bytes:
        """The root of the first fold's tree, 32 bytes."""
        return self._committed.root

    def prove(
        self, transcript: Transcript, claim: Element, weights: Sequence[Weights]
    ) -> RecursiveOpening:
        """The messages that prove <w, v> = claim; arguments as of ``Folding``."""
        sizes = self._sizes
        folding = Folding(sizes, transcript, claim, weights)
        both = np.empty((2, DEGREE, sizes.padded_length), dtype=np.uint32)
        both[0] = to_montgomery(dense_weights(weights, sizes.padded_length))
        both[1] = to_montgomery(self._vector)
        committed, messages = self._committed, []
        for i, fold_sizes in enumerate(sizes.folds):
            rounds = []
            for _ in range(fold_sizes.rows_log):
                rounds.append(product_round(both))
                both = fold(both, folding.receive_round(*rounds[-1]), last=True)
            vector = from_montgomery(both[1])
            opened = committed
            if i + 1 < len(sizes.folds):
                committed = CommittedVector(sizes, i + 1, vector)
                folding.receive_root(committed.root)
            else:
                folding.receive_last(vector.astype(np.uint64))
            indices = folding.draw_columns()
            messages.append(opened.open(indices, rounds))
            gained = folding.receive_columns(indices, messages[-1].columns)
            if i + 1 < len(sizes.folds):
                before = from_montgomery(both[0]).astype(np.uint64)
                weight = add(before, dense_weights([gained], vector.shape[1]))
                both[0] = to_montgomery(weight)
        return RecursiveOpening(tuple(messages), vector.astype(np.uint64))


def dense_weights(weights: Sequence[Weights], length: int) -> Array:
    """w entry by entry, uint64 (5, length)."""
    result = np.zeros((DEGREE, length), dtype=np.uint64)
    for term in weights:
        if isinstance(term, UnitWeights):
            for index, factor in zip(term.indices, term.factors, strict=True):
                result[:, index] = add(result[:, index], from_element(factor))
        else:
            part = slice(term.offset, term.offset + term.length)
            result[:, part] = add(result[:, part], _powers(term))
    return result


def _powers(term: PowerWeights) -> Array:
    """The sum over points of factor x^e, e below the length: (5, length)."""
    if term.length <= _SHORT:
        points = code_points(term.code_log, term.places)
        return combine(term.factors, np.ascontiguousarray(powers_base(points, term.length).T))
    factors = np.zeros((DEGREE, 1 << term.code_log), dtype=np.uint64)
    factors[:, term.places] = term.factors
    sums = evaluate(factors, term.code_log)[:, : term.length]
    three = powers_base(np.array([GENERATOR], dtype=np.uint64), term.length)[:, 0]
    return multiply_base(sums, three)
