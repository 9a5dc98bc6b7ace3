"""What a statement says about a key: whose it is, what follows it, that it is not to be trusted.

The issuer is the key itself, so that each is made by whoever holds it. SPEC.md 23.13.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from zkwm_protocols.cose.contents import read_map
from zkwm_protocols.encoding import encode
from zkwm_protocols.errors import Malformed
from zkwm_protocols.fingerprints import require_fingerprint
from zkwm_protocols.keys import PublicKey, SigningKey, signed_message
from zkwm_protocols.schema import (
    require_bytes,
    require_choice,
    require_integer,
    require_list,
    require_optional_bytes,
    require_text,
)

MOST_CERTIFICATES = 8
LONGEST_CERTIFICATE = 8 * 1024
LONGEST_PERSON = 500
MAXIMUM_TIME = 2**63 - 1

_KEY_URN = "urn:zkwm:key:"
_ROTATION, _BINDING = "key-rotation", "key-binding"


def key_subject(fingerprint: str) -> str:
    """The subject of every statement about a key: a URN with its fingerprint (SPEC.md 4.1)."""
    return _KEY_URN + require_fingerprint(fingerprint)


def key_of(subject: str) -> str:
    """The fingerprint that ``key_subject`` names. Raises Malformed."""
    if not subject.startswith(_KEY_URN):
        raise Malformed(f"the subject is not {_KEY_URN} and a fingerprint")
    return require_fingerprint(subject.removeprefix(_KEY_URN))


@dataclass(frozen=True)
class KeyBinding:
    """A key is a person's.

    The evidence is a chain of certificates for this very key, the SHA-256 of a document that names
    the fingerprint (such as one that a notary signed), or both. What it is worth is not said here.
    A certificate may be for another key of the person, which then signs the claim (``proof``).

    Args:
        key: the key's fingerprint.
        person: whose it is, as the issuer says: 1 to 500 characters.
        certificates: X.509 in DER, the person's own first; 0 to 8 of at most 8 KiB each.
        document: 32 bytes, or None.
        proof: the signature of ``claim_message`` by the first certificate's key, where that is
            another one than the bound key; else None.
    """

    CONTENT_TYPE: ClassVar[str] = "application/vnd.zkwm.key-binding+cbor"
    HASHED: ClassVar[bool] = False
    key: str
    person: str
    certificates: tuple[bytes, ...] = ()
    document: bytes | None = None
    proof: bytes | None = None

    def __post_init__(self) -> None:
        if self.proof is not None and not (self.certificates and 8 <= len(self.proof) <= 1024):
            raise Malformed("a proof is the signature of a certificate's key, of 8 to 1,024 bytes")
        if not self.person or not (self.certificates or self.document):
            raise Malformed("a binding names a person, and has certificates or a document")
        if any(not 0 < len(one) <= LONGEST_CERTIFICATE for one in self.certificates):
            raise Malformed(f"a certificate has 1 to {LONGEST_CERTIFICATE:,} bytes")

    @property
    def subject(self) -> str:
        """The key's URN."""
        return key_subject(self.key)

    def require_certified(self, key: PublicKey) -> None:
        """Return only if the first certificate, where there is one, is the key holder's.

        It is for ``key`` itself, or its own key signed that ``key`` and the person belong together:
        else anybody could bind a key to somebody else's certificate, which is public.

        Raises InvalidSignature, Unsupported or Malformed.
        """
        if self.certificates:
            from zkwm_protocols.cose.certified_key import require_certified

            message = claim_message(self.key, self.person)
            require_certified(self.certificates[0], key, message, self.proof)

    def to_payload(self) -> bytes:
        """The CBOR map ``KeyBinding``."""
        return encode(
            {
                "person": require_text(self.person, LONGEST_PERSON),
                "certificates": require_list(list(self.certificates), 0, MOST_CERTIFICATES),
                "document": require_optional_bytes(self.document, 32),
                "proof": require_optional_bytes(self.proof),
            }
        )

    @classmethod
    def from_payload(cls, subject: str, payload: bytes) -> KeyBinding:
        """Read ``to_payload``. Raises Malformed."""
        fields = read_map(payload, "person certificates document proof", "a key's binding")
        certificates = require_list(fields["certificates"], 0, MOST_CERTIFICATES)
        return cls(
            key_of(subject),
            require_text(fields["person"], LONGEST_PERSON),
            tuple(require_bytes(one) for one in certificates),
            require_optional_bytes(fields["document"], 32),
            require_optional_bytes(fields["proof"]),
        )


def binding_claim(key: str, person: str) -> bytes:
    """The map ``BindingClaim``: which key, by its fingerprint, is whose."""
    return encode({"key": require_fingerprint(key), "person": require_text(person, LONGEST_PERSON)})


def claim_message(key: str, person: str) -> bytes:
    """What a certificate's key signs, for the purpose ``key-binding`` (SPEC.md 26.6)."""
    return signed_message(_BINDING, hashlib.sha256(binding_claim(key, person)).digest())


@dataclass(frozen=True)
class KeyRotation:
    """Another key follows this one, and its holder agrees.

    Args:
        key: the fingerprint of the key that is replaced.
        successor: the key that follows.
        consent: the successor's signature (64 bytes), by ``agree_to_succeed``.

    Raises Malformed where both are one key.
    """

    CONTENT_TYPE: ClassVar[str] = "application/vnd.zkwm.key-rotation+cbor"
    HASHED: ClassVar[bool] = False
    key: str
    successor: PublicKey
    consent: bytes

    def __post_init__(self) -> None:
        if self.successor.fingerprint() == self.key:
            raise Malformed("a key does not follow itself")

    @property
    def subject(self) -> str:
        """The URN of the key that is replaced."""
        return key_subject(self.key)

    def require_consent(self) -> None:
        """Raise InvalidSignature unless the successor agreed to follow this very key."""
        self.successor.verify(_ROTATION, _digest(self.key, self.successor), self.consent)

    def to_payload(self) -> bytes:
        """The CBOR map ``KeyRotation``."""
        consent = require_bytes(self.consent, 64)
        return encode({"successor": self.successor.to_map(), "consent": consent})

    @classmethod
    def from_payload(cls, subject: str, payload: bytes) -> KeyRotation:
        """Read ``to_payload``. Raises Malformed or Unsupported."""
        fields = read_map(payload, "successor consent", "a key's rotation")
        successor = PublicKey.from_map(fields["successor"])
        return cls(key_of(subject), successor, require_bytes(fields["consent"], 64))


def agree_to_succeed(key: str, successor: SigningKey) -> KeyRotation:
    """The rotation from the key with this fingerprint, with the successor's consent.

    It counts once the replaced key has signed it as a statement.
    """
    consent = successor.sign(_ROTATION, _digest(key, successor.public))
    return KeyRotation(key, successor.public, consent)


class RevocationReason(StrEnum):
    """Why a key is not to be trusted any more."""

    COMPROMISED = "compromised"
    LOST = "lost"
    SUPERSEDED = "superseded"


@dataclass(frozen=True)
class KeyRevocation:
    """A key is not to be trusted from a time on.

    Args:
        key: its fingerprint.
        since: seconds since 1970 from which on its signatures do not count.
        reason: why.
    """

    CONTENT_TYPE: ClassVar[str] = "application/vnd.zkwm.key-revocation+cbor"
    HASHED: ClassVar[bool] = False
    key: str
    since: int
    reason: RevocationReason

    @property
    def subject(self) -> str:
        """The key's URN."""
        return key_subject(self.key)

    def to_payload(self) -> bytes:
        """The CBOR map ``KeyRevocation``."""
        since = require_integer(self.since, MAXIMUM_TIME)
        return encode({"since": since, "reason": str(self.reason)})

    @classmethod
    def from_payload(cls, subject: str, payload: bytes) -> KeyRevocation:
        """Read ``to_payload``. Raises Malformed."""
        fields = read_map(payload, "since reason", "a key's revocation")
        return cls(
            key_of(subject),
            require_integer(fields["since"], MAXIMUM_TIME),
            require_choice(fields["reason"], RevocationReason, "reason"),
        )


def succession(key: str, successor: PublicKey) -> bytes:
    """The map ``Succession``, whose SHA-256 a successor signs: which key it follows, and itself."""
    return encode({"key": require_fingerprint(key), "successor": successor.to_map()})


def _digest(key: str, successor: PublicKey) -> bytes:
    """What is signed for the purpose ``key-rotation``."""
    return hashlib.sha256(succession(key, successor)).digest()
