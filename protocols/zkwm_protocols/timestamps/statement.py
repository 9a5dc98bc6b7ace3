"""What one CRL or OCSP response says about one certificate (SPEC.md 22.5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

KEEPS_OLDER_TOKENS = {
    x509.ReasonFlags.unspecified,
    x509.ReasonFlags.affiliation_changed,
    x509.ReasonFlags.superseded,
    x509.ReasonFlags.cessation_of_operation,
}
"""Reasons after which older tokens stay valid (RFC 3161, section 4); no reason is none of them."""


@dataclass(frozen=True)
class Statement:
    """What is said about a certificate, and for which time.

    Args:
        certificate: that the statement is about.
        start: since when it is known (thisUpdate).
        end: until when it counts as current (nextUpdate); None where newer news is always there.
        revoked_at: time of the revocation, or of the compromise where that is earlier; None where
            the certificate is good.
        reason: of the revocation, None where none is given.
    """

    certificate: x509.Certificate
    start: datetime
    end: datetime | None
    revoked_at: datetime | None = None
    reason: x509.ReasonFlags | None = None

    def covers(self, time: datetime) -> bool:
        """Whether it says something about ``time``: made later, or current then.

        What is made after the certificate's end may have forgotten its revocation.
        """
        if self.start > self.certificate.not_valid_after_utc:
            return False
        return self.start >= time or (self.end is not None and self.end >= time)

    def forbids(self, latest: datetime) -> bool:
        """Whether a token that was signed at ``latest``, or before, is void."""
        if self.revoked_at is None:
            return False
        return self.reason not in KEEPS_OLDER_TOKENS or self.revoked_at <= latest
