"""What a certificate revocation list says about a certificate (RFC 5280, SPEC.md 22.5).

A list that is not about all reasons, of another issuer or a difference to another list says
nothing: it is passed over, and the certificate stays without an answer.
"""

from __future__ import annotations

from cryptography import x509

from zkwm_protocols.timestamps.chain import extension_of, readable
from zkwm_protocols.timestamps.signature import allowed_hash
from zkwm_protocols.timestamps.statement import Statement


def load_crl(data: bytes) -> x509.CertificateRevocationList:
    """Read a CRL, DER. Raises Malformed (``timestamp.format``)."""
    with readable("a CRL"):
        found = x509.load_der_x509_crl(data)
        _ = found.extensions, found.issuer, found.last_update_utc, found.next_update_utc
        return found


def crl_statement(
    crl: x509.CertificateRevocationList, certificate: x509.Certificate, issuer: x509.Certificate
) -> Statement | None:
    """What a CRL says about a certificate of ``issuer``; None where it says nothing.

    Raises Malformed (``timestamp.format``) for entries that cannot be read.
    """
    with readable("a CRL"):
        if not _is_of(crl, issuer) or not _is_about(crl, certificate):
            return None
        entry = crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
        start, end = crl.last_update_utc, crl.next_update_utc
        if entry is None:
            return Statement(certificate, start, end)
        at, reason = entry.revocation_date_utc, None
        for extension in entry.extensions:
            if isinstance(extension.value, x509.CRLReason):
                reason = extension.value.reason
            elif isinstance(extension.value, x509.InvalidityDate):
                at = min(at, extension.value.invalidity_date_utc)
        return Statement(certificate, start, end, at, reason)


def _is_of(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    """Whether the issuer signed it, and may."""
    usage = extension_of(issuer, x509.KeyUsage)
    key = issuer.public_key()
    return (
        crl.issuer == issuer.subject
        and (usage is None or usage.value.crl_sign)
        and allowed_hash(crl.signature_hash_algorithm)
        and crl.is_signature_valid(key)  # type: ignore[arg-type]  # strong keys alone are here
    )


def _is_about(crl: x509.CertificateRevocationList, certificate: x509.Certificate) -> bool:
    """Whether the list is whole, for every reason, and for this kind of certificate."""
    for extension in crl.extensions:
        value = extension.value
        if isinstance(value, x509.IssuingDistributionPoint):
            if not _distributes(value, certificate):
                return False
        elif isinstance(value, x509.DeltaCRLIndicator) or (
            extension.critical and not isinstance(value, x509.CRLNumber)
        ):
            return False
    return True


def _distributes(point: x509.IssuingDistributionPoint, certificate: x509.Certificate) -> bool:
    """Whether the list of a distribution point is the one for this certificate."""
    constraints = extension_of(certificate, x509.BasicConstraints)
    ca = constraints is not None and constraints.value.ca
    if (point.only_contains_user_certs and ca) or (point.only_contains_ca_certs and not ca):
        return False
    if point.only_contains_attribute_certs or point.indirect_crl or point.only_some_reasons:
        return False
    if point.relative_name is not None:
        return False
    if point.full_name is None:
        return True
    given = extension_of(certificate, x509.CRLDistributionPoints)
    if given is None:
        return False
    names = [name for one in given.value for name in one.full_name or []]
    return any(name in names for name in point.full_name)
