"""When a commitment existed, by the timestamps in its file and those whom a judge trusts.

SPEC.md 8.5 and 24. The dates of commitment and suspect stand in every verdict; a policy may demand
that the commitment be the older one. Without a trust folder nothing of this is loaded.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from zkwm.judge.checks import Checks
from zkwm.judge.log_dating import (
    LoggedTime,
    earliest_logged,
    logged_in_words,
    read_logged,
    read_rows,
)
from zkwm.judge.owner_keys import OwnerKey, look_up_owner_keys, read_owner_keys
from zkwm.judge.results import CheckStatus
from zkwm.written_dates import in_words, interval_values
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.dates import Interval, Order, existed_by, later, order
from zkwm_protocols.errors import ZkwmError
from zkwm_protocols.schema import (
    require_boolean,
    require_bytes,
    require_integer,
    require_list,
    require_map,
    require_text,
)
from zkwm_protocols.trust import MOST_AUTHORITIES, Trust

CHECK = "commitment.timestamp"
NO_DATE = "no authority is named: nobody says when the commitment was made"
MOST_NAME = 100
MOST_MICROSECONDS = 2**60


@dataclass(frozen=True)
class DatedTime:
    """What one authority's verified token says: the commitment existed at this time."""

    authority: str
    interval: Interval


@dataclass(frozen=True)
class Dating:
    """When a commitment existed, by whose word.

    Args:
        trust: the digest of what the judge trusts, 32 bytes.
        needed: k, how many authorities have to date it.
        dated: the earliest time that each authority signed, by ascending name.
        named: whether the commitment's header names the authority of the labels' beacon.
        beacon: the time in the token of that beacon, by an authority that the judge trusts; None
            where none is named, or nobody who is trusted signed it.
        owner_name: what the judge calls the owner, empty where they do not know their keys.
        logged: its verified entries in logs, by ascending origin and index.
        log_dates: whether the judge lets the witnesses of a log date a commitment, too.
        owner_keys: whose the keys of its header are, in their order; for people alone.
        people: the names of those whom the judge trusts to know persons, ascending.
    """

    trust: bytes
    needed: int
    dated: tuple[DatedTime, ...]
    named: bool
    beacon: Interval | None
    owner_name: str
    logged: tuple[LoggedTime, ...] = ()
    log_dates: bool = False
    owner_keys: tuple[OwnerKey, ...] = ()
    people: tuple[str, ...] = ()

    @property
    def by_authorities(self) -> Interval | None:
        """When D existed by tokens; None where fewer authorities than needed say so."""
        return existed_by([one.interval for one in self.dated], self.needed)

    @property
    def by_log(self) -> Interval | None:
        """When D existed by the witnesses of a log; None where no quorum says when."""
        return earliest_logged(self.logged)

    @property
    def carried_by_log(self) -> bool:
        """Whether D's date is the log's: the judge allows it, and tokens state none so early."""
        tokens, log = self.by_authorities, self.by_log
        return self.log_dates and log is not None and (tokens is None or log.latest < tokens.latest)

    @property
    def existed(self) -> Interval | None:
        """When commitment and labels existed; None where nobody says so who is to date it.

        Where an authority is named there are no labels before its first token, and no date of the
        claim without it.
        """
        existed = self.by_log if self.carried_by_log else self.by_authorities
        if existed is None or not self.named:
            return existed
        return None if self.beacon is None else later(existed, self.beacon)

    def to_map(self) -> dict[str, Any]:
        """The map in a verdict's file."""
        return {
            "trust": self.trust,
            "needed": self.needed,
            "dated": [
                [one.authority, one.interval.earliest, one.interval.latest] for one in self.dated
            ],
            "named": self.named,
            "beacon": None if self.beacon is None else [self.beacon.earliest, self.beacon.latest],
            "owner_name": self.owner_name,
            "logged": [one.to_list() for one in self.logged],
            "log_dates": self.log_dates,
            "owner_keys": [one.to_list() for one in self.owner_keys],
            "people": list(self.people),
        }

    @classmethod
    def from_map(cls, value: object) -> Dating | None:
        """Read ``to_map``, or null. Raises Malformed."""
        if value is None:
            return None
        fields = require_map(
            value,
            "trust needed dated named beacon owner_name logged log_dates owner_keys people",
            "dates",
        )
        dated = []
        for row in require_list(fields["dated"], 0, MOST_AUTHORITIES):
            name, *moments = require_list(row, 3, 3)
            dated.append(DatedTime(require_text(name, MOST_NAME), _interval(moments)))
        beacon = fields["beacon"]
        return cls(
            require_bytes(fields["trust"], 32),
            require_integer(fields["needed"], MOST_AUTHORITIES, 1),
            tuple(dated),
            require_boolean(fields["named"]),
            None if beacon is None else _interval(require_list(beacon, 2, 2)),
            require_text(fields["owner_name"], MOST_NAME),
            read_rows(fields["logged"]),
            require_boolean(fields["log_dates"]),
            read_owner_keys(fields["owner_keys"]),
            tuple(
                require_text(one, MOST_NAME)
                for one in require_list(fields["people"], 0, MOST_AUTHORITIES)
            ),
        )


def order_of(dating: Dating | None, challenge: Challenge | None) -> Order:
    """Whether the commitment is older than the suspect, by whom the challenge trusts.

    Unknown where the challenge names no trust: whoever chooses it once the answer is known chooses
    the order with it (SPEC.md 8.5).
    """
    if challenge is None or dating is None or challenge.trust != dating.trust:
        return Order.UNKNOWN
    return order_by(dating, challenge)


def order_by(dating: Dating, challenge: Challenge) -> Order:
    """The same by any trust of the reader's own, where the challenge names one at all."""
    published = challenge.published
    if challenge.trust is None or published is None:
        return Order.UNKNOWN
    return order(dating.existed, published.interval)


def dates_values(dating: Dating | None, challenge: Challenge | None) -> dict[str, Any]:
    """Both dates, and which is older, as JSON values (SPEC.md 10.2)."""
    published = None if challenge is None else challenge.published
    return {
        "order": order_of(dating, challenge),
        "commitment": None if dating is None else interval_values(dating.existed),
        "suspect": None if published is None else interval_values(published.interval),
        "suspect_source": None if published is None else published.source,
        "trust": None if dating is None else dating.trust.hex(),
        "authorities_needed": None if dating is None else dating.needed,
        "authorities": []
        if dating is None
        else [{"name": one.authority, **_values(one.interval)} for one in dating.dated],
        "beacon_trusted": dating is not None and dating.beacon is not None,
        "owner_known_as": None if dating is None else dating.owner_name or None,
        "logged": [] if dating is None else [one.to_json() for one in dating.logged],
        "log_may_date": dating is not None and dating.log_dates,
        "owner_keys": [] if dating is None else [one.to_json() for one in dating.owner_keys],
        "knowing_persons": [] if dating is None else list(dating.people),
    }


def date_commitment(checks: Checks, commitment: Commitment, trust: Trust | None) -> Dating | None:
    """Verify timestamps and log proofs of a commitment by ``trust``; record the check.

    None without trust. What does not verify dates nothing, and ``commitment.timestamp`` says so.
    """
    if trust is None:
        words = NO_DATE
        if commitment.timestamps or commitment.log_proofs:
            words = "the file has dates, and no trust folder was given to check them by"
        checks.set(CHECK, CheckStatus.SKIPPED, words)
        return None
    dating, refused = read_dates(commitment, trust)
    existed = dating.existed
    count = f"{len(dating.dated)} of {len(trust.authorities)} trusted authorities"
    words = f"{count} date the commitment, {dating.needed} needed{logged_in_words(dating.logged)}"
    if existed is not None:
        words += f": it existed by {in_words(existed)}"
    words = "; ".join((words, *refused))
    checks.set(CHECK, CheckStatus.SKIPPED if existed is None else CheckStatus.PASSED, words)
    return dating


def read_dates(
    commitment: Commitment, trust: Trust, *, clock: int | None = None
) -> tuple[Dating, tuple[str, ...]]:
    """The dates that verify, whose the keys are, and for each proof that does not verify, why.

    ``clock`` is when somebody looks, in seconds since 1970, now by default: the witness of a log
    that states a later time is not believed. Tokens need no clock.
    """
    best: dict[str, Interval] = {}
    refused: list[str] = []
    beacon: Interval | None = None
    named = commitment.header.timestamp_authority
    for number, evidence in enumerate(commitment.timestamps):
        from zkwm_protocols.timestamps.verification import verify_with_any

        # the beacon of the labels is in the first token, of the authority that the header names
        root = None if number else named
        try:
            found = verify_with_any(evidence, commitment.digest, trust.authorities, root=root)
        except ZkwmError as error:
            refused.append(f"token {number + 1} dates nothing: {error.message}")
            continue
        interval = found.interval
        before = best.get(found.authority, interval)
        best[found.authority] = min(before, interval, key=lambda one: one.latest)
        if root is not None:
            beacon = interval
    dated = tuple(DatedTime(name, best[name]) for name in sorted(best))
    owner = trust.owner_name(commitment.header.owner_keys)
    logged: tuple[LoggedTime, ...] = ()
    policy = trust.read_log_policy() if commitment.log_proofs else None
    now = int(time.time()) if clock is None else clock
    if policy is not None:
        logged, more = read_logged(commitment, policy, now)
        refused += more
    keys, more = look_up_owner_keys(commitment, trust, now)
    refused += more
    people = tuple(one.name for one in trust.people)
    dating = Dating(
        trust.digest, trust.needed, dated, named is not None, beacon, owner, logged,
        trust.log_dates, keys, people,
    )  # fmt: skip
    return dating, tuple(refused)


def _interval(moments: list[Any]) -> Interval:
    """An interval of a file. Raises Malformed."""
    earliest, latest = (require_integer(one, MOST_MICROSECONDS) for one in moments)
    return Interval(earliest, latest)


def _values(interval: Interval) -> dict[str, str]:
    """An interval as JSON values."""
    return interval_values(interval) or {}
