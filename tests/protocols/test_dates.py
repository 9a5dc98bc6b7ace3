"""``zkwm_protocols.dates``: intervals, and which of two is older (SPEC.md 8.5)."""

from __future__ import annotations

import pytest

from zkwm.written_dates import in_words, read_date, rfc3339
from zkwm_protocols.dates import (
    MOST_MICROSECONDS,
    Interval,
    Order,
    Published,
    existed_by,
    order,
)
from zkwm_protocols.errors import Malformed

SUSPECT = Interval(100, 200)


@pytest.mark.parametrize(
    ("commitment", "expected"),
    [
        (Interval(10, 99), Order.OLDER),
        (Interval(10, 100), Order.UNDECIDED),
        (Interval(150, 160), Order.UNDECIDED),
        (Interval(10, 900), Order.UNDECIDED),
        (Interval(199, 900), Order.UNDECIDED),
        (Interval(200, 900), Order.NOT_OLDER),
        (Interval(300, 300), Order.NOT_OLDER),
        (None, Order.UNKNOWN),
    ],
)
def test_which_is_older(commitment: Interval | None, expected: Order) -> None:
    assert order(commitment, SUSPECT) == expected
    assert order(commitment, None) == Order.UNKNOWN


def test_at_one_and_the_same_time_nobody_is_older() -> None:
    assert order(Interval(5, 5), Interval(5, 5)) == Order.NOT_OLDER


def test_of_several_authorities_as_many_as_are_needed_agree() -> None:
    dated = [Interval(50, 60), Interval(10, 90), Interval(20, 30)]
    assert existed_by(dated, 1) == Interval(10, 30)
    assert existed_by(dated, 2) == Interval(20, 60)
    assert existed_by(dated, 3) == Interval(50, 90)
    assert existed_by(dated, 4) is None
    assert existed_by([], 1) is None


def test_one_false_authority_of_two_needed_backdates_nothing() -> None:
    """k of n: whoever bribes one authority moves the date to that of the next."""
    honest, false = Interval(500, 510), Interval(1, 2)
    assert existed_by([honest, false], 2) == Interval(500, 510)


@pytest.mark.parametrize(("earliest", "latest"), [(2, 1), (-1, 1), (0, MOST_MICROSECONDS + 1)])
def test_what_is_no_interval_is_refused(earliest: int, latest: int) -> None:
    with pytest.raises(Malformed):
        Interval(earliest, latest)


@pytest.mark.parametrize("source", ["", "  ", "a\nb", "x" * 201])
def test_a_date_of_publication_has_a_source(source: str) -> None:
    with pytest.raises(Malformed):
        Published(SUSPECT, source)


@pytest.mark.parametrize(
    ("text", "earliest", "latest", "words"),
    [
        ("2026-03-01", "2026-03-01T00:00:00Z", "2026-03-01T23:59:59.999999Z", "2026-03-01"),
        ("2026-03-01T12:30:00Z", "2026-03-01T12:30:00Z", "2026-03-01T12:30:00.999999Z",
         "2026-03-01 12:30:00 UTC"),
        ("2026-03-01T12:30:00+02:00", "2026-03-01T10:30:00Z", "2026-03-01T10:30:00.999999Z",
         "2026-03-01 10:30:00 UTC"),
        ("2026-03-01/2026-03-05", "2026-03-01T00:00:00Z", "2026-03-05T23:59:59.999999Z",
         "2026-03-01 to 2026-03-05"),
        ("2026-03-01/2026-03-01T06:00:00Z", "2026-03-01T00:00:00Z", "2026-03-01T06:00:00.999999Z",
         "2026-03-01 00:00:00 UTC to 2026-03-01 06:00:00.999999 UTC"),
        ("9999-12-31", "9999-12-31T00:00:00Z", "9999-12-31T23:59:59.999999Z", "9999-12-31"),
    ],
)  # fmt: skip
def test_dates_as_people_write_them(text: str, earliest: str, latest: str, words: str) -> None:
    interval = read_date(text)
    assert (rfc3339(interval.earliest), rfc3339(interval.latest)) == (earliest, latest)
    assert in_words(interval) == words


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-03-01T12:30:00", "1969-12-31", "2026-13-01", "20260301",
             "2026-03-05/2026-03-01", "2026-03-01/", "1/2/3", "2026-W10-1"],
)  # fmt: skip
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        read_date(text)
    assert "2026-03-01" in (caught.value.hint or "2026-03-01")
