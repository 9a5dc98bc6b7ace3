"""The beacon: one for what was signed, whatever is done to a token afterwards (SPEC.md 22.7)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from tests.support.certificate_authority import DAY, certify, new_key
from tests.support.timestamp_tokens import (
    DIGEST,
    NULL,
    TIME,
    TokenMaker,
    der,
    generalized,
    integer,
    oid,
    sequence,
)
from zkwm_protocols.errors import ZkwmError
from zkwm_protocols.timestamps.verification import verify_token

ORDERS = {
    "p256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "p384": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77A << 64
    | 0xECEC196ACCC52973,
}
MAKER = TokenMaker.new()


def beacon(maker: TokenMaker, **evidence: tuple[bytes, ...]) -> bytes:
    return verify_token(maker.evidence(**evidence), DIGEST, maker.trusted()).beacon


def low_and_high(signature: bytes, order: int) -> tuple[bytes, bytes]:
    """Both ECDSA signatures of one r."""
    r, s = decode_dss_signature(signature)
    return encode_dss_signature(r, min(s, order - s)), encode_dss_signature(r, max(s, order - s))


@pytest.mark.parametrize("key", ["p256", "p384"])
def test_both_forms_of_an_ecdsa_signature_verify_and_give_one_beacon(key: str) -> None:
    maker = TokenMaker.new(key)
    seen = set()
    for which in (0, 1):
        changed = maker.but(change_signature=lambda one, i=which: low_and_high(one, ORDERS[key])[i])
        seen.add((changed.token() == maker.token(), beacon(changed)))
    assert {same for same, _ in seen} == {True, False}
    assert len({found for _, found in seen}) == 1


def test_the_beacon_is_the_hash_that_the_text_says() -> None:
    info = MAKER.info()
    attributes = MAKER.attributes(info)
    r, s = decode_dss_signature(MAKER.sign(attributes)[1])
    low = min(s, ORDERS["p256"] - s)
    parts = (info, attributes, r.to_bytes(32, "big") + low.to_bytes(32, "big"))
    digests = b"".join(hashlib.sha256(part).digest() for part in parts)
    assert beacon(MAKER) == hashlib.sha256(b"zkwm-beacon-1" + digests).digest()


def _unsigned(parts: list[bytes]) -> list[bytes]:
    return [*parts, der(0xA1, sequence(oid("1.2.3"), der(0x31, NULL)))]


SPARE = certify("Spare", new_key(), ca=True, start=TIME - DAY, end=TIME + DAY).der


@pytest.mark.parametrize(
    ("maker", "certificates"),
    [
        (MAKER.but(certificates=(MAKER.issuer.der, MAKER.signer.der)), ()),
        (MAKER.but(certificates=(MAKER.signer.der,)), (MAKER.issuer.der,)),
        (MAKER.but(certificates=()), (MAKER.signer.der, MAKER.issuer.der)),
        (MAKER.but(certificates=(SPARE, MAKER.signer.der, MAKER.issuer.der)), (SPARE,)),
        (MAKER.but(certificates=(MAKER.root.der, MAKER.signer.der, MAKER.issuer.der)), ()),
        (MAKER.but(change_signer=_unsigned), ()),
        (MAKER.but(change_signed=lambda parts: [
            *parts[:4], der(0xA1, *MAKER.crls()), parts[4]]), ()),
    ],
)  # fmt: skip
def test_what_is_not_signed_changes_no_beacon(
    maker: TokenMaker, certificates: tuple[bytes, ...]
) -> None:
    assert maker.token() != MAKER.token()
    assert beacon(maker, certificates=certificates) == beacon(MAKER)


def test_a_chain_by_another_issuer_changes_no_beacon() -> None:
    """A cross-signed issuer: the same key and name under another root."""
    options = {"start": TIME - 400 * DAY, "end": TIME + 400 * DAY}
    other = certify("Other root", new_key(), ca=True, **options)
    crossed = certify("Issuing", MAKER.issuer.key, other, ca=True, **options)
    maker = MAKER.but(root=other, certificates=(MAKER.signer.der, crossed.der, MAKER.issuer.der))
    assert beacon(maker) == beacon(MAKER)


def _padded_s(signature: bytes) -> bytes:
    """The same r and s with a leading zero byte: BER."""
    r, s = decode_dss_signature(signature)
    wide = der(2, b"\0" + integer(s)[2:])
    return sequence(integer(r), wide)


def _plus_order(signature: bytes) -> bytes:
    r, s = decode_dss_signature(signature)
    return encode_dss_signature(r, s + ORDERS["p256"])


def _negative(signature: bytes) -> bytes:
    r, s = decode_dss_signature(signature)
    return sequence(integer(r), integer(-s))


@pytest.mark.parametrize(
    "change",
    [_padded_s, _plus_order, _negative, lambda one: one + b"\0", lambda one: one + one],
)
def test_other_forms_of_an_ecdsa_signature_do_not_verify(change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(ZkwmError):
        beacon(MAKER.but(change_signature=change))


@pytest.mark.parametrize("change", [lambda one: b"\0" + one, lambda one: one[1:]])
def test_other_forms_of_an_rsa_signature_do_not_verify(change: Callable[[bytes], bytes]) -> None:
    maker = TokenMaker.new("rsa2048", intermediate=False)
    assert beacon(maker) == beacon(maker)
    with pytest.raises(ZkwmError):
        beacon(maker.but(change_signature=change))


def test_whatever_is_signed_changes_the_beacon() -> None:
    later = generalized(TIME + DAY)
    makers = [
        MAKER, MAKER.but(time=later), MAKER.but(accuracy=b""), MAKER.but(digest_hash="sha384"),
        MAKER.but(extra=(der(0xA1, sequence(oid("1.2.3"), der(4, b""))),)), TokenMaker.new(),
        MAKER.but(change_attributes=lambda parts: sorted(
            [*parts, sequence(oid("1.2.3"), der(0x31, NULL))])),
    ]  # fmt: skip
    assert len({beacon(maker) for maker in makers}) == len(makers)
