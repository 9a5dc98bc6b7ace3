"""Revocation at a token's time, by CRLs and OCSP responses that are carried (SPEC.md 22.5)."""

from __future__ import annotations

import datetime
import time
from typing import Any

import pytest
from asn1crypto import ocsp as asn1_ocsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.support.certificate_authority import (
    DAY,
    Certified,
    Revoked,
    certify,
    new_key,
    ocsp_response,
    response_with_sha1,
    revocation_list,
    with_sha1,
)
from tests.support.timestamp_tokens import DIGEST, TIME, TokenMaker, der, set_of
from zkwm_protocols.errors import InvalidSignature, Malformed, TrustMaterialMissing
from zkwm_protocols.timestamps.authority import DatedBy, Revocation
from zkwm_protocols.timestamps.verification import verify_token

MAKER = TokenMaker.new()
SIGNER, ISSUER = MAKER.signer.certificate, MAKER.issuer.certificate
OPTIONS = {"start": TIME - 400 * DAY, "end": TIME + 400 * DAY}
HOUR = DAY / 24
AROUND = {"start": TIME - HOUR, "end": TIME + DAY}
KEEPING = [
    x509.ReasonFlags.unspecified, x509.ReasonFlags.affiliation_changed,
    x509.ReasonFlags.superseded, x509.ReasonFlags.cessation_of_operation,
]  # fmt: skip
VOIDING = [
    None, x509.ReasonFlags.key_compromise, x509.ReasonFlags.ca_compromise,
    x509.ReasonFlags.certificate_hold, x509.ReasonFlags.privilege_withdrawn,
    x509.ReasonFlags.aa_compromise,
]  # fmt: skip


def dated(maker: TokenMaker = MAKER, *, demand: bool = False, **evidence: Any) -> DatedBy:
    trusted = maker.trusted(demand_revocation=demand)
    return verify_token(maker.evidence(**evidence), DIGEST, trusted)


def is_void(maker: TokenMaker = MAKER, **evidence: Any) -> bool:
    """Whether the token is void, by the one check that says so."""
    try:
        dated(maker, **evidence)
    except InvalidSignature as error:
        return error.check == "timestamp.revocation"
    return False


def answers(kind: str, certificate: x509.Certificate, **options: Any) -> dict[str, Any]:
    """A CRL or an OCSP response about the signer or its issuer."""
    above = MAKER.issuer if certificate is SIGNER else MAKER.root
    revoked = options.pop("revoked", None)
    options = {**AROUND, **options}
    if kind == "crl":
        entries = [] if revoked is None else [revoked]
        return {"crls": (revocation_list(above, *entries, **options),)}
    response = ocsp_response(certificate, above, revoked=revoked, **options)
    return {"ocsp_responses": (response,)}


def responses(**options: Any) -> tuple[bytes, ...]:
    """Good OCSP responses about the whole chain."""
    options = {**AROUND, **options}
    return (
        ocsp_response(SIGNER, MAKER.issuer, **options),
        ocsp_response(ISSUER, MAKER.root, **options),
    )


def test_answers_about_the_whole_chain_make_it_good() -> None:
    for evidence in (
        {"crls": MAKER.crls()}, {"ocsp_responses": responses()},
        {"crls": MAKER.crls()[:1], "ocsp_responses": responses()[:1]},
    ):  # fmt: skip
        found = dated(demand=True, **evidence)
        assert found.revocation == Revocation.GOOD
        assert found.revocation_known == int((TIME - HOUR).timestamp()) * 1_000_000


def test_crls_in_the_token_count_as_well() -> None:
    crls = der(0xA1, *MAKER.crls())
    maker = MAKER.but(change_signed=lambda parts: [*parts[:4], crls, parts[4]])
    assert dated(maker, demand=True).revocation == Revocation.GOOD
    gone = Revoked(SIGNER, TIME)
    bad = der(0xA1, *MAKER.crls(gone))
    assert is_void(MAKER.but(change_signed=lambda parts: [*parts[:4], bad, parts[4]]))


@pytest.mark.parametrize("left_out", [0, 1, 2])
def test_an_answer_that_is_missing_is_said_and_may_be_demanded(left_out: int) -> None:
    crls = tuple(crl for i, crl in enumerate(MAKER.crls()) if left_out not in (i, 2))
    found = dated(crls=crls)
    assert (found.revocation, found.revocation_known) == (Revocation.MISSING, None)
    with pytest.raises(TrustMaterialMissing) as caught:
        dated(crls=crls, demand=True)
    assert caught.value.check == "timestamp.revocation"


@pytest.mark.parametrize("kind", ["crl", "ocsp"])
@pytest.mark.parametrize("certificate", [SIGNER, ISSUER], ids=["signer", "issuer"])
@pytest.mark.parametrize("reason", [*KEEPING, *VOIDING], ids=str)
def test_what_a_revocation_does_to_older_and_newer_tokens(
    kind: str, certificate: x509.Certificate, reason: x509.ReasonFlags | None
) -> None:
    """RFC 3161, section 4: a compromise voids what is older, too; so does no reason."""
    for days, void in ((-1, True), (1, reason in VOIDING)):
        gone = Revoked(certificate, TIME + days * DAY, reason)
        times = {"start": TIME + 2 * DAY, "end": TIME + 9 * DAY}
        assert is_void(**answers(kind, certificate, revoked=gone, **times)) == void


@pytest.mark.parametrize("kind", ["crl", "ocsp"])
@pytest.mark.parametrize(("seconds", "void"), [(0, True), (1, True), (2, False)])
def test_the_whole_interval_is_before_the_revocation(kind: str, seconds: int, void: bool) -> None:
    """The token's accuracy is one second."""
    at = TIME + datetime.timedelta(seconds=seconds)
    gone = Revoked(SIGNER, at, x509.ReasonFlags.superseded)
    assert is_void(**answers(kind, SIGNER, revoked=gone, end=TIME + 2 * DAY)) == void


def test_a_date_of_invalidity_before_the_revocation_counts() -> None:
    entry = (
        x509.RevokedCertificateBuilder()
        .serial_number(SIGNER.serial_number)
        .revocation_date(TIME + DAY)
        .add_extension(x509.CRLReason(x509.ReasonFlags.superseded), critical=False)
        .add_extension(x509.InvalidityDate((TIME - DAY).replace(tzinfo=None)), critical=False)
        .build()
    )
    crl = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(ISSUER.subject)
        .last_update(TIME + 2 * DAY)
        .next_update(TIME + 9 * DAY)
        .add_revoked_certificate(entry)
        .sign(MAKER.issuer.key, hashes.SHA256())
    )
    assert is_void(crls=(crl.public_bytes(Encoding.DER),))


@pytest.mark.parametrize("kind", ["crl", "ocsp"])
@pytest.mark.parametrize(
    ("start", "end", "counts"),
    [(-1, 1, True), (-9, 1, True), (1, 9, True), (-9, -1, False), (401, 409, False)],
)
def test_which_answers_cover_the_time_of_the_token(
    kind: str, start: int, end: int, counts: bool
) -> None:
    """Stale ones do not, and such as were made after the certificates had ended."""
    times = {"start": TIME + start * DAY, "end": TIME + end * DAY}
    carried: dict[str, Any] = (
        {"crls": MAKER.crls(**times)} if kind == "crl" else {"ocsp_responses": responses(**times)}
    )
    assert (dated(**carried).revocation == Revocation.GOOD) == counts


def test_a_list_of_the_judge_s_own_counts_as_well() -> None:
    """The owner carries what was good then; a compromise became known later."""
    stolen = Revoked(SIGNER, TIME + 9 * DAY, x509.ReasonFlags.key_compromise)
    later = revocation_list(MAKER.issuer, stolen, start=TIME + 10 * DAY, end=TIME + 20 * DAY)
    evidence = MAKER.evidence(crls=MAKER.crls())
    assert verify_token(evidence, DIGEST, MAKER.trusted()).revocation == Revocation.GOOD
    with pytest.raises(InvalidSignature) as caught:
        verify_token(evidence, DIGEST, MAKER.trusted(crls=(later,)))
    assert caught.value.check == "timestamp.revocation"
    own = MAKER.trusted(crls=MAKER.crls(), demand_revocation=True)
    assert verify_token(MAKER.evidence(), DIGEST, own).revocation == Revocation.GOOD


def test_a_stale_answer_still_voids() -> None:
    gone = Revoked(SIGNER, TIME - 5 * DAY, x509.ReasonFlags.superseded)
    times = {"start": TIME - 4 * DAY, "end": TIME - DAY}
    assert is_void(crls=(*MAKER.crls(), revocation_list(MAKER.issuer, gone, **times)))


@pytest.mark.parametrize("kind", ["crl", "ocsp"])
def test_a_good_answer_does_not_outweigh_a_bad_one(kind: str) -> None:
    bad = answers(kind, SIGNER, revoked=Revoked(SIGNER, TIME - DAY))
    for crls in ((), MAKER.crls()):
        carried = {"crls": (*crls, *bad.get("crls", ()))}
        assert is_void(**{**bad, **carried})


def _foreign() -> list[bytes]:
    """CRLs that say nothing about the signer, each of which lists it."""
    gone = Revoked(SIGNER, TIME - DAY)
    stranger = Certified(new_key(), MAKER.issuer.certificate)
    other = certify("Other", new_key(), ca=True, **OPTIONS)
    point = x509.IssuingDistributionPoint
    flags: dict[str, Any] = {
        "full_name": None, "relative_name": None, "only_contains_user_certs": False,
        "only_contains_ca_certs": False, "only_some_reasons": None, "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }  # fmt: skip
    uri = [x509.UniformResourceIdentifier("http://crl.example/other")]
    some = frozenset([x509.ReasonFlags.key_compromise])
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"\5\0")
    return [
        revocation_list(stranger, gone, **AROUND),  # another key under the issuer's name
        revocation_list(other, gone, **AROUND),
        with_sha1(revocation_list(MAKER.issuer, gone, **AROUND), MAKER.issuer.key, crl=True),
        *(
            revocation_list(MAKER.issuer, gone, extensions=((extension, True),), **AROUND)
            for extension in (
                x509.DeltaCRLIndicator(1),
                unknown,
                *(
                    point(**{**flags, **change})
                    for change in (
                        {"only_contains_ca_certs": True}, {"indirect_crl": True},
                        {"only_contains_attribute_certs": True}, {"only_some_reasons": some},
                        {"full_name": uri},
                    )
                ),
            )
        ),
    ]  # fmt: skip


@pytest.mark.parametrize("number", range(10))
def test_lists_that_are_not_about_the_certificate_count_for_nothing(number: int) -> None:
    crl = _foreign()[number]
    root = MAKER.crls()[0]
    assert dated(crls=(root, crl)).revocation == Revocation.MISSING


def test_a_list_of_the_certificate_s_own_distribution_point_counts() -> None:
    uri = [x509.UniformResourceIdentifier("http://crl.example/own")]
    points = x509.CRLDistributionPoints([x509.DistributionPoint(uri, None, None, None)])
    signer = certify("Signer", new_key(), MAKER.issuer, extensions=((points, False),), **OPTIONS)
    maker = MAKER.but(signer=signer)
    own = x509.IssuingDistributionPoint(uri, None, True, False, None, False, False)
    crl = revocation_list(MAKER.issuer, extensions=((own, True),), **AROUND)
    assert dated(maker, crls=(MAKER.crls()[0], crl), demand=True).revocation == Revocation.GOOD


def test_an_issuer_that_may_not_sign_lists() -> None:
    usage = {"cert_sign": True}
    issuer = certify("Issuing", new_key(), MAKER.root, ca=True, **OPTIONS, **usage)
    assert issuer.certificate.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    maker = MAKER.but(issuer=issuer, signer=certify("Signer", new_key(), issuer, **OPTIONS))
    crls = (revocation_list(MAKER.root, **AROUND), revocation_list(issuer, **AROUND))
    assert dated(maker, crls=crls).revocation == Revocation.GOOD
    bare = x509.KeyUsage(False, False, False, False, False, True, False, False, False)
    issuer = certify("Issuing", new_key(), MAKER.root, ca=True, key_usage=bare, **OPTIONS)
    maker = MAKER.but(issuer=issuer, signer=certify("Signer", new_key(), issuer, **OPTIONS))
    crls = (revocation_list(MAKER.root, **AROUND), revocation_list(issuer, **AROUND))
    assert dated(maker, crls=crls).revocation == Revocation.MISSING


NOCHECK = (x509.OCSPNoCheck(), False)
FOR_OCSP = {"usages": (ExtendedKeyUsageOID.OCSP_SIGNING,), "usage_critical": False}


@pytest.mark.parametrize(
    ("options", "above", "counts"),
    [
        ({"extensions": (NOCHECK,), **FOR_OCSP}, "issuer", True),
        ({**FOR_OCSP}, "issuer", False),
        ({"extensions": (NOCHECK,)}, "issuer", False),
        ({"extensions": (NOCHECK,), "usages": ()}, "issuer", False),
        ({"extensions": (NOCHECK,), **FOR_OCSP}, "root", False),
        ({"extensions": (NOCHECK,), **FOR_OCSP, "end": TIME - DAY}, "issuer", False),
        ({"extensions": (NOCHECK,), **FOR_OCSP, "start": TIME + DAY}, "issuer", False),
        ({"extensions": (NOCHECK,), **FOR_OCSP, "signing_key": new_key()}, "issuer", False),
    ],
)  # fmt: skip
def test_responders_with_a_certificate_of_the_issuer(
    options: dict[str, Any], above: str, counts: bool
) -> None:
    issuer = MAKER.issuer if above == "issuer" else MAKER.root
    responder = certify("Responder", new_key(), issuer, **{**OPTIONS, **options})
    response = ocsp_response(SIGNER, MAKER.issuer, responder=responder, **AROUND)
    carried = {"crls": MAKER.crls()[:1], "ocsp_responses": (response,)}
    assert (dated(**carried).revocation == Revocation.GOOD) == counts


@pytest.mark.parametrize("case", ["root", "stranger", "signer", "sha1", "unknown"])
def test_responses_that_count_for_nothing(case: str) -> None:
    """The stranger has the issuer's name, and another key."""
    stranger = certify("Issuing", new_key(), ca=True, **OPTIONS)
    options: dict[str, Any] = {
        "root": {"responder": MAKER.root}, "signer": {"responder": MAKER.signer}, "sha1": {},
        "unknown": {"unknown": True}, "stranger": {"responder": stranger},
    }[case]  # fmt: skip
    response = ocsp_response(SIGNER, MAKER.issuer, **AROUND, **options)
    if case == "sha1":
        response = response_with_sha1(response, MAKER.issuer.key)
    carried = {"crls": MAKER.crls()[:1], "ocsp_responses": (response,)}
    assert dated(**carried).revocation == Revocation.MISSING


def test_a_response_about_another_certificate_of_another_issuer() -> None:
    """The serial number alone does not name a certificate."""
    twin = certify("Twin", new_key(), MAKER.root, serial=SIGNER.serial_number, **OPTIONS)
    response = ocsp_response(twin.certificate, MAKER.root, **AROUND)
    carried = {"crls": MAKER.crls()[:1], "ocsp_responses": (response,)}
    assert dated(**carried).revocation == Revocation.MISSING


def test_long_lists_and_responses_cost_little() -> None:
    """20,000 entries of a CRL; 2,000 answers about one number under a signature that is none."""
    entry = x509.RevokedCertificateBuilder().revocation_date(TIME)
    builder = x509.CertificateRevocationListBuilder().issuer_name(ISSUER.subject)
    builder = builder.last_update(TIME).next_update(TIME + DAY)
    builder._revoked_certificates = [  # its own method copies the whole list for each entry
        entry.serial_number(10**9 + number).build() for number in range(20_000)
    ]
    crl = builder.sign(MAKER.issuer.key, hashes.SHA256()).public_bytes(Encoding.DER)
    response = asn1_ocsp.OCSPResponse.load(responses()[0])
    basic = response["response_bytes"]["response"].parsed
    single = basic["tbs_response_data"]["responses"][0]
    basic["tbs_response_data"]["responses"] = [single] * 2000
    response["response_bytes"]["response"] = basic
    many = response.dump(force=True)
    started = time.process_time()
    assert dated(crls=(MAKER.crls()[0], crl)).revocation == Revocation.GOOD
    assert dated(ocsp_responses=(many, many)).revocation == Revocation.MISSING
    assert time.process_time() - started < 1


@pytest.mark.parametrize("data", [b"x", b"\x30\x00", set_of(), MAKER.token()])
@pytest.mark.parametrize("field", ["crls", "ocsp_responses", "certificates"])
def test_what_cannot_be_read_is_malformed(field: str, data: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        dated(**{field: (data,)})
    assert caught.value.check == "timestamp.format"


def test_a_refusal_of_a_responder_says_nothing() -> None:
    refusal = bytes.fromhex("30030a0106")  # OCSPResponse: unauthorized
    assert dated(ocsp_responses=(refusal,)).revocation == Revocation.MISSING
