"""From the signer of a token to a root of the authority, at the token's time (SPEC.md 22.4).

Paths are built and verified by ``cryptography.x509.verification`` (RFC 5280). This module adds what
RFC 3161 demands of the signer, and refuses what that library would pass over.
"""

from __future__ import annotations

import hashlib
import threading
import warnings
from collections.abc import Iterable, Iterator, Set
from contextlib import contextmanager
from datetime import datetime
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID

from zkwm_protocols.errors import InvalidSignature, Malformed, TrustMaterialMissing, Unsupported
from zkwm_protocols.timestamps.signature import require_strong_key
from zkwm_protocols.timestamps.structures import (
    DIRECTORY_NAME,
    SEQUENCE,
    TbsCertificate,
    decode,
    encoding,
    tlv,
)
from zkwm_protocols.timestamps.token import Token

Kind = TypeVar("Kind", bound=x509.ExtensionType)

_FILTERING = threading.RLock()
"""Filters of warnings are one for all threads."""
MAXIMUM_DEPTH = 6
"""Certificates between a signer and its root."""


def load_certificate(data: bytes) -> x509.Certificate:
    """Read a certificate, DER. Raises Malformed (``timestamp.format``)."""
    with readable("a certificate"):
        certificate = x509.load_der_x509_certificate(data)
        _ = certificate.extensions, certificate.subject, certificate.issuer
        return certificate


def load_candidates(carried: Iterable[bytes]) -> list[x509.Certificate]:
    """Certificates that may stand in a chain: version 3, each once, of those that are carried.

    Raises Malformed (``timestamp.format``) for one that cannot be read.
    """
    found = [load_certificate(data) for data in dict.fromkeys(carried)]
    return [one for one in found if one.version == x509.Version.v3]


def parts_of(certificate: x509.Certificate) -> TbsCertificate:
    """The parts of a certificate as they stand there, whatever a library makes of its names."""
    return decode(TbsCertificate, certificate.tbs_certificate_bytes, "a certificate")


def encoded(certificate: x509.Certificate) -> bytes:
    """A certificate, DER."""
    return certificate.public_bytes(Encoding.DER)


def key_digest(certificate: x509.Certificate) -> bytes:
    """SHA-256 of the SubjectPublicKeyInfo (DER), 32 bytes: the pin of RFC 7469, section 2.4.

    Raises Malformed (``timestamp.format``) for a certificate of version 1.
    """
    return hashlib.sha256(encoding(parts_of(certificate).public_key)).digest()


def is_root(certificate: x509.Certificate) -> bool:
    """Whether a certificate is a CA's, under its own name."""
    constraints = extension_of(certificate, x509.BasicConstraints)
    own = certificate.issuer == certificate.subject
    return own and constraints is not None and constraints.value.ca


def find_signer(token: Token, candidates: list[x509.Certificate]) -> x509.Certificate:
    """The certificate that a token names as its signer's, fit to sign timestamps.

    Raises TrustMaterialMissing, InvalidSignature, Malformed or Unsupported (``timestamp.signer``).
    """
    name = token.certificate_names[0]
    signer = next((one for one in candidates if name.matches(encoded(one))), None)
    if signer is None:
        raise TrustMaterialMissing(
            "the certificate of the token's signer is missing",
            hint="ask the owner for the commitment file with the authority's certificates",
            check="timestamp.signer",
        )
    issuer = encoding(parts_of(signer).issuer)
    wrong = (token.issuer, token.serial) != (issuer, signer.serial_number)
    if name.serial is not None:
        named = (name.issuer, name.serial)
        wrong |= named != ((tlv(DIRECTORY_NAME, issuer),), signer.serial_number)
    if wrong:
        raise Malformed("the token names its signer in two ways", check="timestamp.signer")
    _require_own_name(token, signer)
    _require_timestamping(signer, token.info.time)
    return signer


def verify_chain(
    signer: x509.Certificate,
    candidates: list[x509.Certificate],
    roots: list[x509.Certificate],
    token: Token,
) -> tuple[x509.Certificate, ...]:
    """The path from the signer to one of the roots, valid at the token's time; the root last.

    Raises TrustMaterialMissing (``timestamp.chain``), also for SHA-1 and other hashes; Unsupported
    (``timestamp.algorithm``) for keys that are not allowed.
    """
    found = _build(signer, candidates, _strong(roots), token.info.time)
    if len(found) < 2:
        raise TrustMaterialMissing(
            "the policy trusts the signer itself; an authority is trusted by its root",
            hint="trust the root certificate of the authority",
            check="timestamp.chain",
        )
    for certificate in found[:-1]:
        require_strong_key(certificate)
    others = token.certificate_names[1:]
    for certificate in found[1:-1]:
        if others and not any(name.matches(encoded(certificate)) for name in others):
            raise Malformed(
                "the chain has a certificate that the token does not name", check="timestamp.chain"
            )
    return found


def _strong(roots: list[x509.Certificate]) -> list[x509.Certificate]:
    """Those whose keys are allowed: another root of the authority takes nothing from them.

    Raises Unsupported (``timestamp.algorithm``) where none is.
    """
    found, problem = [], None
    for root in roots:
        try:
            require_strong_key(root)
            found.append(root)
        except Unsupported as error:
            problem = problem or error
    if problem is not None and not found:
        raise problem
    return found


def _build(
    signer: x509.Certificate,
    candidates: list[x509.Certificate],
    roots: list[x509.Certificate],
    time: datetime,
) -> tuple[x509.Certificate, ...]:
    """The path that ``find_path`` finds for timestamps."""
    found = find_path(signer, candidates, roots, time, {ExtendedKeyUsageOID.TIME_STAMPING})
    if not found:
        raise TrustMaterialMissing(
            "no valid chain leads from the token's signer to a root of the authority at the "
            "token's time",
            hint="trust the root under which the authority signed then, and ask the owner for the "
            "certificates between",
            check="timestamp.chain",
        )
    return found


def find_path(
    leaf: x509.Certificate,
    candidates: list[x509.Certificate],
    roots: list[x509.Certificate],
    time: datetime,
    usages: Set[x509.ObjectIdentifier],
) -> tuple[x509.Certificate, ...]:
    """The path from a certificate to one of the roots that ``cryptography`` finds and verifies.

    Args:
        leaf: where it begins; its own use is the caller's to examine.
        candidates: what may stand between.
        roots: that are trusted.
        time: at which all of them are valid, and not in their last second.
        usages: extended key usages of which an issuer that names some has one.

    Returns the path with its root, or nothing where there is none.
    """

    def may_issue(
        _: verification.Policy, __: x509.Certificate, usage: x509.ExtendedKeyUsage | None
    ) -> None:
        allowed = {*usages, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
        if usage is not None and not allowed & set(usage):
            raise ValueError("an issuer whose certificates are for other uses")

    authorities = (
        verification.ExtensionPolicy.permit_all()
        .require_present(x509.BasicConstraints, verification.Criticality.CRITICAL, None)
        .require_present(x509.KeyUsage, verification.Criticality.AGNOSTIC, _signs_certificates)
        .may_be_present(x509.ExtendedKeyUsage, verification.Criticality.AGNOSTIC, may_issue)
    )
    builder = (
        verification.PolicyBuilder()
        .store(verification.Store(roots))
        .time(time)
        .max_chain_depth(MAXIMUM_DEPTH)
        .extension_policies(
            ca_policy=authorities, ee_policy=verification.ExtensionPolicy.permit_all()
        )
    )
    others = [one for one in candidates if one != leaf]
    try:
        found = tuple(builder.build_client_verifier().verify(leaf, others).chain)
    except (verification.VerificationError, ValueError):
        return ()
    # OpenSSL's last second is over when it begins, and both readers have to agree.
    return () if any(one.not_valid_after_utc <= time for one in found) else found


def _signs_certificates(_: verification.Policy, __: x509.Certificate, usage: x509.KeyUsage) -> None:
    if not usage.key_cert_sign:
        raise ValueError("an issuer that may not sign certificates")


def _require_timestamping(signer: x509.Certificate, time: datetime) -> None:
    """RFC 3161, section 2.3: extended key usage critical, and timestamping alone."""
    problem = ""
    usage = extension_of(signer, x509.ExtendedKeyUsage)
    if usage is None or list(usage.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        problem = "the signer's certificate is not for timestamps alone"
    elif not usage.critical:
        problem = "the signer's certificate does not say critically that it is for timestamps"
    constraints = extension_of(signer, x509.BasicConstraints)
    if constraints is not None and constraints.value.ca:
        problem = "the signer's certificate is one of an issuer of certificates"
    keys = extension_of(signer, x509.KeyUsage)
    if keys is not None and not (keys.value.digital_signature or keys.value.content_commitment):
        problem = "the signer's certificate is not for signatures"
    period = extension_of(signer, x509.PrivateKeyUsagePeriod)
    if period is not None and not _within(time, period.value):
        problem = "the signer's key was not in use at the token's time"
    if problem:
        raise InvalidSignature(problem, check="timestamp.signer")


def _within(time: datetime, period: x509.PrivateKeyUsagePeriod) -> bool:
    """Whether a time is in the period of a private key, whose bounds have no time zone (UTC)."""
    plain = time.replace(tzinfo=None)
    start, end = period.not_before, period.not_after
    return (start is None or start <= plain) and (end is None or plain <= end)


def _require_own_name(token: Token, signer: x509.Certificate) -> None:
    """RFC 3161, section 2.4.2: the authority's name is one of the signer's, where it is given."""
    if token.info.tsa in (None, tlv(DIRECTORY_NAME, encoding(parts_of(signer).subject))):
        return
    names = extension_of(signer, x509.SubjectAlternativeName)
    given = tlv(SEQUENCE, token.info.tsa or b"")
    if names is None or not any(
        x509.SubjectAlternativeName([name]).public_bytes() == given for name in names.value
    ):
        raise Malformed(
            "the token's authority has another name than its certificate", check="timestamp.signer"
        )


def extension_of(certificate: x509.Certificate, kind: type[Kind]) -> x509.Extension[Kind] | None:
    """An extension of a certificate, or None."""
    try:
        return certificate.extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None


@contextmanager
def quiet() -> Iterator[None]:
    """Parsers warn of nothing in the block: what RFC 5280 forbids is an error there."""
    with _FILTERING, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # names of an unusual length
        warnings.simplefilter("error", CryptographyDeprecationWarning)
        yield


@contextmanager
def readable(what: str) -> Iterator[None]:
    """What a parser refuses in the block is Malformed (``timestamp.format``)."""
    try:
        with quiet():
            yield
    except (
        ValueError, TypeError, OverflowError, NotImplementedError, UnsupportedAlgorithm,
        CryptographyDeprecationWarning,
        x509.DuplicateExtension, x509.UnsupportedGeneralNameType, x509.InvalidVersion,
    ):  # fmt: skip
        raise Malformed(f"{what} that cannot be read", check="timestamp.format") from None
