"""Jobs in the database: leases, heartbeats, retries; never two owners of one job at a time.

A worker takes a job by comparing and swapping its row, and holds it for a lease that its heartbeat
extends. Where a worker dies, its lease runs out and another one takes the job over. The number of
the attempt is part of every later comparison: whoever lost a job cannot end it, whatever they did
meanwhile. Jobs may therefore run twice, one after the other, and have to bear that.

Clocks of machines that share a database are to agree within a few seconds; leases are longer.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, and_, func, insert, or_, select, update

from zkwm.registry_database.database import Database
from zkwm.registry_database.service_tables import JOBS
from zkwm.suspects.foreign_text import printable
from zkwm_protocols.errors import UsageError

LEASE_SECONDS = 60
MOST_ATTEMPTS = 5
MOST_PAYLOAD = 1 << 16
_FIRST_PAUSE = 10
_LONGEST_PAUSE = 3600
_MOST_TEXT = 1000


class JobState(StrEnum):
    """How far a job has come."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Job:
    """A job that this worker holds; ``attempt`` counts from 1."""

    number: int
    kind: str
    payload: dict[str, Any]
    attempt: int


@dataclass(frozen=True)
class JobStatus:
    """A job as it stands; ``result`` is what it gave, or ``{"error": ...}``."""

    number: int
    kind: str
    state: JobState
    attempts: int
    result: dict[str, Any] | None


class Jobs:
    """The jobs of a database, as one worker or one client sees them.

    Args:
        database: of the registry.
        owner: this worker's name; random by default, so that no two are ever alike.
        clock: seconds since 1970.
    """

    def __init__(
        self, database: Database, *, owner: str = "", clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._owner = owner or secrets.token_hex(8)
        self._clock = clock

    def add(self, kind: str, payload: Mapping[str, Any]) -> int:
        """Queue a job; return its number. Nothing secret goes into a payload.

        Raises UsageError for a payload of more than 64 KiB of JSON.
        """
        text = json.dumps(dict(payload), sort_keys=True)
        if len(text) > MOST_PAYLOAD:
            raise UsageError("a job's payload is at most 64 KiB")
        now = self._now()
        row = {
            "kind": kind, "state": JobState.QUEUED, "payload": text, "attempts": 0,
            "not_before": now, "made": now,
        }  # fmt: skip
        with self._database.writing() as connection:
            made = insert(JOBS).values(row).returning(JOBS.c.number)
            return int(connection.execute(made).scalar_one())

    def status(self, number: int) -> JobStatus:
        """A job as it stands. Raises UsageError where there is none."""
        with self._database.reading() as connection:
            row = connection.execute(select(JOBS).where(JOBS.c.number == number)).one_or_none()
        if row is None:
            raise UsageError("there is no such job", hint="name it by the number that it was given")
        result = None if row.result is None else json.loads(row.result)
        return JobStatus(row.number, row.kind, JobState(row.state), row.attempts, result)

    def take(self, kinds: tuple[str, ...]) -> Job | None:
        """Take the job that has waited longest, or one whose worker is gone; None without any.

        A job that was taken ``MOST_ATTEMPTS`` times without an end has failed: it may be what
        kills its workers.
        """
        while True:
            now = self._now()
            query = (
                select(JOBS)
                .where(JOBS.c.kind.in_(kinds), _free(now))
                .order_by(JOBS.c.not_before, JOBS.c.number)
                .limit(1)
            )
            with self._database.reading() as connection:
                row = connection.execute(query).one_or_none()
            if row is None:
                return None
            if row.attempts >= MOST_ATTEMPTS:
                lost = {"error": f"its workers ended {row.attempts} times without a result"}
                self._swap(row.number, row.attempts, _free(now), _ended(JobState.FAILED, lost, now))
                continue
            taken = {
                "state": JobState.RUNNING, "attempts": row.attempts + 1, "heartbeat": now,
                "lease_owner": self._owner, "lease_until": now + LEASE_SECONDS,
            }  # fmt: skip
            if self._swap(row.number, row.attempts, _free(now), taken):
                return Job(row.number, row.kind, json.loads(row.payload), row.attempts + 1)

    def beat(self, job: Job) -> bool:
        """Extend the lease of a job; whether it is still held."""
        now = self._now()
        return self._held(job, {"heartbeat": now, "lease_until": now + LEASE_SECONDS})

    def finish(self, job: Job, result: Mapping[str, Any]) -> bool:
        """End a job with its result; False where another worker holds it by now."""
        return self._held(job, _ended(JobState.DONE, result, self._now()))

    def fail(self, job: Job, error: str, *, again: bool) -> bool:
        """End an attempt: queue the job again after a pause, or, at the last one, for good."""
        now, told = self._now(), {"error": printable(error, _MOST_TEXT)}
        if not again or job.attempt >= MOST_ATTEMPTS:
            return self._held(job, _ended(JobState.FAILED, told, now))
        return self._held(job, _queued(now + pause_after(job.attempt), job.attempt))

    def release(self, job: Job) -> bool:
        """Give a job back at once, as if it had not been taken: its worker is asked to stop."""
        return self._held(job, _queued(self._now(), job.attempt - 1))

    def counts(self) -> dict[tuple[str, str], int]:
        """How many jobs there are, by kind and state."""
        query = select(JOBS.c.kind, JOBS.c.state, func.count()).group_by(JOBS.c.kind, JOBS.c.state)
        with self._database.reading() as connection:
            return {(kind, state): count for kind, state, count in connection.execute(query)}

    def oldest_wait(self) -> int:
        """For how many seconds the job that is due longest has waited; 0 without any."""
        query = select(func.min(JOBS.c.not_before)).where(JOBS.c.state == JobState.QUEUED)
        with self._database.reading() as connection:
            first = connection.execute(query).scalar()
        return 0 if first is None else max(0, self._now() - int(first))

    def _held(self, job: Job, values: Mapping[str, Any]) -> bool:
        """Change a job that this worker holds, in this very attempt."""
        held = and_(JOBS.c.state == JobState.RUNNING, JOBS.c.lease_owner == self._owner)
        return self._swap(job.number, job.attempt, held, values)

    def _swap(
        self, number: int, attempts: int, state: ColumnElement[bool], values: Mapping[str, Any]
    ) -> bool:
        """Change a job's row if nobody did since it was read."""
        statement = update(JOBS).where(JOBS.c.number == number, JOBS.c.attempts == attempts, state)
        with self._database.writing() as connection:
            return connection.execute(statement, dict(values)).rowcount == 1

    def _now(self) -> int:
        """This worker's clock, in seconds since 1970."""
        return int(self._clock())


def pause_after(attempt: int, *, longest: int = _LONGEST_PAUSE) -> int:
    """Seconds until the next attempt: they double, up to ``longest``, and half of them are random.

    Without chance, whatever failed together would come again together.
    """
    longest = min(_FIRST_PAUSE << min(attempt - 1, 16), longest)
    return longest // 2 + secrets.randbelow(longest // 2 + 1)


def _free(now: int) -> ColumnElement[bool]:
    """A job that waits and is due, or one whose lease has run out."""
    return or_(
        and_(JOBS.c.state == JobState.QUEUED, JOBS.c.not_before <= now),
        and_(JOBS.c.state == JobState.RUNNING, JOBS.c.lease_until < now),
    )


def _ended(state: JobState, result: Mapping[str, Any], now: int) -> dict[str, Any]:
    """The columns of a job that is over."""
    return {
        "state": state, "result": json.dumps(dict(result)), "ended": now, "lease_owner": None,
        "lease_until": None,
    }  # fmt: skip


def _queued(not_before: int, attempts: int) -> dict[str, Any]:
    """The columns of a job that waits again."""
    return {
        "state": JobState.QUEUED, "not_before": not_before, "attempts": attempts,
        "lease_owner": None, "lease_until": None,
    }  # fmt: skip
