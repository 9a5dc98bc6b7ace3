"""What logged statements say about keys, for people and as JSON."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from zkwm.report.standing import day, standing_lines
from zkwm.written_dates import read_date, rfc3339
from zkwm_cli.artifacts import print_result, read_parsed
from zkwm_cli.options import usage_errors
from zkwm_protocols.cose.key_contents import KeyBinding, KeyRevocation, KeyRotation
from zkwm_protocols.cose.logged_statement import LoggedStatement
from zkwm_protocols.cose.statement import SignedStatement
from zkwm_protocols.errors import Malformed, UsageError, ZkwmError
from zkwm_protocols.fingerprints import require_fingerprint
from zkwm_protocols.key_history import DatedStatement, KeyHistory, LogEntry, dated
from zkwm_protocols.persons import BoundPerson, bound_persons
from zkwm_protocols.transparency.proof_file import FILE_LIMIT

if TYPE_CHECKING:
    from zkwm_protocols.key_history import Standing
    from zkwm_protocols.transparency.policy import LogPolicy
    from zkwm_protocols.trust import Trust

_CLOCK_SECONDS = 300
"""How far a witness's clock may be ahead of ours."""
_LAST_SECOND = 253_402_300_799


def show_keys(
    proofs: Sequence[str],
    found: Sequence[LoggedStatement],
    trust: Trust | None,
    key: str | None,
    at: str | None,
    *,
    as_json: bool,
) -> None:
    """Verify the proofs, and print the standing of each key that they are about.

    Args:
        proofs: names of files, ``-`` for stdin.
        found: what a log was asked for.
        trust: which logs and witnesses count, and who knows persons.
        key: the only fingerprint to show, or None.
        at: the time in question, as it was written; None for now.
        as_json: whether to print JSON.

    Raises UsageError, Malformed, InvalidLogProof, InvalidSignature or CouldNotCheck.
    """
    now = int(time.time())
    moment = now
    if at is not None:
        with usage_errors("--at: "):
            moment = read_date(at).latest // 1_000_000
    if key is not None:
        with usage_errors("--key: "):
            require_fingerprint(key)
    given = [read_parsed(one, FILE_LIMIT, logged_statement) for one in proofs]
    policy = log_policy(trust)
    kept = () if trust is None else trust.statements
    statements = [
        dated(one, policy, latest=now + _CLOCK_SECONDS)
        for one in dict.fromkeys((*given, *found, *kept))
    ]
    history = KeyHistory(statements)
    rows = []
    for one in [key] if key is not None else _keys(statements):
        standing = history.standing(one, moment)
        persons = bound_persons(standing, () if trust is None else trust.people)
        rows.append(_row(standing, persons))
        if not as_json:
            click.echo(f"{one}, {day(moment)}")
            click.echo("\n".join(f"    {line}" for line in standing_lines(standing, persons)))
    print_result(as_json, "key-show", at=rfc3339(moment * 1_000_000), keys=rows)


def log_policy(trust: Trust | None) -> LogPolicy:
    """The log policy of a trust folder. Raises UsageError where there is none."""
    policy = None if trust is None else trust.read_log_policy()
    if policy is None:
        raise UsageError(
            "which log and witnesses count is not said",
            hint="give --trust FOLDER, with a file log-policy in it (docs/keys.md)",
        )
    return policy


def logged_statement(data: bytes) -> LoggedStatement:
    """A statement with its proof. Raises Malformed, with what to do where no log has it yet."""
    try:
        return LoggedStatement.from_bytes(data)
    except Malformed:
        try:
            SignedStatement.from_bytes(data)
        except ZkwmError:
            pass
        else:
            raise Malformed(
                "this statement is in no log yet, and only a log dates it",
                hint="log it: zkwm key log; then show what that wrote",
            ) from None
        raise


def _keys(statements: Sequence[DatedStatement]) -> list[str]:
    """Every key that the statements are about, as they were given. Raises UsageError for none."""
    found: dict[str, None] = {}
    for one in statements:
        content = one.content
        if isinstance(content, KeyBinding | KeyRotation | KeyRevocation):
            found[content.key] = None
        if isinstance(content, KeyRotation):
            found[content.successor.fingerprint()] = None
    if not found:
        raise UsageError(
            "none of these statements is about a key",
            hint="give proofs that zkwm key log wrote",
        )
    return list(found)


def _row(standing: Standing, persons: Sequence[BoundPerson]) -> dict[str, Any]:
    """A key's standing as JSON values."""
    successor = standing.successor
    return {
        "key": standing.key,
        "counts": standing.counts,
        "persons": [_person(one) for one in persons],
        "predecessors": [
            {"key": content.key, **_entry(one.entry)}
            for one in standing.predecessors
            if isinstance(content := one.content, KeyRotation)
        ],
        "successor": None if successor is None or not isinstance(successor.content, KeyRotation)
        else {
            "key": successor.content.successor.fingerprint(),
            **_entry(successor.entry),
            "settles": _time(standing.settles or 0),
        },
        "contested": standing.contest is not None,
        "revocation": _revocation(standing.revocation),
        "suspected": _revocation(standing.suspected),
    }  # fmt: skip


def _person(one: BoundPerson) -> dict[str, Any]:
    """A binding as JSON values."""
    content, certified = one.binding.content, one.certified
    document = content.document if isinstance(content, KeyBinding) else None
    known = certified.known_since if certified else None
    return {
        "person": content.person if isinstance(content, KeyBinding) else "",
        "authority": certified.authority if certified else None,
        "not_revoked_as_of": None if known is None else _time(known),
        "problem": one.problem,
        "document": None if document is None else document.hex(),
        **_entry(one.binding.entry),
    }


def _revocation(one: DatedStatement | None) -> dict[str, Any] | None:
    """A revocation as JSON values."""
    if one is None or not isinstance(one.content, KeyRevocation):
        return None
    return {
        "since": _time(one.content.since),
        "reason": str(one.content.reason),
        **_entry(one.entry),
    }


def _entry(entry: LogEntry) -> dict[str, Any]:
    return {"log": entry.origin, "index": entry.index, "logged": _time(entry.time)}


def _time(seconds: int) -> str:
    return rfc3339(min(seconds, _LAST_SECOND) * 1_000_000)
