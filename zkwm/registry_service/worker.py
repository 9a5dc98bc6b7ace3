"""A worker: takes jobs and deliveries, keeps their leases, and stops without losing any.

Its handlers do the work of each kind of job; foreign models run in processes with limits below
them. When it is asked to stop it takes nothing more, gives what runs some time to end, and then
gives the rest back at once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from zkwm.registry_service.deliveries import Deliveries
from zkwm.registry_service.jobs import LEASE_SECONDS, Job, Jobs
from zkwm_protocols.errors import CouldNotCheck, SuspectUnusable, ZkwmError

POLL_SECONDS = 1.0
BEAT_SECONDS = LEASE_SECONDS / 6
GRACE_SECONDS = 30.0
DELIVERING_THREADS = 4
_CANCEL_SECONDS = 5.0
_LOGGER = logging.getLogger(__name__)

Handler = Callable[[Job, threading.Event], Mapping[str, Any]]
"""Does a job and returns its result. The event is set where it has to give up: its lease is lost,
or the worker stops; what it then returns or raises does not count. What another time may mend
(CouldNotCheck itself, SuspectUnusable) is tried again, every other error is the job's end.
"""
AGAIN = (CouldNotCheck, SuspectUnusable)


class Worker:
    """Runs jobs one after the other, and deliveries beside them, until it is stopped.

    Args:
        jobs: where jobs are.
        handlers: what does each kind.
        deliveries: of webhooks; None for none.
        poll_seconds: how long it waits where there is nothing to do.
        beat_seconds: how often it extends the lease of its job.
        grace_seconds: what a job may take to end after ``stop``.
    """

    def __init__(
        self,
        jobs: Jobs,
        handlers: Mapping[str, Handler],
        deliveries: Deliveries | None = None,
        *,
        poll_seconds: float = POLL_SECONDS,
        beat_seconds: float = BEAT_SECONDS,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self._jobs, self._handlers, self._deliveries = jobs, dict(handlers), deliveries
        self._poll, self._beat, self._grace = poll_seconds, beat_seconds, grace_seconds
        self._stopping = threading.Event()
        self._busy: set[int] = set()
        self._lock = threading.Lock()

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Take nothing more; may be called by a handler of signals, and twice."""
        self._stopping.set()

    def run(self) -> None:
        """Work until ``stop``; returns when nothing of it runs any more.

        An outage of the database ends no worker: it waits, and tries again.
        """
        delivering = [
            threading.Thread(target=self._loop, args=(self._deliver_one,), name="deliveries")
            for _ in range(DELIVERING_THREADS if self._deliveries is not None else 0)
        ]
        for thread in delivering:
            thread.start()
        try:
            self._loop(self._work_one)
        finally:
            self._stopping.set()
            for thread in delivering:
                thread.join()

    def _loop(self, step: Callable[[], bool]) -> None:
        """Do one thing after the other; pause where there is none."""
        while not self._stopping.is_set():
            try:
                worked = step()
            except CouldNotCheck as error:
                _LOGGER.warning("the worker waits: %s", error.message)
                worked = False
            if not worked:
                self._stopping.wait(self._poll)

    def _work_one(self) -> bool:
        """Take a job and see it to its end; whether there was one."""
        job = self._jobs.take(tuple(self._handlers))
        if job is None:
            return False
        _told("job taken", job)
        running = _Running(self._handlers[job.kind], job)
        running.start()
        held = self._keep_lease(job, running.ended)
        given_up = not running.ended.is_set()
        if given_up:
            running.given_up.set()
            while not running.ended.wait(_CANCEL_SECONDS) and not self.stopping:
                pass  # the next job waits until nothing of this one runs any more
        if not held:
            _told("job lost to another worker", job)
        elif given_up:
            self._jobs.release(job)
            _told("job given back", job)
        else:
            self._end(job, running)
        return True

    def _keep_lease(self, job: Job, ended: threading.Event) -> bool:
        """Extend the lease until the job has ended, or has to; whether it is still held.

        A lease that could not be extended for its whole length is lost, whoever has the job now.
        """
        beaten, until = time.monotonic(), None
        while not ended.wait(self._beat):
            if self.stopping:
                until = until or time.monotonic() + self._grace
                if time.monotonic() >= until:
                    return True
            begun = time.monotonic()
            try:
                if not self._jobs.beat(job):
                    return False
                beaten = begun
            except CouldNotCheck:
                if time.monotonic() - beaten >= LEASE_SECONDS:
                    return False
        return True

    def _end(self, job: Job, running: _Running) -> None:
        """Keep how a job ended."""
        if running.error is None:
            self._jobs.finish(job, running.result)
            _told("job done", job)
            return
        text = f"an unexpected {type(running.error).__name__}"
        if isinstance(running.error, ZkwmError):
            text = running.error.message
        self._jobs.fail(job, text, again=type(running.error) in AGAIN)
        _told(f"job failed: {text}", job)

    def _deliver_one(self) -> bool:
        """Queue what is new, and make one delivery; whether there was one."""
        if self._deliveries is None:
            return False
        with self._lock:
            self._deliveries.queue()
            due = self._deliveries.take(self._busy)
            if due is None:
                return False
            self._busy.add(due.webhook)
        try:
            self._deliveries.deliver(due)
        finally:
            with self._lock:
                self._busy.discard(due.webhook)
        return True


class _Running(threading.Thread):
    """A job that is being done, in a thread that ends with the process at the latest."""

    def __init__(self, handler: Handler, job: Job) -> None:
        super().__init__(name="job", daemon=True)
        self._handler, self._job = handler, job
        self.given_up, self.ended = threading.Event(), threading.Event()
        self.result: Mapping[str, Any] = {}
        self.error: Exception | None = None

    def run(self) -> None:
        """Do it, and keep how it ended."""
        try:
            self.result = self._handler(self._job, self.given_up)
        except Exception as error:  # of whatever kind: the worker goes on
            self.error = error
        finally:
            self.ended.set()


def _told(what: str, job: Job) -> None:
    """Log what happened to a job; never its payload."""
    fields = {"job": job.number, "kind": job.kind, "attempt": job.attempt}
    _LOGGER.info(what, extra={"fields": fields})
