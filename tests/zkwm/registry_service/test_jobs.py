"""Jobs: one owner at a time, leases by a clock that the test moves, retries with a cap."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from tests.zkwm.registry_service.conftest import Clock
from zkwm.registry_database.database import Database
from zkwm.registry_service.jobs import (
    LEASE_SECONDS,
    MOST_ATTEMPTS,
    Job,
    Jobs,
    JobState,
    pause_after,
)
from zkwm_protocols.errors import UsageError

KINDS = ("verdict",)


@pytest.fixture
def one(database: Database, clock: Clock) -> Jobs:
    return Jobs(database, owner="one", clock=clock)


@pytest.fixture
def two(database: Database, clock: Clock) -> Jobs:
    return Jobs(database, owner="two", clock=clock)


def taken(jobs: Jobs) -> Job:
    job = jobs.take(KINDS)
    assert job is not None
    return job


def test_a_job_is_taken_once_and_ends_with_its_result(one: Jobs, two: Jobs) -> None:
    number = one.add("verdict", {"case": "ab"})
    assert one.add("another", {}) != number
    job = taken(one)
    assert (job.number, job.payload, job.attempt) == (number, {"case": "ab"}, 1)
    assert two.take(KINDS) is None
    assert one.status(number).state is JobState.RUNNING
    assert one.finish(job, {"outcome": "proven"})
    assert one.status(number).result == {"outcome": "proven"}
    assert two.take(KINDS) is None
    assert one.counts() == {("verdict", "done"): 1, ("another", "queued"): 1}


def test_a_dead_workers_job_is_taken_over_after_its_lease_and_not_before(
    one: Jobs, two: Jobs, clock: Clock
) -> None:
    number = one.add("verdict", {})
    lost = taken(one)
    clock.now += LEASE_SECONDS
    assert two.take(KINDS) is None
    clock.now += 1
    job = taken(two)
    assert (job.number, job.attempt) == (number, 2)
    # Whoever comes back can neither extend, nor end, nor give back what another one holds.
    assert not one.beat(lost)
    assert not one.finish(lost, {"outcome": "old"})
    assert not one.fail(lost, "old", again=True)
    assert not one.release(lost)
    assert two.finish(job, {"outcome": "new"})
    assert one.status(number).result == {"outcome": "new"}


def test_a_heartbeat_keeps_a_job(one: Jobs, two: Jobs, clock: Clock) -> None:
    one.add("verdict", {})
    job = taken(one)
    for _ in range(5):
        clock.now += LEASE_SECONDS - 1
        assert one.beat(job)
        assert two.take(KINDS) is None
    assert one.finish(job, {})


def test_a_worker_that_takes_its_own_lost_job_again_ends_it_once(one: Jobs, clock: Clock) -> None:
    one.add("verdict", {})
    lost = taken(one)
    clock.now += LEASE_SECONDS + 1
    job = taken(one)
    assert not one.finish(lost, {"attempt": 1})
    assert one.finish(job, {"attempt": 2})


def test_many_workers_at_once_never_hold_one_job_together(database: Database) -> None:
    """Threads with owners of their own, as processes would be; each job is taken once."""
    first = Jobs(database)
    numbers = [first.add("verdict", {}) for _ in range(12)]
    found: list[int] = []
    begin = threading.Barrier(4)

    def work() -> None:
        jobs = Jobs(database)
        begin.wait(30)
        while (job := jobs.take(KINDS)) is not None:
            found.append(job.number)
            assert jobs.finish(job, {})

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(found) == Counter(numbers)


def test_a_failure_is_tried_again_after_a_pause_and_not_for_ever(one: Jobs, clock: Clock) -> None:
    number = one.add("verdict", {})
    for attempt in range(1, MOST_ATTEMPTS + 1):
        job = taken(one)
        assert job.attempt == attempt
        assert one.fail(job, "the model's server is down\x1b[31m", again=True)
        if attempt < MOST_ATTEMPTS:
            assert one.take(KINDS) is None
            clock.now += 3601
    assert one.take(KINDS) is None
    status = one.status(number)
    assert (status.state, status.attempts) == (JobState.FAILED, MOST_ATTEMPTS)
    assert status.result is not None
    assert "\x1b" not in status.result["error"]


def test_a_failure_for_good_is_not_tried_again(one: Jobs, clock: Clock) -> None:
    number = one.add("verdict", {})
    assert one.fail(taken(one), "there is no such case", again=False)
    clock.now += 10**6
    assert one.take(KINDS) is None
    assert one.status(number).state is JobState.FAILED


def test_a_job_that_kills_its_workers_is_given_up(one: Jobs, two: Jobs, clock: Clock) -> None:
    number = one.add("verdict", {})
    for _ in range(MOST_ATTEMPTS):
        taken(one)
        clock.now += LEASE_SECONDS + 1
    other = two.add("verdict", {})
    assert taken(two).number == other
    status = one.status(number)
    assert status.state is JobState.FAILED
    assert status.result == {"error": "its workers ended 5 times without a result"}


def test_a_job_given_back_is_free_at_once_and_has_lost_no_attempt(one: Jobs, two: Jobs) -> None:
    one.add("verdict", {})
    held = taken(one)
    assert one.release(held)
    job = taken(two)
    assert job.attempt == 1
    assert not one.finish(held, {})
    assert two.beat(job)


def test_the_longest_wait(one: Jobs, clock: Clock) -> None:
    assert one.oldest_wait() == 0
    one.add("verdict", {})
    clock.now += 40
    one.add("verdict", {})
    assert one.oldest_wait() == 40


def test_pauses_double_and_are_never_the_same_for_all() -> None:
    assert {pause_after(1) for _ in range(200)} <= set(range(5, 11))
    assert len({pause_after(5) for _ in range(200)}) > 10
    assert max(pause_after(60) for _ in range(200)) <= 3600


def test_what_cannot_be_a_job_is_refused(one: Jobs) -> None:
    with pytest.raises(UsageError, match="64 KiB"):
        one.add("verdict", {"case": "a" * 70_000})
    with pytest.raises(UsageError, match="no such job"):
        one.status(99)
