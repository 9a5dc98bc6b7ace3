"""What a commitment's file says of its own age, believed as it stands (SPEC.md 6.2).

Nothing here is evidence: nobody is trusted and no signature is looked at. It tells an owner, and
who writes a challenge, what no trust of a judge can make earlier.
"""

from __future__ import annotations

from zkwm_protocols.commitment import Commitment
from zkwm_protocols.dates import Interval, Order, Published, later, order, witnessed_interval
from zkwm_protocols.errors import ZkwmError


def stated_existence(commitment: Commitment) -> Interval | None:
    """When commitment and labels existed by the earliest date in the file; None without a date.

    Where the header names an authority, there are no labels before the first token.
    """
    tokens = [_stated_by_token(one.token) for one in commitment.timestamps]
    seconds = [
        moment
        for proof in commitment.log_proofs
        for moment in proof.proof.checkpoint.stated_times()
    ]
    found = [one for one in tokens if one is not None]
    found += [witnessed_interval(moment) for moment in seconds]
    if not found:
        return None
    existed = min(found, key=lambda one: one.latest)
    if commitment.header.timestamp_authority is None:
        return existed
    return later(existed, tokens[0]) if tokens and tokens[0] is not None else None


def stated_order(commitment: Commitment, published: Published | None) -> Order:
    """Whether a commitment can be older than the suspect, by the earliest date in its file."""
    return order(stated_existence(commitment), None if published is None else published.interval)


def _stated_by_token(token: bytes) -> Interval | None:
    """The time in a timestamp token; None where it cannot be read."""
    from zkwm_protocols.timestamps.token import read_token

    try:
        info = read_token(token).info
    except ZkwmError:
        return None
    accuracy = info.accuracy or 0
    latest = info.gen_time + info.rounding + accuracy
    return Interval(max(0, info.gen_time - accuracy), latest)
