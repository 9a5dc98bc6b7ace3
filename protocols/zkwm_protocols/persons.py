"""Whose a key is, by a chain of certificates that leads to a root which a judge trusts.

A binding (SPEC.md 26.6) carries the chain; it is verified offline, at the time at which the binding
stood in a log.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from zkwm_protocols.cose.certified_key import read_certificate
from zkwm_protocols.cose.key_contents import LONGEST_PERSON, KeyBinding
from zkwm_protocols.errors import InvalidSignature, Malformed, TrustMaterialMissing, ZkwmError
from zkwm_protocols.key_history import DatedStatement, Standing
from zkwm_protocols.person_authority import PersonAuthority
from zkwm_protocols.schema import require_text

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, ObjectIdentifier

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_SECOND = 253_402_300_799
"""Of the year 9999."""

_DOCUMENT_SIGNING = "1.3.6.1.5.5.7.3.36"
"""RFC 9336."""


@dataclass(frozen=True)
class CertifiedPerson:
    """A person to whom an authority's certificate binds a key.

    Args:
        person: the name, which the certificate has, too.
        authority: whose root it is, as the judge names it.
        known_since: the date, in seconds since 1970, of the oldest of the newest CRLs that say that
            nothing of the chain was revoked; None where no CRL of the judge does.
    """

    person: str
    authority: str
    known_since: int | None


def certified_person(
    binding: KeyBinding, time: int, authorities: Sequence[PersonAuthority]
) -> CertifiedPerson:
    """Whose the key is, by the chain that a verified statement carries (SPEC.md 26.6).

    Args:
        binding: of a statement that ``SignedStatement`` has verified.
        time: when it stood in a log, in seconds since 1970.
        authorities: whom the judge trusts.

    Raises:
        TrustMaterialMissing: no certificates, or no chain that was valid then to a trusted root.
        InvalidSignature: the certificate is for other uses, names another person, or was revoked.
        Malformed: a certificate or CRL cannot be read.
        Unsupported: a key in the chain that is not allowed.
    """
    from zkwm_protocols.timestamps.chain import quiet

    if not 0 <= time <= LAST_SECOND:
        raise Malformed("a time of the years 1970 to 9999 is expected")
    when = _EPOCH + timedelta(seconds=time)
    with quiet():
        certificates = [read_certificate(one) for one in dict.fromkeys(binding.certificates)]
        if not certificates:
            raise TrustMaterialMissing(
                "the binding has no certificates: it names a document, which is verified by people"
            )
        _require_person(certificates[0], binding.person)
        for authority in authorities:
            chain = _chain(certificates, authority, when)
            if chain:
                known = _not_revoked(chain, authority.crls, when)
                return CertifiedPerson(binding.person, authority.name, known)
    raise TrustMaterialMissing(
        "no chain that was valid when the binding was logged leads from its certificate to a root "
        "that is trusted for persons",
        hint="put the root into people/NAME/ of the trust folder, if you trust it",
    )


def _usages() -> set[ObjectIdentifier]:
    """Extended key usages under which people sign."""
    from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

    return {
        ExtendedKeyUsageOID.CLIENT_AUTH,
        ExtendedKeyUsageOID.EMAIL_PROTECTION,
        ObjectIdentifier(_DOCUMENT_SIGNING),
    }


def _require_person(leaf: Certificate, person: str) -> None:
    """The certificate is a person's, for signatures, and has this very name.

    Raises InvalidSignature.
    """
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    from zkwm_protocols.timestamps.chain import extension_of

    problem = ""
    constraints = extension_of(leaf, x509.BasicConstraints)
    if constraints is not None and constraints.value.ca:
        problem = "is one of an issuer of certificates"
    keys = extension_of(leaf, x509.KeyUsage)
    if keys is None or not (keys.value.digital_signature or keys.value.content_commitment):
        problem = "is not for signatures"
    usage = extension_of(leaf, x509.ExtendedKeyUsage)
    allowed = {*_usages(), ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    if usage is not None and not allowed & set(usage.value):
        problem = "is for other uses than a person's signatures"
    names = [
        attribute.value
        for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME)
        for attribute in leaf.subject.get_attributes_for_oid(kind)
    ]
    if person not in names or require_text(person, LONGEST_PERSON) != person:
        problem = problem or "has another name than the binding"
    if problem:
        raise InvalidSignature(
            f"the person's certificate {problem}",
            hint="bind the key by a certificate for signatures, under the name that stands in it "
            "as common name or organization",
        )


def _chain(
    certificates: list[Certificate], authority: PersonAuthority, when: datetime
) -> tuple[Certificate, ...]:
    """The chain to one of an authority's roots, root last; nothing where there is none."""
    from zkwm_protocols.timestamps.chain import find_path
    from zkwm_protocols.timestamps.signature import require_strong_key

    leaf, *others = certificates
    roots = [read_certificate(one) for one in authority.roots]
    found = find_path(leaf, others, roots, when, _usages())
    try:
        for one in found:
            require_strong_key(one)
    except ZkwmError:  # with the words of timestamps
        raise InvalidSignature(
            "the chain of the person's certificate rests on a key that is not allowed",
            hint="allowed are RSA of 2,048 to 8,192 bits, P-256, P-384, P-521 and Ed25519",
        ) from None
    return found if len(found) > 1 else ()


def _not_revoked(
    chain: tuple[Certificate, ...], crls: tuple[bytes, ...], when: datetime
) -> int | None:
    """Since when it is known that nothing of a chain was revoked. Raises InvalidSignature."""
    from zkwm_protocols.timestamps.crl import crl_statement, load_crl

    try:
        lists = [load_crl(one) for one in crls]
    except Malformed:  # with the check of timestamps
        raise Malformed("a CRL of an authority for persons cannot be read") from None
    known: list[list[datetime]] = []
    for certificate, issuer in pairwise(chain):
        said = [one for crl in lists if (one := crl_statement(crl, certificate, issuer))]
        if any(one.revoked_at is not None and one.revoked_at <= when for one in said):
            raise InvalidSignature(
                "a certificate of the person's chain was revoked when the binding was logged"
            )
        known.append([one.start for one in said if one.covers(when)])
    return int(min(map(max, known)).timestamp()) if all(known) else None


@dataclass(frozen=True)
class BoundPerson:
    """A binding that counts, and what it is worth.

    Args:
        binding: as it was logged.
        certified: by whom, where its certificates lead to a trusted root; else None.
        problem: why they do not; empty where it has none, but a document for people to read.
    """

    binding: DatedStatement
    certified: CertifiedPerson | None
    problem: str


def bound_persons(
    standing: Standing, authorities: Sequence[PersonAuthority]
) -> tuple[BoundPerson, ...]:
    """The persons to whom a key is bound, oldest first; the first with evidence is right.

    Args:
        standing: of the key, from verified statements.
        authorities: whom the judge trusts to know persons.
    """
    found = []
    for one in standing.bindings:
        content = one.content
        if not isinstance(content, KeyBinding):
            continue
        certified, problem = None, ""
        if content.certificates:
            try:
                certified = certified_person(content, one.entry.time, authorities)
            except ZkwmError as error:
                problem = error.message
        found.append(BoundPerson(one, certified, problem))
    return tuple(found)
