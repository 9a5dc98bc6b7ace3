"""Which claims wait for their judge's worker: one job for each answer, of the judge's own kind.

The service queues a job with the answer. Whatever was not queued then (an answer of before, a
service that was killed in between), and what has failed, a judge's worker queues when it starts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from sqlalchemy import select

from zkwm.marketplace import cases
from zkwm.marketplace.cases import CaseState
from zkwm.registry_database.database import Database
from zkwm.registry_database.service_tables import JOBS
from zkwm.registry_database.tables import PROOFS
from zkwm.registry_service.jobs import Jobs, JobState
from zkwm_protocols.keys import JudgePublic

LOGGED_VERDICT = "logged-verdict"
"""The kind of job by which a worker has the service log a verdict's statement."""
_PAGE = 500


def verdict_kind(judge: JudgePublic) -> str:
    """The kind of a judge's jobs: no worker takes those of another judge."""
    return f"claim-verdict:{judge.fingerprint()}"


def queue_verdict(
    database: Database, judge: JudgePublic, claim: bytes, answer: bytes, *, failed: bool = False
) -> bool:
    """Queue a job for an answer (its SHA-256) to a claim, and whether it is new.

    One that is there, in whatever state, stays the only one; ``failed`` queues a failed one anew.
    """
    kind, payload = verdict_kind(judge), {"claim": claim.hex(), "answer": answer.hex()}
    known = select(JOBS.c.state).where(
        JOBS.c.kind == kind, JOBS.c.payload == json.dumps(payload, sort_keys=True)
    )
    with database.reading() as connection:
        states = set(connection.execute(known).scalars())
    if states - ({JobState.FAILED} if failed else set()):
        return False
    Jobs(database).add(kind, payload)
    return True


def queue_waiting(database: Database, judge: JudgePublic) -> int:
    """Queue what this judge's answered claims wait for; return how many jobs are new."""
    return sum(
        queue_verdict(database, judge, claim, answer, failed=True)
        for claim in _answered(database, judge)
        for answer in _answers(database, claim)
    )


def _answered(database: Database, judge: JudgePublic) -> Iterator[bytes]:
    """The claims of a judge that are answered and not decided."""
    last = None
    while True:
        found = cases.select_cases(
            database, state=CaseState.ANSWERED, commitment=None, listing=None, after=last,
            limit=_PAGE,
        )  # fmt: skip
        for case in found:
            name = bytes.fromhex(case.id)
            if cases.find(database, name)[1].judge == judge:
                yield name
        if len(found) < _PAGE:
            return
        last = bytes.fromhex(found[-1].id)


def _answers(database: Database, claim: bytes) -> list[bytes]:
    """The SHA-256 of a claim's answers, the first one first."""
    query = select(PROOFS.c.digest).where(PROOFS.c.challenge == claim).order_by(PROOFS.c.number)
    with database.reading() as connection:
        return [bytes(one) for one in connection.execute(query).scalars()]
