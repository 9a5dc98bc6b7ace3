"""What a token's offline verification needs besides: issuers, CRLs, OCSP responses.

Certificates name where these are (authority information access, CRL distribution points; RFC 5280).
Whoever made the certificate chose these URLs, so they are asked within limits and from public
addresses alone (``zkwm.timestamp_client.addresses``). What cannot be had is left out and told: a
verifier who demands revocation material then refuses the token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID as Access

from zkwm.outgoing_http.location import Location
from zkwm.timestamp_client.addresses import locate
from zkwm.timestamp_client.fetch import Wanted, fetch
from zkwm_protocols.errors import CouldNotCheck, Malformed, UsageError
from zkwm_protocols.timestamps.chain import load_certificate
from zkwm_protocols.timestamps.crl import load_crl
from zkwm_protocols.timestamps.evidence import (
    MAXIMUM_CERTIFICATE,
    MAXIMUM_CERTIFICATES,
    MAXIMUM_REVOCATION,
)
from zkwm_protocols.timestamps.ocsp import load_response

MOST_CHAIN = 6
_MOST_URLS = 4
_OCSP = ("application/ocsp-request", "application/ocsp-response")
_SHA1 = hashes.SHA1()  # noqa: S303 - what OCSP responders know certificates by (RFC 5019)


@dataclass
class Material:
    """Further certificates, CRLs and OCSP responses, DER; what could not be had; the chain's root.

    ``root`` is None where the chain does not lead to a certificate that signs itself.
    """

    certificates: list[bytes] = field(default_factory=list)
    crls: list[bytes] = field(default_factory=list)
    ocsp_responses: list[bytes] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    root: bytes | None = None


def gather(
    own: Iterable[bytes],
    known: Iterable[bytes],
    asked: Location,
    seconds: float,
    tell: Callable[[str], None],
) -> Material:
    """All that the chain of a token's signer needs.

    Args:
        own: the certificates in the token, DER.
        known: root certificates that the owner knows, DER.
        asked: the authority.
        seconds: for each request.
        tell: called with what is being fetched.
    """
    found = Material()
    inside = dict.fromkeys(own)  # in order: which of two issuers stands in the chain is no chance
    pool = [one for one in map(_load, [*inside, *known]) if one is not None]
    current = next((one for one in pool if _is_signer(one)), None)
    if current is None:
        found.missing.append("the signer's certificate, which the token does not have")
        return found
    fetching = _Fetching(asked, seconds, tell)
    for _ in range(MOST_CHAIN):
        if current.issuer == current.subject:
            found.root = current.public_bytes(Encoding.DER)
            break
        issuer = _issuer(current, pool) or fetching.issuer(current)
        if issuer is None:
            found.missing.append(f"the issuer of {_name(current)}")
            break
        der = issuer.public_bytes(Encoding.DER)
        if der not in inside and len(found.certificates) < MAXIMUM_CERTIFICATES:
            found.certificates.append(der)
        _add_revocation(found, current, issuer, fetching)
        current = issuer
    return found


def _add_revocation(
    found: Material, subject: x509.Certificate, issuer: x509.Certificate, fetching: _Fetching
) -> None:
    """The CRL of a certificate, or the OCSP response about it; else what is missing."""
    room = MAXIMUM_REVOCATION - sum(map(len, found.crls + found.ocsp_responses))
    response = fetching.ocsp_response(subject, issuer, room)
    if response is not None:
        found.ocsp_responses.append(response)
        return
    crl = fetching.crl(subject, room)
    if crl is None:
        found.missing.append(f"an OCSP response or CRL about {_name(subject)}")
    elif crl not in found.crls:
        found.crls.append(crl)


@dataclass(frozen=True)
class _Fetching:
    """Requests to where certificates say that something is."""

    asked: Location
    seconds: float
    tell: Callable[[str], None]

    def issuer(self, subject: x509.Certificate) -> x509.Certificate | None:
        """The issuer of a certificate, from where it says; None where it cannot be had."""
        for url in _access(subject, Access.CA_ISSUERS):
            data = self._get(url, "issuer", MAXIMUM_CERTIFICATE)
            issuer = None if data is None else _load(data)
            if issuer is not None and issuer.subject == subject.issuer:
                return issuer
        return None

    def crl(self, subject: x509.Certificate, most: int) -> bytes | None:
        """The CRL about a certificate, DER; None where it cannot be had."""
        for url in _crl_urls(subject):
            data = self._get(url, "CRL", most)
            if data is not None and _is_crl(data):
                return data
        return None

    def ocsp_response(
        self, subject: x509.Certificate, issuer: x509.Certificate, most: int
    ) -> bytes | None:
        """An OCSP response about a certificate, DER; None where it cannot be had."""
        urls = _access(subject, Access.OCSP)
        if not urls:
            return None
        request = ocsp.OCSPRequestBuilder().add_certificate(subject, issuer, _SHA1).build()
        body = request.public_bytes(Encoding.DER)
        for url in urls:
            data = self._ask(url, "OCSP response", Wanted(_OCSP[1:], most), body)
            if data is not None and _is_ocsp(data):
                return data
        return None

    def _get(self, url: str, what: str, most: int) -> bytes | None:
        """The reply to a GET, of any content type."""
        return self._ask(url, what, Wanted((), most), None)

    def _ask(self, url: str, what: str, wanted: Wanted, body: bytes | None) -> bytes | None:
        """A reply; None where there is none."""
        try:
            location = locate(url)
            self.tell(f"fetching {what} from {location.place}")
            return fetch(
                location, wanted, body=body, content_type=_OCSP[0], asked=self.asked,
                seconds=self.seconds,
            )  # fmt: skip
        except (CouldNotCheck, UsageError):
            return None


def _load(data: bytes) -> x509.Certificate | None:
    """A certificate, DER; None for anything else."""
    try:
        return load_certificate(data)
    except Malformed:
        return None


def _is_signer(certificate: x509.Certificate) -> bool:
    """Whether it may sign timestamps."""
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    return x509.oid.ExtendedKeyUsageOID.TIME_STAMPING in usages


def _issuer(subject: x509.Certificate, pool: list[x509.Certificate]) -> x509.Certificate | None:
    """Whoever of ``pool`` signed a certificate."""
    for one in pool:
        if one.subject != subject.issuer:
            continue
        try:
            subject.verify_directly_issued_by(one)
        except Exception:  # noqa: S112 - keys of any kind; another one may fit
            continue
        return one
    return None


def _access(certificate: x509.Certificate, method: x509.ObjectIdentifier) -> list[str]:
    """The URLs of an access method."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess)
    except (x509.ExtensionNotFound, ValueError):
        return []
    return _urls(one.access_location for one in found.value if one.access_method == method)


def _crl_urls(certificate: x509.Certificate) -> list[str]:
    """The URLs of CRLs."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints)
    except (x509.ExtensionNotFound, ValueError):
        return []
    return _urls(name for point in found.value for name in point.full_name or ())


def _urls(names: Iterable[x509.GeneralName]) -> list[str]:
    """The first URLs of http and https."""
    found = (one.value for one in names if isinstance(one, x509.UniformResourceIdentifier))
    return [url for url in found if url.lower().startswith(("http://", "https://"))][:_MOST_URLS]


def _is_crl(data: bytes) -> bool:
    """Whether this is a CRL, DER."""
    try:
        load_crl(data)
    except Malformed:
        return False
    return True


def _is_ocsp(data: bytes) -> bool:
    """Whether this is a successful OCSP response, DER."""
    try:
        return load_response(data).response_status == ocsp.OCSPResponseStatus.SUCCESSFUL
    except Malformed:
        return False


def _name(certificate: x509.Certificate) -> str:
    """A certificate's subject, for messages."""
    return certificate.subject.rfc4514_string()[:100]
