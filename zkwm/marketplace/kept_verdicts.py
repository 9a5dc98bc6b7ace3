"""The verdict of each case, with its reports; one that came further is never replaced."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from zkwm.judge.results import CheckStatus
from zkwm.judge.verdict import Outcome, Verdict
from zkwm.marketplace.cases import now, require_undisturbed
from zkwm.registry_database.database import Database
from zkwm.registry_database.events import EventKind, add_event
from zkwm.registry_database.tables import CASES, VERDICTS
from zkwm_protocols.errors import Malformed, UsageError

_DECIDED = {Outcome.NOT_PROVEN: 1, Outcome.PROVEN: 2}


def progress(verdict: Verdict) -> int:
    """How far the checks came: nothing was opened, opened, or decided; proven is the furthest.

    ``opening.leaves`` was reached where a signed opening was read.
    """
    opened = any(
        check.id == "opening.leaves" and check.status != CheckStatus.SKIPPED
        for check in verdict.checks
    )
    return opened + _DECIDED.get(verdict.outcome, 0)


def keep_verdict(
    database: Database,
    name: bytes,
    verdict: Verdict,
    *,
    file: bytes,
    entry: int | None = None,
    **reports: str,
) -> None:
    """Keep the verdict on a challenge (its digest) and its files, unless one came further.

    ``entry`` is the index of the judge's statement about the file in a log.
    Raises UsageError where the case was withdrawn, which may be while the suspect was asked.
    """
    reached, document = progress(verdict), json.dumps(verdict.to_json())
    digest = hashlib.sha256(file).digest()
    with database.writing(name) as connection:
        require_undisturbed(connection, name)
        kept = connection.execute(
            select(VERDICTS.c.progress, VERDICTS.c.digest).where(VERDICTS.c.challenge == name)
        ).one_or_none()
        if kept is not None and (kept.progress > reached or bytes(kept.digest) == digest):
            return
        connection.execute(delete(VERDICTS).where(VERDICTS.c.challenge == name))
        connection.execute(
            insert(VERDICTS),
            {
                "challenge": name,
                "outcome": verdict.outcome,
                "progress": reached,
                "checked": verdict.checked,
                "document": document,
                "file": file,
                "digest": digest,
                "entry": entry,
                **reports,
            },
        )
        if verdict.outcome in _DECIDED:
            connection.execute(
                update(CASES)
                .where(CASES.c.challenge == name)
                .values(decided=func.coalesce(CASES.c.decided, now()))
            )
        kind = EventKind.DECIDED if verdict.outcome in _DECIDED else EventKind.CHECKED
        add_event(connection, kind, name, {"outcome": verdict.outcome, "verdict": digest.hex()})


def kept_file(database: Database, name: bytes, column: str) -> Any:  # noqa: ANN401
    """One column of the verdict on a challenge. Raises UsageError where there is none."""
    query = select(VERDICTS.c[column]).where(VERDICTS.c.challenge == name)
    with database.reading() as connection:
        row = connection.execute(query).first()
    if row is None:
        raise UsageError("there is no verdict on this challenge", hint="settle it first")
    return row[0]


def documents(database: Database) -> dict[str, dict[str, Any]]:
    """Every verdict as JSON values, by the challenge's digest. Raises Malformed."""
    query = select(VERDICTS.c.challenge, VERDICTS.c.document).order_by(VERDICTS.c.challenge)
    with database.reading() as connection:
        rows = connection.execute(query).all()
    return {bytes(name).hex(): _document(bytes(name).hex(), value) for name, value in rows}


def _document(name: str, value: object) -> dict[str, Any]:
    """A kept verdict as JSON values. Raises Malformed."""
    try:
        found = json.loads(value) if isinstance(value, str) else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not {"commitment", "checks", "blocks", "outcome"} <= set(
        found
    ):
        raise Malformed(
            f"the verdict on {name[:16]}... is damaged",
            hint="put the last copy of the database back, or settle the case again",
        )
    return found
