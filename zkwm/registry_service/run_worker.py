"""Run a judge's worker as a process: what it is given, how it begins, its end by a signal."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

from zkwm.judge.judge import Judge
from zkwm.registry_service.folder import FOLDER, JUDGES, ServiceFolder
from zkwm.registry_service.jobs import Jobs
from zkwm.registry_service.judging import judging
from zkwm.registry_service.verdict_jobs import queue_waiting, verdict_kind
from zkwm.registry_service.worker import Worker
from zkwm_protocols.errors import UsageError
from zkwm_protocols.trust import Trust


def run_worker(
    service: ServiceFolder,
    judge: Judge,
    models: Path,
    started: Callable[[int], None],
    trust: Trust | None = None,
) -> None:
    """Decide on the answers to a judge's claims until SIGINT or SIGTERM.

    Args:
        service: of the registry.
        judge: with the ledger beside their key.
        models: the folder with the models' files.
        started: called with the number of answers that were queued at the start.
        trust: whom the challenges trust to date commitments.

    Raises UsageError where the registry does not trust the judge, or there is no such folder, and
    what the service's folder raises.
    """
    service.require()
    if judge.public not in service.judges():
        raise UsageError(
            "this registry does not trust this judge",
            hint=f"put the judge's public file (.pub) into {service.folder / FOLDER / JUDGES}, and "
            "start zkwm registry serve again",
        )
    if not models.is_dir():
        raise UsageError(
            f"there is no folder {models}",
            hint="make it, and put the files of the models into it that claims are about",
        )
    database = service.database()
    try:
        queued = queue_waiting(database, judge.public)
        kind = verdict_kind(judge.public)
        worker = Worker(Jobs(database), {kind: judging(database, judge, models, trust)})
        before = {
            one: signal.signal(one, lambda *_: worker.stop())
            for one in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            started(queued)
            worker.run()
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)
    finally:
        database.close()
