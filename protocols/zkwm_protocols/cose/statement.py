"""Signed statements: what a log takes (SCITT, RFC 9943).

A statement carries the key that signed it (``kccs``, RFC 9528), so that anybody can check it by
itself; whose key that is, the issuer says, and only trust in the key makes it so. SPEC.md 23.11.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, TypeAlias

from zkwm_protocols.cose import sign1
from zkwm_protocols.cose.cbor import encode
from zkwm_protocols.cose.contents import (
    CommitmentStatement,
    DisputeStatement,
    SpentBlocks,
    VerdictStatement,
)
from zkwm_protocols.cose.key_contents import KeyBinding, KeyRevocation, KeyRotation
from zkwm_protocols.cose.public_key import read_key, write_key
from zkwm_protocols.cose.sign1 import Sign1, require_labels, sig_structure
from zkwm_protocols.errors import Malformed, Unsupported
from zkwm_protocols.fingerprints import fingerprint_bytes
from zkwm_protocols.keys import PublicKey, SigningKey

STATEMENT_LIMIT = 65_535
"""Bytes of a statement: it is an entry of a log (SPEC.md 23.2)."""
LONGEST_URL = 500
MOST_RECEIPTS = 8
RECEIPT_LIMIT = 8 * 1024
TRANSPARENT_LIMIT = STATEMENT_LIMIT + MOST_RECEIPTS * (RECEIPT_LIMIT + 16)

Content: TypeAlias = (
    CommitmentStatement
    | VerdictStatement
    | SpentBlocks
    | DisputeStatement
    | KeyBinding
    | KeyRotation
    | KeyRevocation
)

_KINDS: dict[str, type[Content]] = {
    kind.CONTENT_TYPE: kind
    for kind in (
        CommitmentStatement,
        VerdictStatement,
        SpentBlocks,
        DisputeStatement,
        KeyBinding,
        KeyRotation,
        KeyRevocation,
    )
}
_URL = re.compile(r"https://[a-z0-9.-]+(?::[0-9]{1,5})?(?:/[!-~]*)?")


@dataclass(frozen=True)
class SignedStatement:
    """A statement with the key that signed it; ``from_bytes`` has verified its signature.

    Args:
        content: what is stated.
        issuer: who says so: the fingerprint of ``key``, or an https address of the issuer.
        key: the key that signed.
        signature: 64 bytes.
    """

    content: Content
    issuer: str
    key: PublicKey
    signature: bytes

    def to_bytes(self) -> bytes:
        """The statement, as it goes into a log."""
        return self._sign1().to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> SignedStatement:
        """Read and verify a statement of at most 65,535 bytes.

        Raises:
            Malformed: another encoding than the one of ``to_bytes``.
            Unsupported: a content type, header or algorithm that this version does not know.
            InvalidSignature: the key inside did not sign it, a successor did not agree, or a
                binding has a certificate whose key did not.
        """
        message = Sign1.from_bytes(data, limit=STATEMENT_LIMIT)
        if message.unprotected:
            raise Malformed("a statement for a log has no unprotected headers")
        return cls._from_message(message)

    @classmethod
    def _from_message(cls, message: Sign1) -> SignedStatement:
        """The statement of a message, whatever its unprotected headers are."""
        headers = message.headers()
        hashed = sign1.PAYLOAD_HASH in headers
        require_labels(headers, _labels(hashed=hashed), "a statement")
        if message.payload is None:
            raise Malformed("a statement carries its payload")
        issuer, subject = read_claims(headers[sign1.CLAIMS], "a statement")
        kind = headers[sign1.PREIMAGE_TYPE if hashed else sign1.CONTENT_TYPE]
        if not isinstance(kind, str) or kind not in _KINDS or hashed != _KINDS[kind].HASHED:
            raise Unsupported(
                "a statement of a kind that this version does not know",
                hint="use a newer zkwm release if one knows it",
            )
        key = read_key(headers[sign1.KEY_CLAIMS])
        content = _KINDS[kind].from_payload(subject, message.payload)
        statement = cls(content, issuer, key, message.signature)
        statement._require_issuer()
        if statement._protected() != message.protected:
            raise Malformed("a statement whose headers contradict each other")
        key.verify_cose(sig_structure(message.protected, message.payload), message.signature)
        return statement

    def _require_issuer(self) -> None:
        """The issuer is the key's fingerprint or an address; about a key only that key speaks."""
        fingerprint = self.key.fingerprint()
        if self.issuer != fingerprint and (
            len(self.issuer) > LONGEST_URL or not _URL.fullmatch(self.issuer)
        ):
            raise Malformed(
                "the issuer of a statement is the fingerprint of its key, or an https address"
            )
        if isinstance(self.content, KeyBinding | KeyRotation | KeyRevocation):
            _require_same(self.content.key, fingerprint)
        if isinstance(self.content, KeyRotation):
            self.content.require_consent()
        if isinstance(self.content, KeyBinding):
            self.content.require_certified(self.key)

    def _protected(self) -> bytes:
        """The encoded protected headers."""
        content = self.content
        headers: dict[int, Any] = {
            sign1.ALGORITHM: sign1.ALGORITHMS[self.key.algorithm],
            sign1.KEY_ID: fingerprint_bytes(self.key.fingerprint()),
            sign1.KEY_CLAIMS: write_key(self.key),
            sign1.CLAIMS: {sign1.ISSUER: self.issuer, sign1.SUBJECT: content.subject},
        }
        if content.HASHED:
            headers[sign1.PAYLOAD_HASH] = sign1.SHA256
            headers[sign1.PREIMAGE_TYPE] = content.CONTENT_TYPE
        else:
            headers[sign1.CONTENT_TYPE] = content.CONTENT_TYPE
        return encode(headers)

    def _sign1(self) -> Sign1:
        """The message."""
        return Sign1(self._protected(), self.content.to_payload(), self.signature)


def sign_statement(content: Content, key: SigningKey, issuer: str = "") -> SignedStatement:
    """The statement, signed by ``key``.

    Args:
        content: what is stated.
        key: the issuer's.
        issuer: an https address, or empty for the key's fingerprint.

    Raises Malformed for another issuer, or what does not fit into a log's entry; InvalidSignature
    for a rotation without the successor's consent, and a binding by somebody else's certificate.
    """
    unsigned = SignedStatement(content, issuer or key.public.fingerprint(), key.public, b"")
    unsigned._require_issuer()
    message = unsigned._sign1()
    signature = key.sign_cose(sig_structure(message.protected, content.to_payload()))
    statement = SignedStatement(content, unsigned.issuer, key.public, signature)
    if len(statement.to_bytes()) > STATEMENT_LIMIT:
        raise Malformed(f"a statement has at most {STATEMENT_LIMIT:,} bytes")
    return statement


@dataclass(frozen=True)
class TransparentStatement:
    """A statement with receipts of logs, each the bytes of a ``receipt.Receipt`` (RFC 9943, 7)."""

    statement: SignedStatement
    receipts: tuple[bytes, ...]

    def to_bytes(self) -> bytes:
        """The statement, with its receipts unprotected. Raises Malformed for none or too many."""
        if not 1 <= len(self.receipts) <= MOST_RECEIPTS:
            raise Malformed(f"a transparent statement has 1 to {MOST_RECEIPTS} receipts")
        plain = self.statement._sign1()
        unprotected = {sign1.RECEIPTS: list(self.receipts)}
        return Sign1(plain.protected, plain.payload, plain.signature, unprotected).to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> TransparentStatement:
        """Read ``to_bytes``, and verify the statement's signature; the receipts are not verified.

        Raises what ``SignedStatement.from_bytes`` raises.
        """
        message = Sign1.from_bytes(data, limit=TRANSPARENT_LIMIT)
        receipts = message.unprotected.get(sign1.RECEIPTS)
        if set(message.unprotected) != {sign1.RECEIPTS} or not isinstance(receipts, list):
            raise Malformed("a transparent statement has receipts, and no other unprotected header")
        if not 1 <= len(receipts) <= MOST_RECEIPTS or not all(
            isinstance(one, bytes) and len(one) <= RECEIPT_LIMIT for one in receipts
        ):
            raise Malformed(f"a transparent statement has 1 to {MOST_RECEIPTS} receipts")
        statement = SignedStatement._from_message(message)
        if len(statement.to_bytes()) > STATEMENT_LIMIT:
            raise Malformed(f"a statement has at most {STATEMENT_LIMIT:,} bytes")
        return cls(statement, tuple(receipts))


def read_claims(claims: object, what: str) -> tuple[str, str]:
    """Issuer and subject of the claims (RFC 9597): these two, and no others.

    Raises Malformed, or Unsupported for another claim.
    """
    if not isinstance(claims, dict):
        raise Malformed(f"{what}: the claims are no map")
    require_labels(claims, {sign1.ISSUER, sign1.SUBJECT}, what)
    issuer, subject = claims[sign1.ISSUER], claims[sign1.SUBJECT]
    if not isinstance(issuer, str) or not isinstance(subject, str):
        raise Malformed(f"{what}: issuer and subject are text")
    return issuer, subject


def _require_same(about: str, signer: str) -> None:
    """Two fingerprints of one key."""
    if about != signer:
        raise Malformed("a statement about a key is signed by that very key")


def _labels(*, hashed: bool) -> set[int]:
    """The protected headers of a statement."""
    own = {sign1.PAYLOAD_HASH, sign1.PREIMAGE_TYPE} if hashed else {sign1.CONTENT_TYPE}
    return own | {sign1.ALGORITHM, sign1.KEY_ID, sign1.KEY_CLAIMS, sign1.CLAIMS}
