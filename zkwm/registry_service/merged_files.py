"""One file of a commitment out of several: dates that verify come first, whoever brought them.

Timestamps and log proofs stand outside of what the owner signs, so that anybody can register a file
with others. Were the first file kept, its registrant would choose for good by what the commitment
is dated here.
"""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
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

Item = TypeVar("Item")
_LAST = 2**63


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


def merged(kept: Commitment, given: Commitment, known: KnownDates, clock: int) -> Commitment:
    """The kept file with the dates of both, at most 8 timestamps and 16 log proofs.

    Those that verify come first: the earliest of each authority and log, then the second of each.
    What nobody here can verify fills what room is left, in the order in which it came; what is not
    about this commitment is left out. Where the header names an authority, its earliest token that
    verifies stands first, or else the first of the kept file: labels follow from it.

    Args:
        kept: the file that is kept.
        given: another one of the same D, checked by itself.
        known: by whom dates are told.
        clock: now, in seconds since 1970: no witness has signed later.
    """
    tokens = [one for one in (*kept.timestamps, *given.timestamps) if _is_token(one, kept.digest)]
    proofs = [
        one
        for one in (*kept.log_proofs, *given.log_proofs)
        if one.is_about(kept.digest, kept.header.owner_keys)
    ]
    rated = [(one, _rate_token(one, kept, known)) for one in tokens]
    logged = [(one, _rate_proof(one, known, clock)) for one in proofs]
    for best in (
        _file(kept, rated, logged),
        _file(kept, [one for one in rated if one[1]], [one for one in logged if one[1]]),
    ):
        if len(best.to_bytes()) <= FILE_LIMIT:
            return best
    return kept


def _file(
    kept: Commitment,
    tokens: Sequence[tuple[TimestampEvidence, _Rated | None]],
    proofs: Sequence[tuple[LoggedStatement, _Rated | None]],
) -> Commitment:
    """The kept file with these dates, the best of them first."""
    ordered = _in_order(tokens)
    if kept.header.timestamp_authority is not None:
        named = [(by.when, number) for number, (_, by) in enumerate(tokens) if by and by.named]
        first = tokens[min(named)[1]][0] if named else tokens[0][0] if tokens else None
        ordered = ordered if first is None else [first, *ordered]
    timestamps, logged = (
        _once(ordered, lambda one: one.token),
        _once(_in_order(proofs), LoggedStatement.to_bytes),
    )
    return replace(
        kept,
        timestamps=tuple(timestamps[:MAXIMUM_TIMESTAMPS]),
        log_proofs=tuple(logged[:MAXIMUM_LOG_PROOFS]),
    )


def _once(items: Iterable[Item], key: Callable[[Item], bytes]) -> list[Item]:
    """Items without those whose key one before has."""
    found: dict[bytes, Item] = {}
    for item in items:
        found.setdefault(key(item), item)
    return list(found.values())


def _in_order(items: Iterable[tuple[Item, _Rated | None]]) -> list[Item]:
    """Rated items by turns of those who dated them, the earliest first; then the rest as it is."""
    listed = list(items)
    dated = sorted(
        ((by, item) for item, by in listed if by is not None), key=lambda one: one[0].when
    )
    turns: Counter[str] = Counter()
    ranked: list[tuple[int, int, Item]] = []
    for by, item in dated:
        ranked.append((turns[by.by], by.when, item))
        turns[by.by] += 1
    ranked.sort(key=lambda one: one[:2])
    return [item for *_, item in ranked] + [item for item, by in listed if by is None]


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
