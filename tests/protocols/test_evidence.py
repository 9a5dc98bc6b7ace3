"""Evidence against exact fractions, and the published shape of the decision."""

from __future__ import annotations

import time
from fractions import Fraction
from math import isqrt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference import evidence as reference
from zkwm_protocols import log2_bounds as logarithms
from zkwm_protocols.errors import Malformed, UsageError
from zkwm_protocols.evidence import (
    Evidence,
    assess,
    class_map_bits,
    needed_matches,
    null_distribution,
    smallest_reveal,
)
from zkwm_protocols.policy import Policy

# The smallest k with P[Binomial(n, 1/C) >= k] at most 2^-40, 2^-64, 2^-128; None: not even n.
THRESHOLDS = [
    (2, 100, 85, 93, None), (2, 200, 150, 163, 186), (10, 10, None, None, None),
    (10, 20, 16, 20, None), (10, 50, 26, 32, 45), (10, 100, 37, 46, 65), (10, 200, 56, 68, 93),
    (100, 100, 15, 20, 33), (1000, 20, 6, 9, 15), (1000, 100, 8, 12, 20),
]  # fmt: skip


def judged(matches: int, **changes: int) -> Evidence:
    """One block of 50 of 4 at ten classes, but for the changes."""
    numbers = {"blocks_used": 1, "block_count": 4, "block_size": 50, "class_count": 10, **changes}
    policy: dict[str, Any] = {
        name: numbers.pop(name)
        for name in ("threshold_bits", "functions_tried", "owner_choice_bits")
        if name in numbers
    }
    return assess(matches, policy=Policy(**policy), **numbers)


@pytest.mark.parametrize("row", THRESHOLDS, ids=lambda row: f"C={row[0]},n={row[1]}")
def test_smallest_counts_of_chance(
    row: tuple[int, int, int | None, int | None, int | None],
) -> None:
    class_count, trials, *counts = row
    numbers = {"block_count": 1, "block_size": trials, "class_count": class_count}
    for bits, expected in zip((40, 64, 128), counts, strict=True):
        last_too_few = trials if expected is None else expected - 1
        assert judged(last_too_few, **numbers).terms[0].hundredths < 100 * bits
        assert reference.tail(trials, class_count, last_too_few) > Fraction(1, 2**bits)
        if expected is not None:
            assert judged(expected, **numbers).terms[0].hundredths >= 100 * bits
            assert reference.tail(trials, class_count, expected) <= Fraction(1, 2**bits)


sizes = st.tuples(st.integers(1, 40), st.integers(1, 5), st.integers(0, 5), st.integers(2, 65_535))


@given(sizes, st.data())
@settings(deadline=None)
def test_equal_to_exact_fractions(numbers: tuple[int, int, int, int], data: st.DataObject) -> None:
    block_size, used, more, class_count = numbers
    matches = data.draw(st.integers(0, block_size * used))
    tried = data.draw(st.integers(1, 10**9))
    choice = data.draw(st.integers(0, 1000))
    found = judged(
        matches, blocks_used=used, block_count=used + more, block_size=block_size,
        class_count=class_count, functions_tried=tried, owner_choice_bits=choice,
    )  # fmt: skip
    assert found.total_hundredths == reference.evidence(
        class_count, block_size, used + more, used, matches, tried, choice
    )
    assert found.reached == (found.total_hundredths >= 4000)
    assert found.total_bits == found.total_hundredths / 100


@given(sizes, st.integers(1, 200))
@settings(deadline=None, max_examples=50)
def test_needed_matches_is_exactly_minimal(
    numbers: tuple[int, int, int, int], threshold: int
) -> None:
    block_size, used, more, class_count = numbers
    found = needed_matches(
        blocks_used=used, block_count=used + more, block_size=block_size, class_count=class_count,
        policy=Policy(threshold_bits=threshold),
    )  # fmt: skip

    def reaches(matches: int) -> bool:
        numbers = (class_count, block_size, used + more, used, matches)
        return reference.evidence(*numbers) >= 100 * threshold

    if found is None:
        assert not reaches(block_size * used)
    else:
        assert reaches(found)
        assert not reaches(found - 1)


def test_evidence_grows_with_matches_alone() -> None:
    totals = [judged(k).total_hundredths for k in range(51)]
    assert totals == sorted(totals)
    assert len(set(totals[10:])) == 41
    assert totals[0] < 0


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("block_count", [4, 5, 8, 100, 2000]),
        ("functions_tried", [1, 2, 3, 1000, 10**9]),
        ("owner_choice_bits", [0, 1, 665]),
    ],
)
def test_every_freedom_costs(name: str, values: list[int]) -> None:
    totals = [judged(50, **{name: value}).total_hundredths for value in values]
    assert totals == sorted(set(totals), reverse=True)


def test_every_allowance_is_a_term_of_its_own() -> None:
    terms = {term.name: term.hundredths for term in judged(46, functions_tried=3).terms}
    assert terms == {
        "matches by chance": reference.hundredths_below(1 / reference.tail(50, 10, 46)),
        "size of the commitment": -200,
        "choice of blocks": -200,
        "grinding of the commitment": -4800,
        "functions tried": -359,
        "choice of the suspect": -2000,
        "choice of the class map": 0,
        "owner's choices": 0,
    }


def test_the_blocks_of_the_header_count_whatever_was_opened() -> None:
    """B is a number of the header: there is no way to say that fewer blocks are left."""
    assert "excluded" not in assess.__code__.co_varnames
    one_of_many = judged(50, block_count=2000)
    assert one_of_many.terms[1].hundredths == -1097
    assert one_of_many.terms[2].hundredths == -1097


def test_fifty_chance_matches_of_a_thousand_prove_nothing() -> None:
    """An accuser with 1,000 blocks of one trigger opens the 50 that match by luck."""
    opened = judged(50, block_size=1, blocks_used=50, block_count=1000)
    assert opened.terms[0].hundredths == 16609
    assert not opened.reached
    assert opened.total_hundredths < -19_000


def test_half_a_mark_is_still_a_proof() -> None:
    found = judged(65, blocks_used=2, block_count=4)
    assert found.terms[0].hundredths > 12_800
    assert found.reached


@pytest.mark.parametrize(
    ("outputs", "class_count", "bits"),
    [(2, 2, 1), (10, 10, 22), (1000, 1000, 8530), (1000, 10, 100), (3, 2, 3), (4, 2, 4), (5, 1, 3)],
)
def test_class_map_bits(outputs: int, class_count: int, bits: int) -> None:
    assert class_map_bits(outputs, class_count) == bits
    assert reference.class_map_bits(outputs, class_count) == bits


@given(st.integers(2, 300), st.data())
@settings(deadline=None)
def test_class_map_bits_round_up(outputs: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, outputs))
    assert class_map_bits(outputs, count) == reference.class_map_bits(outputs, count)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(2, 65_535), st.integers(1, 500))
@settings(deadline=None, max_examples=60)
def test_smallest_reveal_is_exactly_minimal(
    block_count: int, block_size: int, class_count: int, threshold: int
) -> None:
    found = smallest_reveal(
        block_count=block_count, block_size=block_size, class_count=class_count,
        policy=Policy(threshold_bits=threshold),
    )  # fmt: skip
    reaching = (
        blocks for blocks in range(1, block_count + 1)
        if reference.hundredths_below(Fraction(class_count ** (block_size * blocks)))
        - reference.allowance(block_count, blocks) >= 100 * threshold
    )  # fmt: skip
    assert found == next(reaching, None)


def test_no_reveal_is_larger_than_an_assessment() -> None:
    """At C = 2 the 75 bits and a threshold of 10,000 would need 10,075 and more triggers."""
    numbers = {"block_count": 3, "block_size": 5000, "class_count": 2}
    assert smallest_reveal(policy=Policy(threshold_bits=10_000), **numbers) is None
    assert smallest_reveal(policy=Policy(threshold_bits=9_000), **numbers) == 2


def test_rounding_next_to_a_power_of_two_is_exact() -> None:
    """60 digits of a logarithm do not tell 2^1000 - 1 from 2^1000; integers do."""
    power = 2**1000
    assert logarithms.hundredths_down(power, 1) == logarithms.hundredths_up(power) == 100_000
    assert logarithms.hundredths_down(power - 1, 1) == 99_999
    assert logarithms.hundredths_up(power - 1) == 100_000
    assert logarithms.hundredths_down(power + 1, 1) == 100_000
    assert logarithms.hundredths_up(power + 1) == 100_001
    assert logarithms.hundredths_down(power, power - 1) == 0
    # The integer nearest to 2^(1/2) * 2^1000, from both sides.
    root = isqrt(2 * power**2)
    assert logarithms.hundredths_down(root, 1) == 100_049
    assert logarithms.hundredths_down(root + 1, 1) == 100_050
    assert logarithms.hundredths_up(root) == 100_050
    assert logarithms.hundredths_up(root + 1) == 100_051


@given(st.integers(1, 2**400), st.integers(1, 2**400))
@settings(deadline=None)
def test_rounding_is_exact(first: int, second: int) -> None:
    larger, smaller = max(first, second), min(first, second)
    ratio = Fraction(larger, smaller)
    assert logarithms.hundredths_down(larger, smaller) == reference.hundredths_below(ratio)
    assert logarithms.hundredths_up(larger) == reference.hundredths_above(larger)


@pytest.mark.parametrize("trials", [1, 2, 50, 300])
@pytest.mark.parametrize("class_count", [2, 10, 65_535])
def test_null_distribution(trials: int, class_count: int) -> None:
    probabilities = null_distribution(trials, class_count)
    assert len(probabilities) == trials + 1
    assert sum(probabilities) == pytest.approx(1, abs=1e-9)
    for k in (0, 1, trials):
        exact = reference.tail(trials, class_count, k) - reference.tail(trials, class_count, k + 1)
        assert probabilities[k] == pytest.approx(float(exact), rel=1e-9, abs=1e-300)


@pytest.mark.parametrize(
    "changes",
    [
        {"blocks_used": 0}, {"blocks_used": 5}, {"blocks_used": -1}, {"block_size": 10_001},
        {"block_size": 2501, "blocks_used": 4},
    ],
)  # fmt: skip
def test_numbers_that_do_not_fit(changes: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        judged(0, **changes)


@pytest.mark.parametrize("matches", [-1, 51])
def test_more_matches_than_triggers(matches: int) -> None:
    with pytest.raises(UsageError):
        judged(matches)


@pytest.mark.parametrize(
    "policy",
    [
        {"threshold_bits": 0}, {"threshold_bits": 10_001}, {"functions_tried": 0},
        {"functions_tried": 10**9 + 1}, {"owner_choice_bits": -1},
        {"owner_choice_bits": 10**7 + 1},
    ],
)  # fmt: skip
def test_policies_out_of_range(policy: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        Policy(**policy)


@pytest.mark.parametrize("class_count", [2, 65_535])
@pytest.mark.parametrize(("block_count", "block_size"), [(100_000, 1), (10, 10_000)])
def test_the_largest_numbers_take_a_moment(
    class_count: int, block_count: int, block_size: int
) -> None:
    """A file of a few bytes can name these numbers; an hour of arithmetic would be an attack."""
    numbers = {"block_count": block_count, "block_size": block_size, "class_count": class_count}
    policy = Policy(threshold_bits=10_000, functions_tried=10**9, owner_choice_bits=10**7)
    begun = time.process_time()
    assert smallest_reveal(policy=policy, **numbers) is None
    used = 10_000 // block_size
    for matches in (0, 5000, 10_000):
        assert not assess(matches, blocks_used=used, policy=policy, **numbers).reached
    assess(10_000, blocks_used=used, policy=Policy(), **numbers)
    assert time.process_time() - begun < 20
