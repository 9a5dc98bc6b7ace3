"""Signing keys, box keys, fingerprints: standard vectors, our own, and everything to be refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.spec_vectors import VECTORS
from zkwm_protocols.encoding import encode
from zkwm_protocols.errors import InvalidSignature, Malformed, Unsupported, ZkwmError
from zkwm_protocols.fingerprints import require_fingerprint
from zkwm_protocols.keys import (
    ALGORITHMS,
    ECDSA_P256,
    ED25519,
    P256_ORDER,
    BoxKey,
    BoxPublicKey,
    JudgePublic,
    PublicKey,
    SigningKey,
    signed_message,
)

VECTORS: dict[str, Any] = json.loads(VECTORS.joinpath("keys.json").read_text(encoding="utf-8"))
KEYS = {name: SigningKey.generate(name) for name in ALGORITHMS}
DIGEST = bytes(range(32))

# RFC 8032, section 7.1, tests 1 to 3: seed, public key, message, signature.
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]

# RFC 6979, appendix A.2.5, with SHA-256: message, r, s.
RFC_6979_SECRET = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"
RFC_6979_PUBLIC = "0360fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
RFC_6979 = [
    (
        b"sample",
        "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
        "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
    ),
    (
        b"test",
        "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367",
        "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083",
    ),
]


@pytest.mark.parametrize(("seed", "public", "message", "signature"), RFC_8032)
def test_ed25519_is_that_of_rfc_8032(seed: str, public: str, message: str, signature: str) -> None:
    assert SigningKey.from_bytes(ED25519, bytes.fromhex(seed)).public.data.hex() == public
    private = ed25519.Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))
    assert private.sign(bytes.fromhex(message)).hex() == signature


@pytest.mark.parametrize(("message", "r", "s"), RFC_6979)
def test_p256_is_that_of_rfc_6979(message: bytes, r: str, s: str) -> None:
    secret = bytes.fromhex(RFC_6979_SECRET)
    assert SigningKey.from_bytes(ECDSA_P256, secret).public.data.hex() == RFC_6979_PUBLIC
    private = ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256R1())
    signature = private.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    assert decode_dss_signature(signature) == (int(r, 16), int(s, 16))


@pytest.mark.parametrize("vector", VECTORS["signatures"])
def test_signature_vectors(vector: dict[str, str]) -> None:
    key = SigningKey.from_bytes(vector["algorithm"], bytes.fromhex(vector["secret"]))
    digest = bytes.fromhex(vector["digest"])
    assert key.public.data.hex() == vector["public"]
    assert key.public.fingerprint() == vector["fingerprint"]
    assert signed_message(vector["purpose"], digest).hex() == vector["message"]
    assert key.sign(vector["purpose"], digest).hex() == vector["signature"]
    key.public.verify(vector["purpose"], digest, bytes.fromhex(vector["signature"]))


@pytest.mark.parametrize("vector", VECTORS["refused_signatures"], ids=lambda v: v["why"])
def test_refused_signatures(vector: dict[str, str]) -> None:
    key = PublicKey(vector["algorithm"], bytes.fromhex(vector["public"]))
    with pytest.raises(InvalidSignature):
        key.verify(
            vector["purpose"], bytes.fromhex(vector["digest"]), bytes.fromhex(vector["signature"])
        )


@pytest.mark.parametrize("vector", VECTORS["refused_public_keys"], ids=lambda v: v["why"])
def test_refused_public_keys(vector: dict[str, str]) -> None:
    with pytest.raises(Malformed):
        PublicKey(vector["algorithm"], bytes.fromhex(vector["public"]))


@pytest.mark.parametrize("vector", VECTORS["refused_box_keys"], ids=lambda v: v["why"])
def test_refused_box_keys(vector: dict[str, str]) -> None:
    with pytest.raises(Malformed):
        BoxPublicKey(bytes.fromhex(vector["public"]))


def test_the_message_is_separated_by_prefix_purpose_and_length() -> None:
    expected = b"zkwm-signature-1" + b"\x07" + b"opening" + DIGEST
    assert signed_message("opening", DIGEST) == expected
    key = KEYS[ED25519]
    raw = ed25519.Ed25519PublicKey.from_public_bytes(key.public.data)
    raw.verify(key.sign("opening", DIGEST), expected)


def test_a_p256_signature_is_an_ordinary_one() -> None:
    key = KEYS[ECDSA_P256]
    signature = key.sign("opening", DIGEST)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    raw = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key.public.data)
    raw.verify(
        encode_dss_signature(r, s), signed_message("opening", DIGEST), ec.ECDSA(hashes.SHA256())
    )


@settings(deadline=None)
@given(algorithm=st.sampled_from(ALGORITHMS), digest=st.binary(min_size=32, max_size=32))
def test_signing_is_deterministic_canonical_and_verifies(algorithm: str, digest: bytes) -> None:
    key = KEYS[algorithm]
    signature = key.sign("commitment", digest)
    assert signature == key.sign("commitment", digest)
    key.public.verify("commitment", digest, signature)
    if algorithm == ECDSA_P256:
        assert int.from_bytes(signature[32:], "big") <= P256_ORDER // 2


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_flipped_bit_of_a_signature_is_refused(algorithm: str) -> None:
    key = KEYS[algorithm]
    signature = key.sign("opening", DIGEST)
    for position in range(8 * len(signature)):
        altered = bytearray(signature)
        altered[position // 8] ^= 1 << position % 8
        with pytest.raises(InvalidSignature):
            key.public.verify("opening", DIGEST, bytes(altered))


@settings(deadline=None)
@given(algorithm=st.sampled_from(ALGORITHMS), signature=st.binary(max_size=80))
def test_bytes_that_are_no_signature_are_refused(algorithm: str, signature: bytes) -> None:
    with pytest.raises(InvalidSignature):
        KEYS[algorithm].public.verify("opening", DIGEST, signature)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_another_key_or_purpose_or_digest_is_refused(algorithm: str) -> None:
    key, other = KEYS[algorithm], SigningKey.generate(algorithm)
    signature = key.sign("opening", DIGEST)
    with pytest.raises(InvalidSignature):
        other.public.verify("opening", DIGEST, signature)
    with pytest.raises(InvalidSignature):
        key.public.verify("challenge", DIGEST, signature)
    with pytest.raises(InvalidSignature):
        key.public.verify("opening", bytes(32), signature)


@pytest.mark.parametrize("purpose", ["", "Opening", "öffnen", "a b", "a\n", "x" * 64, "1a"])
def test_a_purpose_that_is_not_lower_case_ascii_is_refused(purpose: str) -> None:
    with pytest.raises(Malformed):
        KEYS[ED25519].sign(purpose, DIGEST)


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_only_digests_of_32_bytes_are_signed(length: int) -> None:
    with pytest.raises(Malformed):
        KEYS[ED25519].sign("opening", bytes(length))
    with pytest.raises(Malformed):
        KEYS[ED25519].public.verify("opening", bytes(length), bytes(64))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_keys_survive_their_bytes_and_maps(algorithm: str) -> None:
    key = KEYS[algorithm]
    again = SigningKey.from_bytes(algorithm, key.to_bytes())
    assert again == key
    assert hash(again) == hash(key)
    assert again != SigningKey.generate(algorithm)
    assert again.sign("opening", DIGEST) == key.sign("opening", DIGEST)
    assert PublicKey.from_map(key.public.to_map()) == key.public
    assert key.algorithm == algorithm


@pytest.mark.parametrize("scalar", [0, P256_ORDER, P256_ORDER + 1, 2**256 - 1])
def test_p256_scalars_out_of_range_are_refused(scalar: int) -> None:
    with pytest.raises(Malformed):
        SigningKey.from_bytes(ECDSA_P256, scalar.to_bytes(32, "big"))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("length", [0, 31, 33])
def test_secrets_of_another_length_are_refused(algorithm: str, length: int) -> None:
    with pytest.raises(Malformed):
        SigningKey.from_bytes(algorithm, b"\1" * length)


def test_unknown_algorithms_are_unsupported() -> None:
    with pytest.raises(Unsupported):
        SigningKey.generate("rsa")
    with pytest.raises(Unsupported):
        SigningKey.from_bytes("rsa", bytes(32))
    with pytest.raises(Unsupported):
        PublicKey("rsa", bytes(32))


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"algorithm": "ed25519"},
        {"algorithm": "ed25519", "public": bytes(31)},
        {"algorithm": "ed25519", "public": "text"},
        {"algorithm": 1, "public": bytes(32)},
        {"algorithm": "ed25519", "public": KEYS[ED25519].public.data, "more": 1},
    ],
)
def test_maps_that_are_no_public_key_are_refused(value: object) -> None:
    with pytest.raises(Malformed):
        PublicKey.from_map(value)


@settings(deadline=None)
@given(algorithm=st.sampled_from(ALGORITHMS), data=st.binary(min_size=30, max_size=34))
def test_any_bytes_are_a_canonical_key_or_refused(algorithm: str, data: bytes) -> None:
    try:
        key = PublicKey(algorithm, data)
    except ZkwmError:
        return
    assert key.data == data
    assert key.fingerprint() == PublicKey.from_map(key.to_map()).fingerprint()


def test_a_fingerprint_covers_the_algorithm_and_has_one_form() -> None:
    key = KEYS[ED25519].public
    assert require_fingerprint(key.fingerprint()) == key.fingerprint()
    assert len(key.fingerprint()) == 39
    assert key.fingerprint() != KEYS[ECDSA_P256].public.fingerprint()
    for wrong in ("", key.fingerprint().upper(), key.fingerprint()[:-1], "é" * 39, None, 7):
        with pytest.raises(Malformed):
            require_fingerprint(wrong)


def test_no_repr_shows_a_secret() -> None:
    for key in (*KEYS.values(), BoxKey.generate()):
        secret = key.to_bytes()
        for text in (repr(key), str(key), repr([key]), f"{key}"):
            assert secret.hex() not in text
            assert repr(secret)[2:-1] not in text


def test_box_keys() -> None:
    key = BoxKey.generate()
    assert BoxKey(key.to_bytes()) == key
    assert hash(BoxKey(key.to_bytes())) == hash(key)
    assert key != BoxKey.generate()
    assert BoxPublicKey(key.public.data) == key.public
    with pytest.raises(Malformed):
        BoxKey(bytes(31))


def test_the_judges_vector() -> None:
    vector = VECTORS["judge"]
    signing = SigningKey.from_bytes(ED25519, bytes.fromhex(vector["signing_secret"]))
    box = BoxKey(bytes.fromhex(vector["box_secret"]))
    judge = JudgePublic(signing.public, box.public)
    assert box.public.data.hex() == vector["box_public"]
    assert encode(judge.to_map()).hex() == vector["encoding"]
    assert judge.to_bytes().hex() == vector["file"]
    assert judge.fingerprint() == vector["fingerprint"]
    assert JudgePublic.from_bytes(judge.to_bytes()) == judge


def test_a_judges_fingerprint_covers_both_keys() -> None:
    signing, box = KEYS[ED25519].public, BoxKey.generate().public
    prints = {
        JudgePublic(signing, box).fingerprint(),
        JudgePublic(SigningKey.generate().public, box).fingerprint(),
        JudgePublic(signing, BoxKey.generate().public).fingerprint(),
        signing.fingerprint(),
    }
    assert len(prints) == 4


def test_every_flipped_byte_of_a_judges_file_is_refused_or_another_judge() -> None:
    judge = JudgePublic(KEYS[ED25519].public, BoxKey.generate().public)
    data = judge.to_bytes()
    for position in range(len(data)):
        for mask in (1, 0x80, 0xFF):
            altered = bytearray(data)
            altered[position] ^= mask
            try:
                other = JudgePublic.from_bytes(bytes(altered))
            except (Malformed, Unsupported):
                continue
            assert other.fingerprint() != judge.fingerprint()
    for cut in range(len(data)):
        with pytest.raises(Malformed):
            JudgePublic.from_bytes(data[:cut])
    with pytest.raises(Malformed):
        JudgePublic.from_bytes(data + b"\0")
