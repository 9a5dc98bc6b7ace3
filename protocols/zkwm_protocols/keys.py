"""Keys: Ed25519 and P-256 signatures, X25519 boxes, fingerprints (SPEC.md 4.1 and 4.2).

The curves are those of ``cryptography`` and libsodium; this module adds domain separation, strict
encodings and the refusal of bad points. The vault (``zkwm.owner.vault``) and
``zkwm.judge.key_file`` store keys; people decide whom they trust by comparing fingerprints.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import Any, Final

import nacl.bindings
import nacl.exceptions
from cryptography.exceptions import InvalidSignature as LibraryInvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from zkwm_protocols.encoding import pack, unpack
from zkwm_protocols.errors import InvalidSignature, Malformed, Unsupported
from zkwm_protocols.fingerprints import fingerprint_of
from zkwm_protocols.schema import require_bytes, require_map, require_text

ED25519: Final = "ed25519"
ECDSA_P256: Final = "ecdsa-p256"
ALGORITHMS = (ED25519, ECDSA_P256)
SECRET_BYTES = 32
SIGNATURE_BYTES = 64
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""n, the order of the group of P-256 (SEC 2, 2.4.2)."""

_SIGNATURE_PREFIX = b"zkwm-signature-1"
_COSE_PREFIX = b"\x84\x6aSignature1"
"""How a Sig_structure of COSE_Sign1 begins (RFC 9052, section 4.4): an array of 4, and a text."""
_DSSE_PREFIX = b"DSSEv1 "
_PURPOSE = re.compile(r"[a-z][a-z0-9-]{0,62}")
_FIELD_25519 = 2**255 - 19
_JUDGE_FILE_LIMIT = 4096


def signed_message(purpose: str, digest: bytes) -> bytes:
    """The bytes under a signature: ``zkwm-signature-1``, the purpose's length, purpose, digest.

    ``purpose`` is 1 to 63 of a-z, 0-9 and ``-``, beginning with a letter; ``digest`` 32 bytes.
    A signature for one purpose is therefore none for another. Raises Malformed.
    """
    if not _PURPOSE.fullmatch(purpose):
        raise Malformed("a purpose of signing is 1 to 63 lower-case ASCII characters")
    require_bytes(digest, 32)
    return _SIGNATURE_PREFIX + bytes([len(purpose)]) + purpose.encode("ascii") + digest


@dataclass(frozen=True)
class PublicKey:
    """A public key that verifies signatures.

    ``algorithm`` is ``ed25519`` or ``ecdsa-p256``; ``data`` the 32 bytes of RFC 8032 5.1.5, or the
    33 bytes of a compressed point by SEC 1 2.3.3.

    Raises:
        Malformed: anything but the canonical encoding of a point of the prime-order group other
            than the identity (a small-order Ed25519 key would accept one signature for many
            messages).
        Unsupported: another algorithm.
    """

    algorithm: str
    data: bytes

    def __post_init__(self) -> None:
        if self.algorithm == ED25519:
            require_bytes(self.data, 32)
            if not nacl.bindings.crypto_core_ed25519_is_valid_point(self.data):
                raise Malformed("not the canonical encoding of an Ed25519 public key")
        elif self.algorithm == ECDSA_P256:
            require_bytes(self.data, 33)
            try:
                _p256_public(self.data)
            except ValueError:
                raise Malformed("not the compressed encoding of a point of P-256") from None
        else:
            raise Unsupported(
                "a signature algorithm that this version does not know",
                hint=f"it knows {' and '.join(ALGORITHMS)}",
            )

    def to_map(self) -> dict[str, Any]:
        """The CBOR map: ``algorithm`` (text) and ``public`` (bytes)."""
        return {"algorithm": self.algorithm, "public": self.data}

    @classmethod
    def from_map(cls, value: object) -> PublicKey:
        """Read ``to_map``. Raises Malformed, or Unsupported for another algorithm."""
        fields = require_map(value, "algorithm public", "public key")
        return cls(require_text(fields["algorithm"], 32), require_bytes(fields["public"]))

    def fingerprint(self) -> str:
        """The text that people compare: eight groups of four characters, joined by ``-``; 160 bits.

        The first 20 bytes of SHA-256(``zkwm-key-1`` || encoding of ``to_map``) in lower-case base32
        (RFC 4648, section 6). It covers the algorithm without naming it.
        """
        return fingerprint_of(b"zkwm-key-1", self.to_map())

    def verify(self, purpose: str, digest: bytes, signature: bytes) -> None:
        """Raise InvalidSignature unless ``signature`` (64 bytes) is this key's for the message.

        The message is ``signed_message(purpose, digest)``. Each signature has one encoding that is
        accepted: Ed25519 with S below the group's order, P-256 as r || s with
        0 < r < n and 0 < s <= n // 2.
        """
        self._verify(signed_message(purpose, digest), signature, purpose)

    def verify_cose(self, sig_structure: bytes, signature: bytes) -> None:
        """As ``verify``, for a statement by COSE_Sign1 (SPEC.md 23.10). Raises Malformed, too."""
        self._verify(_require_start(sig_structure, _COSE_PREFIX), signature, "statement")

    def verify_dsse(self, encoding: bytes, signature: bytes) -> None:
        """As ``verify_cose``, for the encoding that DSSE signs (SPEC.md 29.1)."""
        self._verify(_require_start(encoding, _DSSE_PREFIX), signature, "envelope")

    def _verify(self, message: bytes, signature: bytes, what: str) -> None:
        """Raise InvalidSignature unless ``signature`` is this key's for exactly these bytes."""
        if not isinstance(signature, bytes) or len(signature) != SIGNATURE_BYTES:
            raise InvalidSignature(f"a signature has {SIGNATURE_BYTES} bytes")
        try:
            if self.algorithm == ED25519:
                ed25519.Ed25519PublicKey.from_public_bytes(self.data).verify(signature, message)
            else:
                r = int.from_bytes(signature[:32], "big")
                s = int.from_bytes(signature[32:], "big")
                if not (0 < r < P256_ORDER and 0 < s <= P256_ORDER // 2):
                    raise InvalidSignature(f"the signature of the {what} is not canonical")
                _p256_public(self.data).verify(
                    encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256())
                )
        except LibraryInvalidSignature:
            raise InvalidSignature(f"the signature of the {what} does not verify") from None


class SigningKey:
    """A secret signing key. Two are equal when their public keys are; ``repr`` shows no secret.

    The secret lives in the process's memory for as long as this object does: Python cannot wipe it.
    """

    def __init__(self, private: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> None:
        """Use ``generate`` or ``from_bytes``."""
        self._private = private
        if isinstance(private, ed25519.Ed25519PrivateKey):
            self._public = PublicKey(ED25519, private.public_key().public_bytes_raw())
        else:
            self._public = PublicKey(ECDSA_P256, _p256_bytes(private.public_key()))

    @classmethod
    def generate(cls, algorithm: str = ED25519) -> SigningKey:
        """A new key from the system's randomness. Raises Unsupported for another algorithm."""
        if algorithm == ED25519:
            return cls(ed25519.Ed25519PrivateKey.generate())
        if algorithm == ECDSA_P256:
            return cls(ec.generate_private_key(ec.SECP256R1()))
        raise Unsupported(
            "a signature algorithm that this version does not know",
            hint=f"it knows {' and '.join(ALGORITHMS)}",
        )

    @classmethod
    def from_bytes(cls, algorithm: str, secret: bytes) -> SigningKey:
        """The key of a 32-byte secret: RFC 8032's seed, or P-256's scalar, big-endian.

        Raises Malformed for a secret of another length or a scalar outside 1 to n - 1.
        """
        require_bytes(secret, SECRET_BYTES)
        if algorithm == ED25519:
            return cls(ed25519.Ed25519PrivateKey.from_private_bytes(secret))
        if algorithm == ECDSA_P256:
            scalar = int.from_bytes(secret, "big")
            if not 0 < scalar < P256_ORDER:
                raise Malformed("not a secret key of P-256")
            return cls(ec.derive_private_key(scalar, ec.SECP256R1()))
        raise Unsupported("a signature algorithm that this version does not know")

    def to_bytes(self) -> bytes:
        """The 32-byte secret that ``from_bytes`` takes. Keep it in a vault."""
        if isinstance(self._private, ed25519.Ed25519PrivateKey):
            return self._private.private_bytes_raw()
        return self._private.private_numbers().private_value.to_bytes(SECRET_BYTES, "big")

    @property
    def algorithm(self) -> str:
        """``ed25519`` or ``ecdsa-p256``."""
        return self._public.algorithm

    @property
    def public(self) -> PublicKey:
        """The key that others verify with."""
        return self._public

    def sign(self, purpose: str, digest: bytes) -> bytes:
        """The signature of ``signed_message(purpose, digest)``, 64 bytes, always the same.

        Ed25519 by RFC 8032; P-256 over SHA-256 with the nonce of RFC 6979, as r || s with s brought
        to at most n // 2.
        """
        return self._sign(signed_message(purpose, digest))

    def sign_cose(self, sig_structure: bytes) -> bytes:
        """As ``sign``, for a statement by COSE_Sign1 (SPEC.md 23.10).

        Raises Malformed for bytes that begin otherwise: no signature of one protocol may be one of
        the other.
        """
        return self._sign(_require_start(sig_structure, _COSE_PREFIX))

    def sign_dsse(self, encoding: bytes) -> bytes:
        """As ``sign_cose``, for the encoding that DSSE signs (SPEC.md 29.1)."""
        return self._sign(_require_start(encoding, _DSSE_PREFIX))

    def _sign(self, message: bytes) -> bytes:
        """The signature of exactly these bytes."""
        if isinstance(self._private, ed25519.Ed25519PrivateKey):
            return self._private.sign(message)
        algorithm = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
        r, s = decode_dss_signature(self._private.sign(message, algorithm))
        s = min(s, P256_ORDER - s)
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SigningKey) and self._public == other._public

    def __hash__(self) -> int:
        return hash(self._public)

    def __repr__(self) -> str:
        return f"<SigningKey {self.algorithm} {self._public.fingerprint()}>"


@dataclass(frozen=True)
class BoxPublicKey:
    """An X25519 key that openings are sealed to: the 32 bytes of RFC 7748, section 5.

    Raises Malformed for an encoding that is not canonical and for a point of small order, with
    which the shared secret would be zero whatever the sender does (RFC 7748, section 6.1).
    """

    data: bytes

    def __post_init__(self) -> None:
        require_bytes(self.data, 32)
        if int.from_bytes(self.data, "little") >= _FIELD_25519:
            raise Malformed("not the canonical encoding of an X25519 public key")
        try:
            # libsodium refuses a product of zero: no list of small-order points to keep complete.
            nacl.bindings.crypto_scalarmult(b"\x01" * 32, self.data)
        except nacl.exceptions.RuntimeError:
            raise Malformed("an X25519 public key of small order") from None


class BoxKey:
    """A secret X25519 key. Equality and ``repr`` as for ``SigningKey``."""

    def __init__(self, secret: bytes) -> None:
        """The key of 32 secret bytes. Raises Malformed for another length."""
        self._secret = require_bytes(secret, SECRET_BYTES)
        self._public = BoxPublicKey(nacl.bindings.crypto_scalarmult_base(secret))

    @classmethod
    def generate(cls) -> BoxKey:
        """A new key from the system's randomness."""
        return cls(secrets.token_bytes(SECRET_BYTES))

    def to_bytes(self) -> bytes:
        """The 32 secret bytes."""
        return self._secret

    @property
    def public(self) -> BoxPublicKey:
        """The key that others seal to."""
        return self._public

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BoxKey) and self._public == other._public

    def __hash__(self) -> int:
        return hash(self._public)

    def __repr__(self) -> str:
        return f"<BoxKey {self._public.data.hex()}>"


@dataclass(frozen=True)
class JudgePublic:
    """A judge's public keys: one signs challenges, openings are sealed to the other."""

    signing: PublicKey
    box: BoxPublicKey

    def to_map(self) -> dict[str, Any]:
        """The CBOR map: ``signing`` (map of the key) and ``box`` (32 bytes)."""
        return {"signing": self.signing.to_map(), "box": self.box.data}

    @classmethod
    def from_map(cls, value: object) -> JudgePublic:
        """Read ``to_map``. Raises Malformed or Unsupported."""
        fields = require_map(value, "signing box", "judge's public key")
        return cls(
            PublicKey.from_map(fields["signing"]), BoxPublicKey(require_bytes(fields["box"], 32))
        )

    def to_bytes(self) -> bytes:
        """The file that a judge publishes, of kind ``judge-public``."""
        return pack("judge-public", self.to_map())

    @classmethod
    def from_bytes(cls, data: bytes) -> JudgePublic:
        """Read ``to_bytes``. Raises Malformed or Unsupported."""
        return cls.from_map(unpack("judge-public", data, limit=_JUDGE_FILE_LIMIT))

    def fingerprint(self) -> str:
        """The text that an owner confirms: as ``PublicKey.fingerprint``, over both keys.

        The prefix is ``zkwm-judge-1``.
        """
        return fingerprint_of(b"zkwm-judge-1", self.to_map())


def _require_start(message: bytes, start: bytes) -> bytes:
    """Bytes that begin as those of one protocol do, which those of the others never do."""
    if not message.startswith(start):
        raise Malformed("these bytes are none that COSE_Sign1, or DSSE, signs")
    return message


def _p256_public(data: bytes) -> ec.EllipticCurvePublicKey:
    """The key of a compressed point. Raises ValueError for anything else."""
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), data)


def _p256_bytes(key: ec.EllipticCurvePublicKey) -> bytes:
    """The compressed point of a key, 33 bytes."""
    return key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
