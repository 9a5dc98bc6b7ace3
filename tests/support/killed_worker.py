"""A worker of a registry in a process of its own: ``python -m tests.support.killed_worker``.

Arguments: the database, the file of the judge's keys (``tests.support.killed_desks.write_key``),
the folder of models, and by how many seconds its clock is ahead. It writes a line for each job
that it takes, and works until it is killed or asked to stop.
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

from tests.support.killed_desks import read_key
from zkwm.judge.judge import Judge
from zkwm.marketplace import Marketplace
from zkwm.registry_database.database import Database
from zkwm.registry_database.location import find_location
from zkwm.registry_service.handlers import handlers
from zkwm.registry_service.jobs import Job, Jobs
from zkwm.registry_service.worker import Handler, Worker


def say(*words: object) -> None:
    """Write a line at once."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def telling(handler: Handler) -> Handler:
    """The handler, which says first what it was given."""

    def told(job: Job, given_up: object) -> object:
        say("taken", job.number, job.attempt)
        return handler(job, given_up)

    return told


def main(location: str, key: str, models: str, ahead: str) -> None:
    """Work until the end."""
    with Marketplace(location, Judge.from_key(read_key(Path(key)))) as market:
        jobs = Jobs(Database(find_location(location)), clock=lambda: time.time() + float(ahead))
        kinds = {kind: telling(one) for kind, one in handlers(market, Path(models)).items()}
        worker = Worker(jobs, kinds, poll_seconds=0.05, beat_seconds=0.2, grace_seconds=20)
        signal.signal(signal.SIGTERM, lambda *_: worker.stop())
        say("working")
        worker.run()
        say("stopped")


if __name__ == "__main__":
    main(*sys.argv[1:])
