"""Certificates, CRLs and OCSP responses for tests of timestamps, by cryptography's builders."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

from asn1crypto import crl as asn1_crl
from asn1crypto import ocsp as asn1_ocsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

TIMESTAMPING = (ExtendedKeyUsageOID.TIME_STAMPING,)
DAY = datetime.timedelta(days=1)
SHA256 = hashes.SHA256()


def now() -> datetime.datetime:
    """This second, UTC."""
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)


def new_key(kind: str = "p256") -> Any:
    """A private key: ``p256``, ``p384``, ``ed25519``, or ``rsa`` and its bits."""
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65_537, int(kind[3:]))
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key({"p256": ec.SECP256R1(), "p384": ec.SECP384R1()}[kind])


def hash_for(key: Any, algorithm: Any = SHA256) -> Any:
    """The hash that ``key`` signs with: Ed25519 has its own."""
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else algorithm


def deterministic(key: Any) -> bool | None:
    """Signatures of ECDSA by RFC 6979, so that vectors stay the same; None for other keys."""
    return True if isinstance(key, ec.EllipticCurvePrivateKey) else None


@dataclass(frozen=True)
class Certified:
    """A key and its certificate."""

    key: Any
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


def certify(
    name: str,
    key: Any,
    issuer: Certified | None = None,
    *,
    ca: bool = False,
    usages: tuple[x509.ObjectIdentifier, ...] = TIMESTAMPING,
    usage_critical: bool = True,
    start: datetime.datetime | None = None,
    end: datetime.datetime | None = None,
    serial: int | None = None,
    algorithm: Any = SHA256,
    signing_key: Any = None,
    path_length: int | None = None,
    cert_sign: bool | None = None,
    key_usage: x509.KeyUsage | None = None,
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = (),
) -> Certified:
    """A certificate for ``key``, from a year ago to a year from now unless told otherwise.

    Without ``issuer`` it is signed by itself; ``signing_key`` signs in the issuer's place.
    ``usages`` are the extended key usages of one that is no CA; none leaves the extension out.
    """
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = signing_key or (key if issuer is None else issuer.key)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(start or now() - 365 * DAY)
        .not_valid_after(end or now() + 365 * DAY)
        .add_extension(x509.BasicConstraints(ca, path_length), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            key_usage or _key_usage(ca if cert_sign is None else cert_sign), critical=True
        )
    )
    if issuer is not None:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
        builder = builder.add_extension(identifier, critical=False)
    if not ca and usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=usage_critical)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    signed = builder.sign(
        signer, hash_for(signer, algorithm), ecdsa_deterministic=deterministic(signer)
    )
    return Certified(key, signed)


def _key_usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


@dataclass(frozen=True)
class Revoked:
    """A certificate's revocation: since when, and why."""

    certificate: x509.Certificate
    at: datetime.datetime
    reason: x509.ReasonFlags | None = None


def revocation_list(
    issuer: Certified,
    *revoked: Revoked,
    start: datetime.datetime | None = None,
    end: datetime.datetime | None = None,
    algorithm: Any = SHA256,
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = (),
) -> bytes:
    """A CRL of ``issuer``, DER; from an hour ago until in a week unless told otherwise."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(start or now() - DAY / 24)
        .next_update(end or now() + 7 * DAY)
    )
    for one in revoked:
        entry = (
            x509.RevokedCertificateBuilder()
            .serial_number(one.certificate.serial_number)
            .revocation_date(one.at)
        )
        if one.reason is not None:
            entry = entry.add_extension(x509.CRLReason(one.reason), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    signed = builder.sign(
        issuer.key,
        hash_for(issuer.key, algorithm),
        ecdsa_deterministic=deterministic(issuer.key),
    )
    return signed.public_bytes(serialization.Encoding.DER)


def ocsp_response(
    subject: x509.Certificate,
    issuer: Certified,
    *,
    responder: Certified | None = None,
    revoked: Revoked | None = None,
    unknown: bool = False,
    start: datetime.datetime | None = None,
    end: datetime.datetime | None = None,
    algorithm: Any = SHA256,
) -> bytes:
    """An OCSP response about ``subject``, DER, by its issuer or by a responder of theirs."""
    by = responder or issuer
    status = ocsp.OCSPCertStatus.GOOD
    if unknown or revoked is not None:
        status = ocsp.OCSPCertStatus.UNKNOWN if unknown else ocsp.OCSPCertStatus.REVOKED
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            cert=subject,
            issuer=issuer.certificate,
            algorithm=SHA256,
            cert_status=status,
            this_update=start or now() - DAY / 24,
            next_update=end or now() + 7 * DAY,
            revocation_time=None if revoked is None else revoked.at,
            revocation_reason=None if revoked is None else revoked.reason,
        )
        .responder_id(ocsp.OCSPResponderEncoding.HASH, by.certificate)
    )
    if responder is not None:
        builder = builder.certificates([responder.certificate])
    response = builder.sign(by.key, hash_for(by.key, algorithm))
    return response.public_bytes(serialization.Encoding.DER)


def with_sha1(data: bytes, key: Any, *, crl: bool = False) -> bytes:
    """A certificate or CRL, DER, signed anew by ECDSA with SHA-1, which cryptography never does."""
    found = (asn1_crl.CertificateList if crl else asn1_x509.Certificate).load(data)
    body = found["tbs_cert_list" if crl else "tbs_certificate"]
    body["signature"] = found["signature_algorithm"] = {"algorithm": "sha1_ecdsa"}
    signature = key.sign(body.dump(force=True), ec.ECDSA(hashes.SHA1()))
    found["signature" if crl else "signature_value"] = signature
    return bytes(found.dump(force=True))


def response_with_sha1(data: bytes, key: Any) -> bytes:
    """An OCSP response, DER, signed anew by ECDSA with SHA-1."""
    found = asn1_ocsp.OCSPResponse.load(data)
    basic = found["response_bytes"]["response"].parsed
    basic["signature_algorithm"] = {"algorithm": "sha1_ecdsa"}
    basic["signature"] = key.sign(basic["tbs_response_data"].dump(), ec.ECDSA(hashes.SHA1()))
    found["response_bytes"]["response"] = basic
    return bytes(found.dump(force=True))
