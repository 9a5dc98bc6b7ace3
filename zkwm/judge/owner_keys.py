"""Whose the owner's keys are, by logged statements and those whom a judge trusts (SPEC.md 26.7).

For people alone: a verdict shows the person behind a key and what that rests on, and no check and
no outcome follows from it. What nobody gives is not known.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zkwm.written_dates import rfc3339
from zkwm_protocols.dates import WITNESS_SECONDS
from zkwm_protocols.errors import Malformed, ZkwmError
from zkwm_protocols.fingerprints import require_fingerprint
from zkwm_protocols.schema import (
    NOT_PRINTABLE,
    require_boolean,
    require_bytes,
    require_integer,
    require_list,
    require_text,
)

if TYPE_CHECKING:
    from zkwm_protocols.commitment import Commitment, Header
    from zkwm_protocols.cose.logged_statement import LoggedStatement
    from zkwm_protocols.cose.statement import SignedStatement
    from zkwm_protocols.key_history import DatedStatement, KeyHistory, Standing
    from zkwm_protocols.persons import BoundPerson
    from zkwm_protocols.trust import Trust

MOST_KEYS = 4
MOST_PERSONS = 64
LONGEST_PERSON = 500
_MOST_NAME = 64
_MOST_ORIGIN = 255
_MOST_PROBLEM = 500
_LAST_SECOND = 253_402_300_799
_MOST_INDEX = 2**63 - 1
_REASONS = ("", "compromised", "lost", "superseded")
TWO_TREES = "its log has signed two trees, and is not believed"
_AFTER = "it was logged after the key was revoked, left or contested"


@dataclass(frozen=True)
class StatedPerson:
    """A person whose the key is said to be, and what that rests on.

    Args:
        person: the name, 1 to 500 characters.
        authority: of the judge's trust, whose certificates say so; empty where none does.
        known_since: seconds since 1970, up to which nothing of the chain was revoked by the judge's
            own CRLs; None where these say nothing.
        document: SHA-256 of a document that people have to read, or None.
        log: the origin of the log that has the statement; empty where no proof of a log verifies.
        index: of its entry, from 0.
        time: seconds since 1970 by which witnesses had seen it; 0 where none did.
        problem: why nobody trusted says so; empty where ``authority`` does, or a document is all.
    """

    person: str
    authority: str
    known_since: int | None
    document: bytes | None
    log: str
    index: int
    time: int
    problem: str

    def to_list(self) -> list[Any]:
        """The row in a verdict's file."""
        who = [self.person, self.authority, self.known_since, self.document]
        return [*who, self.log, self.index, self.time, self.problem]

    @classmethod
    def from_list(cls, value: object) -> StatedPerson:
        """Read ``to_list``. Raises Malformed, also where both a trusted and no log says so."""
        person, authority, known, document, log, index, time, problem = require_list(value, 8, 8)
        found = cls(
            require_text(person, LONGEST_PERSON),
            require_text(authority, _MOST_NAME),
            None if known is None else require_integer(known, _LAST_SECOND),
            None if document is None else require_bytes(document, 32),
            require_text(log, _MOST_ORIGIN),
            require_integer(index, _MOST_INDEX),
            require_integer(time, _LAST_SECOND),
            require_text(problem, _MOST_PROBLEM),
        )
        known_without = found.known_since is not None and not found.authority
        if (found.authority and (found.problem or not found.log)) or known_without:
            raise Malformed("a person of whom an authority is said to know, and not to know")
        return found

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {
            "person": self.person,
            "authority": self.authority or None,
            "not_revoked_as_of": None if self.known_since is None else _moment(self.known_since),
            "document": None if self.document is None else self.document.hex(),
            "log": self.log or None,
            "index": self.index if self.log else None,
            "logged": _moment(self.time) if self.log else None,
            "problem": self.problem,
        }


@dataclass(frozen=True)
class OwnerKey:
    """A key of the commitment's owner, as logged statements show it to whom the judge trusts.

    Args:
        key: its fingerprint.
        persons: all whose it is said to be, oldest first; of several that an authority certifies
            the first has it.
        revoked: why it is revoked by now; empty where it is not.
        revoked_since: seconds since 1970 from which on; 0 where it is not.
        successor: the fingerprint of the key that follows it, or empty.
        contested: whether a rotation of it is void.
    """

    key: str
    persons: tuple[StatedPerson, ...] = ()
    revoked: str = ""
    revoked_since: int = 0
    successor: str = ""
    contested: bool = False

    @property
    def person(self) -> StatedPerson | None:
        """Whose it is, by a trusted authority; None where nobody trusted says so."""
        return next((one for one in self.persons if one.authority), None)

    def to_list(self) -> list[Any]:
        """The row in a verdict's file."""
        persons = [one.to_list() for one in self.persons]
        ended = [self.revoked, self.revoked_since, self.successor, self.contested]
        return [self.key, persons, *ended]

    @classmethod
    def from_list(cls, value: object) -> OwnerKey:
        """Read ``to_list``. Raises Malformed."""
        key, persons, revoked, since, successor, contested = require_list(value, 6, 6)
        return cls(
            require_fingerprint(key),
            tuple(StatedPerson.from_list(one) for one in require_list(persons, 0, MOST_PERSONS)),
            _reason(revoked),
            require_integer(since, _LAST_SECOND),
            require_fingerprint(successor) if successor else require_text(successor, 0),
            require_boolean(contested),
        )

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        person = self.person
        return {
            "key": self.key,
            "person": None if person is None else person.person,
            "stated": [one.to_json() for one in self.persons],
            "revoked": self.revoked or None,
            "revoked_since": _moment(self.revoked_since) if self.revoked else None,
            "successor": self.successor or None,
            "contested": self.contested,
        }


def read_owner_keys(value: object) -> tuple[OwnerKey, ...]:
    """The keys in a verdict's file. Raises Malformed."""
    return tuple(OwnerKey.from_list(one) for one in require_list(value, 1, MOST_KEYS))


def are_of(keys: Sequence[OwnerKey], header: Header | None) -> bool:
    """Whether these are the keys of a header, in its order."""
    return header is not None and [one.key for one in keys] == [
        key.fingerprint() for key in header.owner_keys
    ]


def look_up_owner_keys(
    commitment: Commitment,
    trust: Trust,
    clock: int,
    *,
    more: Sequence[LoggedStatement] = (),
    disbelieved: Collection[str] = (),
) -> tuple[tuple[OwnerKey, ...], tuple[str, ...]]:
    """What the statements in the commitment's file and the trust folder say of its owners' keys.

    Args:
        commitment: whose header has the keys.
        trust: whose log policy and authorities for persons count.
        clock: the judge's, in seconds since 1970.
        more: other statements about keys, such as those of a dispute's case.
        disbelieved: origins of logs of which nothing counts (SPEC.md 28.3.3).

    Returns: a row for each key, in order of the header; and why statements in the commitment's file
        or about its keys do not count.
    """
    fingerprints = [key.fingerprint() for key in commitment.header.owner_keys]
    given = tuple(dict.fromkeys((*commitment.key_proofs, *trust.statements, *more)))
    if not given:
        return tuple(map(OwnerKey, fingerprints)), ()
    from zkwm_protocols.key_history import KeyHistory

    latest = clock + WITNESS_SECONDS
    statements, refused = _dated(given, trust, latest, disbelieved)
    history = KeyHistory(statements)
    own = set(fingerprints)
    keys = tuple(
        _owner_key(key, history, statements, refused, trust, latest) for key in fingerprints
    )
    told = [why for one, why in refused if one in commitment.key_proofs or _key(one) in own]
    return keys, tuple(f"a statement about a key does not count: {why}" for why in told)


def _dated(
    given: Sequence[LoggedStatement], trust: Trust, latest: int, disbelieved: Collection[str]
) -> tuple[list[DatedStatement], list[tuple[LoggedStatement, str]]]:
    """Those that logs and witnesses of the policy vouch for; the others, and why they do not."""
    from zkwm_protocols.key_history import dated

    policy = trust.read_log_policy()
    found: dict[tuple[str, int, SignedStatement], DatedStatement] = {}
    refused: list[tuple[LoggedStatement, str]] = []
    for one in given:
        if policy is None:
            refused.append((one, "the trust folder has no log-policy"))
            continue
        if one.proof.checkpoint.checkpoint.origin in disbelieved:
            refused.append((one, TWO_TREES))
            continue
        try:
            statement = dated(one, policy, latest=latest)
        except ZkwmError as error:
            refused.append((one, error.message))
            continue
        place = (statement.entry.origin, statement.entry.index, statement.statement)
        found[place] = min(found.get(place, statement), statement, key=lambda one: one.entry.time)
    return list(found.values()), refused


def _key(one: LoggedStatement) -> str:
    """The fingerprint of the key that a statement is about; empty for one about something else."""
    return getattr(one.statement.content, "key", "") if one.is_about_a_key else ""


def _owner_key(
    key: str,
    history: KeyHistory,
    statements: Sequence[DatedStatement],
    refused: Sequence[tuple[LoggedStatement, str]],
    trust: Trust,
    at: int,
) -> OwnerKey:
    """One key, by all statements."""
    from zkwm_protocols.cose.key_contents import KeyBinding, KeyRevocation, KeyRotation
    from zkwm_protocols.persons import bound_persons

    standing = history.standing(key, at)
    persons = [_person(one) for one in bound_persons(standing, trust.people)]
    persons += _too_late(key, standing, map(history.earliest, statements))
    persons += [
        StatedPerson(content.person, "", None, content.document, "", 0, 0, _plain(why))
        for one, why in refused
        if isinstance(content := one.statement.content, KeyBinding) and content.key == key
    ]
    revocation = None if standing.revocation is None else standing.revocation.content
    revoked, since = "", 0
    if isinstance(revocation, KeyRevocation):
        revoked, since = str(revocation.reason), min(revocation.since, _LAST_SECOND)
    rotation = None if standing.successor is None else standing.successor.content
    successor = rotation.successor.fingerprint() if isinstance(rotation, KeyRotation) else ""
    contested = standing.contest is not None
    return OwnerKey(key, _most(persons), revoked, since, successor, contested)


def _most(persons: Sequence[StatedPerson]) -> tuple[StatedPerson, ...]:
    """As many as a verdict holds, in their order; those without an authority are left out first.

    A thief of the key could log more than so many before its owner does.
    """
    certified_first = sorted(range(len(persons)), key=lambda i: not persons[i].authority)
    return tuple(persons[i] for i in sorted(certified_first[:MOST_PERSONS]))


def _person(one: BoundPerson) -> StatedPerson:
    """A binding that counts, with its evidence."""
    content, entry, certified = one.binding.content, one.binding.entry, one.certified
    return StatedPerson(
        getattr(content, "person", ""),
        "" if certified is None else certified.authority,
        None if certified is None else certified.known_since,
        getattr(content, "document", None),
        entry.origin,
        entry.index,
        min(entry.time, _LAST_SECOND),
        _plain(one.problem),
    )


def _too_late(
    key: str, standing: Standing, statements: Iterable[DatedStatement]
) -> list[StatedPerson]:
    """Bindings that the key made when it did not count any more."""
    from zkwm_protocols.cose.key_contents import KeyBinding

    counted = {(one.entry.origin, one.entry.index) for one in standing.bindings}
    return [
        StatedPerson(
            content.person, "", None, content.document, entry.origin, entry.index,
            min(entry.time, _LAST_SECOND), _AFTER,
        )
        for one in statements
        if isinstance(content := one.content, KeyBinding)
        and content.key == key
        and ((entry := one.entry).origin, entry.index) not in counted
    ]  # fmt: skip


def _reason(value: object) -> str:
    """Why a key is revoked, or nothing. Raises Malformed."""
    if value not in _REASONS:
        raise Malformed("expected the reason of a revocation, or nothing")
    return str(value)


def _plain(text: str) -> str:
    """A problem as a file may hold it: U+FFFD for what is not printable, cut to 500."""
    return re.sub(NOT_PRINTABLE, "\ufffd", text)[:_MOST_PROBLEM]


def _moment(seconds: int) -> str:
    return rfc3339(seconds * 1_000_000)
