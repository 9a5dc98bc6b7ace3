"""Cheating provers of a recursive opening, one for every step that a verifier relies on.

Each is honest but for one step, and then does its best: later values fit the earlier lie where they
can. Forty columns a fold, so that a wrong word passes once in 2^25 times.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tests.support.cheating_opener import Codewords, Opener, fold_tree
from tests.support.opening_case import OpeningCase, opening_case, random_elements
from zkwm_protocols.argument.ligero.column_tree import ColumnTree
from zkwm_protocols.argument.recursive_opening.messages import RecursiveOpening
from zkwm_protocols.argument.transcript import Transcript
from zkwm_protocols.errors import InvalidOpening
from zkwm_protocols.field.kernels.ntt import encode
from zkwm_protocols.field.scalar import (
    ONE,
    Element,
    P,
    add,
    inverse,
    multiply,
    scale,
    subtract,
)
from zkwm_protocols.field.vector import Array, from_element, sum_all, to_element
from zkwm_protocols.field.vector import add as add_arrays
from zkwm_protocols.field.vector import multiply as multiply_arrays

HALF = pow(2, -1, P)


@pytest.fixture(scope="module")
def case() -> OpeningCase:
    return opening_case()


def refuse(
    case: OpeningCase, opening: RecursiveOpening, check: str, claim: Element | None = None
) -> None:
    with pytest.raises(InvalidOpening) as caught:
        case.check(opening, claim)
    assert caught.value.check == check


def prove(
    case: OpeningCase, opener: type[Opener], claim: Element | None = None
) -> RecursiveOpening:
    made = opener(case.sizes, case.vector)
    return made.prove(Transcript(), claim or case.claim, case.weights)


class Liar(Opener):
    """Proves a claim that is 1 too large: half of what is left of the error in every round."""

    error: Element = ONE

    def round(self, fold: int, number: int) -> tuple[Element, Element]:
        """With s(0) and s(1) both wrong by half the error, so is s(r), whatever r is."""
        zero, infinity = super().round(fold, number)
        self.error = scale(self.error, HALF)
        return add(zero, self.error), infinity


def test_an_honest_opener_is_believed(case: OpeningCase) -> None:
    case.check(prove(case, Opener))


def test_a_false_claim(case: OpeningCase) -> None:
    claim = add(case.claim, ONE)
    refuse(case, prove(case, Opener, claim), "argument.relations", claim)


def test_a_wrong_value_of_a_round(case: OpeningCase) -> None:
    """s(0) + s(1) is the false claim, so that a verifier who only adds up would believe it."""
    claim = add(case.claim, ONE)
    refuse(case, prove(case, Liar, claim), "argument.relations", claim)


@pytest.mark.parametrize("fold", [0, 1])
def test_a_vector_that_is_not_the_fold(case: OpeningCase, fold: int) -> None:
    """It has what is left of the false claim, and all that follows is honest about it."""

    class WrongFold(Liar):
        def round(self, fold_: int, number: int) -> tuple[Element, Element]:
            if fold_ > fold:
                return Opener.round(self, fold_, number)
            return super().round(fold_, number)

        def behind(self, fold_: int) -> None:
            if fold_ == fold:
                first = to_element(self.weights[:, 0])
                change = from_element(multiply(self.error, inverse(first)))
                self.vector[:, 0] = add_arrays(self.vector[:, 0], change)
                assert fold_ == 0 or self.folding.holds(self.vector)

    claim = add(case.claim, ONE)
    refuse(case, prove(case, WrongFold, claim), "argument.relations", claim)


@pytest.mark.parametrize("fold", [0, 1])
def test_a_vector_that_fits_the_claim_but_not_the_columns(case: OpeningCase, fold: int) -> None:
    """A true claim, an honest sumcheck; then another vector with the same product."""

    class SameProduct(Opener):
        def behind(self, fold_: int) -> None:
            if fold_ == fold:
                a, b = to_element(self.weights[:, 0]), to_element(self.weights[:, 1])
                self.vector[:, 0] = add_arrays(self.vector[:, 0], from_element(b))
                minus = from_element(subtract((0,) * 5, a))
                self.vector[:, 1] = add_arrays(self.vector[:, 1], minus)
                assert fold_ == 0 or self.folding.holds(self.vector)

    refuse(case, prove(case, SameProduct), "argument.relations")


@pytest.mark.parametrize("fold", [0, 1])
def test_a_word_far_from_the_code(case: OpeningCase, fold: int) -> None:
    """Rows of too high a degree: a true claim on their low coefficients is not believed."""

    class HighDegree(Opener):
        def codewords(self, fold_: int) -> Codewords:
            words = super().codewords(fold_)
            if fold_ == fold:
                sizes = self.sizes.folds[fold]
                row = np.zeros((1, sizes.code_length), dtype=np.uint32)
                row[0, self.sizes.row_length(fold)] = 1
                words[0] = (words[0].astype(np.uint64) + encode(row, sizes.code_log)[0]) % P
            return words

    refuse(case, prove(case, HighDegree), "argument.relations")


def test_random_words_with_a_fold_of_their_own(case: OpeningCase) -> None:
    """Words that belong to no vector; the next vector is interpolated from some of the columns."""

    class Random(Opener):
        def codewords(self, fold: int) -> Codewords:
            words = super().codewords(fold)
            if fold == 0:
                generator = np.random.default_rng(3)
                half = words.shape[1] // 2
                words[:, half:] = generator.integers(0, P, words[:, half:].shape)
            return words

    refuse(case, prove(case, Random), "argument.relations")


@pytest.mark.parametrize("fold", [0, 1])
def test_a_changed_column(case: OpeningCase, fold: int) -> None:
    class OtherColumn(Opener):
        def opened(self, fold_: int, indices: Sequence[int], codewords: Codewords) -> Codewords:
            columns = super().opened(fold_, indices, codewords)
            if fold_ == fold:
                columns[3, 7] = (int(columns[3, 7]) + 1) % P
            return columns

    refuse(case, prove(case, OtherColumn), "argument.columns")


def test_columns_of_other_places(case: OpeningCase) -> None:
    class Neighbors(Opener):
        def opened(self, fold: int, indices: Sequence[int], codewords: Codewords) -> Codewords:
            return super().opened(fold, [i ^ 1 for i in indices], codewords)

    refuse(case, prove(case, Neighbors), "argument.columns")


def test_a_tree_of_another_fold(case: OpeningCase) -> None:
    """The same columns with the number of another fold in their leaves."""

    class OtherNumber(Opener):
        def tree(self, fold: int, codewords: Codewords) -> ColumnTree:
            return fold_tree(2 - fold, codewords)

    refuse(case, prove(case, OtherNumber), "argument.columns")


def test_folds_in_another_order(case: OpeningCase) -> None:
    opening = prove(case, Opener)
    swapped = RecursiveOpening(opening.folds[::-1], opening.last)
    with pytest.raises((InvalidOpening, ValueError)):
        case.check(swapped)


def test_a_last_vector_that_fits_the_claim_alone(case: OpeningCase) -> None:
    """Solved for after everything is known: it is hashed before the last columns are drawn."""
    opening = prove(case, Opener)
    last = opening.last.copy()
    last[:, 0] = add_arrays(last[:, 0], from_element(ONE))
    refuse(case, RecursiveOpening(opening.folds, last), "argument.columns")


def test_a_claim_of_other_weights(case: OpeningCase) -> None:
    """True of the vector, but not what is claimed: two factors are exchanged."""
    other = opening_case(seed=2)
    made = Opener(case.sizes, case.vector).prove(
        Transcript(), value_of(other, case.vector), other.weights
    )
    refuse(case, made, "argument.relations")


def value_of(case: OpeningCase, vector: Array) -> Element:
    """What the weights of a case make of a vector."""
    from zkwm_protocols.argument.recursive_opening.prover import dense_weights

    return sum_all(multiply_arrays(dense_weights(case.weights, vector.shape[1]), vector))


def test_zeros_that_continue_the_vector_have_no_weight(case: OpeningCase) -> None:
    """What a prover puts there changes nothing: the claim stays true, and a false one false."""

    class Filled(Opener):
        def codewords(self, fold: int) -> Codewords:
            if fold == 0:
                generator = np.random.default_rng(4)
                missing = self.vector.shape[1] - case.vector.shape[1]
                self.vector[:, -missing:] = random_elements(generator, missing)
            return super().codewords(fold)

    assert case.sizes.padded_length > case.sizes.length
    case.check(prove(case, Filled))
    claim = add(case.claim, ONE)
    refuse(case, prove(case, Filled, claim), "argument.relations", claim)
