"""Requests for tokens, and the token in a response (RFC 3161, sections 2.4.1 and 2.4.2).

Bytes alone: whoever asks an authority sends and receives them (SPEC.md 22.1).
"""

from __future__ import annotations

from cryptography.hazmat import asn1
from cryptography.x509 import ObjectIdentifier

from zkwm_protocols.errors import CouldNotCheck, Malformed, UsageError
from zkwm_protocols.timestamps import structures
from zkwm_protocols.timestamps.evidence import MAXIMUM_NONCE, MAXIMUM_TOKEN
from zkwm_protocols.timestamps.structures import decode, encoding

MAXIMUM_RESPONSE = MAXIMUM_TOKEN + 4096
GRANTED = 0
_SHA256 = ObjectIdentifier("2.16.840.1.101.3.4.2.1")


@asn1.sequence
class _Request:
    """TimeStampReq."""

    version: int
    imprint: structures.Imprint
    policy: ObjectIdentifier | None
    nonce: int
    wants_certificates: bool


def make_request(digest: bytes, nonce: bytes, policy: str | None = None) -> bytes:
    """A TimeStampReq, DER, that asks for the certificates too.

    Args:
        digest: D, the SHA-256 digest that is dated; 32 bytes.
        nonce: 1 to 20 random bytes, the first not 0.
        policy: object identifier of the policy that is wanted, or None.

    Raises UsageError for others.
    """
    if len(digest) != 32 or not 1 <= len(nonce) <= MAXIMUM_NONCE or nonce[0] == 0:
        raise UsageError("a request has a digest of 32 bytes, and a nonce of 1 to 20, no 0 first")
    try:
        wanted = None if policy is None else ObjectIdentifier(policy)
    except ValueError:
        raise UsageError("a policy is an object identifier such as 1.3.6.1.4.1.57264.2") from None
    imprint = structures.Imprint(
        algorithm=structures.AlgorithmIdentifier(algorithm=_SHA256, parameters=asn1.Null()),
        digest=digest,
    )
    return asn1.encode_der(
        _Request(
            version=1,
            imprint=imprint,
            policy=wanted,
            nonce=int.from_bytes(nonce, "big"),
            wants_certificates=True,
        )
    )


@asn1.sequence
class _Status:
    """PKIStatusInfo."""

    status: int
    texts: list[str] | None
    failure: asn1.BitString | None


@asn1.sequence
class _Granted:
    """TimeStampResp with a token."""

    status: _Status
    token: asn1.TLV


@asn1.sequence
class _Refused:
    """TimeStampResp without one."""

    status: _Status


def token_of_response(response: bytes) -> bytes:
    """The TimeStampToken in a TimeStampResp, DER, as the authority sent it.

    Whether it answers the request, ``verify_token`` says.

    Raises:
        Malformed: it is no response (``timestamp.format``).
        CouldNotCheck: the authority refused, or granted something else than was asked for
            (``timestamp.status``).
    """
    if len(response) > MAXIMUM_RESPONSE:
        raise Malformed(
            f"an authority's response has at most {MAXIMUM_RESPONSE:,} bytes",
            check="timestamp.format",
        )
    try:
        answer = decode(_Granted, response, "an authority's response")
    except Malformed:
        refusal = decode(_Refused, response, "an authority's response")
        raise _refused(refusal.status) from None
    if answer.status.status != GRANTED:
        raise _refused(answer.status)
    return encoding(answer.token)


def _refused(status: _Status) -> CouldNotCheck:
    """The error for a response without a token that counts."""
    reasons = "" if status.failure is None else f", reasons {status.failure.as_bytes().hex()}"
    return CouldNotCheck(
        f"the timestamp authority refused (status {status.status}{reasons})",
        hint="see PKIFailureInfo in RFC 3161, section 2.4.2, or ask another authority",
        check="timestamp.status",
    )
