"""Two dates of a case, as intervals, and which of both is the older one (SPEC.md 8.5).

A commitment supports a claim only if it existed before the suspect was published. Neither date is a
point: a timestamp has an accuracy, and a publication may be known to the day only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from zkwm_protocols.errors import Malformed
from zkwm_protocols.schema import require_integer, require_map, require_text

MOST_MICROSECONDS = 253_402_300_799_999_999
"""The last microsecond of the year 9999."""
MOST_SOURCE = 200
WITNESS_SECONDS = 300
"""How far a witness's clock may be off, which states no accuracy (SPEC.md 23.16)."""


class Order(StrEnum):
    """Whether the commitment is older than the suspect."""

    OLDER = "older"
    NOT_OLDER = "not older"
    UNDECIDED = "undecided"
    UNKNOWN = "unknown"


@dataclass(frozen=True, order=True)
class Interval:
    """The first and the last microsecond since 1970 (UTC) at which something can have happened.

    Raises Malformed where they are out of order, or no time of the years 1970 to 9999.
    """

    earliest: int
    latest: int

    def __post_init__(self) -> None:
        for moment in (self.earliest, self.latest):
            require_integer(moment, MOST_MICROSECONDS)
        if self.earliest > self.latest:
            raise Malformed("an interval ends before it begins")


@dataclass(frozen=True)
class Published:
    """When the suspect was published, as the judge found it, and how they know.

    Args:
        interval: when that was.
        source: the judge's words, 1 to 200 printable characters.

    Raises:
        Malformed: the source is empty, too long or not printable.
    """

    interval: Interval
    source: str

    def __post_init__(self) -> None:
        if not require_text(self.source, MOST_SOURCE).strip():
            raise Malformed("a date of publication needs its source")

    def to_map(self) -> dict[str, Any]:
        """The CBOR map in a challenge's body."""
        return {
            "earliest": self.interval.earliest,
            "latest": self.interval.latest,
            "source": self.source,
        }

    @classmethod
    def from_map(cls, value: object) -> Published:
        """Read ``to_map``. Raises Malformed."""
        fields = require_map(value, "earliest latest source", "date of publication")
        moments = (
            require_integer(fields[name], MOST_MICROSECONDS) for name in ("earliest", "latest")
        )
        return cls(Interval(*moments), require_text(fields["source"], MOST_SOURCE))


def witnessed_interval(seconds: int) -> Interval:
    """When witnesses of a log looked that say this second since 1970 (SPEC.md 23.16)."""
    ends = ((seconds + off) * 1_000_000 for off in (-WITNESS_SECONDS, WITNESS_SECONDS))
    return Interval(*(min(max(end, 0), MOST_MICROSECONDS) for end in ends))


def order(commitment: Interval | None, suspect: Interval | None) -> Order:
    """Whether the commitment is older than the suspect (SPEC.md 8.5).

    ``commitment`` is when it is known to have existed, ``suspect`` when it was published; None
    where that is not known.
    """
    if commitment is None or suspect is None:
        return Order.UNKNOWN
    if commitment.latest < suspect.earliest:
        return Order.OLDER
    if commitment.earliest >= suspect.latest:
        return Order.NOT_OLDER
    return Order.UNDECIDED


def later(one: Interval, other: Interval) -> Interval:
    """When both of two things had happened: the later of either end."""
    return Interval(max(one.earliest, other.earliest), max(one.latest, other.latest))


def existed_by(dated: Sequence[Interval], needed: int) -> Interval | None:
    """When a commitment existed, where ``needed`` authorities have to agree (SPEC.md 8.5).

    ``dated`` has the time that each of them signed, one entry for each authority. Each says that it
    existed then, so that the needed-th smallest bound is one to which that many of them agree. None
    where fewer signed.
    """
    if len(dated) < needed:
        return None
    return Interval(
        sorted(one.earliest for one in dated)[needed - 1],
        sorted(one.latest for one in dated)[needed - 1],
    )
