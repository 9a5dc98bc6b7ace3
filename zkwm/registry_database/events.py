"""The feed: what happened in a registry, in the order in which it was committed.

A reader asks for what came after the last number that they know. Numbers ascend in the order of
commits, so that none appears behind a reader's back: whoever adds an event holds the feed's turn
until their transaction ends.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, func, insert, select

from zkwm.registry_database.service_tables import EVENTS
from zkwm.sql_database import take_turn

MOST_EVENTS = 1000
_SCOPE = b"feed of events".ljust(32)


class EventKind(StrEnum):
    """What happened; the subject is a commitment, or the challenge of a claim."""

    REGISTERED = "commitment.registered"
    REPLACED = "commitment.replaced"
    ASKED = "claim.asked"
    ANSWERED = "claim.answered"
    EXTENDED = "claim.extended"
    OVERDUE = "claim.overdue"
    WITHDRAWN = "claim.withdrawn"
    CHECKED = "claim.checked"
    """A verdict that decides nothing: something could not be checked."""
    DECIDED = "claim.decided"


@dataclass(frozen=True)
class Event:
    """One event.

    Args:
        number: its place in the feed, from 1.
        time: seconds since 1970.
        kind: what happened.
        subject: the digest of a commitment or challenge, in hexadecimal.
        data: what else is to be known, such as the outcome.
    """

    number: int
    time: int
    kind: EventKind
    subject: str
    data: dict[str, Any]


def add_event(
    connection: Connection, kind: EventKind, subject: bytes, data: Mapping[str, Any]
) -> None:
    """Add an event, in the writing transaction of what happened; the last thing that it does."""
    take_turn(connection, _SCOPE)
    last = connection.execute(select(func.coalesce(func.max(EVENTS.c.number), 0))).scalar_one()
    connection.execute(
        insert(EVENTS),
        {
            "number": last + 1,
            "time": int(time.time()),
            "kind": kind,
            "subject": subject.hex(),
            "data": json.dumps(dict(data)),
        },
    )


def events_after(
    connection: Connection, after: int, *, subject: str | None = None, limit: int = MOST_EVENTS
) -> tuple[Event, ...]:
    """The events with larger numbers than ``after``, at most ``limit``; only of a ``subject``."""
    query = select(EVENTS).where(EVENTS.c.number > after)
    if subject is not None:
        query = query.where(EVENTS.c.subject == subject)
    rows = connection.execute(query.order_by(EVENTS.c.number).limit(min(limit, MOST_EVENTS)))
    return tuple(
        Event(row.number, row.time, EventKind(row.kind), row.subject, json.loads(row.data))
        for row in rows
    )
