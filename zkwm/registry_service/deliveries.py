"""Deliveries: each event to each webhook that wants it, once at least, and never for ever.

A worker takes a delivery by moving its next time ahead, compared with what it read: two workers
never send the same attempt, and one whose worker died is due again after the lease. What a receiver
answers beyond its status is not read into anything.
"""

from __future__ import annotations

import json
import logging
import ssl
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from zkwm.outgoing_http.connection import Connection as HttpConnection
from zkwm.outgoing_http.connection import NoReplyError, Request
from zkwm.outgoing_http.deadline import Deadline
from zkwm.outgoing_http.rules import STRANGER, Rules
from zkwm.registry_database.database import Database
from zkwm.registry_database.events import Event, events_after
from zkwm.registry_database.service_tables import DELIVERIES, EVENTS, WEBHOOKS
from zkwm.registry_service.jobs import pause_after
from zkwm.registry_service.signed_delivery import body_of
from zkwm.registry_service.webhooks import HINT, open_secret
from zkwm_protocols.errors import Malformed, UsageError
from zkwm_protocols.keys import BoxKey

MOST_ATTEMPTS = 16
"""Over about a day: pauses double up to ``LONGEST_PAUSE``."""
LONGEST_PAUSE = 6 * 3600
SECONDS = 15.0
"""For one attempt as a whole."""
LEASE_SECONDS = 60
_REPLY_BYTES = 1 << 16
_GONE = 410
_MOST_QUEUED = 1000
_SCOPE = b"queue of deliveries".ljust(32)
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Due:
    """A delivery that this worker has taken."""

    webhook: int
    event: int
    attempt: int
    row: Any = field(repr=False)


class Deliveries:
    """What is to be delivered from a database.

    Args:
        database: of the registry.
        key: opens the webhooks' secrets.
        rules: where receivers' URLs may lead.
        tls: what checks their certificates; None for the authorities of the system.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        database: Database,
        key: BoxKey,
        *,
        rules: Rules = STRANGER,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._open: Callable[[Any], Any] = lambda row: open_secret(
            bytes(row.secret), row.holder, row.url, key
        )
        self._rules, self._tls, self._clock = rules, tls, clock

    def queue(self) -> int:
        """Queue what happened since the last time for each webhook; return how much."""
        now, queued = int(self._clock()), 0
        with self._database.reading() as connection:
            last = connection.execute(select(func.max(EVENTS.c.number))).scalar() or 0
            behind = (WEBHOOKS.c.after < last) & WEBHOOKS.c.ended.is_(None)
            if connection.execute(select(WEBHOOKS.c.number).where(behind).limit(1)).first() is None:
                return 0
        with self._database.writing(_SCOPE) as connection:
            for row in connection.execute(select(WEBHOOKS).where(behind)).all():
                found = events_after(connection, row.after, limit=_MOST_QUEUED)
                wanted = [one for one in found if one.kind in row.kinds.split()]
                _insert(connection, row.number, wanted, now)
                queued += len(wanted)
                if found:
                    after = update(WEBHOOKS).where(WEBHOOKS.c.number == row.number)
                    connection.execute(after.values(after=found[-1].number))
        return queued

    def take(self, busy: Collection[int] = ()) -> Due | None:
        """Take the delivery that is due longest; None without any.

        ``busy`` names webhooks that get nothing now: one that is slow holds up only itself.
        """
        table = DELIVERIES.c
        while True:
            now = int(self._clock())
            query = (
                select(
                    table.webhook, table.event, table.attempts, table.next_time,
                    WEBHOOKS.c.url, WEBHOOKS.c.holder, WEBHOOKS.c.secret,
                    EVENTS.c.time, EVENTS.c.kind, EVENTS.c.subject, EVENTS.c.data,
                )
                .join(WEBHOOKS, WEBHOOKS.c.number == table.webhook)
                .join(EVENTS, EVENTS.c.number == table.event)
                .where(table.next_time <= now, WEBHOOKS.c.ended.is_(None))
                .where(table.webhook.notin_(busy))
                .order_by(table.next_time, table.event)
                .limit(1)
            )  # fmt: skip
            with self._database.reading() as connection:
                row = connection.execute(query).one_or_none()
            if row is None:
                return None
            seen = (table.attempts == row.attempts) & (table.next_time == row.next_time)
            values = {"attempts": row.attempts + 1, "next_time": now + LEASE_SECONDS}
            due = Due(row.webhook, row.event, row.attempts + 1, row)
            if self._swap(due, seen, values):
                return due

    def deliver(self, due: Due) -> bool:
        """Make the attempt that was taken; whether the receiver took the message."""
        status, problem = self._send(due)
        self._keep(due, status, problem)
        return not problem

    def _send(self, due: Due) -> tuple[int | None, str]:
        """One attempt: the status of the answer, and the problem, empty where it was taken."""
        row = due.row
        try:
            location = self._rules.locate(row.url, hint=HINT)
            secret = self._open(row)
        except (UsageError, Malformed) as error:
            return None, error.message
        data = {**json.loads(row.data), "subject": row.subject, "event": due.event}
        body = body_of(row.kind, row.time, data)
        message = f"msg_{self._database.identity.hex()}_{due.webhook}_{due.event}"
        headers = secret.headers(message, int(self._clock()), body)
        connection = HttpConnection(location, self._rules, tls=self._tls)
        try:
            request = Request(location.path, body, headers)
            reply = connection.exchange(request, Deadline(SECONDS), limit=_REPLY_BYTES)
        except NoReplyError as error:
            return None, str(error)
        finally:
            connection.close()
        taken = 200 <= reply.status < 300
        return reply.status, "" if taken else f"it answers {reply.status}"

    def _keep(self, due: Due, status: int | None, problem: str) -> None:
        """Keep how an attempt ended, and when the next one is."""
        now, last = int(self._clock()), due.attempt >= MOST_ATTEMPTS
        later = now + pause_after(due.attempt, longest=LONGEST_PAUSE)
        values = {
            "last_status": status,
            "last_error": problem,
            "delivered": None if problem else now,
            "next_time": later if problem and not last and status != _GONE else None,
        }
        self._swap(due, DELIVERIES.c.attempts == due.attempt, values)
        if status == _GONE:
            self._end(due.webhook, now)
        # Neither URL nor body: a URL may hold what the receiver takes for a secret.
        told = {"webhook": due.webhook, "event": due.event, "attempt": due.attempt}
        if problem:
            _LOGGER.warning("delivery failed: %s", problem, extra={"fields": told})
        else:
            _LOGGER.info("delivered", extra={"fields": told})

    def _swap(self, due: Due, seen: Any, values: Mapping[str, Any]) -> bool:  # noqa: ANN401
        """Change a delivery's row if nobody did since it was read."""
        table = DELIVERIES.c
        one = (table.webhook == due.webhook) & (table.event == due.event)
        with self._database.writing() as connection:
            done = connection.execute(update(DELIVERIES).where(one, seen), dict(values))
            return done.rowcount == 1

    def _end(self, webhook: int, now: int) -> None:
        """The receiver says that it is gone: nothing more is sent (Standard Webhooks, 410)."""
        one = (WEBHOOKS.c.number == webhook) & WEBHOOKS.c.ended.is_(None)
        with self._database.writing() as connection:
            connection.execute(update(WEBHOOKS).where(one).values(ended=now))


def waiting_deliveries(database: Database) -> int:
    """How many deliveries to webhooks that go on were not made and not given up."""
    joined = DELIVERIES.join(WEBHOOKS, WEBHOOKS.c.number == DELIVERIES.c.webhook)
    waits = DELIVERIES.c.next_time.isnot(None) & WEBHOOKS.c.ended.is_(None)
    query = select(func.count()).select_from(joined).where(waits)
    with database.reading() as connection:
        return int(connection.execute(query).scalar_one())


def _insert(connection: Connection, webhook: int, events: list[Event], now: int) -> None:
    """Queue events for a webhook."""
    if events:
        rows = [
            {"webhook": webhook, "event": one.number, "attempts": 0, "next_time": now,
             "last_error": ""}
            for one in events
        ]  # fmt: skip
        connection.execute(insert(DELIVERIES), rows)
