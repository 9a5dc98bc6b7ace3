"""Signer and chain of a token: what is refused, and by which check (SPEC.md 22.3, 22.4)."""

from __future__ import annotations

import datetime
import time
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.support.certificate_authority import DAY, TIMESTAMPING, certify, new_key
from tests.support.timestamp_tokens import (
    DIGEST,
    TIME,
    TokenMaker,
    der,
    integer,
    octets,
    oid,
    sequence,
)
from zkwm_protocols.errors import (
    InvalidSignature,
    Malformed,
    TrustMaterialMissing,
    ZkwmError,
)
from zkwm_protocols.timestamps.authority import TimestampAuthority
from zkwm_protocols.timestamps.chain import key_digest
from zkwm_protocols.timestamps.verification import verify_token

MAKER = TokenMaker.new()
OPTIONS = {"start": TIME - 400 * DAY, "end": TIME + 400 * DAY}
OTHER_USE = ExtendedKeyUsageOID.CODE_SIGNING


def fails(maker: TokenMaker, kind: type[ZkwmError], *, trusted: Any = None, **evidence: Any) -> str:
    """The check that a token of another chain fails."""
    with pytest.raises(kind) as caught:
        verify_token(maker.evidence(**evidence), DIGEST, trusted or maker.trusted())
    assert type(caught.value) is kind
    return caught.value.check


def good(maker: TokenMaker, **evidence: Any) -> None:
    verify_token(maker.evidence(**evidence), DIGEST, maker.trusted())


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"usage_critical": False}, "critically"),
        ({"usages": (OTHER_USE,)}, "alone"),
        ({"usages": (*TIMESTAMPING, OTHER_USE)}, "alone"),
        ({"usages": (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)}, "alone"),
        ({"usages": (*TIMESTAMPING, *TIMESTAMPING)}, "alone"),
        ({"usages": ()}, "alone"),
        ({"cert_sign": True}, "not for signatures"),
        ({"ca": True, "cert_sign": False,
          "extensions": ((x509.ExtendedKeyUsage(TIMESTAMPING), True),)}, "issuer"),
    ],
)  # fmt: skip
def test_signers_that_are_not_for_timestamps_alone(options: dict[str, Any], what: str) -> None:
    maker = TokenMaker.new(**options)
    with pytest.raises(InvalidSignature, match=what) as caught:
        good(maker)
    assert caught.value.check == "timestamp.signer"


@pytest.mark.parametrize(("start", "end", "fits"), [(-2, 2, True), (-2, -1, False), (1, 2, False)])
def test_the_period_of_a_private_key(start: int, end: int, fits: bool) -> None:
    period = x509.PrivateKeyUsagePeriod(
        (TIME + start * DAY).replace(tzinfo=None), (TIME + end * DAY).replace(tzinfo=None)
    )
    maker = TokenMaker.new(extensions=((period, False),))
    if fits:
        good(maker)
    else:
        assert fails(maker, InvalidSignature) == "timestamp.signer"


def test_roots_come_from_the_policy_alone() -> None:
    """Whatever the token and its evidence carry."""
    stranger = TokenMaker.new()
    carried = (stranger.signer.der, stranger.issuer.der, stranger.root.der)
    maker = stranger.but(certificates=carried)
    for certificates in ((), carried):
        assert (
            fails(maker, TrustMaterialMissing, trusted=MAKER.trusted(), certificates=certificates)
            == "timestamp.chain"
        )


def test_a_self_signed_issuer_of_the_same_name_is_no_issuer() -> None:
    fake = certify("Issuing", new_key(), ca=True, **OPTIONS)
    signer = certify("Signer", new_key(), fake, **OPTIONS)
    maker = TokenMaker(MAKER.root, fake, signer)
    assert fails(maker, TrustMaterialMissing) == "timestamp.chain"


def test_certificates_may_lie_beside_the_token() -> None:
    bare = MAKER.but(certificates=())
    assert fails(bare, TrustMaterialMissing) == "timestamp.signer"
    good(bare, certificates=(MAKER.issuer.der, MAKER.signer.der))
    assert fails(bare, TrustMaterialMissing, certificates=(MAKER.signer.der,)) == "timestamp.chain"
    for order in ((MAKER.issuer.der, MAKER.signer.der), (MAKER.signer.der, MAKER.issuer.der)):
        good(MAKER.but(certificates=order))


def test_the_signer_is_no_root() -> None:
    trusted = TimestampAuthority("Signer alone", (MAKER.signer.der,), (MAKER.policy,))
    assert fails(MAKER, TrustMaterialMissing, trusted=trusted) == "timestamp.chain"


@pytest.mark.parametrize("place", ["root", "issuer", "signer"])
@pytest.mark.parametrize("days", [(-400, -1), (1, 400)])
def test_each_certificate_is_valid_at_the_time_of_the_token(
    place: str, days: tuple[int, int]
) -> None:
    other = {"start": TIME + days[0] * DAY, "end": TIME + days[1] * DAY}
    options = dict.fromkeys(("root", "issuer", "signer"), OPTIONS) | {place: other}
    root = certify("Root", new_key(), ca=True, **options["root"])
    issuer = certify("Issuing", new_key(), root, ca=True, **options["issuer"])
    signer = certify("Signer", new_key(), issuer, **options["signer"])
    assert fails(TokenMaker(root, issuer, signer), TrustMaterialMissing) == "timestamp.chain"


@pytest.mark.parametrize(
    "options",
    [
        {"ca": False, "usages": ()},
        {"cert_sign": False},
        {"extensions": ((x509.ExtendedKeyUsage([OTHER_USE]), False),)},
        {"extensions": ((x509.PolicyConstraints(0, None), True),)},
        {"extensions": ((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"\5\0"),
                          True),)},
        {"signing_key": new_key()},
    ],
    ids=["no authority", "not for certificates", "another use", "policies", "unknown", "stranger"],
)  # fmt: skip
def test_issuers_that_may_not_issue(options: dict[str, Any]) -> None:
    issuer = certify("Issuing", new_key(), MAKER.root, **{"ca": True, **OPTIONS, **options})
    signer = certify("Signer", new_key(), issuer, **OPTIONS)
    assert fails(TokenMaker(MAKER.root, issuer, signer), TrustMaterialMissing) == "timestamp.chain"


def test_a_name_that_its_issuer_excludes_is_seen_by_the_second_reader() -> None:
    """One reader passes over constraints on names that are not critical, and OpenSSL does not."""
    own = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Signer")])
    limit = (x509.NameConstraints(None, [x509.DirectoryName(own)]), False)
    issuer = certify("Issuing", new_key(), MAKER.root, ca=True, extensions=(limit,), **OPTIONS)
    maker = TokenMaker(MAKER.root, issuer, certify("Signer", new_key(), issuer, **OPTIONS))
    assert fails(maker, InvalidSignature) == "timestamp.signature"


def test_many_issuers_of_one_name_cost_little() -> None:
    """Certificates of four keys of one name for each other: paths without an end."""
    keys = [new_key() for _ in range(4)]
    loops = [certify("X", key, ca=True, **OPTIONS) for key in keys]
    crossed = [
        certify("X", keys[a], loops[b], ca=True, **OPTIONS).der
        for a in range(4) for b in range(4) if a != b
    ]  # fmt: skip
    signer = certify("Signer", new_key(), loops[0], **OPTIONS)
    maker = TokenMaker(MAKER.root, loops[0], signer)
    maker = maker.but(certificates=(signer.der, *crossed[:7]))
    started = time.process_time()
    assert fails(maker, TrustMaterialMissing, certificates=crossed[7:]) == "timestamp.chain"
    assert time.process_time() - started < 1


def test_of_roots_with_one_name_or_key_the_fitting_one_counts() -> None:
    other = certify("Root", new_key(), ca=True, **OPTIONS)
    old = certify("Root", MAKER.root.key, ca=True, start=TIME - 800 * DAY, end=TIME - 9 * DAY)
    for second in (other, old):
        for roots in ((second.der, MAKER.root.der), (MAKER.root.der, second.der)):
            verify_token(MAKER.evidence(), DIGEST, MAKER.trusted(roots=roots))


def test_names_of_an_unusual_length_warn_nobody(recwarn: pytest.WarningsRecorder) -> None:
    """A country of one letter: cryptography warns of it, whoever wrote the certificate."""
    common, country = bytes.fromhex("06035504030c0158"), bytes.fromhex("0603550406130158")
    odd = certify("X", new_key(), MAKER.issuer, **OPTIONS).der.replace(common, country)
    assert country in odd
    good(MAKER, certificates=(odd,))
    assert not recwarn.list


def test_a_root_whose_path_is_too_short_for_the_chain() -> None:
    root = certify("Root", new_key(), ca=True, path_length=0, **OPTIONS)
    issuer = certify("Issuing", new_key(), root, ca=True, **OPTIONS)
    signer = certify("Signer", new_key(), issuer, **OPTIONS)
    assert fails(TokenMaker(root, issuer, signer), TrustMaterialMissing) == "timestamp.chain"


def test_an_issuer_whose_certificates_may_be_for_timestamps() -> None:
    usage = x509.ExtendedKeyUsage(TIMESTAMPING)
    issuer = certify(
        "Issuing", new_key(), MAKER.root, ca=True, extensions=((usage, False),), **OPTIONS
    )
    good(TokenMaker(MAKER.root, issuer, certify("Signer", new_key(), issuer, **OPTIONS)))


def test_another_certificate_of_the_same_key() -> None:
    """Renewed, with other dates: the token names the one with which it was signed."""
    signer = MAKER.signer
    serial = signer.certificate.serial_number
    later = {"start": TIME - 399 * DAY, "end": TIME + 500 * DAY, "serial": serial}
    other = certify("Signer", signer.key, MAKER.issuer, **later)
    swapped = MAKER.but(certificates=(other.der, MAKER.issuer.der))
    assert fails(swapped, TrustMaterialMissing) == "timestamp.signer"


def test_a_signer_that_is_named_in_two_ways() -> None:
    other = integer(5)

    def by_serial(parts: list[bytes]) -> list[bytes]:
        name = sequence(MAKER.signer.certificate.issuer.public_bytes(), other)
        return [parts[0], name, *parts[2:]]

    def by_issuer(parts: list[bytes]) -> list[bytes]:
        name = MAKER.root.certificate.subject.public_bytes()
        serial = integer(MAKER.signer.certificate.serial_number)
        return [parts[0], sequence(name, serial), *parts[2:]]

    for change in (by_serial, by_issuer):
        assert fails(MAKER.but(change_signer=change), Malformed) == "timestamp.signer"


def test_the_authority_s_own_name_in_the_token() -> None:
    subject = MAKER.signer.certificate.subject.public_bytes()
    good(MAKER.but(extra=(der(0xA0, der(0xA4, subject)),)))
    other = MAKER.issuer.certificate.subject.public_bytes()
    assert fails(MAKER.but(extra=(der(0xA0, der(0xA4, other)),)), Malformed) == "timestamp.signer"
    names = x509.SubjectAlternativeName([x509.DNSName("tsa.example")])
    named = TokenMaker.new(extensions=((names, False),))
    good(named.but(extra=(der(0xA0, der(0x82, b"tsa.example")),)))
    wrong = named.but(extra=(der(0xA0, der(0x82, b"other.example")),))
    assert fails(wrong, Malformed) == "timestamp.signer"


def test_a_root_with_the_key_that_is_named() -> None:
    """What the header of a commitment names (SPEC.md 22.2): also a root issued anew."""
    named = key_digest(MAKER.root.certificate)
    again = certify("Root", MAKER.root.key, ca=True, **OPTIONS)
    trusted = TimestampAuthority("Both", (again.der,), (MAKER.policy,))
    assert verify_token(MAKER.evidence(), DIGEST, trusted, root=named).root == named
    with pytest.raises(TrustMaterialMissing) as caught:
        verify_token(MAKER.evidence(), DIGEST, MAKER.trusted(), root=bytes(32))
    assert caught.value.check == "timestamp.chain"


def test_only_certificates_that_the_token_names_are_in_the_chain() -> None:
    """RFC 5035, section 4: where more than the signer's are named, no others are used."""
    import hashlib

    def naming(*others: bytes) -> Any:
        names = [sequence(octets(hashlib.sha256(one).digest()))
                 for one in (MAKER.signer.der, *others)]  # fmt: skip
        value = sequence(sequence(*names))

        def change(parts: list[bytes]) -> list[bytes]:
            kind = oid("1.2.840.113549.1.9.16.2.47")
            kept = [one for one in parts if kind not in one]
            return sorted([*kept, sequence(kind, der(0x31, value))])

        return change

    good(MAKER.but(change_attributes=naming(MAKER.issuer.der)))
    good(MAKER.but(change_attributes=naming(MAKER.root.der, MAKER.issuer.der)))
    wrong = MAKER.but(change_attributes=naming(MAKER.root.der))
    assert fails(wrong, Malformed) == "timestamp.chain"


def test_a_chain_of_many_issuers() -> None:
    issuers = [certify("Root", new_key(), ca=True, **OPTIONS)]
    for number in range(7):
        issuers.append(certify(f"I{number}", new_key(), issuers[-1], ca=True, **OPTIONS))
    for length, fits in ((7, True), (8, False)):
        signer = certify("Signer", new_key(), issuers[length - 1], **OPTIONS)
        maker = TokenMaker(issuers[0], issuers[length - 1], signer)
        maker = maker.but(certificates=(signer.der, *(one.der for one in issuers[1:length])))
        if fits:
            good(maker)
        else:
            assert fails(maker, TrustMaterialMissing) == "timestamp.chain"


def test_a_chain_is_valid_from_its_first_second_to_its_last() -> None:
    second = datetime.timedelta(seconds=1)
    good(TokenMaker.new(start=TIME, end=TIME + second))
    for start, end in ((TIME + second, TIME + DAY), (TIME - DAY, TIME)):
        maker = TokenMaker.new(start=start, end=end)
        assert fails(maker, TrustMaterialMissing) == "timestamp.chain"
