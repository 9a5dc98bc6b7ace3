"""ASN.1 of a token for the strict DER decoder of ``cryptography`` (SPEC.md 22.3).

RFC 5652 (SignedData), RFC 3161 (TSTInfo), RFC 5816 and 5035 (SigningCertificateV2). Sets that lie
under no signature are read in any order, as real authorities write them; what is signed is DER.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

from cryptography.hazmat import asn1
from cryptography.x509 import ObjectIdentifier

from zkwm_protocols.errors import Malformed, Unsupported

SIGNED_DATA = "1.2.840.113549.1.7.2"
TST_INFO = "1.2.840.113549.1.9.16.1.4"
TST_INFO_BYTES = bytes.fromhex("2a864886f70d0109100104")
SIGNED_DATA_BYTES = bytes.fromhex("2a864886f70d010702")
CONTENT_TYPE = "1.2.840.113549.1.9.3"
MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
SIGNING_CERTIFICATE = "1.2.840.113549.1.9.16.2.12"
SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47"

DIGESTS = {
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}

SEQUENCE, SET, INTEGER, OCTETS, OBJECT_IDENTIFIER = 0x30, 0x31, 0x02, 0x04, 0x06
CONTEXT_0 = 0xA0
DIRECTORY_NAME = 0xA4

Structure = TypeVar("Structure")


@asn1.sequence
class AlgorithmIdentifier:
    """An algorithm without parameters, or with NULL: all that are allowed here."""

    algorithm: ObjectIdentifier
    parameters: asn1.Null | None


@asn1.sequence
class Anything:
    """A sequence of one element."""

    element: asn1.TLV


@asn1.sequence
class Content:
    """EncapsulatedContentInfo with its content."""

    content_type: ObjectIdentifier
    content: Annotated[bytes, asn1.Explicit(0)]


@asn1.sequence
class SignedData:
    """SignedData; certificates, CRLs and signers as they stand there."""

    version: int
    digest_algorithms: asn1.TLV
    content: Content
    certificates: Annotated[list[asn1.TLV] | None, asn1.Implicit(0)]
    crls: Annotated[list[asn1.TLV] | None, asn1.Implicit(1)]
    signer_infos: asn1.TLV


@asn1.sequence
class ContentInfo:
    """The outermost structure of a token."""

    content_type: ObjectIdentifier
    content: Annotated[SignedData, asn1.Explicit(0)]


@asn1.sequence
class Signer:
    """SignerInfo, its signer named by issuer and serial number."""

    version: int
    issuer_and_serial: asn1.TLV
    digest_algorithm: asn1.TLV
    signed_attributes: Annotated[list[asn1.TLV], asn1.Implicit(0)]
    signature_algorithm: asn1.TLV
    signature: bytes
    unsigned_attributes: Annotated[list[asn1.TLV] | None, asn1.Implicit(1)]


@asn1.sequence
class IssuerAndSerial:
    """IssuerAndSerialNumber, the name as it stands there."""

    issuer: asn1.TLV
    serial: int


@asn1.sequence
class Attribute:
    """A signed attribute with exactly one value."""

    kind: ObjectIdentifier
    values: Annotated[asn1.SetOf[asn1.TLV], asn1.Size(min=1, max=1)]


@asn1.sequence
class IssuerSerial:
    """IssuerSerial of RFC 5035: general names, and a serial number."""

    issuer: list[asn1.TLV]
    serial: int


@asn1.sequence
class CertificateId:
    """ESSCertIDv2: an absent algorithm is SHA-256."""

    algorithm: AlgorithmIdentifier | None
    digest: bytes
    issuer_serial: IssuerSerial | None


@asn1.sequence
class SigningCertificateV2:
    """SigningCertificateV2: the signer's certificate first."""

    certificates: list[CertificateId]
    policies: list[asn1.TLV] | None


@asn1.sequence
class Imprint:
    """MessageImprint: the digest that was given to the authority."""

    algorithm: AlgorithmIdentifier
    digest: bytes


@asn1.sequence
class Accuracy:
    """Accuracy: each part is zero where it is absent."""

    seconds: int | None
    millis: Annotated[int | None, asn1.Implicit(0)]
    micros: Annotated[int | None, asn1.Implicit(1)]

    def parts(self) -> tuple[int | None, int | None, int | None]:
        """Seconds, milliseconds, microseconds."""
        return self.seconds, self.millis, self.micros


@asn1.sequence
class Extension:
    """An extension of TSTInfo."""

    kind: ObjectIdentifier
    critical: Annotated[bool, asn1.Default(value=False)]
    value: bytes


@asn1.sequence
class TstInfo:
    """TSTInfo, what the authority says."""

    version: int
    policy: ObjectIdentifier
    imprint: Imprint
    serial: int
    gen_time: asn1.TLV
    accuracy: Accuracy | None
    ordering: Annotated[bool, asn1.Default(value=False)]
    nonce: int | None
    tsa: Annotated[list[asn1.TLV] | None, asn1.Implicit(0)]
    extensions: Annotated[list[Extension] | None, asn1.Implicit(1)]


@asn1.sequence
class TbsCertificate:
    """TBSCertificate of RFC 5280, version 2 or 3; parts as they stand there."""

    version: Annotated[int, asn1.Explicit(0)]
    serial: int
    signature: asn1.TLV
    issuer: asn1.TLV
    validity: asn1.TLV
    subject: asn1.TLV
    public_key: asn1.TLV
    issuer_id: Annotated[asn1.BitString | None, asn1.Implicit(1)]
    subject_id: Annotated[asn1.BitString | None, asn1.Implicit(2)]
    extensions: Annotated[list[asn1.TLV] | None, asn1.Explicit(3)]


@asn1.sequence
class PublicKeyInfo:
    """SubjectPublicKeyInfo."""

    algorithm: asn1.TLV
    key: asn1.BitString


def decode(structure: type[Structure], data: bytes, what: str) -> Structure:
    """Read one structure, and nothing after it. Raises Malformed (``timestamp.format``)."""
    try:
        found: Structure = asn1.decode_der(structure, data)
    except (ValueError, OverflowError, TypeError, NotImplementedError):
        raise malformed(f"{what}: not the expected DER") from None
    return found


def malformed(problem: str) -> Malformed:
    """The error for a token that is not in its format."""
    return Malformed(problem, check="timestamp.format")


def digest_name(algorithm: AlgorithmIdentifier) -> str:
    """``sha256``, ``sha384`` or ``sha512``. Raises Unsupported (``timestamp.algorithm``)."""
    name = DIGESTS.get(algorithm.algorithm.dotted_string)
    if name is None:
        raise Unsupported(
            "a timestamp with SHA-1 or another hash that is not allowed",
            hint="use an authority that signs with SHA-256, SHA-384 or SHA-512",
            check="timestamp.algorithm",
        )
    return name


def encoding(element: asn1.TLV) -> bytes:
    """An element as it stands in its file: DER has one encoding for tag and length."""
    return tlv(element.tag_bytes, bytes(element.data))


def tlv(tag: int | bytes, *contents: bytes) -> bytes:
    """The DER of an element around its contents."""
    body = b"".join(contents)
    head = bytes([tag]) if isinstance(tag, int) else tag
    if len(body) < 128:
        return head + bytes([len(body)]) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return head + bytes([128 + len(size)]) + size + body


def integer(value: int) -> bytes:
    """The DER of an integer that is not negative."""
    return tlv(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))
