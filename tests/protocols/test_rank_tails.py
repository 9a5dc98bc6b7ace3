"""The tail of the rank statistic at full size: the same hundredths as the exact integers give."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkwm_protocols import rank_tails
from zkwm_protocols.log2_bounds import hundredths_down
from zkwm_protocols.rank_tails import least_rank_sum, rank_hundredths
from zkwm_protocols.ranks import tail_numerators, weights


@pytest.fixture
def bounded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Bounds are used at every size; returns each time that the exact integers decided."""
    exact: list[tuple[int, int]] = []

    def counted(trials: int, class_count: int):
        exact.append((trials, class_count))
        return tail_numerators(trials, class_count)

    monkeypatch.setattr(rank_tails, "_EXACT_STEPS", -1)
    monkeypatch.setattr(rank_tails, "tail_numerators", counted)
    rank_hundredths.cache_clear()
    return exact


def exact_table(trials: int, class_count: int) -> dict[int, int]:
    """The hundredths of every value, by the exact integers."""
    everything = class_count**trials
    tails = tail_numerators(trials, class_count)
    return {value: hundredths_down(everything, tail) for value, tail in tails}


@pytest.mark.parametrize(("trials", "class_count"), [(20, 3), (30, 10), (12, 1000)])
def test_every_value_is_the_exact_one(
    bounded: list[tuple[int, int]], trials: int, class_count: int
) -> None:
    table = exact_table(trials, class_count)
    assert {value: rank_hundredths(value, trials, class_count) for value in table} == table
    assert len(bounded) <= 3  # at the top, where a power of two is exact
    for demanded in (-5, 0, 1, 50, 700, 4000, 1 << 40):
        reaching = [value for value, found in table.items() if found >= demanded]
        assert least_rank_sum(demanded, trials, class_count) == min(reaching, default=None)


def test_where_the_bounds_do_not_tell_the_exact_integers_decide(
    bounded: list[tuple[int, int]],
) -> None:
    """Half of 2^31 is exactly one bit: no bound from below says so."""
    table = exact_table(31, 2)
    assert table[32] == 100
    assert rank_hundredths(32, 31, 2) == 100
    assert bounded == [(31, 2)]
    assert least_rank_sum(100, 31, 2) == 31  # 31 and 32 are one step: weights are 2 and 0


@given(st.integers(2, 1000), st.integers(1, 60), st.floats(0, 1))
def test_bounds_enclose_the_exact_value(class_count: int, trials: int, share: float) -> None:
    largest = trials * weights(class_count)[0]
    value = round(share * largest)
    tilt = rank_tails._tilt(value / trials, class_count)
    found = rank_tails._tails(tilt, trials, class_count).hundredths(value)
    tail = next(tail for reached, tail in tail_numerators(trials, class_count) if reached == value)
    assert found in (None, hundredths_down(class_count**trials, tail))


def test_no_context_of_the_caller_matters() -> None:
    import decimal

    rank_hundredths.cache_clear()
    with decimal.localcontext() as context:
        context.prec = 5
        low = rank_hundredths(6000, 2105, 1000)
    rank_hundredths.cache_clear()
    assert rank_hundredths(6000, 2105, 1000) == low
    assert Decimal(1) / 3 != Decimal("0.33333")


def test_the_largest_case(monkeypatch: pytest.MonkeyPatch) -> None:
    """10,000 triggers of 1,000 classes; the value is that of the exact integers."""
    monkeypatch.setattr(rank_tails, "tail_numerators", None)
    demanded = 409_425
    assert rank_hundredths(50_000, 10_000, 1000) == demanded
    assert least_rank_sum(demanded, 10_000, 1000) == 50_000
    assert least_rank_sum(demanded + 1, 10_000, 1000) == 50_001
    assert least_rank_sum(9_965_785, 10_000, 1000) is None
