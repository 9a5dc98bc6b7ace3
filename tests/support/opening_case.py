"""A small vector, a claim about it with every kind of weights, its verification: SPEC.md 17.11."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zkwm_protocols.argument.recursive_opening.messages import RecursiveOpening
from zkwm_protocols.argument.recursive_opening.prover import dense_weights
from zkwm_protocols.argument.recursive_opening.sizes import Fold, OpeningSizes
from zkwm_protocols.argument.recursive_opening.verifier import check_recursive_opening
from zkwm_protocols.argument.recursive_opening.weights import PowerWeights, UnitWeights, Weights
from zkwm_protocols.argument.transcript import Transcript
from zkwm_protocols.field.scalar import Element, P
from zkwm_protocols.field.vector import Array, multiply, sum_all, to_element

FOLDS = (Fold(2, 9, 40), Fold(3, 7, 40))
"""Rates below 1/4: forty columns miss a word that is far once in 2^25 times."""


def random_elements(generator: np.random.Generator, count: int) -> Array:
    """Uniform elements of K, (5, count)."""
    return generator.integers(0, P, (5, count), dtype=np.uint64)


@dataclass(frozen=True)
class OpeningCase:
    """A vector and a true claim about it."""

    sizes: OpeningSizes
    vector: Array
    weights: tuple[Weights, ...]
    claim: Element

    def check(self, opening: RecursiveOpening, claim: Element | None = None) -> None:
        """Verify an opening of this claim, or of another."""
        transcript = Transcript()
        transcript.absorb_bytes("combined", opening.folds[0].root)
        claimed = self.claim if claim is None else claim
        check_recursive_opening(self.sizes, transcript, claimed, self.weights, opening)


def opening_case(length: int = 301, folds: tuple[Fold, ...] = FOLDS, seed: int = 1) -> OpeningCase:
    """Powers over two parts of the vector, as long as the parts, and two single entries."""
    generator = np.random.default_rng(seed)
    vector = random_elements(generator, length)
    middle = length // 3
    weights: list[Weights] = []
    for offset, end in ((0, middle), (middle, length)):
        places = np.sort(generator.choice(1 << 9, 7, replace=False))
        factors = random_elements(generator, 7)
        weights.append(PowerWeights(offset, end - offset, 9, places, factors))
    entries = random_elements(generator, 2)
    factors = (to_element(entries[:, 0]), to_element(entries[:, 1]))
    weights.append(UnitWeights((middle - 1, length - 1), factors))
    claim = sum_all(multiply(dense_weights(weights, length), vector))
    return OpeningCase(OpeningSizes(length, folds), vector, tuple(weights), claim)
