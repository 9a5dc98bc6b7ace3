"""Cases: one for each challenge that was issued; their states, answers and deadlines.

A state follows from the times that are kept: ``asked`` until the owner answers, ``overdue`` once
the deadline passes without an answer, ``answered``, ``decided`` with a verdict of "proven" or "not
proven", or ``withdrawn``.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, insert, or_, select, tuple_, update

from zkwm.judge.ledger import suspect_digest
from zkwm.registry_database.database import Database, damaged
from zkwm.registry_database.events import EventKind, add_event
from zkwm.registry_database.tables import CASES, PROOFS, VERDICTS
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.errors import UsageError, ZkwmError

MOST_ANSWERS = 16
MOST_REASON = 500


class CaseState(StrEnum):
    """How far a case has come."""

    ASKED = "asked"
    ANSWERED = "answered"
    OVERDUE = "overdue"
    WITHDRAWN = "withdrawn"
    DECIDED = "decided"


@dataclass(frozen=True)
class Case:
    """A case as it stands; times are seconds since 1970, or None where it did not happen.

    Args:
        id: the challenge's digest in hexadecimal.
        commitment: the commitment's digest in hexadecimal.
        listing: the id of the listing that it is about, or empty.
        state: how far it has come, by the clock of this reading.
        asked: when the challenge was issued.
        answer_by: the deadline.
        answered: when the first answer came.
        decided: when it was first decided.
        withdrawn: when it was withdrawn.
        reason: why it was withdrawn, in the words of whoever did.
        outcome: that of the kept verdict, or empty.
        holder: who asked at a registry's service, or empty.
        model: the suspect's digest in hexadecimal.
    """

    id: str
    commitment: str
    listing: str
    state: CaseState
    asked: int
    answer_by: int | None
    answered: int | None
    decided: int | None
    withdrawn: int | None
    reason: str
    outcome: str
    holder: str = ""
    model: str = ""


def now() -> int:
    """The marketplace's clock, in seconds since 1970."""
    return int(time.time())


def issue(
    database: Database,
    challenge: Challenge,
    listing: str,
    answer_within: int | None,
    holder: str = "",
) -> bool:
    """Keep a challenge that is about to leave, and its deadline in seconds from now.

    Returns: whether it is new; one that is kept stays as it is.
    """
    asked = now()
    with database.writing(challenge.digest) as connection:
        known = select(CASES.c.challenge).where(CASES.c.challenge == challenge.digest)
        if connection.execute(known).first() is not None:
            return False
        connection.execute(
            insert(CASES),
            {
                "challenge": challenge.digest,
                "commitment": challenge.commitment,
                "suspect": suspect_digest(challenge.suspect),
                "model": challenge.suspect.digest,
                "listing": listing,
                "holder": holder,
                "file": challenge.to_bytes(),
                "asked": asked,
                "answer_by": None if answer_within is None else asked + answer_within,
                "reason": "",
            },
        )
        about = {"commitment": challenge.commitment.hex(), "listing": listing, "holder": holder}
        add_event(connection, EventKind.ASKED, challenge.digest, about)
        return True


def find(database: Database, name: bytes) -> tuple[Case, Challenge]:
    """The case of a challenge (its digest), and the challenge.

    Raises UsageError where there is none, Malformed where the database holds another one.
    """
    with database.reading() as connection:
        case, file = _find(connection, name)
    try:
        challenge = Challenge.from_bytes(file)
    except ZkwmError:
        raise damaged("case", name) from None
    if (challenge.digest, challenge.commitment.hex()) != (name, case.commitment):
        raise damaged("case", name)
    return case, challenge


def select_cases(
    database: Database,
    *,
    state: CaseState | None,
    commitment: bytes | None,
    listing: str | None,
    after: bytes | None,
    limit: int,
    model: bytes | None = None,
) -> tuple[Case, ...]:
    """Cases in the order in which they were asked, after the case ``after``."""
    clock = now()
    query = _columns(file=False).order_by(CASES.c.asked, CASES.c.challenge).limit(limit)
    if state is not None:
        query = query.where(_in_state(state, clock))
    if commitment is not None:
        query = query.where(CASES.c.commitment == commitment)
    if listing is not None:
        query = query.where(CASES.c.listing == listing)
    if model is not None:
        query = query.where(CASES.c.model == model)
    if after is not None:
        last = select(CASES.c.asked).where(CASES.c.challenge == after).scalar_subquery()
        query = query.where(tuple_(CASES.c.asked, CASES.c.challenge) > tuple_(last, after))
    with database.reading() as connection:
        return tuple(_case(row, clock) for row in connection.execute(query))


def answer(database: Database, name: bytes, proof: bytes) -> Case:
    """Keep an owner's answer, which was checked; the same one again changes nothing.

    Raises UsageError where the case is withdrawn, the deadline has passed, or there were too many.
    """
    digest, clock = hashlib.sha256(proof).digest(), now()
    with database.writing(name) as connection:
        case, _ = _find(connection, name)
        kept = connection.execute(
            select(PROOFS.c.digest).where(PROOFS.c.challenge == name)
        ).scalars()
        known = [bytes(one) for one in kept]
        require_open(case)
        if digest in known:
            return case
        _require_in_time(case, clock)
        if len(known) >= MOST_ANSWERS:
            raise UsageError(
                f"this case has {len(known)} different answers, and no more are kept",
                hint="issue another challenge",
            )
        connection.execute(
            insert(PROOFS),
            {
                "challenge": name,
                "number": len(known) + 1,
                "digest": digest,
                "file": proof,
                "received": clock,
            },
        )
        _change(connection, name, answered=func.coalesce(CASES.c.answered, clock))
        add_event(connection, EventKind.ANSWERED, name, {"answer": digest.hex()})
        return _find(connection, name)[0]


def withdraw(database: Database, name: bytes, reason: str) -> Case:
    """End a case that is not decided. Raises UsageError for one that is."""
    with database.writing(name) as connection:
        case, _ = _find(connection, name)
        if case.state == CaseState.DECIDED:
            raise UsageError("this case is decided: it cannot be withdrawn")
        if case.withdrawn is None:
            _change(connection, name, withdrawn=now(), reason=reason)
            add_event(connection, EventKind.WITHDRAWN, name, {"reason": reason})
        return _find(connection, name)[0]


def extend(database: Database, name: bytes, answer_within: int | None) -> Case:
    """Set the deadline to so many seconds from now, or to none. Raises UsageError."""
    with database.writing(name) as connection:
        require_open(_find(connection, name)[0])
        deadline = None if answer_within is None else now() + answer_within
        _change(connection, name, answer_by=deadline)
        add_event(connection, EventKind.EXTENDED, name, {"answer_by": deadline})
        return _find(connection, name)[0]


def newest_proof(database: Database, name: bytes) -> bytes:
    """The owner's last answer. Raises UsageError where there is none."""
    query = select(PROOFS.c.file).where(PROOFS.c.challenge == name)
    with database.reading() as connection:
        found = connection.execute(query.order_by(PROOFS.c.number.desc()).limit(1)).scalar()
    if found is None:
        raise UsageError(
            "nobody has answered this challenge",
            hint="give the owner's answer as proof, or wait for it until the deadline",
        )
    return bytes(found)


def require_open(case: Case) -> None:
    """Raise UsageError for a case that was withdrawn."""
    if case.withdrawn is not None:
        raise UsageError(
            "this case was withdrawn" + (f": {case.reason}" if case.reason else ""),
            hint="issue a new challenge",
        )


def require_undisturbed(connection: Connection, name: bytes) -> None:
    """Raise UsageError where a case was withdrawn, in the transaction that changes it."""
    require_open(_find(connection, name)[0])


def _require_in_time(case: Case, clock: int) -> None:
    """Raise UsageError for an answer after the deadline."""
    if case.answer_by is not None and clock > case.answer_by:
        raise UsageError(
            f"this answer is {clock - case.answer_by} seconds late",
            hint="Marketplace.extend sets another deadline for this case; then give it again",
        )


def _columns(*, file: bool = True) -> Any:  # noqa: ANN401
    """All that a ``Case`` is made of, and the challenge's file, which may be long."""
    wanted = [one for one in CASES.c if file or one.name != "file"]
    return select(*wanted, VERDICTS.c.outcome).select_from(
        CASES.outerjoin(VERDICTS, VERDICTS.c.challenge == CASES.c.challenge)
    )


def _find(connection: Connection, name: bytes) -> tuple[Case, bytes]:
    """The case of a challenge, and the challenge's file. Raises UsageError."""
    row = connection.execute(_columns().where(CASES.c.challenge == name)).one_or_none()
    if row is None:
        raise UsageError(
            f"this marketplace has no such challenge: {name.hex()[:16]}...",
            hint="only challenges that it issued are settled",
        )
    return _case(row, now()), bytes(row.file)


def _case(row: Any, clock: int) -> Case:  # noqa: ANN401
    """A row as a case."""
    return Case(
        id=bytes(row.challenge).hex(),
        commitment=bytes(row.commitment).hex(),
        listing=row.listing,
        state=_state(row, clock),
        asked=row.asked,
        answer_by=row.answer_by,
        answered=row.answered,
        decided=row.decided,
        withdrawn=row.withdrawn,
        reason=row.reason,
        outcome=row.outcome or "",
        holder=row.holder,
        model=bytes(row.model).hex(),
    )


def _state(row: Any, clock: int) -> CaseState:  # noqa: ANN401
    """How far a case has come; ``_in_state`` says the same to the database."""
    if row.withdrawn is not None:
        return CaseState.WITHDRAWN
    if row.decided is not None:
        return CaseState.DECIDED
    if row.answered is not None:
        return CaseState.ANSWERED
    late = row.answer_by is not None and row.answer_by < clock
    return CaseState.OVERDUE if late else CaseState.ASKED


def _in_state(state: CaseState, clock: int) -> ColumnElement[bool]:
    """The condition that a case is in this state."""
    table = CASES.c
    if state == CaseState.WITHDRAWN:
        return table.withdrawn.is_not(None)
    if state == CaseState.DECIDED:
        return and_(table.withdrawn.is_(None), table.decided.is_not(None))
    undecided = and_(table.withdrawn.is_(None), table.decided.is_(None))
    if state == CaseState.ANSWERED:
        return and_(undecided, table.answered.is_not(None))
    waiting = and_(undecided, table.answered.is_(None))
    if state == CaseState.OVERDUE:
        return and_(waiting, table.answer_by < clock)
    return and_(waiting, or_(table.answer_by.is_(None), table.answer_by >= clock))


def _change(connection: Connection, name: bytes, **values: object) -> None:
    """Change fields of a case."""
    connection.execute(update(CASES).where(CASES.c.challenge == name).values(values))
