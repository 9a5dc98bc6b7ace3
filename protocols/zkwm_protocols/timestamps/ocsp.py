"""What an OCSP response says about a certificate (RFC 6960, SPEC.md 22.5).

SHA-1 names issuers in responses (RFC 5019 demands it); no signature rests on it.
"""

from __future__ import annotations

import hashlib

from cryptography import x509
from cryptography.exceptions import InvalidSignature as WrongSignature
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from zkwm_protocols.errors import Unsupported
from zkwm_protocols.timestamps.chain import extension_of, parts_of, readable
from zkwm_protocols.timestamps.signature import allowed_hash, verify_with_key
from zkwm_protocols.timestamps.statement import Statement
from zkwm_protocols.timestamps.structures import PublicKeyInfo, decode, encoding

MAXIMUM_RESPONDERS = 8
_NAMING_HASHES = {"sha1", "sha256", "sha384", "sha512"}


def load_response(data: bytes) -> ocsp.OCSPResponse:
    """Read an OCSP response, DER. Raises Malformed (``timestamp.format``)."""
    with readable("an OCSP response"):
        found = ocsp.load_der_ocsp_response(data)
        if found.response_status == ocsp.OCSPResponseStatus.SUCCESSFUL:
            _ = found.certificates, found.extensions, found.signature_hash_algorithm
        return found


def ocsp_statements(
    response: ocsp.OCSPResponse, certificate: x509.Certificate, issuer: x509.Certificate
) -> list[Statement]:
    """What a response says about a certificate of ``issuer``, if anything.

    Raises Malformed (``timestamp.format``) for parts that cannot be read.
    """
    if response.response_status != ocsp.OCSPResponseStatus.SUCCESSFUL:
        return []
    with readable("an OCSP response"):
        if any(extension.critical for extension in response.extensions):
            return []
        said = [
            Statement(
                certificate,
                single.this_update_utc,
                single.next_update_utc,
                single.revocation_time_utc,
                single.revocation_reason,
            )
            for single in response.responses
            if single.serial_number == certificate.serial_number
            and single.certificate_status != ocsp.OCSPCertStatus.UNKNOWN
            and _names(single, issuer)
        ]
        signer = _find_signer(response, issuer) if said else None
        if signer is None or signer == issuer:
            return said if signer else []
        start, end = signer.not_valid_before_utc, signer.not_valid_after_utc
        return [statement for statement in said if start <= statement.start <= end]


def _names(single: ocsp.OCSPSingleResponse, issuer: x509.Certificate) -> bool:
    """Whether an answer is about a certificate of this issuer."""
    algorithm = single.hash_algorithm.name
    if algorithm not in _NAMING_HASHES:
        return False
    parts = parts_of(issuer)
    name = encoding(parts.subject)
    bits = decode(PublicKeyInfo, encoding(parts.public_key), "a key").key.as_bytes()
    return (single.issuer_name_hash, single.issuer_key_hash) == (
        hashlib.new(algorithm, name, usedforsecurity=False).digest(),
        hashlib.new(algorithm, bits, usedforsecurity=False).digest(),
    )


def _find_signer(response: ocsp.OCSPResponse, issuer: x509.Certificate) -> x509.Certificate | None:
    """The issuer, or a responder to whom the issuer gave that right: whoever signed; or None."""
    hash_used = response.signature_hash_algorithm
    if not allowed_hash(hash_used):
        return None
    for signer in (issuer, *response.certificates[:MAXIMUM_RESPONDERS]):
        identifier = x509.SubjectKeyIdentifier.from_public_key(signer.public_key()).digest
        if response.responder_name != signer.subject and response.responder_key_hash != identifier:
            continue
        if signer != issuer and not _is_responder(signer, issuer):
            continue
        try:
            verify_with_key(
                signer,
                response.signature,
                response.tbs_response_bytes,
                response.signature_algorithm_oid.dotted_string,
                "sha512" if hash_used is None else hash_used.name,
            )
        except (WrongSignature, Unsupported):
            continue
        return signer
    return None


def _is_responder(signer: x509.Certificate, issuer: x509.Certificate) -> bool:
    """RFC 6960, section 4.2.2.2: issued by the same issuer for this use.

    Its own revocation is not asked for: the issuer has to say so (``id-pkix-ocsp-nocheck``).
    """
    usage = extension_of(signer, x509.ExtendedKeyUsage)
    if usage is None or ExtendedKeyUsageOID.OCSP_SIGNING not in usage.value:
        return False
    if extension_of(signer, x509.OCSPNoCheck) is None:
        return False
    try:
        signer.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, WrongSignature):
        return False
    return allowed_hash(signer.signature_hash_algorithm)
