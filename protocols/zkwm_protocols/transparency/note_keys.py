"""Keys of logs and witnesses: verifier keys as text, and what their owners sign with.

Three types of C2SP's list: Ed25519 over a note (0x01, a log), cosignatures by Ed25519 (0x04, a
witness), and cosignatures by ML-DSA-44 (0x06, either). Types 0x01 and 0x04 sign different messages
with one algorithm; the key's id covers the type, so that a line of one is none of the other.
SPEC.md 23.3, 23.4.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from enum import IntEnum

from cryptography.exceptions import InvalidSignature as LibraryInvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa

from zkwm_protocols.errors import InvalidSignature, Malformed, Unsupported
from zkwm_protocols.keys import ED25519, PublicKey
from zkwm_protocols.schema import require_bytes
from zkwm_protocols.transparency.note import (
    KEY_ID_BYTES,
    from_base64,
    require_key_name,
    to_base64,
)

SECRET_BYTES = 32
_LONGEST_TEXT = 4_096


class SignatureType(IntEnum):
    """The types of note signatures that this version knows (C2SP signed-note)."""

    ED25519 = 0x01
    ED25519_COSIGNATURE = 0x04
    ML_DSA_44_COSIGNATURE = 0x06


PUBLIC_BYTES = {
    SignatureType.ED25519: 32,
    SignatureType.ED25519_COSIGNATURE: 32,
    SignatureType.ML_DSA_44_COSIGNATURE: 1312,
}
SIGNATURE_BYTES = {
    SignatureType.ED25519: 64,
    SignatureType.ED25519_COSIGNATURE: 64,
    SignatureType.ML_DSA_44_COSIGNATURE: 2420,
}


@dataclass(frozen=True)
class VerifierKey:
    """A name, a type of signature and a public key: whom a judge or a client trusts.

    Raises Malformed for a name that is none, or another encoding of a key than the canonical one
    of a point of the prime-order group (RFC 8032) or of ML-DSA-44 (FIPS 204, 1,312 bytes).
    """

    name: str
    signature_type: SignatureType
    public: bytes

    def __post_init__(self) -> None:
        require_key_name(self.name)
        require_bytes(self.public, PUBLIC_BYTES[self.signature_type])
        if self.signature_type is not SignatureType.ML_DSA_44_COSIGNATURE:
            PublicKey(ED25519, self.public)

    @property
    def key_id(self) -> bytes:
        """4 bytes that a signature line names: a hash of name, type and key."""
        typed = bytes([self.signature_type]) + self.public
        return hashlib.sha256(self.name.encode() + b"\n" + typed).digest()[:KEY_ID_BYTES]

    def to_text(self) -> str:
        """The verifier key: name, id in hexadecimal, type and key in base64, joined by ``+``."""
        typed = to_base64(bytes([self.signature_type]) + self.public)
        return f"{self.name}+{self.key_id.hex()}+{typed}"

    @classmethod
    def from_text(cls, text: str) -> VerifierKey:
        """Read ``to_text``.

        Raises Malformed for another spelling or an id that is not this key's, and Unsupported for
        a type of signature that this version does not know.
        """
        parts = text.split("+", 2) if len(text) <= _LONGEST_TEXT else []
        if len(parts) != 3:
            raise Malformed("a verifier key is a name, an id and a key, joined by '+'")
        name, key_id, encoded = parts
        data = from_base64(encoded)
        if data[:1] not in {bytes([one]) for one in SignatureType}:
            raise Unsupported(
                "a verifier key of a type that this version does not know",
                hint="it knows Ed25519 (1), Ed25519 cosignatures (4), ML-DSA-44 cosignatures (6)",
            )
        key = cls(require_key_name(name), SignatureType(data[0]), data[1:])
        if key.key_id.hex() != key_id:
            raise Malformed("the id of this verifier key is not that of its name and key")
        return key

    def verify_message(self, message: bytes, signature: bytes) -> None:
        """Raise InvalidSignature unless ``signature`` is this key's of exactly these bytes.

        What bytes are signed is said in ``checkpoint``.
        """
        if len(signature) != SIGNATURE_BYTES[self.signature_type]:
            raise InvalidSignature(f"the signature of {self.name} has another length")
        try:
            if self.signature_type is SignatureType.ML_DSA_44_COSIGNATURE:
                mldsa.MLDSA44PublicKey.from_public_bytes(self.public).verify(signature, message)
            else:
                key = ed25519.Ed25519PublicKey.from_public_bytes(self.public)
                key.verify(signature, message)
        except LibraryInvalidSignature:
            raise InvalidSignature(f"the signature of {self.name} does not verify") from None


class NoteSigningKey:
    """The secret key of a log or witness, under its name; ``repr`` shows no secret."""

    def __init__(self, name: str, signature_type: SignatureType, secret: bytes) -> None:
        """The key of 32 secret bytes: the seed of RFC 8032, or that of FIPS 204.

        Raises Malformed for another length, or a name that is none.
        """
        require_bytes(secret, SECRET_BYTES)
        self._secret = secret
        self._private: ed25519.Ed25519PrivateKey | mldsa.MLDSA44PrivateKey
        if signature_type is SignatureType.ML_DSA_44_COSIGNATURE:
            self._private = mldsa.MLDSA44PrivateKey.from_seed_bytes(secret)
        else:
            self._private = ed25519.Ed25519PrivateKey.from_private_bytes(secret)
        public = self._private.public_key().public_bytes_raw()
        self._verifier = VerifierKey(name, signature_type, public)

    @classmethod
    def generate(cls, name: str, signature_type: SignatureType) -> NoteSigningKey:
        """A new key from the system's randomness. Raises Malformed for a name that is none."""
        return cls(name, signature_type, secrets.token_bytes(SECRET_BYTES))

    def to_bytes(self) -> bytes:
        """The 32 secret bytes. Keep them in an encrypted file."""
        return self._secret

    @property
    def verifier(self) -> VerifierKey:
        """What others verify with."""
        return self._verifier

    def sign_message(self, message: bytes) -> bytes:
        """The signature of exactly these bytes, which ``checkpoint`` makes.

        By Ed25519 always the same; by ML-DSA-44 another one each time (FIPS 204, hedged).
        """
        return self._private.sign(message)

    def __repr__(self) -> str:
        return f"<NoteSigningKey {self._verifier.name} {self._verifier.key_id.hex()}>"
