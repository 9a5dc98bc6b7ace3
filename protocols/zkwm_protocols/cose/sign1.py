"""COSE_Sign1 (RFC 9052, section 4.2) by EdDSA and ES256, its headers read strictly.

Only what is signed is trusted: a header that this version does not know is refused wherever it
stands, so that no signature is read as less than it says. SPEC.md 23.10.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from zkwm_protocols.cose.cbor import decode, decode_sign1, encode, encode_sign1
from zkwm_protocols.errors import Malformed, Unsupported
from zkwm_protocols.keys import ECDSA_P256, ED25519
from zkwm_protocols.schema import require_bytes

ALGORITHM: Final = 1
CONTENT_TYPE: Final = 3
KEY_ID: Final = 4
KEY_CLAIMS: Final = 14
"""A claims set with the public key (``kccs``, RFC 9528)."""
CLAIMS: Final = 15
"""Issuer and subject (RFC 9597)."""
PAYLOAD_HASH: Final = 258
PREIMAGE_TYPE: Final = 259
RECEIPTS: Final = 394
TREE_ALGORITHM: Final = 395
PROOFS: Final = 396

ISSUER: Final = 1
SUBJECT: Final = 2
CONFIRMATION: Final = 8
SHA256: Final = -16
ALGORITHMS: Final = {ED25519: -8, ECDSA_P256: -7}
"""EdDSA and ES256 (RFC 9053)."""

_PROTECTED_LIMIT = 16 * 1024


@dataclass(frozen=True)
class Sign1:
    """A message as it is encoded; nobody has verified it.

    Args:
        protected: the encoded map of headers that the signature covers.
        payload: what is signed; None where it is detached.
        signature: the bytes of the algorithm.
        unprotected: headers that nobody signed.
    """

    protected: bytes
    payload: bytes | None
    signature: bytes
    unprotected: dict[Any, Any] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """The message in tag 18."""
        return encode_sign1([self.protected, self.unprotected, self.payload, self.signature])

    @classmethod
    def from_bytes(cls, data: bytes, *, limit: int) -> Sign1:
        """Read ``to_bytes``. Raises Malformed for any other bytes."""
        parts = decode_sign1(data, limit=limit)
        if not isinstance(parts, list) or len(parts) != 4:
            raise Malformed("a COSE_Sign1 has four parts")
        protected, unprotected, payload, signature = parts
        if not isinstance(unprotected, dict):
            raise Malformed("the unprotected headers of a COSE_Sign1 are a map")
        if payload is not None:
            require_bytes(payload)
        return cls(require_bytes(protected), payload, require_bytes(signature), unprotected)

    def headers(self) -> dict[Any, Any]:
        """The protected headers. Raises Malformed unless they are a map in its one encoding."""
        headers = decode(self.protected, limit=_PROTECTED_LIMIT)
        if not isinstance(headers, dict):
            raise Malformed("the protected headers of a COSE_Sign1 are a map")
        return headers


def sig_structure(protected: bytes, payload: bytes) -> bytes:
    """The bytes under a signature (RFC 9052, section 4.4), without external data.

    They begin with 0x84, which no other message that a key of zkwm or of a log signs begins with.
    """
    return encode(["Signature1", protected, b"", payload])


def require_labels(headers: dict[Any, Any], known: set[int], what: str) -> None:
    """Raise unless the headers have exactly these labels.

    Raises Malformed for a missing one, Unsupported for one that this version does not know.
    """
    if missing := known - set(headers):
        raise Malformed(f"{what}: the header {min(missing)} is missing")
    if set(headers) - known:
        raise Unsupported(
            f"{what}: a header that this version does not know",
            hint="use a newer zkwm release if one knows it; it may change what is said",
        )
