"""A prover of SPEC.md 17.11 in NumPy, each step of which a test may replace by another.

Honest by itself. It knows only the protocol that both sides share, so that it also checks the
product's prover.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.argument.ligero.column_tree import FOLD_PREFIX, ColumnTree, fold_nonces
from zkwm_protocols.argument.ligero.hashing import hash_codewords
from zkwm_protocols.argument.recursive_opening.messages import FoldMessages, RecursiveOpening
from zkwm_protocols.argument.recursive_opening.protocol import Folding
from zkwm_protocols.argument.recursive_opening.prover import dense_weights
from zkwm_protocols.argument.recursive_opening.sizes import OpeningSizes
from zkwm_protocols.argument.recursive_opening.weights import Weights
from zkwm_protocols.argument.transcript import Transcript
from zkwm_protocols.field.kernels.ntt import encode
from zkwm_protocols.field.scalar import Element
from zkwm_protocols.field.vector import (
    Array,
    add,
    from_element,
    multiply,
    subtract_arrays,
    sum_all,
)

Codewords = NDArray[np.uint32]


class Opener:
    """The opening of one vector; ``vector`` (5, length) is over K.

    Methods without an underscore are what a cheating prover does otherwise.
    """

    def __init__(self, sizes: OpeningSizes, vector: Array) -> None:
        self.sizes = sizes
        self.vector = np.zeros((5, sizes.padded_length), dtype=np.uint64)
        self.vector[:, : vector.shape[1]] = vector
        self.weights = np.zeros_like(self.vector)
        self.claims: list[Element] = []

    def codewords(self, fold: int) -> Codewords:
        """The words (5 2^a, N) that stand for the vector of a fold."""
        rows = self.vector.reshape(5, -1, self.sizes.folds[fold].rows).transpose(2, 0, 1)
        flat = np.ascontiguousarray(rows.reshape(-1, rows.shape[2]), dtype=np.uint32)
        return encode(flat, self.sizes.folds[fold].code_log)

    def tree(self, fold: int, codewords: Codewords) -> ColumnTree:
        """The tree whose root is sent."""
        return fold_tree(fold + 1, codewords)

    def round(self, fold: int, number: int) -> tuple[Element, Element]:
        """What is sent in a round: s(0) and s(inf) of the weights times the vector."""
        w, v = self.weights, self.vector
        steps = [subtract_arrays(x[:, 1::2], x[:, ::2]) for x in (w, v)]
        return sum_all(multiply(w[:, ::2], v[:, ::2])), sum_all(multiply(steps[0], steps[1]))

    def behind(self, fold: int) -> None:
        """Called when all bits of a fold are bound: ``vector`` is what is sent or committed to."""

    def opened(self, fold: int, indices: Sequence[int], codewords: Codewords) -> Codewords:
        """The columns that are sent."""
        return np.ascontiguousarray(codewords[:, list(indices)].T)

    def prove(
        self, transcript: Transcript, claim: Element, weights: Sequence[Weights]
    ) -> RecursiveOpening:
        """All messages; the transcript gets the first root, too."""
        words = self.codewords(0)
        tree = self.tree(0, words)
        transcript.absorb_bytes("combined", tree.root)
        self.folding = folding = Folding(self.sizes, transcript, claim, weights)
        self.weights = dense_weights(weights, self.sizes.padded_length)
        messages = []
        for i, fold in enumerate(self.sizes.folds):
            rounds = []
            for j in range(fold.rows_log):
                rounds.append(self.round(i, j))
                r = folding.receive_round(*rounds[-1])
                self.weights, self.vector = _bound(self.weights, r), _bound(self.vector, r)
            self.behind(i)
            sent, opened_tree = words, tree
            if i + 1 < len(self.sizes.folds):
                words = self.codewords(i + 1)
                tree = self.tree(i + 1, words)
                folding.receive_root(tree.root)
            else:
                folding.receive_last(self.vector)
            indices = folding.draw_columns()
            columns = self.opened(i, indices, sent)
            gained = folding.receive_columns(indices, columns)
            self.weights = add(self.weights, dense_weights([gained], self.weights.shape[1]))
            nodes = opened_tree.missing_nodes(indices)
            messages.append(FoldMessages(opened_tree.root, tuple(rounds), columns, nodes))
        return RecursiveOpening(tuple(messages), self.vector)


def fold_tree(number: int, codewords: Codewords) -> ColumnTree:
    """The tree of fold ``number``, from 1."""
    return hash_codewords(codewords, fold_nonces(number, codewords.shape[1]), FOLD_PREFIX)


def _bound(values: Array, r: Element) -> Array:
    """The array with the lowest bit of its index bound to r."""
    step = subtract_arrays(values[:, 1::2], values[:, ::2])
    return add(values[:, ::2], multiply(from_element(r), step))
