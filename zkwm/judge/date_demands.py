"""What a challenge says of dates, and what a policy demands of them (SPEC.md 8.5).

The dates themselves are read in ``zkwm.judge.dating``.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from zkwm.judge.checks import Checks
from zkwm.judge.dating import CHECK, Dating, order_of, read_dates
from zkwm.written_dates import in_words, interval_values
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.dates import Order, Published
from zkwm_protocols.errors import NotProven, TrustMaterialMissing, UsageError
from zkwm_protocols.policy import Policy
from zkwm_protocols.trust import Trust


def terms_values(challenge: Challenge) -> dict[str, Any]:
    """What a challenge says of dates, as JSON values."""
    published, policy = challenge.published, challenge.policy
    return {
        "published": None
        if published is None
        else {**(interval_values(published.interval) or {}), "source": published.source},
        "trust": None if challenge.trust is None else challenge.trust.hex(),
        "older": policy.older,
        "trusted_beacon": policy.trusted_beacon,
    }


def dated_terms(
    commitment: Commitment,
    policy: Policy | None,
    published: Published | None,
    trust: Trust | None,
) -> tuple[Commitment, Policy, dict[str, Any]]:
    """The verified commitment, the policy, and the fields of a challenge that are about dates.

    Where an authority of ``trust`` signed the beacon of the labels, grinding is paid for at less
    (SPEC.md 8.2). Raises UsageError for a date of publication that is still to come, for a policy
    that demands ``older`` without both dates, and what ``Commitment.verify`` raises.
    """
    _require_past(published)
    if trust is not None:
        commitment = replace(commitment, authorities=trust.authorities)
    commitment.verify()
    policy = policy or Policy()
    if policy.older and (published is None or trust is None):
        raise UsageError(
            "a policy that the commitment be older than the suspect needs the date of the suspect, "
            "and whom you trust to date the commitment",
            hint="give both (`published`, `trust`), or leave out the demand (`older`)",
        )
    trusted = trust is not None and read_dates(commitment, trust)[0].beacon is not None
    dates = {
        "published": published,
        "trust": None if trust is None else trust.digest,
        "beacon": commitment.beacon(),
    }
    return commitment, replace(policy, trusted_beacon=trusted), dates


def require_dates(checks: Checks, challenge: Challenge, dating: Dating | None) -> None:
    """Check that what the challenge says of dates can be decided.

    Raises TrustMaterialMissing (``commitment.timestamp``) where another trust folder was given than
    the challenge names, or none, where the beacon that it trusts is not in a trusted token, and
    where a date is demanded and nobody vouches for one.
    """
    policy = challenge.policy
    with checks.group(CHECK):
        if challenge.trust is not None and (dating is None or dating.trust != challenge.trust):
            raise TrustMaterialMissing(
                "the challenge was issued under a trust folder with the digest "
                f"{challenge.trust.hex()[:16]}, and "
                + ("none was given" if dating is None else f"{dating.trust.hex()[:16]} was given"),
                hint="give that folder (`trust`)",
                check=CHECK,
            )
        if policy.trusted_beacon and (dating is None or dating.beacon is None):
            raise TrustMaterialMissing(
                "the challenge takes the beacon of the labels for trusted, and no token of a "
                "trusted authority has it",
                hint="get the commitment's file with all its timestamps from the owner",
                check=CHECK,
            )
        if policy.older and (dating is None or dating.existed is None):
            raise TrustMaterialMissing(
                "the commitment has to be older than the suspect, and fewer trusted authorities "
                "than needed say when it and its labels existed",
                hint="get the commitment's file with all its timestamps and log proofs from the "
                "owner",
                check=CHECK,
            )


def require_older(
    checks: Checks, challenge: Challenge, dating: Dating | None, summary: str
) -> None:
    """Check that the commitment is older than the suspect, where the policy demands it.

    Raises NotProven (``commitment.timestamp``); ``summary`` says what the evidence is.
    """
    found = order_of(dating, challenge)
    with checks.group(CHECK):
        if challenge.policy.older and found != Order.OLDER:
            what = "is not older than" if found == Order.NOT_OLDER else "may not be older than"
            raise NotProven(
                f"{summary}; but the commitment {what} the suspect, and it has to be",
                hint="ask the owner for an earlier timestamp of this commitment, if there is one",
                check=CHECK,
            )


def _require_past(published: Published | None) -> None:
    """Raise UsageError for a suspect that is published only later: all would be older."""
    if published is not None and published.interval.earliest // 10**6 > time.time():
        raise UsageError(
            f"the suspect was published {in_words(published.interval)} (`published`), and that is "
            "still to come",
            hint="check the year; dates are in UTC, where your day may not have begun: give the "
            "day before too, as 2026-02-28/2026-03-01",
        )
