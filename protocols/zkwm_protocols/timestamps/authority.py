"""A timestamp authority as a judge's policy states it, and what its verified token says.

Plain data: a reader of policies needs no cryptography for it (SPEC.md 22.2).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from zkwm_protocols.dates import MOST_MICROSECONDS, Interval
from zkwm_protocols.errors import Malformed
from zkwm_protocols.schema import require_text

MAXIMUM_ROOTS = 8
MAXIMUM_POLICIES = 32
MAXIMUM_LISTS = 8
MAXIMUM_LISTS_BYTES = 1 << 20
ASSUMED_ACCURACY = 1_000_000
"""Microseconds: what RFC 3628 and ETSI EN 319 421 demand of every authority, at least."""
MAXIMUM_ACCURACY = 366 * 86_400 * 1_000_000
"""Microseconds: a token that is less accurate than a year dates nothing."""

_IDENTIFIER = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]{0,38})){1,31}")


class Revocation(StrEnum):
    """What is known about the revocation of a token's chain (SPEC.md 22)."""

    GOOD = "good"
    MISSING = "missing"


@dataclass(frozen=True)
class TimestampAuthority:
    """An authority that a judge trusts to tell the time (SPEC.md 22.2).

    Args:
        name: for people; printable, 1 to 100 characters.
        roots: its trusted root certificates, DER; 1 to 8.
        policies: object identifiers, dotted, of the policies under which its tokens count.
        accuracy: microseconds, where a token states none.
        demand_revocation: refuse a token whose chain has no CRL or OCSP response for each
            certificate below the root.
        crls: certificate revocation lists that the judge has, DER; at most 8, of 1 MiB together.
            An owner carries those of their choice, and a judge may know of a later compromise.

    Raises:
        Malformed: a value is outside its range.
    """

    name: str
    roots: tuple[bytes, ...]
    policies: tuple[str, ...]
    accuracy: int = ASSUMED_ACCURACY
    demand_revocation: bool = False
    crls: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if not require_text(self.name, 100).strip():
            raise Malformed("an authority has a name")
        if not 1 <= len(self.roots) <= MAXIMUM_ROOTS or not all(self.roots):
            raise Malformed(f"an authority has 1 to {MAXIMUM_ROOTS} root certificates")
        if not 1 <= len(self.policies) <= MAXIMUM_POLICIES:
            raise Malformed(f"an authority has 1 to {MAXIMUM_POLICIES} policies")
        if not all(_IDENTIFIER.fullmatch(policy) for policy in self.policies):
            raise Malformed("a policy is an object identifier such as 1.3.6.1.4.1.57264.2")
        if not 0 <= self.accuracy <= MAXIMUM_ACCURACY:
            raise Malformed("an accuracy is 0 microseconds to a year")
        if len(self.crls) > MAXIMUM_LISTS or not all(self.crls):
            raise Malformed(f"an authority has at most {MAXIMUM_LISTS} CRLs")
        if sum(map(len, self.crls)) > MAXIMUM_LISTS_BYTES:
            raise Malformed(f"the CRLs of an authority have {MAXIMUM_LISTS_BYTES:,} bytes at most")


@dataclass(frozen=True)
class DatedBy:
    """What a verified token says: D existed not later than ``latest`` (SPEC.md 22).

    Times are whole microseconds since 1970-01-01 00:00 UTC.

    Args:
        authority: the name in the judge's policy.
        root: SHA-256 of the SubjectPublicKeyInfo of the root that the chain ends at, 32 bytes.
        signer: subject of the certificate that signed, as RFC 4514 text.
        policy: object identifier of the token's policy.
        serial: the token's serial number.
        gen_time: the time in the token.
        accuracy: microseconds in the token; None where it states none, and the policy's counts.
        earliest, latest: ``gen_time`` minus and plus the accuracy that counts.
        revocation: whether CRLs or OCSP responses say that the chain was good.
        revocation_known: since when they say so (the oldest of the newest thisUpdate), or None.
        beacon: 32 bytes (SPEC.md 22).
    """

    authority: str
    root: bytes
    signer: str
    policy: str
    serial: int
    gen_time: int
    accuracy: int | None
    earliest: int
    latest: int
    revocation: Revocation
    revocation_known: int | None
    beacon: bytes

    @property
    def interval(self) -> Interval:
        """From ``earliest`` to ``latest``, as far as the years 1970 to 9999 have it."""
        first, last = (
            min(max(0, moment), MOST_MICROSECONDS) for moment in (self.earliest, self.latest)
        )
        return Interval(first, last)
