"""A timestamp token as data: SignedData with one signer around TSTInfo (SPEC.md 22.3).

Reading verifies no signature. It refuses what two readers could understand differently: BER,
several signers, attributes twice, values that are not DER.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat import asn1

from zkwm_protocols.errors import Unsupported
from zkwm_protocols.timestamps import structures
from zkwm_protocols.timestamps.evidence import (
    MAXIMUM_CERTIFICATES,
    MAXIMUM_REVOCATIONS,
    MAXIMUM_TOKEN,
)
from zkwm_protocols.timestamps.signed_attributes import CertificateName, read_attributes
from zkwm_protocols.timestamps.structures import decode, encoding, malformed, tlv
from zkwm_protocols.timestamps.tst_info import TokenInfo, read_info


@dataclass(frozen=True)
class Token:
    """What stands in a token.

    Args:
        info: what the authority says.
        content: the same as it is signed: TSTInfo, DER.
        attributes: the signed attributes, DER of the set, as they are signed.
        issuer: of the signer's certificate, DER of the name.
        serial: number of the signer's certificate.
        certificate_names: the signer's certificate, then others of the chain if any are named.
        digest: ``sha256``, ``sha384`` or ``sha512``: the hash of attributes and content.
        digest_algorithm, signature_algorithm: AlgorithmIdentifiers, DER.
        signature: as it stands in the token.
        certificates, crls: what the token carries under no signature, DER.
    """

    info: TokenInfo
    content: bytes
    attributes: bytes
    issuer: bytes
    serial: int
    certificate_names: tuple[CertificateName, ...]
    digest: str
    digest_algorithm: bytes
    signature_algorithm: bytes
    signature: bytes
    certificates: tuple[bytes, ...]
    crls: tuple[bytes, ...]

    def canonical(self, certificates: tuple[bytes, ...]) -> bytes:
        """The token in DER with these certificates, without anything else that is not signed.

        Real authorities write certificates in an order that is not DER's, and unsigned attributes;
        strict readers refuse the one, and nothing depends on the other.
        """
        signer = tlv(
            structures.SEQUENCE,
            structures.integer(1),
            tlv(structures.SEQUENCE, self.issuer, structures.integer(self.serial)),
            self.digest_algorithm,
            bytes([structures.CONTEXT_0]) + self.attributes[1:],
            self.signature_algorithm,
            tlv(structures.OCTETS, self.signature),
        )
        signed = tlv(
            structures.SEQUENCE,
            structures.integer(3),
            tlv(structures.SET, self.digest_algorithm),
            tlv(
                structures.SEQUENCE,
                tlv(structures.OBJECT_IDENTIFIER, structures.TST_INFO_BYTES),
                tlv(structures.CONTEXT_0, tlv(structures.OCTETS, self.content)),
            ),
            tlv(structures.CONTEXT_0, *sorted(certificates)),
            tlv(structures.SET, signer),
        )
        return tlv(
            structures.SEQUENCE,
            tlv(structures.OBJECT_IDENTIFIER, structures.SIGNED_DATA_BYTES),
            tlv(structures.CONTEXT_0, signed),
        )


def read_token(data: bytes) -> Token:
    """Read a TimeStampToken, DER.

    Raises Malformed, Unsupported or InvalidSignature (``timestamp.format``,
    ``timestamp.algorithm``, ``timestamp.imprint``, ``timestamp.time``; ``timestamp.signature``
    where the content's digest is another).
    """
    if len(data) > MAXIMUM_TOKEN:
        raise malformed(f"a timestamp token has at most {MAXIMUM_TOKEN:,} bytes")
    outer = decode(structures.ContentInfo, data, "a timestamp token")
    signed = outer.content
    if outer.content_type.dotted_string != structures.SIGNED_DATA:
        raise malformed("a timestamp token is SignedData of CMS")
    if signed.content.content_type.dotted_string != structures.TST_INFO or signed.version != 3:
        raise malformed("a timestamp token's content is TSTInfo, and its CMS version 3")
    signer = decode(structures.Signer, _only(signed.signer_infos, "signer"), "a signer")
    if signer.version != 1:
        raise Unsupported(
            "the token names its signer otherwise than by issuer and serial number",
            check="timestamp.format",
        )
    digest_algorithm = encoding(signer.digest_algorithm)
    digest, announced = (
        structures.digest_name(decode(structures.AlgorithmIdentifier, one, "a hash"))
        for one in (digest_algorithm, _only(signed.digest_algorithms, "hash"))
    )
    if digest != announced:
        raise malformed("the signer uses another hash than the token announces")
    name = decode(structures.IssuerAndSerial, encoding(signer.issuer_and_serial), "a signer")
    if name.serial < 0:
        raise malformed("a certificate's serial number has no sign")
    content = signed.content.content
    attributes, names = read_attributes(signer.signed_attributes, content, digest)
    return Token(
        info=read_info(content),
        content=content,
        attributes=attributes,
        issuer=encoding(name.issuer),
        serial=name.serial,
        certificate_names=names,
        digest=digest,
        digest_algorithm=digest_algorithm,
        signature_algorithm=encoding(signer.signature_algorithm),
        signature=signer.signature,
        certificates=_sequences(signed.certificates, MAXIMUM_CERTIFICATES, "certificates"),
        crls=_sequences(signed.crls, MAXIMUM_REVOCATIONS, "CRLs"),
    )


def _only(element: asn1.TLV, what: str) -> bytes:
    """The only element of a set, DER."""
    if bytes(element.tag_bytes) != bytes([structures.SET]):
        raise malformed(f"a token has a set with one {what}")
    whole = bytes(element.data)
    found = decode(structures.Anything, tlv(structures.SEQUENCE, whole), f"a set with one {what}")
    return encoding(found.element)


def _sequences(elements: list[asn1.TLV] | None, most: int, what: str) -> tuple[bytes, ...]:
    """Certificates or CRLs of a token: sequences, and none of the other kinds of CMS."""
    found = elements or []
    if len(found) > most:
        raise malformed(f"a token has at most {most} {what}")
    if any(bytes(one.tag_bytes) != bytes([structures.SEQUENCE]) for one in found):
        raise Unsupported(f"the token has {what} that are not of X.509", check="timestamp.format")
    return tuple(encoding(one) for one in found)
