"""Which logs and witnesses are trusted, and how many of them (C2SP tlog-policy).

The text is a judge's: they write it once, hand it on, and its digest stands in their verdicts.
SPEC.md 23.6.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from zkwm_protocols.errors import InvalidLogProof, Malformed
from zkwm_protocols.transparency.checkpoint import SignedBy, SignedCheckpoint
from zkwm_protocols.transparency.note_keys import SignatureType, VerifierKey

POLICY_LIMIT = 512 * 1024
MOST_LOGS = 64
MOST_WITNESSES = 128
MOST_GROUPS = 64
NO_QUORUM = "none"

_LOG_TYPES = (SignatureType.ED25519, SignatureType.ML_DSA_44_COSIGNATURE)
_WITNESS_TYPES = (SignatureType.ED25519_COSIGNATURE, SignatureType.ML_DSA_44_COSIGNATURE)
_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_COUNT = re.compile(r"[1-9][0-9]{0,3}")


@dataclass(frozen=True)
class PolicyLog:
    """A log that is trusted; ``url`` is empty where the policy names none."""

    key: VerifierKey
    url: str = ""


@dataclass(frozen=True)
class PolicyWitness:
    """A witness under the name that the policy gives it."""

    name: str
    key: VerifierKey
    url: str = ""


@dataclass(frozen=True)
class PolicyGroup:
    """A group of witnesses and groups, of which ``threshold`` are enough."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True)
class Witnessed:
    """A checkpoint that satisfies a policy: the log's signature, and all witnesses' that verified.

    ``witnesses`` maps the policy's names to signatures, in the order of the policy.
    """

    log: SignedBy
    witnesses: Mapping[str, SignedBy]

    @property
    def operators(self) -> tuple[str, ...]:
        """The names in the keys of those witnesses, ascending: keys of one name are one operator's
        (SPEC.md 23.6)."""
        return tuple(sorted({by.key.name for by in self.witnesses.values()}))


@dataclass(frozen=True)
class LogPolicy:
    """A policy as it is written. ``quorum`` is a witness, a group, or ``none``."""

    logs: tuple[PolicyLog, ...]
    witnesses: tuple[PolicyWitness, ...]
    groups: tuple[PolicyGroup, ...]
    quorum: str

    @classmethod
    def from_bytes(cls, data: bytes) -> LogPolicy:
        """Read a policy file of at most 512 KiB.

        Raises:
            Malformed: a line that is none of the format, a name that is not defined before, a key
                or name twice, two keys of one witness that may count twice, no quorum or two.
            Unsupported: a key of a type that this version does not know.
        """
        if len(data) > POLICY_LIMIT:
            raise Malformed(f"a policy has at most {POLICY_LIMIT:,} bytes")
        if _CONTROL.search(data):
            raise Malformed("a policy has no control characters but tabs and line feeds")
        if data and not data.endswith(b"\n"):
            raise Malformed("the last line of a policy ends in a line feed, too")
        reading = _Reading()
        # Bytes beyond ASCII are opaque: surrogates stand for those that are not UTF-8.
        for number, line in enumerate(data.decode("utf-8", "surrogateescape").split("\n"), 1):
            items = [item for item in re.split("[ \t]+", line) if item]
            if items and not items[0].startswith("#"):
                reading.line(number, items)
        return reading.policy()

    def require(self, signed: SignedCheckpoint, *, latest: int | None = None) -> Witnessed:
        """The signatures that make this checkpoint one that the policy accepts.

        Args:
            signed: the checkpoint; lines of keys that the policy does not know are ignored.
            latest: the verifier's time in seconds since 1970: a cosignature of a later one counts
                as none.

        Raises:
            InvalidLogProof: no trusted log signed it under its origin, or too few witnesses did.
            InvalidSignature: a line of a key of the policy does not verify.
        """
        origin = signed.checkpoint.origin
        keys = [log.key for log in self.logs if log.key.name == origin]
        by_log = [by for key in keys if (by := signed.signed_by(key, latest=latest))]
        if not by_log:
            raise InvalidLogProof(
                "no log of the policy signed this checkpoint under its own name"
                + _future([key for key in keys if signed.signed_by(key)]),
                hint="add the log's verifier key to the policy if you trust that log",
            )
        found = {
            witness.name: by
            for witness in self.witnesses
            if (by := signed.signed_by(witness.key, latest=latest))
        }
        if not self.reached_by(found):
            ahead = [
                witness.key
                for witness in self.witnesses
                if witness.name not in found and signed.signed_by(witness.key)
            ]
            raise InvalidLogProof(
                f"too few witnesses signed this checkpoint: {len(found)} of the policy's "
                f"{len(self.witnesses)} did, and its quorum is not reached{_future(ahead)}",
                hint="compare the clock of this machine with another one"
                if ahead
                else "get a newer proof, with more cosignatures, from the log",
            )
        return Witnessed(by_log[0], found)

    @classmethod
    def of_keys(cls, keys: Iterable[VerifierKey]) -> LogPolicy:
        """The policy of whoever trusts logs by these keys alone, and asks for no witness."""
        return cls(tuple(PolicyLog(key) for key in keys), (), (), NO_QUORUM)

    @property
    def demands_witnesses(self) -> bool:
        """Whether there is a quorum at all."""
        return self.quorum != NO_QUORUM

    def reached_by(self, names: Collection[str]) -> bool:
        """Whether the witnesses of these names are a quorum."""
        done = {witness.name: witness.name in names for witness in self.witnesses}
        done[NO_QUORUM] = True
        for group in self.groups:  # each is defined after its members
            done[group.name] = sum(done[name] for name in group.members) >= group.threshold
        return done[self.quorum]

    def reached_at(self, witnessed: Witnessed) -> int | None:
        """When a quorum had seen the tree: the earliest time by which enough witnesses signed.

        One witness with a wrong clock therefore dates nothing where two are needed. In seconds
        since 1970; None where the quorum needs no witness, or too few signatures have a time.
        """
        if self.quorum == NO_QUORUM:
            return None
        signed = [(by.time, name) for name, by in witnessed.witnesses.items() if by.time]
        names: set[str] = set()
        for time, name in sorted(signed):
            names.add(name)
            if self.reached_by(names):
                return time
        return None


@dataclass
class _Reading:
    """What the lines so far define."""

    logs: list[PolicyLog] = field(default_factory=list)
    witnesses: list[PolicyWitness] = field(default_factory=list)
    groups: list[PolicyGroup] = field(default_factory=list)
    quorum: str = ""
    members: set[str] = field(default_factory=set)

    def line(self, number: int, items: Sequence[str]) -> None:
        """Take one line. Raises Malformed, with the line's number."""
        readers = {"log": self._log, "witness": self._witness, "group": self._group,
                   "quorum": self._quorum}  # fmt: skip
        try:
            readers.get(items[0], _unknown)(items[1:])
        except Malformed as error:
            raise Malformed(f"line {number} of the policy: {error.message}") from None

    def policy(self) -> LogPolicy:
        """The whole. Raises Malformed without a quorum."""
        if not self.quorum:
            raise Malformed(
                "the policy names no quorum",
                hint="end it with the line 'quorum NAME', or 'quorum none' to demand no witness",
            )
        self._require_joined()
        return LogPolicy(tuple(self.logs), tuple(self.witnesses), tuple(self.groups), self.quorum)

    def _require_joined(self) -> None:
        """The keys of one witness stand in one group that needs all or any of its members.

        Else its operator would be counted twice by a group that needs several.
        """
        joining = {
            member: group.name
            for group in self.groups
            if group.threshold in (1, len(group.members))
            for member in group.members
        }
        held: dict[str, list[str]] = {}
        for witness in self.witnesses:
            held.setdefault(witness.key.name, []).append(witness.name)
        for name, members in held.items():
            groups = {joining.get(member) for member in members}
            if len(members) > 1 and (len(groups) > 1 or None in groups):
                raise Malformed(
                    f"the keys of the witness {name} would count as {len(members)} witnesses",
                    hint=f"join them before they are used: 'group NAME all {' '.join(members)}' "
                    "for all of its keys, or 'any' for one of them",
                )

    def _log(self, items: Sequence[str]) -> None:
        _require_count(items, 1, 2, "log KEY [URL]")
        key = _key(items[0], _LOG_TYPES)
        self._require_new_key(key)
        self.logs.append(PolicyLog(key, *items[1:]))
        _require_at_most(self.logs, MOST_LOGS)

    def _witness(self, items: Sequence[str]) -> None:
        _require_count(items, 2, 3, "witness NAME KEY [URL]")
        self._require_new_name(items[0])
        key = _key(items[1], _WITNESS_TYPES)
        self._require_new_key(key)
        self.witnesses.append(PolicyWitness(items[0], key, *items[2:]))
        _require_at_most(self.witnesses, MOST_WITNESSES)

    def _group(self, items: Sequence[str]) -> None:
        _require_count(items, 3, 2 + MOST_WITNESSES + MOST_GROUPS, "group NAME K NAME...")
        name, count, *members = items
        self._require_new_name(name)
        for member in members:
            if member not in self._names() or member in self.members:
                raise Malformed("a member of a group is defined before, and is in one group once")
            self.members.add(member)
        words = {"all": len(members), "any": 1}
        threshold = words.get(count) or (int(count) if _COUNT.fullmatch(count) else 0)
        if not 1 <= threshold <= len(members):
            raise Malformed("a group needs all, any, or a number of its members")
        self.groups.append(PolicyGroup(name, threshold, tuple(members)))
        _require_at_most(self.groups, MOST_GROUPS)

    def _quorum(self, items: Sequence[str]) -> None:
        _require_count(items, 1, 1, "quorum NAME")
        if self.quorum:
            raise Malformed("a policy has one quorum")
        if items[0] != NO_QUORUM and items[0] not in self._names():
            raise Malformed("the quorum is a witness or group that is defined before")
        self.quorum = items[0]

    def _names(self) -> set[str]:
        """Names of witnesses and groups so far."""
        return {one.name for one in self.witnesses} | {one.name for one in self.groups}

    def _require_new_name(self, name: str) -> None:
        if name == NO_QUORUM or name in self._names():
            raise Malformed("a name of a witness or group stands once, and is not 'none'")

    def _require_new_key(self, key: VerifierKey) -> None:
        """Two names of one key would count it twice; a log is no witness of itself."""
        keys = [one.key for one in self.logs] + [one.key for one in self.witnesses]
        if any(key.public == one.public for one in keys):
            raise Malformed("this public key stands in the policy already")


def _future(keys: Sequence[VerifierKey]) -> str:
    """That the signatures of these keys do not count, to go on with a sentence; empty for none."""
    if not keys:
        return ""
    return f"; not counted, for it is of the future: {', '.join(key.name for key in keys)}"


def _unknown(_: Sequence[str]) -> None:
    raise Malformed("a line begins with log, witness, group, quorum or #")


def _key(text: str, types: Sequence[SignatureType]) -> VerifierKey:
    """A verifier key of one of these types."""
    key = VerifierKey.from_text(text)
    if key.signature_type not in types:
        numbers = " and ".join(str(int(one)) for one in types)
        raise Malformed(f"a key of the wrong type; here it is one of {numbers}")
    return key


def _require_count(items: Sequence[str], least: int, most: int, form: str) -> None:
    if not least <= len(items) <= most:
        raise Malformed(f"expected '{form}'")


def _require_at_most(items: Sequence[object], most: int) -> None:
    if len(items) > most:
        raise Malformed(f"a policy has at most {most} of them")
