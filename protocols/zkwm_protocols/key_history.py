"""Whether a key counts at a time: whose it is, what follows it, since when it is revoked.

The answer comes from statements in logs, each made by the key itself, and holds against a thief who
has the key: what they state can end the key, and give it to nobody. SPEC.md 26.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar

from zkwm_protocols.cose.key_contents import (
    KeyBinding,
    KeyRevocation,
    KeyRotation,
    RevocationReason,
)
from zkwm_protocols.cose.logged_statement import LoggedStatement
from zkwm_protocols.cose.statement import Content, SignedStatement
from zkwm_protocols.errors import InvalidLogProof, Malformed
from zkwm_protocols.transparency.policy import LogPolicy

CONTEST_SECONDS = 30 * 86_400
"""How long after its entry a rotation can be contested: 30 days."""
MOST_STATEMENTS = 10_000

Kind = TypeVar("Kind", KeyBinding, KeyRotation, KeyRevocation)


@dataclass(frozen=True)
class LogEntry:
    """Where a statement stands, and when it stood there at the latest.

    Args:
        origin: the log's.
        index: of the entry, from 0.
        time: seconds since 1970, by a quorum of witnesses.
    """

    origin: str
    index: int
    time: int


Moment: TypeAlias = int | LogEntry
"""Seconds since 1970, or an entry of a log, which is compared by its place within the same log."""


@dataclass(frozen=True)
class DatedStatement:
    """A statement whose signature and log proof are verified, with its entry."""

    statement: SignedStatement
    entry: LogEntry

    @property
    def content(self) -> Content:
        """What is stated."""
        return self.statement.content


@dataclass(frozen=True)
class Standing:
    """What the given statements say about a key at a time.

    Args:
        key: its fingerprint.
        bindings: of this key to persons, made while it counted, oldest first. Their evidence is not
            verified here, and of different persons the first with evidence is right.
        predecessors: rotations to this key that are in force, oldest first.
        successor: the rotation from this key that is in force, or None.
        settles: seconds since 1970 from which on nobody can contest it any more; None without one.
        contest: the statement by which a rotation from this key is void, or None.
        revocation: the first one that is in effect, or None.
        suspected: a revocation that names an earlier time of compromise than its own entry, where
            the time in question lies between them: signatures count, and may be a thief's. Or None.
    """

    key: str
    bindings: tuple[DatedStatement, ...]
    predecessors: tuple[DatedStatement, ...]
    successor: DatedStatement | None
    settles: int | None
    contest: DatedStatement | None
    revocation: DatedStatement | None
    suspected: DatedStatement | None

    @property
    def counts(self) -> bool:
        """Whether a signature of the key counts that is dated to the time in question.

        Only a token or a log dates a signature; what is signed without one is as young as today.
        """
        return self.revocation is None and self.successor is None and not self._in_two_hands

    @property
    def _in_two_hands(self) -> bool:
        """Whether the key has named two successors."""
        return self.contest is not None and isinstance(self.contest.content, KeyRotation)


def dated(
    logged: LoggedStatement, policy: LogPolicy, *, latest: int | None = None
) -> DatedStatement:
    """A statement with the time at which a quorum of the policy's witnesses had seen it.

    Args:
        logged: the statement, as it is kept.
        policy: which logs and witnesses count.
        latest: the verifier's time in seconds since 1970; no cosignature is of a later one.

    Raises:
        InvalidLogProof: the proof does not verify, or no quorum of witnesses says when.
        InvalidSignature: a line of a key of the policy does not verify.
    """
    time = policy.reached_at(logged.verify(policy, latest=latest))
    if time is None:
        raise InvalidLogProof(
            "the policy's quorum does not say when this statement stood in the log",
            hint="use a policy whose quorum is a group of witnesses",
        )
    origin = logged.proof.checkpoint.checkpoint.origin
    return DatedStatement(logged.statement, LogEntry(origin, logged.proof.index, time))


def standing(key: str, statements: Iterable[DatedStatement], at: Moment) -> Standing:
    """Whether a key counts at a time, by all statements that are known (SPEC.md 26.2).

    Args:
        key: its fingerprint.
        statements: of any keys; those about others serve for rotations to this one.
        at: the time in question: of a signature, the time by which it is known to have been made.

    Raises Malformed for more than 10,000 statements.
    """
    return KeyHistory(statements).standing(key, at)


class KeyHistory:
    """Statements of logs, for questions about several keys and times.

    Raises Malformed for more than 10,000 statements.
    """

    def __init__(self, statements: Iterable[DatedStatement]) -> None:
        given: list[DatedStatement] = []
        for one in statements:
            if len(given) == MOST_STATEMENTS:
                raise Malformed(f"a history of keys has at most {MOST_STATEMENTS:,} statements")
            given.append(one)
        self._by_log: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for one in given:
            self._by_log[one.entry.origin].append((one.entry.index, one.entry.time))
        for places in self._by_log.values():
            _carry_back(places)
        self._of_key: dict[str, list[DatedStatement]] = defaultdict(list)
        self._to_key: dict[str, set[str]] = defaultdict(set)
        for one in sorted(map(self.earliest, given), key=_place):
            content = one.content
            if isinstance(content, KeyBinding | KeyRotation | KeyRevocation):
                self._of_key[content.key].append(one)
            if isinstance(content, KeyRotation):
                self._to_key[content.successor.fingerprint()].add(content.key)

    def standing(self, key: str, at: Moment) -> Standing:
        """As the function ``standing``."""
        at = self._moment(at)
        succession, contest = self._succession(key)
        in_force = succession is not None and not before(at, succession.entry)
        contested = contest is not None and not before(at, contest.entry)
        return Standing(
            key,
            tuple(one for one in self._bindings(key) if not before(at, one.entry)),
            self._predecessors(key, at),
            succession if in_force else None,
            succession.entry.time + CONTEST_SECONDS if succession and in_force else None,
            contest if contested else None,
            self._revocation(key, at),
            self._suspicion(key, at),
        )

    def successors(self, key: str, now: int) -> tuple[str, ...]:
        """The keys that speak for this one, each following the one before it; itself first.

        Args:
            key: a fingerprint.
            now: seconds since 1970: a rotation is followed once nobody can contest it any more.
        """
        chain = [key]
        while True:
            succession, _ = self._succession(chain[-1])
            if succession is None or now < succession.entry.time + CONTEST_SECONDS:
                return tuple(chain)
            following = _successor(succession)
            if following in chain:  # a key that was left does not come back
                return tuple(chain)
            chain.append(following)

    def _succession(self, key: str) -> tuple[DatedStatement | None, DatedStatement | None]:
        """The rotation of a key, whatever the time, and else what contests it (SPEC.md 26.4)."""
        rotations = self._about(key, KeyRotation)
        if not rotations or self._revocation(key, rotations[0].entry) is not None:
            return None, None
        first = rotations[0]
        contests = [one for one in rotations if _successor(one) != _successor(first)]
        contests += [
            one
            for one in self._about(key, KeyRevocation)
            if isinstance(one.content, KeyRevocation)
            and one.content.reason is not RevocationReason.SUPERSEDED
        ]
        soon = [one for one in contests if one.entry.time < first.entry.time + CONTEST_SECONDS]
        return (None, min(soon, key=_place)) if soon else (first, None)

    def _bindings(self, key: str) -> list[DatedStatement]:
        """The bindings of a key that it made while it counted (SPEC.md 26.5)."""
        succession, contest = self._succession(key)
        ends = [one.entry for one in (succession, contest) if one is not None]
        return [
            one
            for one in self._about(key, KeyBinding)
            if self._revocation(key, one.entry) is None
            and all(before(one.entry, end) for end in ends)
        ]

    def _predecessors(self, key: str, at: Moment) -> tuple[DatedStatement, ...]:
        """The rotations to a key that are in force."""
        found = []
        for other in self._to_key.get(key, ()):
            succession, _ = self._succession(other)
            if (
                succession is not None
                and _successor(succession) == key
                and not before(at, succession.entry)
            ):
                found.append(succession)
        return tuple(sorted(found, key=_place))

    def _revocation(self, key: str, at: Moment) -> DatedStatement | None:
        """The first revocation in effect: both its time and its entry are over (SPEC.md 26.3)."""
        for one in self._about(key, KeyRevocation):
            if _since(one) <= _seconds(at) and not before(at, one.entry):
                return one
        return None

    def _suspicion(self, key: str, at: Moment) -> DatedStatement | None:
        """The first revocation for a compromise before the time in question, logged after it."""
        for one in self._about(key, KeyRevocation):
            if (
                isinstance(one.content, KeyRevocation)
                and one.content.reason is RevocationReason.COMPROMISED
                and one.content.since <= _seconds(at)
                and before(at, one.entry)
            ):
                return one
        return None

    def _about(self, key: str, kind: type[Kind]) -> list[DatedStatement]:
        """The statements of one kind by a key, oldest first."""
        return [one for one in self._of_key.get(key, []) if isinstance(one.content, kind)]

    def _moment(self, at: Moment) -> Moment:
        """A moment, an entry of a log by the earliest time that is known of it."""
        return at if isinstance(at, int) else self._known(at)

    def earliest(self, one: DatedStatement) -> DatedStatement:
        """A statement with the earliest time that is known of its entry (SPEC.md 26.1)."""
        return replace(one, entry=self._known(one.entry))

    def _known(self, entry: LogEntry) -> LogEntry:
        """An entry stood in its log no later than the ones behind it (SPEC.md 26.1)."""
        places = self._by_log.get(entry.origin, [])
        i = bisect_left(places, (entry.index, -1))
        return replace(entry, time=min([entry.time, *(time for _, time in places[i : i + 1])]))


def _carry_back(places: list[tuple[int, int]]) -> None:
    """Sort (index, time), and give each the earliest time of itself and all behind it."""
    places.sort(reverse=True)
    known = None
    for i, (index, time) in enumerate(places):
        known = time if known is None else min(known, time)
        places[i] = (index, known)
    places.reverse()


def _place(one: DatedStatement) -> tuple[int, str, int]:
    """The order of statements: by time, within a log by index."""
    return one.entry.time, one.entry.origin, one.entry.index


def before(at: Moment, entry: LogEntry) -> bool:
    """Whether a moment is known to be before an entry: by place in one log, else by time."""
    if isinstance(at, LogEntry) and at.origin == entry.origin:
        return at.index < entry.index
    return _seconds(at) < entry.time


def _seconds(at: Moment) -> int:
    return at if isinstance(at, int) else at.time


def _since(one: DatedStatement) -> int:
    """From when on a revocation says that its key does not count."""
    return one.content.since if isinstance(one.content, KeyRevocation) else 0


def _successor(one: DatedStatement) -> str:
    """The fingerprint that a rotation names; of another statement none."""
    return one.content.successor.fingerprint() if isinstance(one.content, KeyRotation) else ""
