"""A worker: heartbeats, jobs that fail, a graceful end, and a lease that is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import select

from tests.zkwm.registry_service.conftest import Clock
from zkwm.registry_database.database import Database
from zkwm.registry_database.service_tables import JOBS
from zkwm.registry_service.jobs import LEASE_SECONDS, Job, Jobs, JobState
from zkwm.registry_service.worker import Handler, Worker
from zkwm_protocols.errors import CouldNotCheck, InvalidOpening, SuspectUnusable, UsageError

pytestmark = pytest.mark.parametrize("location", ["sqlite"], indirect=True)


@contextmanager
def working(jobs: Jobs, handler: Handler, grace_seconds: float = 30.0) -> Iterator[Worker]:
    """A running worker for jobs of the kind ``verdict``."""
    worker = Worker(
        jobs, {"verdict": handler}, poll_seconds=0.02, beat_seconds=0.02,
        grace_seconds=grace_seconds,
    )  # fmt: skip
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield worker
    finally:
        worker.stop()
        thread.join(30)
        assert not thread.is_alive()


def until(jobs: Jobs, number: int, state: JobState) -> None:
    """Wait until a job is in a state."""
    end = time.monotonic() + 30
    while jobs.status(number).state is not state:
        assert time.monotonic() < end
        time.sleep(0.01)


def heartbeat(database: Database) -> int:
    """When the only job was extended last."""
    with database.reading() as connection:
        return int(connection.execute(select(JOBS.c.heartbeat)).scalar_one())


def test_jobs_are_done_and_failures_end_none_of_the_others(database: Database) -> None:
    errors = [
        UsageError("there is no such case"), RuntimeError("s3cret"), CouldNotCheck("down"),
        InvalidOpening("damaged"), SuspectUnusable("down"),
    ]  # fmt: skip

    def handler(job: Job, _: threading.Event) -> Mapping[str, Any]:
        if job.payload["number"] < len(errors):
            raise errors[job.payload["number"]]
        return {"outcome": "proven"}

    jobs = Jobs(database)
    numbers = [jobs.add("verdict", {"number": one}) for one in range(6)]
    with working(jobs, handler):
        until(jobs, numbers[5], JobState.DONE)
    found = [jobs.status(number) for number in numbers]
    assert [one.state for one in found] == [
        "failed", "failed", "queued", "failed", "queued", "done",
    ]  # fmt: skip
    assert found[0].result == {"error": "there is no such case"}
    assert found[1].result == {"error": "an unexpected RuntimeError"}


def test_a_job_longer_than_its_lease_is_kept_by_its_heartbeat(
    database: Database, clock: Clock
) -> None:
    go_on = threading.Event()

    def handler(_: Job, given_up: threading.Event) -> Mapping[str, Any]:
        assert go_on.wait(30)
        return {"given up": given_up.is_set()}

    jobs, other = Jobs(database, clock=clock), Jobs(database, clock=clock)
    number = jobs.add("verdict", {})
    with working(jobs, handler):
        until(jobs, number, JobState.RUNNING)
        for _ in range(3):
            clock.now += LEASE_SECONDS - 5
            end = time.monotonic() + 30
            while heartbeat(database) < clock.now and time.monotonic() < end:
                time.sleep(0.01)
            assert other.take(("verdict",)) is None
        go_on.set()
        until(jobs, number, JobState.DONE)
    assert jobs.status(number).result == {"given up": False}


def test_asked_to_stop_it_ends_what_runs_and_takes_nothing_more(database: Database) -> None:
    begun = threading.Event()

    def handler(_: Job, given_up: threading.Event) -> Mapping[str, Any]:
        begun.set()
        return {"given up": given_up.wait(0.3)}

    jobs = Jobs(database)
    first, second = jobs.add("verdict", {}), jobs.add("verdict", {})
    with working(jobs, handler) as worker:
        assert begun.wait(30)
        worker.stop()
    assert jobs.status(first).result == {"given up": False}
    assert jobs.status(second).state is JobState.QUEUED


def test_what_takes_too_long_to_stop_is_given_back_at_once(database: Database) -> None:
    begun = threading.Event()

    def handler(_: Job, given_up: threading.Event) -> Mapping[str, Any]:
        begun.set()
        given_up.wait(30)
        return {"late": True}

    jobs, other = Jobs(database), Jobs(database)
    number = jobs.add("verdict", {})
    with working(jobs, handler, grace_seconds=0.1):
        assert begun.wait(30)
    assert jobs.status(number).state is JobState.QUEUED
    job = other.take(("verdict",))
    assert job is not None
    assert job.attempt == 1


def test_a_lease_that_another_one_has_by_now_ends_the_job_here(
    database: Database, clock: Clock
) -> None:
    """The worker was suspended for longer than its lease, and comes back."""
    begun, seen = threading.Event(), threading.Event()

    def handler(_: Job, given_up: threading.Event) -> Mapping[str, Any]:
        begun.set()
        assert given_up.wait(30)
        seen.set()
        return {"outcome": "old"}

    jobs = Jobs(database, owner="suspended", clock=clock)
    number = jobs.add("verdict", {})
    later = Clock()
    later.now = clock.now + LEASE_SECONDS + 1
    other = Jobs(database, owner="other", clock=later)
    with working(jobs, handler):
        assert begun.wait(30)
        job = other.take(("verdict",))
        assert seen.wait(30)
        assert job is not None
        assert other.finish(job, {"outcome": "new"})
    assert jobs.status(number).result == {"outcome": "new"}


def test_an_outage_of_the_database_ends_no_worker(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs, take, outages = Jobs(database), Jobs.take, []

    def failing(self: Jobs, kinds: tuple[str, ...]) -> Job | None:
        if len(outages) < 2:
            outages.append(1)
            raise CouldNotCheck("the database cannot be used")
        return take(self, kinds)

    monkeypatch.setattr(Jobs, "take", failing)
    number = jobs.add("verdict", {})
    with working(jobs, lambda *_: {}):
        until(jobs, number, JobState.DONE)
