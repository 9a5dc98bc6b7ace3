"""Shapes of tokens that two readers could understand differently: refused (SPEC.md 22.3)."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

import pytest

from tests.support.timestamp_tokens import (
    CONTENT_TYPE,
    DIGEST,
    MESSAGE_DIGEST,
    NULL,
    SIGNED_DATA,
    SIGNING_CERTIFICATE_V2,
    TST_INFO,
    Change,
    TokenMaker,
    algorithm,
    content_info,
    der,
    integer,
    octets,
    oid,
    sequence,
    set_of,
)
from zkwm_protocols.errors import CouldNotCheck, InvalidSignature, Malformed, ZkwmError
from zkwm_protocols.timestamps.evidence import MAXIMUM_TOKEN, TimestampEvidence
from zkwm_protocols.timestamps.token import read_token
from zkwm_protocols.timestamps.verification import verify_token

MAKER = TokenMaker.new()
SHA512 = algorithm("2.16.840.1.101.3.4.2.3", NULL)


def fails(token: bytes, *checks: str) -> None:
    with pytest.raises(CouldNotCheck) as caught:
        verify_token(TimestampEvidence(token, MAKER.nonce or b"\1"), DIGEST, MAKER.trusted())
    assert caught.value.check in (checks or ("timestamp.format",)), caught.value


def good(maker: TokenMaker) -> bytes:
    return verify_token(maker.evidence(), DIGEST, maker.trusted()).beacon


def at(index: int, change: Callable[[bytes], bytes | None]) -> Change:
    """Change one part, or leave it out."""

    def changed(parts: list[bytes]) -> list[bytes]:
        new = change(parts[index])
        return [*parts[:index], *([] if new is None else [new]), *parts[index + 1 :]]

    return changed


def put(index: int, part: bytes | None) -> Change:
    return at(index, lambda _: part)


INFO, SIGNERS = 2, 4


@pytest.mark.parametrize(
    "change",
    [
        put(0, integer(1)), put(0, integer(4)), put(0, None),
        put(1, set_of()), put(1, set_of(SHA512)), put(1, NULL),
        at(1, lambda one: der(0x31, one[2:], one[2:])),
        at(1, lambda one: der(0x31, *sorted([one[2:], SHA512]))),
        put(INFO, sequence(oid(SIGNED_DATA), der(0xA0, octets(MAKER.info())))),
        put(INFO, sequence(oid(TST_INFO))),
        at(INFO, lambda one: sequence(oid(TST_INFO), der(0xA0, der(0x24, octets(MAKER.info()))))),
        at(INFO, lambda one: one + one), put(INFO, None),
        at(3, lambda one: one + one), put(3, der(0xA0, NULL)), put(3, der(0xA0, octets(b"x"))),
        put(3, der(0xA0, *([MAKER.signer.der] * 9))), put(3, der(0xA0, der(0xA0, NULL))),
        put(3, der(0xA0, MAKER.signer.der, der(0xA3, oid("1.2.3"), NULL))),
        put(SIGNERS, set_of()), at(SIGNERS, lambda one: der(0x31, one[4:], one[4:])),
        at(SIGNERS, lambda one: der(0x30, one[4:])), at(SIGNERS, lambda one: one + NULL),
        put(SIGNERS, None),
    ],
)  # fmt: skip
def test_signed_data_of_other_shapes(change: Change) -> None:
    fails(MAKER.but(change_signed=change).token())


def test_a_second_signer() -> None:
    """Also one that is good by itself: which one would date the digest?"""
    other = TokenMaker.new()
    both = sorted([MAKER.signer_info(MAKER.info()), other.signer_info(MAKER.info())])
    fails(MAKER.but(change_signed=put(SIGNERS, der(0x31, *both))).token())


@pytest.mark.parametrize(
    "change",
    [
        put(0, integer(3)), put(0, integer(0)), put(1, der(0x80, bytes(20))), put(1, NULL),
        put(2, SHA512), put(3, None), put(3, der(0xA0)), at(3, lambda one: one + one),
        put(4, None), put(5, None), put(5, der(3, b"\0x")),
        at(5, lambda one: one + one), at(5, lambda one: one + der(0xA1, b"\1")),
        at(5, lambda one: one + der(0xA2, NULL)),
    ],
)  # fmt: skip
def test_signers_of_other_shapes(change: Change) -> None:
    fails(MAKER.but(change_signer=change).token(), "timestamp.format", "timestamp.signature")


def _attribute(kind: str, *values: bytes) -> bytes:
    return sequence(oid(kind), der(0x31, *values))


def _without(kind: str) -> Change:
    return lambda parts: [one for one in parts if oid(kind) not in one[:20]]


def _and(*more: bytes) -> Change:
    return lambda parts: sorted([*parts, *more])


def _instead(kind: str, *values: bytes) -> Change:
    return lambda parts: sorted([*_without(kind)(parts), _attribute(kind, *values)])


@pytest.mark.parametrize(
    "change",
    [
        _without(CONTENT_TYPE), _without(SIGNING_CERTIFICATE_V2),
        _instead(CONTENT_TYPE, oid(SIGNED_DATA)), _instead(CONTENT_TYPE),
        _instead(CONTENT_TYPE, oid(TST_INFO), oid(TST_INFO)),
        _instead(SIGNING_CERTIFICATE_V2, sequence(sequence())),
        _instead(SIGNING_CERTIFICATE_V2, NULL),
        _and(_attribute(CONTENT_TYPE, oid(TST_INFO))),
        _and(_attribute(MESSAGE_DIGEST, octets(bytes(32)))),
        lambda parts: parts[::-1], lambda parts: [],
        _and(*(_attribute(f"1.2.3.{number}", NULL) for number in range(30))),
    ],
)  # fmt: skip
def test_attributes_of_other_shapes(change: Change) -> None:
    fails(MAKER.but(change_attributes=change).token())


@pytest.mark.parametrize("digest", [bytes(32), DIGEST, b"", hashlib.sha256(b"").digest()])
def test_attributes_of_another_content(digest: bytes) -> None:
    change = _instead(MESSAGE_DIGEST, octets(digest))
    fails(MAKER.but(change_attributes=change).token(), "timestamp.signature")
    fails(MAKER.but(change_attributes=_without(MESSAGE_DIGEST)).token(), "timestamp.signature")


def test_another_content_under_the_same_attributes() -> None:
    """The signature covers the attributes, and these the content by its digest alone."""
    other = MAKER.but(policy="1.2.3").info()
    change = put(INFO, sequence(oid(TST_INFO), der(0xA0, octets(other))))
    fails(MAKER.but(change_signed=change).token(), "timestamp.signature")


def test_a_signature_over_the_content_itself() -> None:
    """RFC 5652: attributes have to be signed where the content is no plain data."""
    info = MAKER.info()
    name, signature = MAKER.sign(info)
    certificate = MAKER.signer.certificate
    bare = sequence(
        integer(1),
        sequence(certificate.issuer.public_bytes(), integer(certificate.serial_number)),
        algorithm("2.16.840.1.101.3.4.2.1", NULL), name, octets(signature),
    )  # fmt: skip
    fails(MAKER.but(change_signed=put(SIGNERS, der(0x31, bare))).token())


def test_attributes_that_are_signed_as_content() -> None:
    """A signature of attributes is none of a content that looks like them, and the reverse."""
    attributes = MAKER.attributes(MAKER.info())
    change = put(INFO, sequence(oid(TST_INFO), der(0xA0, octets(attributes))))
    fails(MAKER.but(change_signed=change).token(), "timestamp.signature", "timestamp.format")


@pytest.mark.parametrize(
    "change",
    [
        put(0, integer(2)), put(0, integer(0)), put(0, None), put(1, None), put(2, None),
        put(3, integer(-1)), put(3, integer(2**160)), put(3, None), put(4, None),
        put(3, der(2, b"\0\1")), put(3, der(2, b"")),
        at(6, lambda one: one + NULL), at(6, lambda one: one + one),
        put(6, integer(-5)), put(6, integer(2**160)),
        at(5, lambda one: one + der(1, b"\0")), at(5, lambda one: one + der(1, b"\1")),
        at(6, lambda one: one + der(0xA0)), at(6, lambda one: one + der(0xA0, NULL, NULL)),
        at(6, lambda one: one + der(0xA1, sequence(oid("1.2.3"), der(1, b"\xff"), octets(b"")))),
        at(6, lambda one: one + der(0xA1, NULL)), at(6, lambda one: one + der(0xA2, NULL)),
    ],
)  # fmt: skip
def test_contents_of_other_shapes(change: Change) -> None:
    fails(MAKER.but(change_info=change).token(), "timestamp.format", "timestamp.time")


def test_an_extension_that_is_not_critical_and_ordering_do_no_harm() -> None:
    extension = der(0xA1, sequence(oid("0.4.0.19422.1.1"), octets(NULL)))
    good(MAKER.but(extra=(extension,)))
    good(MAKER.but(change_info=at(5, lambda one: one + der(1, b"\xff"))))


@pytest.mark.parametrize(
    "token",
    [
        b"", b"\x30", b"\x30\x00", b"\x30\x80\0\0", NULL, MAKER.token()[:-1],
        MAKER.token() + b"\0", MAKER.token() * 2, sequence(integer(0), MAKER.token()),
        sequence(sequence(integer(0)), MAKER.token()),  # a response, and no token
        sequence(oid(TST_INFO), der(0xA0, octets(MAKER.info()))),
        b"\x30\x83\x00" + MAKER.token()[2:], content_info(NULL), bytes([0x10]) + MAKER.token()[1:],
    ],
)  # fmt: skip
def test_bytes_that_are_no_token(token: bytes) -> None:
    if token:
        fails(token)
    with pytest.raises(Malformed):
        read_token(token)


def _longer_length(token: bytes) -> bytes:
    """The same with the outermost length in one byte more than it needs: BER."""
    assert token[1] == 0x82
    return bytes([0x30, 0x83, 0x00]) + token[2:]


def _indefinite(token: bytes) -> bytes:
    return b"\x30\x80" + token[4:] + b"\0\0"


@pytest.mark.parametrize("change", [_longer_length, _indefinite])
def test_ber_is_refused(change: Callable[[bytes], bytes]) -> None:
    fails(change(MAKER.token()))


@pytest.mark.parametrize("depth", [10, 1000, 20_000])
@pytest.mark.parametrize("tag", [0x30, 0x31, 0xA0, 0xA4, 0x24])
def test_deep_nesting_is_refused_at_once(depth: int, tag: int) -> None:
    """At each place where a reader could follow it."""
    deep = b"\x05\x00"
    while len(deep) < min(depth * 4, MAXIMUM_TOKEN - 4096) and depth:
        deep, depth = der(tag, deep), depth - 1
    started = time.perf_counter()
    places: list[Callable[[], bytes]] = [
        lambda: deep,
        lambda: content_info(deep),
        lambda: MAKER.but(certificates=(deep,)).token(),
        lambda: MAKER.but(extra=(der(0xA0, deep),)).token(),
        lambda: MAKER.but(change_signer=put(1, deep)).token(),
        lambda: MAKER.but(change_attributes=_and(_attribute("1.2.3", deep, deep))).token(),
    ]
    for token in places:
        with pytest.raises(ZkwmError):
            verify_token(TimestampEvidence(token(), MAKER.nonce or b"\1"), DIGEST, MAKER.trusted())
    assert time.perf_counter() - started < 5


def test_a_token_of_10_mib_is_refused_unread() -> None:
    huge = MAKER.but(certificates=(bytes(10 << 20),)).token()
    with pytest.raises(Malformed):
        TimestampEvidence(huge, b"\1")
    with pytest.raises(Malformed, match="at most"):
        read_token(huge)


def test_every_flipped_bit_is_noticed_or_changes_nothing_that_is_signed() -> None:
    """Each of the token's bits: what still verifies has the same beacon, and the same content."""
    token = MAKER.but(certificates=(MAKER.signer.der, MAKER.issuer.der)).token()
    before = good(MAKER)
    survived = 0
    for position in range(len(token)):
        flipped = bytearray(token)
        flipped[position] ^= 1 << (position % 8)
        evidence = TimestampEvidence(bytes(flipped), MAKER.nonce or b"\1")
        try:
            dated = verify_token(evidence, DIGEST, MAKER.trusted())
        except ZkwmError:
            continue
        survived += 1
        assert dated.beacon == before
    assert survived == 0


def test_a_wrong_signature_is_told_from_a_wrong_format() -> None:
    flipped = MAKER.but(change_signature=lambda one: one[:-1] + bytes([one[-1] ^ 1]))
    with pytest.raises(InvalidSignature) as caught:
        good(flipped)
    assert caught.value.check == "timestamp.signature"
