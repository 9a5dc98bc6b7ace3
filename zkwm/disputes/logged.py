"""What logs say in a dispute: statements, checkpoints that anybody saw, logs with two trees.

Two trees of one size that a log signed are evidence that anybody verifies. What a quorum of the
judge's witnesses has seen keeps counting, unless a quorum signed both trees (SPEC.md 28.3.3).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias, TypeVar

from zkwm.disputes.case_file import DisputeCase
from zkwm.disputes.results import LogPlace
from zkwm.files import read_limited
from zkwm.judge.owner_keys import TWO_TREES
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.cose.contents import (
    DisputeEvent,
    DisputeStatement,
    SpentBlocks,
    VerdictStatement,
)
from zkwm_protocols.cose.logged_statement import LoggedStatement
from zkwm_protocols.dates import WITNESS_SECONDS
from zkwm_protocols.errors import ZkwmError
from zkwm_protocols.key_history import DatedStatement, KeyHistory, LogEntry, dated
from zkwm_protocols.transparency.checkpoint import SignedCheckpoint
from zkwm_protocols.transparency.equivocation import FILE_LIMIT as EVIDENCE_LIMIT
from zkwm_protocols.transparency.equivocation import Equivocation
from zkwm_protocols.transparency.note import NOTE_LIMIT
from zkwm_protocols.transparency.note_keys import VerifierKey
from zkwm_protocols.transparency.policy import LogPolicy
from zkwm_protocols.transparency.proof_file import FILE_LIMIT as PROOF_LIMIT
from zkwm_protocols.transparency.tree import TreeHead
from zkwm_protocols.trust import Trust

MOST_EVIDENCE = 64
Parsed = TypeVar("Parsed")
Counted: TypeAlias = tuple[DatedStatement, SpentBlocks]
"""A count of spent blocks, and where it stands."""
Tree: TypeAlias = tuple[str, TreeHead]
"""A log's origin, and size and root of a tree of it."""
_NO_POLICY = (
    "statements and checkpoints of logs were not looked at: the trust folder has no log-policy"
)


@dataclass(frozen=True)
class Logs:
    """What the logs of a case say.

    Args:
        policy: which logs and witnesses the judge trusts; None where no log is.
        statements: those that verify, of logs that are believed, with place and time.
        equivocations: evidence against logs.
        disbelieved: the origins of logs of which nothing counts (SPEC.md 28.3.3).
        problems: what could not be used, and why.
        latest: seconds since 1970 after which no witness's time is believed.
        about_keys: all statements of the case about keys, whether they verify or not.
        disbelieved_on_persons: the same origins, and those of logs of which the trust folder's
            statements know a second tree (SPEC.md 28.9).
    """

    policy: LogPolicy | None = None
    statements: tuple[DatedStatement, ...] = ()
    equivocations: tuple[Equivocation, ...] = ()
    problems: tuple[str, ...] = ()
    latest: int = 0
    history: KeyHistory = field(default_factory=lambda: KeyHistory(()))
    disbelieved: frozenset[str] = frozenset()
    about_keys: tuple[LoggedStatement, ...] = ()
    disbelieved_on_persons: frozenset[str] = frozenset()

    def places_of(self, commitment: Commitment) -> tuple[LogPlace, ...]:
        """Where believed logs have a statement of an owner's that this commitment exists."""
        found = []
        for logged in commitment.log_proofs:
            origin = logged.proof.checkpoint.checkpoint.origin
            if self.policy is None or origin in self.disbelieved:
                continue
            try:
                logged.require_commitment(commitment.digest, commitment.header.owner_keys)
                witnessed = logged.verify(self.policy, latest=self.latest)
            except ZkwmError:
                continue
            time = self.policy.reached_at(witnessed)
            found.append(LogPlace(origin, logged.proof.index, time))
        return tuple(sorted(found, key=lambda one: (one.origin, one.index)))

    def sound(self, commitment: Commitment) -> Commitment:
        """The commitment without the proofs of logs that are not believed."""
        kept = tuple(
            one
            for one in commitment.log_proofs
            if one.proof.checkpoint.checkpoint.origin not in self.disbelieved
        )
        return replace(commitment, log_proofs=kept)

    def answered(self, commitment: Commitment, proof: bytes | None) -> LogEntry | None:
        """Where a log first has a statement about this very answer, by its SHA-256.

        By whose key it is signed does not matter: it shows that the answer existed then.
        """
        if proof is None:
            return None
        entries = [
            one.entry
            for one in self.statements
            if isinstance(one.content, DisputeStatement)
            and one.content.commitment == commitment.digest
            and one.content.event == DisputeEvent.ANSWERED
            and one.content.document == proof
        ]
        return min(entries, key=lambda one: one.time, default=None)

    def decided(self, verdict: bytes | None) -> LogEntry | None:
        """Where a log first has a statement about this very verdict, by its SHA-256."""
        entries = [
            one.entry
            for one in self.statements
            if isinstance(one.content, VerdictStatement) and one.content.verdict == verdict
        ]
        return min(entries, key=lambda one: one.time, default=None)

    def counters(
        self, commitment: Commitment
    ) -> dict[str, list[tuple[DatedStatement, SpentBlocks]]]:
        """The owner's counts of spent blocks in each log, in its order, by keys that counted."""
        owners = {key.fingerprint() for key in commitment.header.owner_keys}
        found: dict[str, list[Counted]] = defaultdict(list)
        for one in sorted(self.statements, key=lambda one: (one.entry.origin, one.entry.index)):
            content, key = one.content, one.statement.key.fingerprint()
            if not isinstance(content, SpentBlocks) or content.commitment != commitment.digest:
                continue
            if key in owners and self.history.standing(key, one.entry).revocation is None:
                found[one.entry.origin].append((self.history.earliest(one), content))
        return found


def read_logs(
    case: DisputeCase, commitments: Sequence[Commitment], trust: Trust | None, now: int
) -> Logs:
    """Read and verify all that the case has of logs; what cannot be used is told, not raised."""
    policy = None if trust is None else trust.read_log_policy()
    latest = now + WITNESS_SECONDS
    problems: list[str] = []
    logged = list(_parsed(case.statements, PROOF_LIMIT, LoggedStatement.from_bytes, problems))
    about_keys = tuple(one for _, one in logged if one.is_about_a_key)
    if policy is None:
        asked = case.statements or case.checkpoints or case.equivocations
        told = (_NO_POLICY,) if asked else ()
        return Logs(problems=told, latest=latest, about_keys=about_keys)
    seen = [one for _, one in _parsed(
        case.checkpoints, NOTE_LIMIT, SignedCheckpoint.from_bytes, problems
    )]  # fmt: skip
    seen += [one.proof.checkpoint for _, one in logged]
    for commitment in commitments:
        proofs = (*commitment.log_proofs, *commitment.key_proofs)
        seen += [one.proof.checkpoint for one in proofs]
    evidence, disbelieved = _evidence(case, seen, policy, problems)
    # those of the trust folder's statements, on which no outcome rests (SPEC.md 24.2)
    seen += [] if trust is None else [one.proof.checkpoint for one in trust.statements]
    _, on_persons = _evidence(case, seen, policy, [])
    statements = []
    for path, statement in logged:
        try:
            found = dated(statement, policy, latest=latest)
        except ZkwmError as error:
            problems.append(f"{path.name}: {error.message}")
            continue
        if found.entry.origin in disbelieved:
            problems.append(f"{path.name}: {TWO_TREES}")
            continue
        statements.append(found)
    return Logs(
        policy,
        tuple(statements),
        tuple(evidence[:MOST_EVIDENCE]),
        tuple(problems),
        latest,
        KeyHistory(statements),
        disbelieved,
        about_keys,
        on_persons,
    )


def _evidence(
    case: DisputeCase, seen: Sequence[SignedCheckpoint], policy: LogPolicy, problems: list[str]
) -> tuple[list[Equivocation], frozenset[str]]:
    """The evidence against logs, what ends belief first, and the logs that are not believed."""
    keys = [log.key for log in policy.logs]
    evidence = []
    for path, one in _parsed(case.equivocations, EVIDENCE_LIMIT, Equivocation.from_bytes, problems):
        try:
            one.verify(keys)
            evidence.append(one)
        except ZkwmError as error:
            problems.append(f"{path.name}: {error.message}")
    checkpoints = [*seen, *(side for one in evidence for side in (one.first, one.second))]
    witnessed = _witnessed(checkpoints, policy)
    known = {_trees(one) for one in evidence}
    found = _contradictions(checkpoints, keys, witnessed)
    evidence += [one for one in found if _trees(one) not in known]
    ending = [one for one in evidence if not policy.demands_witnesses or _trees(one) <= witnessed]
    rest = [one for one in evidence if one not in ending]
    return ending + rest, frozenset(one.first.checkpoint.origin for one in ending)


def _trees(one: Equivocation) -> frozenset[Tree]:
    """The two trees that contradict each other."""
    return frozenset((_tree(one.first), _tree(one.second)))


def _tree(one: SignedCheckpoint) -> Tree:
    return one.checkpoint.origin, one.checkpoint.head


def _witnessed(seen: Iterable[SignedCheckpoint], policy: LogPolicy) -> frozenset[Tree]:
    """The trees that a quorum of witnesses signed, by all copies of their checkpoints together.

    A witness who states a time of the future has signed, too.
    """
    names: dict[Tree, set[str]] = defaultdict(set)
    for one in seen:
        for witness in policy.witnesses:
            with suppress(ZkwmError):
                if one.signed_by(witness.key) is not None:
                    names[_tree(one)].add(witness.name)
    return frozenset(tree for tree, signed in names.items() if policy.reached_by(signed))


def _parsed(
    paths: Iterable[Path], limit: int, parse: Callable[[bytes], Parsed], problems: list[str]
) -> Iterator[tuple[Path, Parsed]]:
    """Each file with its content; those that cannot be read become problems."""
    for path in paths:
        try:
            yield path, parse(read_limited(path, limit, regular=True))
        except ZkwmError as error:
            problems.append(f"{path.name}: {error.message}")


def _contradictions(
    seen: Iterable[SignedCheckpoint], keys: Sequence[VerifierKey], witnessed: Collection[Tree]
) -> list[Equivocation]:
    """Two checkpoints of one log and size with different roots, that one trusted key signed.

    A checkpoint that nobody signed hides none that somebody did; of more than two trees those that
    a quorum of witnesses signed come first.
    """
    trees: dict[tuple[VerifierKey, int], dict[bytes, SignedCheckpoint]] = defaultdict(dict)
    for one in seen:
        checkpoint = one.checkpoint
        for key in keys:
            with suppress(ZkwmError):
                if key.name == checkpoint.origin and one.signed_by(key) is not None:
                    trees[key, checkpoint.head.size].setdefault(checkpoint.head.root, one)
    found: dict[frozenset[Tree], Equivocation] = {}
    for roots in trees.values():
        if len(roots) > 1:
            first, second, *_ = sorted(roots.values(), key=lambda one: _tree(one) not in witnessed)
            pair = Equivocation(first, second)
            found.setdefault(_trees(pair), pair)
    return list(found.values())
