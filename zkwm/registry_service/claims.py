"""Claims: what is checked before a challenge, answer, withdrawal or verdict is kept.

A claim is a case of the marketplace's tables whose challenge a judge signed elsewhere. Who asked is
its holder; whose word counts beyond that is decided by signatures: the judge's for challenge and
verdict, the owner's for answers and for a withdrawal of their own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sqlalchemy import or_, select, update

from zkwm.judge.verdict import Verdict
from zkwm.marketplace import cases
from zkwm.marketplace.cases import Case, CaseState
from zkwm.marketplace.kept_verdicts import keep_verdict
from zkwm.marketplace.registrations import kept_commitment
from zkwm.registry_database.database import Database
from zkwm.registry_database.events import EventKind, add_event
from zkwm.registry_database.tables import CASES, COMMITMENTS, PROOFS, VERDICTS
from zkwm.registry_service.problems import Refused
from zkwm.registry_service.verdict_jobs import queue_verdict
from zkwm.report import render_report
from zkwm_protocols.argument_response import Refusal, read_response
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.cose.contents import DisputeEvent, DisputeStatement, VerdictStatement
from zkwm_protocols.cose.statement import SignedStatement
from zkwm_protocols.keys import JudgePublic

_SWEEP_LIMIT = 1000


def find(database: Database, name: bytes) -> tuple[Case, Challenge]:
    """A claim by its challenge's digest. Raises Refused (404), Malformed for a damaged row."""
    with database.reading() as connection:
        known = select(CASES.c.challenge).where(CASES.c.challenge == name)
        if connection.execute(known).first() is None:
            raise Refused(404, "there is no claim with this challenge here")
    return cases.find(database, name)


def check_challenge(database: Database, judges: Sequence[JudgePublic], file: bytes) -> Challenge:
    """A challenge of a trusted judge about a registered commitment.

    Raises Malformed, Unsupported, InvalidSignature or InvalidOpening, Refused for another judge, or
    a commitment that is not registered.
    """
    challenge = Challenge.from_bytes(file)
    if challenge.judge not in judges:
        raise Refused(
            400,
            f"this registry does not know the judge {challenge.judge.fingerprint()}",
            hint="ask its operator to put the judge's public file into service/judges",
        )
    challenge.verify_signature()
    with database.reading() as connection:
        known = select(COMMITMENTS.c.digest).where(COMMITMENTS.c.digest == challenge.commitment)
        if connection.execute(known).first() is None:
            raise Refused(
                409, "the commitment of this challenge is not registered here",
                hint="register it first: POST /v1/commitments",
            )  # fmt: skip
    challenge.verify_against(kept_commitment(database, challenge.commitment))
    return challenge


def ask(
    database: Database, challenge: Challenge, listing: str, answer_within: int, holder: str
) -> tuple[Case, bool]:
    """Open a claim, and whether it is new. Raises Refused where another holder asked the same."""
    new = cases.issue(database, challenge, listing, answer_within, holder)
    case, _ = cases.find(database, challenge.digest)
    if case.holder != holder:
        raise Refused(409, "another holder asked with this very challenge")
    return case, new


def answer(database: Database, name: bytes, file: bytes) -> tuple[Case, bool]:
    """Keep an owner's answer, queue its judgment, and say whether it is new.

    What it proves only the judge finds out. Raises what ``Marketplace.answer`` does, Refused for a
    claim that takes no answers any more.
    """
    case, challenge = find(database, name)
    response = read_response(file)
    commitment = kept_commitment(database, challenge.commitment)
    response.verify_signatures(commitment.header)
    if isinstance(response, Refusal):
        response.verify_answers(commitment, challenge)
    else:
        response.verify_against(commitment, challenge)
    digest = hashlib.sha256(file).digest()
    known = digest in _answers(database, name)
    if not known:
        _require_waiting(case)
    answered = cases.answer(database, name, file)
    queue_verdict(database, challenge.judge, name, digest)
    return answered, not known


def _require_waiting(case: Case) -> None:
    """Raise Refused (409) for a claim that takes no new answer."""
    if case.state == CaseState.DECIDED:
        raise Refused(409, "this claim is decided")
    if case.answer_by is not None and cases.now() > case.answer_by:
        raise Refused(
            409, "the deadline of this claim has passed",
            hint="whoever asked can set another one: POST /v1/claims/CHALLENGE/deadline",
        )  # fmt: skip


def withdraw(database: Database, name: bytes, reason: str) -> Case:
    """End a claim. Raises Refused for one that is decided."""
    return cases.withdraw(database, name, reason)


def check_withdrawal(database: Database, name: bytes, statement: bytes) -> SignedStatement:
    """An owner's signed word that they withdraw their claim.

    It names commitment, suspect and challenge file, so that no other claim is withdrawn with it.
    Raises what ``SignedStatement.from_bytes`` does, Refused for a statement of something else, of
    somebody else, or about a claim that is decided.
    """
    case, challenge = find(database, name)
    stated = SignedStatement.from_bytes(statement)
    expected = DisputeStatement(
        challenge.commitment,
        challenge.suspect.digest,
        DisputeEvent.WITHDRAWN,
        hashlib.sha256(challenge.to_bytes()).digest(),
    )
    if stated.content != expected:
        raise Refused(400, "the statement does not withdraw this claim")
    owners = kept_commitment(database, challenge.commitment).header.owner_keys
    if stated.key not in owners:
        raise Refused(403, "only an owner of the commitment withdraws their claim by signature")
    if case.state == CaseState.DECIDED:
        raise Refused(409, "this claim is decided: it cannot be withdrawn")
    return stated


def check_verdict(
    database: Database,
    judges: Sequence[JudgePublic],
    name: bytes,
    file: bytes,
    statement: bytes,
) -> tuple[Verdict, bool]:
    """A verdict on a claim by its own judge, and whether it was kept before.

    The judge states its digest for the log beside it. Raises Malformed, Unsupported or
    InvalidSignature, Refused for one about another claim or answer, about a withdrawn claim, or by
    a judge whom the registry has ceased to trust.
    """
    case, challenge = find(database, name)
    if challenge.judge not in judges:
        raise Refused(409, "this registry does not trust the judge of this claim any more")
    verdict = Verdict.from_bytes(file, challenge.judge)
    if verdict.challenge != challenge or verdict.commitment_digest != challenge.commitment:
        raise Refused(400, "the verdict is about another claim")
    digest = hashlib.sha256(file).digest()
    stated = SignedStatement.from_bytes(statement)
    if stated.content != VerdictStatement(challenge.commitment, digest):
        raise Refused(400, "the statement is not about this verdict")
    if stated.key != challenge.judge.signing:
        raise Refused(400, "the statement is not signed by the judge of this claim")
    if case.state == CaseState.WITHDRAWN:
        raise Refused(409, "this claim was withdrawn")
    if verdict.proof_digest not in _answers(database, name):
        raise Refused(
            409, "the verdict is about an answer that was not handed in here",
            hint="hand the owner's answer in first",
        )  # fmt: skip
    return verdict, digest == verdict_digest(database, name)


def decide(
    database: Database, name: bytes, verdict: Verdict, file: bytes, entry: int
) -> tuple[Case, Challenge]:
    """Keep a verdict that was checked and logged, unless one is kept that came further."""
    keep_verdict(
        database, name, verdict, file=file, entry=entry,
        report=render_report(verdict), report_public=render_report(verdict, public=True),
    )  # fmt: skip
    return cases.find(database, name)


def answer_file(database: Database, name: bytes) -> bytes:
    """The owner's last answer. Raises Refused (404) where there is none."""
    if not _answers(database, name):
        raise Refused(404, "nobody has answered this claim")
    return cases.newest_proof(database, name)


def verdict_file(database: Database, name: bytes) -> bytes:
    """A verdict by its challenge's digest or its file's. Raises Refused (404)."""
    table = VERDICTS.c
    query = select(table.file).where((table.challenge == name) | (table.digest == name))
    with database.reading() as connection:
        file = connection.execute(query).scalar()
    if file is None:
        raise Refused(404, "there is no such verdict here")
    return bytes(file)


def verdict_digest(database: Database, name: bytes) -> bytes | None:
    """The SHA-256 of the verdict that is kept on a claim; None without one."""
    query = select(VERDICTS.c.digest).where(VERDICTS.c.challenge == name)
    with database.reading() as connection:
        found = connection.execute(query).scalar()
    return None if found is None else bytes(found)


def tell_overdue(database: Database) -> int:
    """Add an event for each claim whose deadline has passed unanswered; return how many.

    The state needs nobody's doing; whoever follows the feed is told once for each deadline.
    """
    table, told = CASES.c, 0
    query = select(table.challenge, table.answer_by).where(
        table.answer_by < cases.now(),
        table.answered.is_(None), table.decided.is_(None), table.withdrawn.is_(None),
        or_(table.told.is_(None), table.told < table.answer_by),
    )  # fmt: skip
    with database.reading() as connection:
        late = connection.execute(query.limit(_SWEEP_LIMIT)).all()
    for name, deadline in late:
        with database.writing(bytes(name)) as connection:
            again = query.where(table.challenge == name)
            if connection.execute(again).first() is None:
                continue
            changed = update(CASES).where(table.challenge == name)
            connection.execute(changed.values(told=deadline))
            add_event(connection, EventKind.OVERDUE, bytes(name), {"answer_by": deadline})
            told += 1
    return told


def _answers(database: Database, name: bytes) -> set[bytes]:
    """The SHA-256 of every answer that is kept."""
    with database.reading() as connection:
        kept = connection.execute(select(PROOFS.c.digest).where(PROOFS.c.challenge == name))
        return {bytes(one) for one in kept.scalars()}
