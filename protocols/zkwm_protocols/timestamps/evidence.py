"""What a commitment file carries for each timestamp authority (SPEC.md 22.1).

The map is an envelope alone: tokens, certificates, CRLs and OCSP responses lie in it as their
authorities gave them, in the formats of RFC 3161, 5652, 5280 and 6960. Reading one decides nothing;
``zkwm_protocols.timestamps.verification`` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zkwm_protocols.errors import Malformed
from zkwm_protocols.schema import require_bytes, require_list, require_map

MAXIMUM_TIMESTAMPS = 8
"""Timestamps of a commitment."""
MAXIMUM_TOKEN = 64 << 10
MAXIMUM_CERTIFICATE = 16 << 10
MAXIMUM_CERTIFICATES = 8
MAXIMUM_REVOCATION = 1 << 20
"""Bytes of all CRLs and OCSP responses of one timestamp together."""
MAXIMUM_REVOCATIONS = 8
"""CRLs of a timestamp, and OCSP responses."""
MAXIMUM_NONCE = 20
"""Bytes of a nonce; a request of this version has 16."""

_KEYS = "token nonce certificates crls ocsp_responses"


@dataclass(frozen=True)
class TimestampEvidence:
    """One authority's token over D, and what its offline verification needs (SPEC.md 22.1).

    Args:
        token: the TimeStampToken (a ContentInfo of CMS), DER, as the authority sent it.
        nonce: of the request, big-endian and without leading zero bytes; 1 to 20 bytes.
        certificates: further certificates for the chain, DER.
        crls: certificate revocation lists, DER.
        ocsp_responses: OCSP responses, DER.

    Raises:
        Malformed: a limit is exceeded.
    """

    token: bytes
    nonce: bytes
    certificates: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    ocsp_responses: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= len(self.token) <= MAXIMUM_TOKEN:
            raise Malformed(f"a timestamp token has 1 to {MAXIMUM_TOKEN:,} bytes")
        if not 1 <= len(self.nonce) <= MAXIMUM_NONCE or self.nonce[0] == 0:
            raise Malformed("a nonce has 1 to 20 bytes, of which the first is not 0")
        if len(self.certificates) > MAXIMUM_CERTIFICATES:
            raise Malformed(f"a timestamp has at most {MAXIMUM_CERTIFICATES} certificates")
        if any(not 1 <= len(one) <= MAXIMUM_CERTIFICATE for one in self.certificates):
            raise Malformed(f"a certificate has 1 to {MAXIMUM_CERTIFICATE:,} bytes")
        if max(len(self.crls), len(self.ocsp_responses)) > MAXIMUM_REVOCATIONS:
            raise Malformed(f"at most {MAXIMUM_REVOCATIONS} CRLs and as many OCSP responses")
        answers = (*self.crls, *self.ocsp_responses)
        if not all(answers) or sum(map(len, answers)) > MAXIMUM_REVOCATION:
            raise Malformed(f"CRLs and OCSP responses have 1 to {MAXIMUM_REVOCATION:,} bytes")

    def to_map(self) -> dict[str, Any]:
        """The map that a commitment file carries."""
        return {
            "token": self.token,
            "nonce": self.nonce,
            "certificates": list(self.certificates),
            "crls": list(self.crls),
            "ocsp_responses": list(self.ocsp_responses),
        }

    @classmethod
    def from_map(cls, value: object) -> TimestampEvidence:
        """Read ``to_map``. Raises Malformed."""
        fields = require_map(value, _KEYS, "timestamp")
        return cls(
            token=require_bytes(fields["token"]),
            nonce=require_bytes(fields["nonce"]),
            certificates=_byte_strings(fields["certificates"], MAXIMUM_CERTIFICATES),
            crls=_byte_strings(fields["crls"], MAXIMUM_REVOCATIONS),
            ocsp_responses=_byte_strings(fields["ocsp_responses"], MAXIMUM_REVOCATIONS),
        )


def _byte_strings(value: object, most: int) -> tuple[bytes, ...]:
    """At most ``most`` byte strings."""
    return tuple(require_bytes(one) for one in require_list(value, 0, most))
