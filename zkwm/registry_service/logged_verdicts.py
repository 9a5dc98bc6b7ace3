"""Have the log take a judge's statement of a verdict: the worker asks by a job, the service does.

Only the process that serves the log writes to it, and a verdict is logged before it is kept.
"""

from __future__ import annotations

import base64
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import TimeoutError as LateError
from pathlib import Path
from typing import Any

from zkwm.registry_database.database import Database
from zkwm.registry_service.bodies import from_base64
from zkwm.registry_service.jobs import Job, Jobs, JobState
from zkwm.registry_service.verdict_jobs import LOGGED_VERDICT
from zkwm.registry_service.worker import Handler
from zkwm.transparency_log.admission import is_nearly_full
from zkwm.transparency_log.log_service import LogService
from zkwm_protocols.cose.contents import VerdictStatement
from zkwm_protocols.cose.statement import SignedStatement
from zkwm_protocols.errors import CouldNotCheck, UsageError
from zkwm_protocols.keys import JudgePublic

PATIENCE_SECONDS = 600.0
_APPEND_SECONDS = 30.0
_LOOK_SECONDS = 0.1
_TELL_SECONDS = 30.0
_LOGGER = logging.getLogger(__name__)


def logging_verdicts(log: LogService, folder: Path, judges: Sequence[JudgePublic]) -> Handler:
    """The service's side: append a statement of a verdict by a judge whom it trusts.

    ``folder`` is the log's, whose disk has to have room.
    """
    signers = {judge.signing for judge in judges}

    def append(job: Job, given_up: threading.Event) -> Mapping[str, Any]:
        del given_up  # it ends within seconds
        data = from_base64(str(job.payload.get("statement", "")), "statement")
        stated = SignedStatement.from_bytes(data)
        if not isinstance(stated.content, VerdictStatement) or stated.key not in signers:
            raise UsageError("this is no statement of a verdict by a judge of this registry")
        if is_nearly_full(folder):
            raise CouldNotCheck("the log's disk is nearly full")
        try:
            future = log.sequencer.submit(log.statements.read(data))
            return {"entry": future.result(_APPEND_SECONDS).position}
        except LateError:
            raise CouldNotCheck("the log did not take the statement in time") from None

    return append


def have_logged(database: Database, statement: bytes, given_up: threading.Event) -> int:
    """The worker's side: the index of a statement, once the service has logged it.

    Raises CouldNotCheck where the service refuses it, is not there for ten minutes, or the job is
    given up.
    """
    jobs = Jobs(database)
    text = base64.b64encode(statement).decode("ascii")
    number = jobs.add(LOGGED_VERDICT, {"statement": text})
    begun = told = time.monotonic()
    while time.monotonic() - begun < PATIENCE_SECONDS:
        status = jobs.status(number)
        if status.state == JobState.DONE and status.result is not None:
            return int(status.result["entry"])
        if status.state == JobState.FAILED:
            raise CouldNotCheck(
                f"the registry did not log the verdict: {(status.result or {}).get('error', '')}"
            )
        if given_up.wait(_LOOK_SECONDS):
            raise CouldNotCheck("the claim was given up before its verdict was logged")
        if time.monotonic() - told > _TELL_SECONDS:
            told = time.monotonic()
            _LOGGER.warning("a verdict waits to be logged: is zkwm registry serve running?")
    raise CouldNotCheck("the registry did not log the verdict: run zkwm registry serve")
