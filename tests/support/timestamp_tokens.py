"""Tokens of RFC 3161 made by hand, byte by byte, for the shapes that ``openssl ts`` does not make.

``TokenMaker`` is a good signer at any time; each field is a part of the token that a test changes.
Nothing here uses the product's ASN.1.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from asn1crypto import core
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding

from tests.support.certificate_authority import Certified, certify, new_key, revocation_list
from tests.support.timestamp_authority import POLICY
from zkwm_protocols.timestamps.authority import TimestampAuthority
from zkwm_protocols.timestamps.evidence import TimestampEvidence

TIME = datetime.datetime(2026, 5, 17, 12, 30, 15, tzinfo=datetime.UTC)
NONCE = bytes(range(1, 17))
DIGEST = hashlib.sha256(b"a header").digest()
HASHES: dict[str, Any] = {
    "sha1": hashes.SHA1(), "sha256": hashes.SHA256(), "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}  # fmt: skip
HASH_NAMES = {
    "sha1": "1.3.14.3.2.26", "sha256": "2.16.840.1.101.3.4.2.1",
    "sha384": "2.16.840.1.101.3.4.2.2", "sha512": "2.16.840.1.101.3.4.2.3",
}  # fmt: skip
ECDSA_NAMES = {
    "sha1": "1.2.840.10045.4.1", "sha256": "1.2.840.10045.4.3.2",
    "sha384": "1.2.840.10045.4.3.3", "sha512": "1.2.840.10045.4.3.4",
}  # fmt: skip
RSA, ED25519 = "1.2.840.113549.1.1.1", "1.3.101.112"
SIGNED_DATA, TST_INFO = "1.2.840.113549.1.7.2", "1.2.840.113549.1.9.16.1.4"
CONTENT_TYPE, MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
SIGNING_CERTIFICATE = "1.2.840.113549.1.9.16.2.12"
SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47"
NULL = b"\x05\x00"


def der(tag: int, *parts: bytes) -> bytes:
    """An element around its parts."""
    body = b"".join(parts)
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 128 | len(length)]) + length + body


def sequence(*parts: bytes) -> bytes:
    return der(0x30, *parts)


def set_of(*parts: bytes) -> bytes:
    return der(0x31, *sorted(parts))


def integer(value: int) -> bytes:
    return bytes(core.Integer(value).dump())


def oid(name: str) -> bytes:
    return bytes(core.ObjectIdentifier(name).dump())


def octets(value: bytes) -> bytes:
    return der(4, value)


def algorithm(name: str, *parameters: bytes) -> bytes:
    return sequence(oid(name), *parameters)


def generalized(time: datetime.datetime) -> bytes:
    return der(0x18, time.strftime("%Y%m%d%H%M%SZ").encode("ascii"))


Change = Callable[[list[bytes]], list[bytes]]


def keep(parts: list[bytes]) -> list[bytes]:
    """No change."""
    return parts


@dataclass(frozen=True)
class TokenMaker:
    """A chain, and how its signer makes tokens.

    Args:
        root, issuer, signer: the chain; ``issuer`` may be the root.
        digest, nonce: in the token.
        time: genTime, as an element.
        policy: of the token.
        accuracy: an element, or nothing.
        imprint_hash, digest_hash, certificate_hash: hashes by name.
        extra: elements at the end of TSTInfo.
        change_info, change_attributes, change_signer, change_signed: change the parts of TSTInfo,
            the attributes, and the parts of SignerInfo and SignedData.
        certificates: in the token; without, signer and issuer.
        change_signature: changes the signature's bytes.
    """

    root: Certified
    issuer: Certified
    signer: Certified
    digest: bytes = DIGEST
    nonce: bytes | None = NONCE
    time: bytes = field(default_factory=lambda: generalized(TIME))
    policy: str = POLICY
    accuracy: bytes = field(default_factory=lambda: sequence(integer(1)))
    imprint_hash: str = "sha256"
    digest_hash: str = "sha256"
    certificate_hash: str = "sha256"
    extra: tuple[bytes, ...] = ()
    change_info: Change = keep
    change_attributes: Change = keep
    change_signer: Change = keep
    change_signed: Change = keep
    certificates: tuple[bytes, ...] | None = None
    change_signature: Callable[[bytes], bytes] = bytes

    @classmethod
    def new(cls, key: str = "p256", *, intermediate: bool = True, **signer: Any) -> TokenMaker:
        """A maker with a new chain; ``signer`` are options of ``certify``."""
        options = {"start": TIME - datetime.timedelta(400), "end": TIME + datetime.timedelta(400)}
        root = certify("Root", new_key(key), ca=True, **options)
        issuer = root
        if intermediate:
            issuer = certify("Issuing", new_key(key), root, ca=True, **options)
        own = certify("Signer", new_key(key), issuer, **{**options, **signer})
        return cls(root, issuer, own)

    def info(self) -> bytes:
        """TSTInfo."""
        imprint = sequence(algorithm(HASH_NAMES[self.imprint_hash], NULL), octets(self.digest))
        nonce = [] if self.nonce is None else [integer(int.from_bytes(self.nonce, "big"))]
        parts = [
            integer(1), oid(self.policy), imprint, integer(77), self.time, self.accuracy, *nonce,
            *self.extra,
        ]  # fmt: skip
        return sequence(*self.change_info(parts))

    def certificate_id(self) -> bytes:
        """SigningCertificateV2 with the signer's certificate alone."""
        used = [] if self.certificate_hash == "sha256" else [
            algorithm(HASH_NAMES[self.certificate_hash])
        ]  # fmt: skip
        digest = octets(hashlib.new(self.certificate_hash, self.signer.der).digest())
        return sequence(sequence(sequence(*used, digest)))

    def attributes(self, info: bytes) -> bytes:
        """The signed attributes, as a set."""
        content = octets(hashlib.new(self.digest_hash, info).digest())
        parts = [
            sequence(oid(CONTENT_TYPE), der(0x31, oid(TST_INFO))),
            sequence(oid(MESSAGE_DIGEST), der(0x31, content)),
            sequence(oid(SIGNING_CERTIFICATE_V2), der(0x31, self.certificate_id())),
        ]
        return der(0x31, *self.change_attributes(sorted(parts)))

    def sign(self, data: bytes) -> tuple[bytes, bytes]:
        """The algorithm's identifier, and the signature."""
        key, used = self.signer.key, HASHES[self.digest_hash]
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return algorithm(ED25519), key.sign(data)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            scheme = ec.ECDSA(used, deterministic_signing=True)
            return algorithm(ECDSA_NAMES[self.digest_hash]), key.sign(data, scheme)
        return algorithm(RSA, NULL), key.sign(data, padding.PKCS1v15(), used)

    def signer_info(self, info: bytes) -> bytes:
        """SignerInfo over TSTInfo."""
        attributes = self.attributes(info)
        name, signature = self.sign(attributes)
        certificate = self.signer.certificate
        parts = [
            integer(1),
            sequence(certificate.issuer.public_bytes(), integer(certificate.serial_number)),
            algorithm(HASH_NAMES[self.digest_hash], NULL),
            b"\xa0" + attributes[1:],
            name,
            octets(self.change_signature(signature)),
        ]
        return sequence(*self.change_signer(parts))

    def token(self) -> bytes:
        """The TimeStampToken."""
        info = self.info()
        carried = self.certificates
        if carried is None:
            carried = tuple(dict.fromkeys((self.signer.der, self.issuer.der)))
        parts = [
            integer(3),
            der(0x31, algorithm(HASH_NAMES[self.digest_hash], NULL)),
            sequence(oid(TST_INFO), der(0xA0, octets(info))),
            *([der(0xA0, *carried)] if carried else []),
            der(0x31, self.signer_info(info)),
        ]
        return content_info(sequence(*self.change_signed(parts)))

    def evidence(self, **parts: Any) -> TimestampEvidence:
        """Token and nonce, and what a test adds."""
        return TimestampEvidence(**{"token": self.token(), "nonce": NONCE, **parts})

    def crls(self, *revoked: Any, **options: Any) -> tuple[bytes, ...]:
        """CRLs of root and issuer around the token's time; all that is revoked stands in both."""
        hour = datetime.timedelta(hours=1)
        times = {"start": TIME - hour, "end": TIME + 24 * hour, **options}
        issuers = dict.fromkeys((self.root, self.issuer))
        return tuple(revocation_list(issuer, *revoked, **times) for issuer in issuers)

    def trusted(self, **options: Any) -> TimestampAuthority:
        """The authority as a judge's policy states it."""
        return TimestampAuthority(
            **{"name": "Hand-made", "roots": (self.root.der,), "policies": (POLICY,), **options}
        )

    def but(self, **changes: Any) -> TokenMaker:
        """The same with other parts."""
        return replace(self, **changes)


def content_info(signed_data: bytes) -> bytes:
    """The outermost structure."""
    return sequence(oid(SIGNED_DATA), der(0xA0, signed_data))
