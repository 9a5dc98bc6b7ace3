"""Sizes of folds: limits, exact soundness, and the honest choice."""

from __future__ import annotations

from fractions import Fraction

import pytest

from zkwm_protocols.argument.fold_choice import choose_folds
from zkwm_protocols.argument.recursive_opening.sizes import (
    MAXIMUM_LAST_LENGTH,
    Fold,
    OpeningSizes,
    missing_nodes,
)
from zkwm_protocols.errors import InvalidOpening
from zkwm_protocols.field.scalar import ORDER

GOOD = (Fold(4, 14, 150), Fold(3, 11, 150))


def test_lengths() -> None:
    sizes = OpeningSizes(22_000, GOOD)
    assert (sizes.rounds, sizes.last_length, sizes.padded_length) == (7, 172, 22_016)
    assert [sizes.row_length(i) for i in range(2)] == [1_376, 172]


def test_terms_are_what_they_say() -> None:
    terms = {term.name: term.bound for term in OpeningSizes(22_000, GOOD).soundness()}
    assert terms["folds, sumcheck"] == Fraction(14, ORDER)
    assert terms["folds, batching"] == Fraction(3, ORDER)
    assert terms["folds, proximity"] == Fraction(4 * 2**14 + 3 * 2**11, ORDER)
    first = Fraction(2**14 + 1_376, 2**15) ** 150
    assert terms["folds, columns"] == first + Fraction(2**11 + 172, 2**12) ** 150


@pytest.mark.parametrize(
    "folds",
    [
        (),
        GOOD * 5,
        (Fold(0, 14, 150), GOOD[1]),
        (Fold(9, 14, 150), GOOD[1]),
        (Fold(4, 23, 150), GOOD[1]),
        (Fold(4, 0, 1), GOOD[1]),
        (Fold(4, 14, 0), GOOD[1]),
        (Fold(4, 14, 1_001), GOOD[1]),
        (GOOD[0], Fold(3, 8, 257)),
        (GOOD[0], Fold(3, 7, 100)),  # a codeword shorter than its row
        (Fold(1, 14, 150), Fold(1, 14, 150)),  # more than 4,096 elements in clear
    ],
)
def test_folds_outside_the_limits(folds: tuple[Fold, ...]) -> None:
    with pytest.raises(InvalidOpening) as caught:
        OpeningSizes(22_000, folds)
    assert caught.value.check == "argument.format"


@pytest.mark.parametrize("length", [3_000, 22_000, 160_000, 3_200_000])
def test_the_choice_is_allowed_and_sound(length: int) -> None:
    sizes = OpeningSizes(length, choose_folds(length, 123.0, 1e-4))
    columns = {term.name: term.bound for term in sizes.soundness()}["folds, columns"]
    assert columns <= len(sizes.folds) * Fraction(1, 2**123)
    assert sizes.last_length <= MAXIMUM_LAST_LENGTH
    assert sizes.bytes < 20 * length


def test_missing_nodes_are_counted_as_they_come() -> None:
    """Two of four leaves lack 4/3 nodes on average; one leaf of 2^k lacks k."""
    assert missing_nodes(10, 1) == 10
    assert missing_nodes(13, 166) == pytest.approx(805, rel=0.02)
