"""One file of a commitment out of several: dates that verify come first, whoever brought them.

Timestamps and log proofs stand outside of what the owner signs, so that anybody can register a file
with others. Were the first file kept, its registrant would choose for good by what the commitment
is dated here.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeVar

from zkwm_protocols.commitment import FILE_LIMIT, MAXIMUM_LOG_PROOFS, Commitment
from zkwm_protocols.cose.logged_statement import LoggedStatement
from zkwm_protocols.dates import WITNESS_SECONDS
from zkwm_protocols.errors import ZkwmError
from zkwm_protocols.timestamps.evidence import MAXIMUM_TIMESTAMPS, TimestampEvidence
from zkwm_protocols.timestamps.token import read_token
from zkwm_protocols.timestamps.verification import verify_with_any
from zkwm_protocols.transparency.policy import LogPolicy
from zkwm_protocols.trust import Trust

Item = TypeVar("Item", TimestampEvidence, LoggedStatement)
_LAST = 2**63
_MOST_ABOUT_KEYS = 8


@dataclass(frozen=True)
class KnownDates:
    """By whom a service tells which dates verify.

    Args:
        policies: of its own log; and of others that its operator trusts.
        trust: whose timestamps its operator trusts, or None.
    """

    policies: tuple[LogPolicy, ...] = ()
    trust: Trust | None = None


@dataclass(frozen=True)
class _Rated:
    """A date that verifies: by whom, when, and whether by the authority in the header."""

    by: str
    when: int
    named: bool = False


def merged(
    kept: Commitment,
    given: Commitment,
    known: KnownDates,
    clock: int,
    brought: Mapping[bytes, str] = MappingProxyType({}),
) -> Commitment:
    """The kept file with the dates of both, at most 8 timestamps and 16 log proofs.

    Those that verify come first: the earliest of each authority and log, then the second of each.
    What nobody here can verify fills what room is left, by turns of those who brought it; what is
    not about this commitment or an owner's key is left out. Where the header names an authority,
    its earliest token that verifies stands first, or else the first of the kept file: labels follow
    from it.

    Args:
        kept: the file that is kept.
        given: another one of the same D, checked by itself.
        known: by whom dates are told.
        clock: now, in seconds since 1970: no witness has signed later.
        brought: by whom each item came first, by ``item_digest``.
    """
    before = kept
    tokens = [one for one in (*kept.timestamps, *given.timestamps) if _is_token(one, kept.digest)]
    proofs = [
        one
        for one in (*kept.log_proofs, *given.log_proofs)
        if one.is_about(kept.digest, kept.header.owner_keys)
    ]
    rated = [(one, _rate_token(one, kept, known)) for one in tokens]
    logged = [(one, _rate_proof(one, known, clock)) for one in proofs]
    kept = replace(kept, log_proofs=(), key_proofs=_about_keys(kept, given, known, clock))
    for best in (
        _file(kept, rated, logged, brought),
        _file(kept, [one for one in rated if one[1]], [one for one in logged if one[1]], brought),
    ):
        if len(best.to_bytes()) <= FILE_LIMIT:
            return best
    return before


def _about_keys(
    kept: Commitment, given: Commitment, known: KnownDates, clock: int
) -> tuple[LoggedStatement, ...]:
    """What both files say of the owners' keys, each statement once: what verifies comes first."""
    owners = kept.header.owner_keys
    found = [one for one in (*kept.key_proofs, *given.key_proofs) if one.statement.key in owners]
    found.sort(key=lambda one: _rate_proof(one, known, clock) is None)
    once: dict[bytes, LoggedStatement] = {}
    for one in found:
        once.setdefault(one.statement.to_bytes(), one)
    return tuple(once.values())[:_MOST_ABOUT_KEYS]


def item_digest(item: TimestampEvidence | LoggedStatement) -> bytes:
    """By what a token or a proof is known, whatever else comes with it; 32 bytes."""
    data = item.token if isinstance(item, TimestampEvidence) else item.to_bytes()
    return hashlib.sha256(data).digest()


def _file(
    kept: Commitment,
    tokens: Sequence[tuple[TimestampEvidence, _Rated | None]],
    proofs: Sequence[tuple[LoggedStatement, _Rated | None]],
    brought: Mapping[bytes, str],
) -> Commitment:
    """The kept file with these dates, the best of them first."""
    ordered = _in_order(tokens, brought)
    if kept.header.timestamp_authority is not None:
        named = [(by.when, number) for number, (_, by) in enumerate(tokens) if by and by.named]
        first = tokens[min(named)[1]][0] if named else tokens[0][0] if tokens else None
        ordered = ordered if first is None else [first, *ordered]
    timestamps, logged = _once(ordered), _once(_in_order(proofs, brought))
    return replace(
        kept,
        timestamps=tuple(timestamps[:MAXIMUM_TIMESTAMPS]),
        log_proofs=tuple(logged[: MAXIMUM_LOG_PROOFS - len(kept.key_proofs)]),
    )


def _once(items: Iterable[Item]) -> list[Item]:
    """Items, each once."""
    found: dict[bytes, Item] = {}
    for item in items:
        found.setdefault(item_digest(item), item)
    return list(found.values())


def _in_order(
    items: Sequence[tuple[Item, _Rated | None]], brought: Mapping[bytes, str]
) -> list[Item]:
    """Rated items by turns of those who dated them, the earliest first; then the rest as it came,
    by turns of those who brought it.
    """
    dated = [(by, item) for item, by in items if by is not None]
    dated.sort(key=lambda one: one[0].when)
    rest = _once([item for item, by in items if by is None])
    by_dates = _by_turns([by.by for by, _ in dated], [item for _, item in dated])
    return by_dates + _by_turns([brought.get(item_digest(item), "") for item in rest], rest)


def _by_turns(names: Sequence[str], items: Sequence[Item]) -> list[Item]:
    """The first item of each name, then the second of each, and so on."""
    turns: Counter[str] = Counter()
    ranked: list[tuple[int, int]] = []
    for number, name in enumerate(names):
        ranked.append((turns[name], number))
        turns[name] += 1
    return [items[number] for _, number in sorted(ranked)]


def _is_token(evidence: TimestampEvidence, digest: bytes) -> bool:
    """Whether a timestamp is a token over D at all, by whomever."""
    try:
        return hmac.compare_digest(read_token(evidence.token).info.imprint, digest)
    except ZkwmError:
        return False


def _rate_token(evidence: TimestampEvidence, kept: Commitment, known: KnownDates) -> _Rated | None:
    """When an authority that is trusted here dated it; None where none did."""
    if known.trust is None:
        return None
    named = kept.header.timestamp_authority
    for root in dict.fromkeys((named, None)):
        try:
            found = verify_with_any(evidence, kept.digest, known.trust.authorities, root=root)
        except ZkwmError:
            continue
        return _Rated(found.authority, found.interval.latest, root is not None)
    return None


def _rate_proof(logged: LoggedStatement, known: KnownDates, clock: int) -> _Rated | None:
    """When witnesses saw it in a log that is known here; None where it does not verify."""
    origin, best = logged.proof.checkpoint.checkpoint.origin, None
    for policy in known.policies:
        try:
            witnessed = logged.verify(policy, latest=clock + WITNESS_SECONDS)
        except ZkwmError:
            continue
        seconds = policy.reached_at(witnessed)
        when = _LAST if seconds is None else seconds
        best = when if best is None else min(best, when)
    return None if best is None else _Rated(origin, best)
