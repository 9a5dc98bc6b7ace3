"""When a commitment stood in a log, by the witnesses that a judge trusts (SPEC.md 8.5, 23.16).

A log's own clock proves nothing: whoever runs it could write any date. Witnesses of the judge's
policy say when they saw its tree, and the statement in it is one of the commitment's owner.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zkwm.written_dates import in_words, interval_values
from zkwm_protocols.dates import (
    MOST_MICROSECONDS,
    WITNESS_SECONDS,
    Interval,
    witnessed_interval,
)
from zkwm_protocols.errors import ZkwmError
from zkwm_protocols.fingerprints import require_fingerprint
from zkwm_protocols.schema import require_bytes, require_integer, require_list, require_text

if TYPE_CHECKING:
    from zkwm_protocols.commitment import Commitment, Header
    from zkwm_protocols.cose.logged_statement import LoggedStatement
    from zkwm_protocols.transparency.policy import LogPolicy

MOST_LOGGED = 16
_MOST_ORIGIN = 255
_MOST_SIZE = 2**63 - 1
_MOST_WITNESSES = 128


@dataclass(frozen=True)
class LoggedTime:
    """One verified entry of a log: the commitment stood there when its witnesses looked.

    Args:
        log: its origin.
        index: of the entry, from 0.
        size: of the tree in which it is proven.
        statement: SHA-256 of the entry, 32 bytes.
        key: fingerprint of the key that signed the statement, one of the commitment's owner.
        interval: by when a quorum of witnesses had seen it; None where the policy demands none, or
            too few say when.
        witnesses: the names of those that signed, ascending, each operator once.
    """

    log: str
    index: int
    size: int
    statement: bytes
    key: str
    interval: Interval | None
    witnesses: tuple[str, ...]

    def to_list(self) -> list[Any]:
        """The row in a verdict's file."""
        moments = None
        if self.interval is not None:
            moments = [self.interval.earliest, self.interval.latest]
        place = [self.log, self.index, self.size]
        return [*place, self.statement, self.key, moments, list(self.witnesses)]

    @classmethod
    def from_list(cls, value: object) -> LoggedTime:
        """Read ``to_list``. Raises Malformed."""
        log, index, size, statement, key, moments, witnesses = require_list(value, 7, 7)
        interval = None
        if moments is not None:
            ends = (require_integer(one, MOST_MICROSECONDS) for one in require_list(moments, 2, 2))
            interval = Interval(*ends)
        return cls(
            require_text(log, _MOST_ORIGIN),
            require_integer(index, _MOST_SIZE),
            require_integer(size, _MOST_SIZE),
            require_bytes(statement, 32),
            require_fingerprint(key),
            interval,
            tuple(
                require_text(one, _MOST_ORIGIN)
                for one in require_list(witnesses, 0, _MOST_WITNESSES)
            ),
        )

    def to_json(self) -> dict[str, Any]:
        """The entry as JSON values."""
        return {
            "log": self.log,
            "index": self.index,
            "tree_size": self.size,
            "statement": self.statement.hex(),
            "key": self.key,
            "seen_by": interval_values(self.interval),
            "witnesses": list(self.witnesses),
        }


def read_rows(value: object) -> tuple[LoggedTime, ...]:
    """The entries in a verdict's file. Raises Malformed."""
    return tuple(LoggedTime.from_list(one) for one in require_list(value, 0, MOST_LOGGED))


def read_logged(
    commitment: Commitment, policy: LogPolicy, clock: int
) -> tuple[tuple[LoggedTime, ...], tuple[str, ...]]:
    """The log proofs of a commitment that verify, and for each that does not, why.

    Of several proofs of one entry that with the earliest time counts; entries ascend by log and
    index. ``clock`` is the judge's, in seconds since 1970: no cosignature is of a later time.
    """
    best: dict[tuple[str, int], LoggedTime] = {}
    refused: list[str] = []
    for number, proof in enumerate(commitment.log_proofs):
        try:
            found = _logged(commitment, proof, policy, clock)
        except ZkwmError as error:
            refused.append(f"log proof {number + 1} dates nothing: {error.message}")
            continue
        place = (found.log, found.index)
        best[place] = min(best.get(place, found), found, key=_end)
    return tuple(best[place] for place in sorted(best)), tuple(refused)


def earliest_logged(logged: Sequence[LoggedTime]) -> Interval | None:
    """The interval of the entry that was seen first; None where no time of any is known."""
    known = [one.interval for one in logged if one.interval is not None]
    return min(known, key=lambda one: (one.latest, one.earliest), default=None)


def logged_in_words(logged: Sequence[LoggedTime]) -> str:
    """Where a commitment stands in logs, to go on with a sentence; empty without any."""
    return "".join(f"; {entry_in_words(one)}" for one in logged)


def entry_in_words(one: LoggedTime) -> str:
    """Where a commitment stands in one log, and by when witnesses had seen it."""
    seen = "no time known" if one.interval is None else f"seen by {in_words(one.interval)}"
    return f"entry {one.index:,} of the log {one.log}, {seen}"


def _end(entry: LoggedTime) -> int:
    """By when an entry was seen at the latest; never where nobody says."""
    return MOST_MICROSECONDS + 1 if entry.interval is None else entry.interval.latest


def _logged(
    commitment: Commitment, proof: LoggedStatement, policy: LogPolicy, clock: int
) -> LoggedTime:
    """One log proof, verified. Raises what ``LoggedStatement`` raises."""
    proof.require_commitment(commitment.digest, commitment.header.owner_keys)
    witnessed = proof.verify(policy, latest=clock + WITNESS_SECONDS)
    seconds = policy.reached_at(witnessed)
    return LoggedTime(
        log=proof.proof.checkpoint.checkpoint.origin,
        index=proof.proof.index,
        size=proof.proof.checkpoint.checkpoint.head.size,
        statement=hashlib.sha256(proof.statement.to_bytes()).digest(),
        key=proof.statement.key.fingerprint(),
        interval=None if seconds is None else witnessed_interval(seconds),
        witnesses=witnessed.operators,
    )


def consistent_log(logged: Sequence[LoggedTime], header: Header | None) -> bool:
    """Whether entries ascend, lie in their trees, and are stated by owners of this header."""
    places = [(one.log, one.index) for one in logged]
    keys = set() if header is None else {key.fingerprint() for key in header.owner_keys}
    return places == sorted(set(places)) and all(
        one.index < one.size
        and one.key in keys
        and list(one.witnesses) == sorted(set(one.witnesses))
        and (one.interval is None or bool(one.witnesses))
        for one in logged
    )
