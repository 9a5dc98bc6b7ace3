"""Whose a key is by certificates: every way in which they can be somebody else's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.support.certificate_authority import (
    DAY,
    TIMESTAMPING,
    Certified,
    Revoked,
    certify,
    new_key,
    revocation_list,
)
from tests.support.statements import (
    ADA,
    CARD,
    ED_KEY,
    P256_KEY,
    PERSON_DAY,
    PERSON_ROOT,
    SIGNS,
    D,
    bound_by,
    certified,
)
from zkwm_protocols.cose.key_contents import KeyBinding
from zkwm_protocols.cose.statement import SignedStatement, sign_statement
from zkwm_protocols.errors import (
    InvalidSignature,
    Malformed,
    TrustMaterialMissing,
    Unsupported,
    ZkwmError,
)
from zkwm_protocols.person_authority import PersonAuthority
from zkwm_protocols.persons import certified_person

OWN = ED_KEY.public.fingerprint()
TIME = int(PERSON_DAY.timestamp())
STATE = PersonAuthority("state", (PERSON_ROOT.der,))
TIMES: dict[str, Any] = {"start": PERSON_DAY - 300 * DAY, "end": PERSON_DAY + 300 * DAY}


def card(name: str = ADA, key: str = "p256", issuer: Certified = PERSON_ROOT, **how: Any) -> Any:
    """Another card, by default one that is as good as CARD."""
    return certify(name, new_key(key), issuer, **{"usages": SIGNS, **TIMES, **how})


def refused(binding: KeyBinding, kind: type[ZkwmError], time: int = TIME, **how: Any) -> None:
    with pytest.raises(kind) as caught:
        certified_person(binding, time, [how.get("authority", STATE)])
    assert type(caught.value) is kind
    assert caught.value.check == ""


@pytest.mark.parametrize("key", ["p256", "p384", "ed25519", "rsa2048"])
def test_a_card_of_any_kind_binds_the_owners_key(key: str) -> None:
    statement = sign_statement(bound_by(OWN, card(key=key)), ED_KEY)
    read = SignedStatement.from_bytes(statement.to_bytes()).content
    assert isinstance(read, KeyBinding)
    person = certified_person(read, TIME, [STATE])
    assert (person.person, person.authority, person.known_since) == (ADA, "state", None)


@pytest.mark.parametrize("key", [ED_KEY, P256_KEY])
def test_a_certificate_for_the_owners_key_itself_binds_it(key: Any) -> None:
    binding = KeyBinding(key.public.fingerprint(), ADA, (certified(key).der,))
    sign_statement(binding, key)
    assert certified_person(binding, TIME, [STATE]).authority == "state"
    with pytest.raises(Malformed):
        sign_statement(replace(binding, proof=b"needless"), key)


def test_somebody_elses_certificate_binds_no_key() -> None:
    """A thief knows the certificate of the person, and has no card."""
    stolen = KeyBinding(OWN, ADA, (CARD.der, PERSON_ROOT.der))
    signed_for_another = bound_by(P256_KEY.public.fingerprint(), CARD)
    under_another_name = bound_by(OWN, CARD, "Augusta King")
    for binding in (
        stolen,
        replace(stolen, proof=bytes(70)),
        replace(signed_for_another, key=OWN),
        replace(under_another_name, person=ADA),
        KeyBinding(OWN, ADA, (certified(P256_KEY).der,)),
    ):
        with pytest.raises(InvalidSignature):
            sign_statement(binding, ED_KEY)


def test_a_logged_binding_with_a_strange_certificate_is_refused_by_every_reader() -> None:
    good = sign_statement(bound_by(OWN, CARD), ED_KEY).to_bytes()
    SignedStatement.from_bytes(good)
    with pytest.raises(Malformed):
        sign_statement(KeyBinding(OWN, ADA, (b"no certificate",)), ED_KEY)
    weak = certify(ADA, new_key("rsa1024"), PERSON_ROOT, usages=SIGNS, **TIMES)
    with pytest.raises(Unsupported):
        sign_statement(bound_by(OWN, weak), ED_KEY)
    with pytest.raises(Malformed):
        KeyBinding(OWN, ADA, (), D, bytes(64))  # a proof of nothing


@pytest.mark.parametrize("day", [-301, 300, 301])
def test_a_certificate_that_is_not_yet_or_no_longer_valid(day: int) -> None:
    binding = bound_by(OWN, card())
    refused(binding, TrustMaterialMissing, TIME + day * 86_400)
    certified_person(binding, TIME + 299 * 86_400, [STATE])  # and is in its last day


def test_a_root_that_is_not_in_the_trust_folder() -> None:
    own = certify("Persons", new_key(), ca=True, **TIMES)
    binding = replace(bound_by(OWN, made := card(issuer=own)), certificates=(made.der, own.der))
    refused(binding, TrustMaterialMissing)
    itself = card(issuer=None)
    refused(bound_by(OWN, itself), TrustMaterialMissing)
    pinned = PersonAuthority("pinned", (itself.der,))  # a leaf is no root
    refused(bound_by(OWN, itself), TrustMaterialMissing, authority=pinned)


@pytest.mark.parametrize(
    "options",
    [
        {"usages": TIMESTAMPING},
        {"usages": (ExtendedKeyUsageOID.SERVER_AUTH,)},
        {"ca": True},
        {"cert_sign": True},
    ],
)
def test_a_certificate_for_other_uses(options: dict[str, Any]) -> None:
    refused(bound_by(OWN, card(**options)), InvalidSignature)


def test_an_issuer_for_other_uses() -> None:
    only = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    between = certify(
        "Servers", new_key(), PERSON_ROOT, ca=True, extensions=((only, False),), **TIMES
    )
    made = card(issuer=between)
    refused(
        replace(bound_by(OWN, made), certificates=(made.der, between.der)), TrustMaterialMissing
    )


def test_a_certificate_under_another_name() -> None:
    refused(bound_by(OWN, card("Mallory"), ADA), InvalidSignature)
    refused(bound_by(OWN, card(ADA + " "), ADA), InvalidSignature)


@pytest.mark.parametrize("name", ["Ada\nLovelace", "Ada\x1b[31m", "Ada\u202eadA", "A\u200bda"])
def test_a_name_with_control_characters(name: str) -> None:
    with pytest.raises(Malformed):
        bound_by(OWN, card(name), name)
    with pytest.raises(Malformed):
        certified_person(KeyBinding(OWN, name, (card(name).der,)), TIME, [STATE])


def test_a_revoked_certificate() -> None:
    made = card()

    def by_list(day: int, reason: x509.ReasonFlags | None = None) -> PersonAuthority:
        at = PERSON_DAY + day * DAY
        listed = revocation_list(
            PERSON_ROOT, Revoked(made.certificate, at, reason), start=at, end=at + 9 * DAY
        )
        return PersonAuthority("state", (PERSON_ROOT.der,), (listed,))

    refused(bound_by(OWN, made), InvalidSignature, authority=by_list(-1))
    refused(bound_by(OWN, made), InvalidSignature, authority=by_list(0))
    later = by_list(5, x509.ReasonFlags.key_compromise)
    certified_person(bound_by(OWN, made), TIME, [later])  # the log dates the binding
    nothing = revocation_list(PERSON_ROOT, start=PERSON_DAY - DAY, end=PERSON_DAY + DAY)
    known = PersonAuthority("state", (PERSON_ROOT.der,), (nothing,))
    assert certified_person(bound_by(OWN, made), TIME, [known]).known_since == TIME - 86_400
    refused(bound_by(OWN, made), Malformed, authority=replace(STATE, crls=(b"no list",)))


def test_a_document_is_no_certificate() -> None:
    refused(KeyBinding(OWN, ADA, (), D), TrustMaterialMissing)


@pytest.mark.parametrize("time", [-1, 2**40])
def test_a_time_that_no_log_has(time: int) -> None:
    refused(bound_by(OWN, CARD), Malformed, time)


def test_an_authority_has_few_roots_and_lists() -> None:
    for wrong in ((), (b"",), (b"r",) * 9):
        with pytest.raises(Malformed):
            PersonAuthority("state", wrong)
    with pytest.raises(Malformed):
        PersonAuthority("state", (b"r",), (b"c",) * 9)
