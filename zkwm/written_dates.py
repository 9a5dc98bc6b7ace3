"""Dates as people write them, to microseconds since 1970 and back (RFC 3339, UTC)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from zkwm_protocols.dates import Interval
from zkwm_protocols.errors import Malformed

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = 86_400_000_000
_WRITTEN = re.compile(
    r"\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:[Zz]|[+-]\d\d:\d\d))?", re.ASCII
)


def read_date(text: str) -> Interval:
    """A day, a time with its offset, or two of them with ``/`` between, as an interval.

    ``2026-03-01`` is that whole day in UTC, ``2026-03-01T12:30:00Z`` one second, and
    ``2026-03-01/2026-03-05`` all five days. Raises Malformed.
    """
    first, slash, last = text.strip().partition("/")
    return Interval(_read(first).earliest, _read(last if slash else first).latest)


def rfc3339(microseconds: int) -> str:
    """Microseconds since 1970 as ``2026-03-01T12:30:00Z``, with a fraction where there is one."""
    moment = _EPOCH + timedelta(microseconds=microseconds)
    return moment.replace(tzinfo=None).isoformat() + "Z"


def interval_values(interval: Interval | None) -> dict[str, str] | None:
    """An interval as JSON values."""
    if interval is None:
        return None
    return {"earliest": rfc3339(interval.earliest), "latest": rfc3339(interval.latest)}


def in_words(interval: Interval) -> str:
    """An interval for people: ``2026-03-01``, a time, or ``between`` two of them."""
    begin, end = interval.earliest, interval.latest
    if begin % _DAY == 0 and end % _DAY == _DAY - 1:
        days = [rfc3339(moment)[:10] for moment in (begin, end)]
        return days[0] if days[0] == days[1] else f"{days[0]} to {days[1]}"
    if end - begin < 1_000_000:
        return _words(begin)
    return f"{_words(begin)} to {_words(end)}"


def _words(microseconds: int) -> str:
    """A time for people, in UTC."""
    return rfc3339(microseconds).replace("T", " ").replace("Z", " UTC")


def _read(text: str) -> Interval:
    """A day, or a second. Raises Malformed."""
    try:
        moment = datetime.fromisoformat(text if _WRITTEN.fullmatch(text) else "")
        day = len(text) == len("2026-03-01")
        if day:
            moment = moment.replace(tzinfo=UTC)
        begin = (moment - _EPOCH) // timedelta(microseconds=1)
        return Interval(begin, begin + (_DAY - 1 if day else 999_999))
    except (ValueError, TypeError, OverflowError, Malformed):  # TypeError: a time without offset
        raise Malformed(
            f"{text[:40]!r} is no date of the years 1970 to 9999",
            hint="write 2026-03-01, or 2026-03-01T12:30:00Z, or two of them with / between",
        ) from None
