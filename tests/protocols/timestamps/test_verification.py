"""What a verified token says, and which part of it fails which check (SPEC.md 22.3, 22.6)."""

from __future__ import annotations

import datetime
import hashlib
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.timestamp_authority import (
    OTHER_POLICY,
    POLICY,
    LocalAuthority,
    needs_openssl,
    new_nonce,
)
from tests.support.timestamp_tokens import (
    DIGEST,
    NONCE,
    TIME,
    TokenMaker,
    der,
    integer,
    sequence,
)
from zkwm_protocols.errors import (
    InvalidSignature,
    Malformed,
    TrustMaterialMissing,
    Unsupported,
    UsageError,
    ZkwmError,
)
from zkwm_protocols.timestamps.authority import Revocation
from zkwm_protocols.timestamps.request import make_request, token_of_response
from zkwm_protocols.timestamps.verification import verify_token, verify_with_any

MAKER = TokenMaker.new()
SECONDS = int(TIME.timestamp())


def check_of(maker: TokenMaker, kind: type[ZkwmError], **evidence: Any) -> str:
    """The check that a token fails."""
    with pytest.raises(kind) as caught:
        verify_token(maker.evidence(**evidence), DIGEST, MAKER.trusted())
    return caught.value.check


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> LocalAuthority:
    return LocalAuthority(tmp_path_factory.mktemp("tsa") / "first")


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> LocalAuthority:
    """Another chain: RSA, the signer directly under the root, no accuracy."""
    return LocalAuthority(
        tmp_path_factory.mktemp("tsa") / "second", name="Second", key="rsa2048",
        intermediate=False, accuracy="",
    )  # fmt: skip


@needs_openssl
def test_tokens_of_two_authorities_date_one_digest(
    authority: LocalAuthority, second: LocalAuthority
) -> None:
    before = int(time.time()) * 1_000_000
    dates = [
        verify_token(one.evidence(DIGEST), DIGEST, one.trusted()) for one in (authority, second)
    ]
    for dated, one in zip(dates, (authority, second), strict=True):
        assert dated.authority == one.name
        assert dated.policy == POLICY
        assert dated.signer == f"CN={one.name} signer"
        assert dated.revocation == Revocation.GOOD
        assert before - 1_000_000 <= dated.gen_time <= before + 60_000_000
        assert (dated.earliest, dated.latest) == (
            dated.gen_time - 1_000_000,
            dated.gen_time + 1_000_000,
        )
    assert [dated.accuracy for dated in dates] == [1_000_000, None]
    assert dates[0].beacon != dates[1].beacon


@needs_openssl
def test_what_openssl_verifies_is_verified_and_the_other_way_round(
    authority: LocalAuthority, tmp_path: Path
) -> None:
    """The second reader: tokens of the one's making under the other's eyes."""
    token = authority.token(DIGEST, NONCE)
    made = MAKER.token()
    (authority.folder / "made").write_bytes(made)
    (authority.folder / "made.pem").write_bytes(MAKER.root.pem)
    (authority.folder / "token").write_bytes(token)
    for name, root, wanted in (
        ("token", "root.pem", DIGEST), ("made", "made.pem", DIGEST),
        ("token", "root.pem", bytes(32)), ("made", "root.pem", DIGEST),
    ):  # fmt: skip
        done = authority.openssl(
            "-verify", "-digest", wanted.hex(), "-in", name, "-token_in", "-CAfile", root,
            "-attime", str(SECONDS if name == "made" else int(time.time())),
        )  # fmt: skip
        good = wanted == DIGEST and root == {"token": "root.pem", "made": "made.pem"}[name]
        assert ("Verification: OK" in done.stdout) == good, done.stderr
        trusted = authority.trusted() if root == "root.pem" else MAKER.trusted()
        evidence = replace(MAKER.evidence(), token={"token": token, "made": made}[name])
        if good:
            verify_token(evidence, wanted, trusted)
        else:
            with pytest.raises((InvalidSignature, TrustMaterialMissing)):
                verify_token(evidence, wanted, trusted)


@needs_openssl
def test_a_request_is_answered_and_a_refusal_is_told(authority: LocalAuthority) -> None:
    nonce = new_nonce()
    token = token_of_response(authority.reply(make_request(DIGEST, nonce, OTHER_POLICY)))
    evidence = replace(MAKER.evidence(), token=token, nonce=nonce)
    trusted = replace(authority.trusted(), policies=(POLICY, OTHER_POLICY))
    assert verify_token(evidence, DIGEST, trusted).policy == OTHER_POLICY
    with pytest.raises(TrustMaterialMissing) as caught:
        verify_token(evidence, DIGEST, authority.trusted())
    assert caught.value.check == "timestamp.policy"
    with pytest.raises(ZkwmError, match=r"refused \(status 2") as refused:
        token_of_response(authority.reply(make_request(DIGEST, nonce, "1.2.3")))
    assert refused.value.check == "timestamp.status"


@pytest.mark.parametrize(
    ("digest", "nonce", "policy"),
    [(bytes(31), NONCE, None), (DIGEST, b"", None), (DIGEST, b"\0\1", None),
     (DIGEST, bytes(21), None), (DIGEST, NONCE, "x")],
)  # fmt: skip
def test_requests_that_make_no_sense(digest: bytes, nonce: bytes, policy: str | None) -> None:
    with pytest.raises(UsageError):
        make_request(digest, nonce, policy)


@pytest.mark.parametrize(
    ("response", "check"),
    [
        (b"", "timestamp.format"), (bytes(10**6), "timestamp.format"),
        (sequence(sequence(integer(2))), "timestamp.status"),
        (sequence(sequence(integer(1)), MAKER.token()), "timestamp.status"),
        (sequence(sequence(integer(0))), "timestamp.status"),
        (sequence(sequence(integer(0)), MAKER.token(), b"\5\0"), "timestamp.format"),
    ],
)  # fmt: skip
def test_responses_without_a_token_that_counts(response: bytes, check: str) -> None:
    with pytest.raises(ZkwmError) as caught:
        token_of_response(response)
    assert caught.value.check == check


def test_a_granted_response_gives_the_very_token() -> None:
    response = sequence(sequence(integer(0)), MAKER.token())
    assert token_of_response(response) == MAKER.token()


def test_another_digest_nonce_or_policy() -> None:
    assert check_of(MAKER.but(digest=bytes(32)), InvalidSignature) == "timestamp.imprint"
    assert check_of(MAKER.but(digest=hashlib.sha256(DIGEST).digest()), InvalidSignature)
    assert check_of(MAKER.but(nonce=b"\1"), Malformed) == "timestamp.nonce"
    assert check_of(MAKER.but(nonce=None), Malformed) == "timestamp.nonce"
    assert check_of(MAKER, Malformed, nonce=NONCE + b"\0") == "timestamp.nonce"
    assert check_of(MAKER.but(policy=OTHER_POLICY), TrustMaterialMissing) == "timestamp.policy"


@pytest.mark.parametrize("imprint", ["sha1", "sha384", "sha512"])
def test_an_imprint_of_another_hash(imprint: str) -> None:
    """Also one that has 32 bytes, and claims to be of another hash."""
    kind = Unsupported if imprint == "sha1" else Malformed
    assert check_of(MAKER.but(imprint_hash=imprint), kind)


def _time(text: str) -> bytes:
    return der(0x18, text.encode("ascii"))


@pytest.mark.parametrize(
    ("element", "microseconds", "rounding"),
    [
        (_time("20260517123015Z"), 0, 0), (_time("20260517123015.5Z"), 500_000, 0),
        (_time("20260517123015.000001Z"), 1, 0), (_time("20260517123015.123456Z"), 123_456, 0),
        (_time("20260517123015.000000001Z"), 0, 1),
        (_time("20260517123015.123456789Z"), 123_456, 1),
    ],
)  # fmt: skip
def test_times_of_the_der_form(element: bytes, microseconds: int, rounding: int) -> None:
    dated = verify_token(MAKER.but(time=element).evidence(), DIGEST, MAKER.trusted())
    assert dated.gen_time == SECONDS * 1_000_000 + microseconds
    assert dated.latest == dated.gen_time + rounding + 1_000_000


@pytest.mark.parametrize(
    "element",
    [
        _time("20260517123015"), _time("20260517123015.Z"), _time("20260517123015.50Z"),
        _time("20260517123015+0000"), _time("202605171230Z"), _time("20260517123060Z"),
        _time("20260230123015Z"), _time("20260517240000Z"), _time("00000517123015Z"),
        _time("19691231235959Z"), _time("99991231235959Z"), _time("20260517123015,5Z"),
        _time("20260517123015z"), _time("2026051712301 Z"), _time("20260517123015.1234567891Z"),
        der(0x17, b"260517123015Z"), der(0x04, b"20260517123015Z"),
    ],
)  # fmt: skip
def test_times_that_are_none(element: bytes) -> None:
    assert check_of(MAKER.but(time=element), Malformed) == "timestamp.time"


@pytest.mark.parametrize(
    ("accuracy", "microseconds"),
    [
        (sequence(), 0), (sequence(integer(0)), 0), (sequence(integer(2)), 2_000_000),
        (sequence(der(0x80, b"\x0a")), 10_000), (sequence(der(0x81, b"\x0a")), 10),
        (sequence(integer(1), der(0x80, b"\x01"), der(0x81, b"\x01")), 1_001_001),
        (b"", None),
    ],
)  # fmt: skip
def test_accuracies(accuracy: bytes, microseconds: int | None) -> None:
    evidence = MAKER.but(accuracy=accuracy).evidence()
    dated = verify_token(evidence, DIGEST, MAKER.trusted(accuracy=7))
    assert dated.accuracy == microseconds
    width = 7 if microseconds is None else microseconds
    assert (dated.earliest, dated.latest) == (dated.gen_time - width, dated.gen_time + width)


@pytest.mark.parametrize(
    "accuracy",
    [
        sequence(integer(-1)), sequence(integer(366 * 86_400 + 1)), sequence(integer(2**70)),
        sequence(der(0x80, b"\0")), sequence(der(0x80, b"\x03\xe8")), sequence(der(0x81, b"\0")),
        sequence(der(0x81, b"\xff")),
    ],
)  # fmt: skip
def test_accuracies_that_are_none(accuracy: bytes) -> None:
    assert check_of(MAKER.but(accuracy=accuracy), Malformed) == "timestamp.time"


def test_a_token_is_verified_at_its_own_time() -> None:
    """Certificates that have ended long ago do no harm; such as had ended then do."""
    year = datetime.timedelta(365)
    old = TokenMaker.new(start=TIME - year, end=TIME + datetime.timedelta(1))
    assert verify_token(old.evidence(), DIGEST, old.trusted()).latest < time.time() * 10**6
    for dates in ({"end": TIME - datetime.timedelta(1)}, {"start": TIME + datetime.timedelta(1)}):
        other = TokenMaker.new(**dates)
        with pytest.raises(TrustMaterialMissing) as caught:
            verify_token(other.evidence(), DIGEST, other.trusted())
        assert caught.value.check == "timestamp.chain"


def test_one_of_several_authorities() -> None:
    other = TokenMaker.new(intermediate=False)
    trusted = (other.trusted(name="Other"), MAKER.trusted())
    assert verify_with_any(MAKER.evidence(), DIGEST, trusted).authority == "Hand-made"
    assert verify_with_any(other.evidence(), DIGEST, trusted).authority == "Other"
    stranger = TokenMaker.new(intermediate=False)
    for some in ((), trusted):
        with pytest.raises(TrustMaterialMissing) as caught:
            verify_with_any(stranger.evidence(), DIGEST, some)
        assert caught.value.check == "timestamp.chain"


def test_a_wrong_token_is_no_missing_trust() -> None:
    """Which is exit code 3 and not 4, whoever else is trusted."""
    trusted = (MAKER.trusted(), TokenMaker.new(intermediate=False).trusted())
    with pytest.raises(InvalidSignature):
        verify_with_any(MAKER.but(digest=bytes(32)).evidence(), DIGEST, trusted)
