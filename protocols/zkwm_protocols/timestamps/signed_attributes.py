"""The attributes that a token's signer signs with the content (SPEC.md 22.3).

RFC 5652, section 11: content type and digest of the content. RFC 5816: the signer's certificate by
its digest, so that nobody can put another certificate of the same key in its place.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from cryptography.hazmat import asn1

from zkwm_protocols.errors import InvalidSignature, Unsupported
from zkwm_protocols.timestamps import structures
from zkwm_protocols.timestamps.structures import decode, digest_name, encoding, malformed

MAXIMUM_ATTRIBUTES = 32


@dataclass(frozen=True)
class CertificateName:
    """How a token names its signer's certificate, or another of the chain.

    Args:
        algorithm: ``sha256``, ``sha384`` or ``sha512``.
        digest: of the certificate.
        issuer: names of the issuer, DER of a GeneralName each; empty where it is not named.
        serial: number of the certificate; None where it is not named.
    """

    algorithm: str
    digest: bytes
    issuer: tuple[bytes, ...] = ()
    serial: int | None = None

    def matches(self, certificate: bytes) -> bool:
        """Whether the digest is that of a certificate (DER)."""
        return hashlib.new(self.algorithm, certificate).digest() == self.digest


def read_attributes(
    elements: list[asn1.TLV], content: bytes, algorithm: str
) -> tuple[bytes, tuple[CertificateName, ...]]:
    """The set as it is signed (DER), and the certificates that it names, the signer's first.

    Args:
        elements: the attributes as they stand in the token.
        content: what was signed: TSTInfo, DER.
        algorithm: the hash of the content, such as ``sha256``.

    Raises:
        Malformed, Unsupported: ``timestamp.format``; ``timestamp.algorithm`` where the signer's
            certificate is named by SHA-1 alone.
        InvalidSignature: ``timestamp.signature``: the digest is not that of the content.
    """
    if not 1 <= len(elements) <= MAXIMUM_ATTRIBUTES:
        raise malformed(f"a token has 1 to {MAXIMUM_ATTRIBUTES} signed attributes")
    encoded = [encoding(element) for element in elements]
    if encoded != sorted(encoded):
        raise malformed("the signed attributes are not in the order of DER")
    values: dict[str, bytes] = {}
    for one in encoded:
        attribute = decode(structures.Attribute, one, "a signed attribute")
        kind = attribute.kind.dotted_string
        if kind in values:
            raise malformed("a signed attribute stands twice")
        values[kind] = encoding(attribute.values.as_list()[0])
    _require_content(values, content, algorithm)
    named = values.get(structures.SIGNING_CERTIFICATE_V2)
    if named is None:
        if structures.SIGNING_CERTIFICATE in values:
            raise Unsupported(
                "the token names its signer's certificate by SHA-1 alone",
                hint="use an authority that names it by SHA-256 (ESSCertIDv2, RFC 5816)",
                check="timestamp.algorithm",
            )
        raise malformed("the token does not name its signer's certificate")
    return structures.tlv(structures.SET, *encoded), _read_names(named)


def _require_content(values: dict[str, bytes], content: bytes, algorithm: str) -> None:
    """Type and digest of the content are those of the attributes."""
    kind = structures.tlv(structures.OBJECT_IDENTIFIER, structures.TST_INFO_BYTES)
    if values.get(structures.CONTENT_TYPE) != kind:
        raise malformed("the signed content type is not that of a timestamp")
    digest = structures.tlv(structures.OCTETS, hashlib.new(algorithm, content).digest())
    if not hmac.compare_digest(values.get(structures.MESSAGE_DIGEST, b""), digest):
        raise InvalidSignature(
            "what the authority says is not what it signed", check="timestamp.signature"
        )


def _read_names(data: bytes) -> tuple[CertificateName, ...]:
    """The certificates of a SigningCertificateV2, the signer's first."""
    found = decode(structures.SigningCertificateV2, data, "a signing certificate")
    if not 1 <= len(found.certificates) <= MAXIMUM_ATTRIBUTES:
        raise malformed("the token does not name its signer's certificate")
    return tuple(
        CertificateName(
            algorithm="sha256" if one.algorithm is None else digest_name(one.algorithm),
            digest=one.digest,
            issuer=()
            if one.issuer_serial is None
            else tuple(encoding(name) for name in one.issuer_serial.issuer),
            serial=None if one.issuer_serial is None else one.issuer_serial.serial,
        )
        for one in found.certificates
    )
