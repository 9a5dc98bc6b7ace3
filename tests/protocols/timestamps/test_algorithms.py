"""Keys, hashes and signature algorithms: the allowed ones, and what others fail (SPEC.md 22.3)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.support.certificate_authority import DAY, certify, new_key, with_sha1
from tests.support.timestamp_tokens import (
    DIGEST,
    TIME,
    TokenMaker,
    algorithm,
    der,
    octets,
    oid,
    sequence,
)
from zkwm_protocols.errors import (
    TrustMaterialMissing,
    Unsupported,
    ZkwmError,
)
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


@pytest.mark.parametrize("key", ["p256", "p384", "rsa2048"])
@pytest.mark.parametrize("intermediate", [True, False])
def test_chains_of_every_allowed_kind_of_key(key: str, intermediate: bool) -> None:
    good(TokenMaker.new(key, intermediate=intermediate))


def test_ed25519_signs_tokens_and_no_certificates() -> None:
    signer = certify("Signer", new_key("ed25519"), MAKER.issuer, **OPTIONS)
    good(MAKER.but(signer=signer, digest_hash="sha512"))
    other = MAKER.but(signer=signer, digest_hash="sha256")
    assert fails(other, Unsupported) == "timestamp.algorithm"
    whole = TokenMaker.new("ed25519").but(digest_hash="sha512")
    assert fails(whole, TrustMaterialMissing) == "timestamp.chain"


@pytest.mark.parametrize("hash_used", ["sha256", "sha384", "sha512"])
def test_every_allowed_hash(hash_used: str) -> None:
    good(MAKER.but(digest_hash=hash_used, certificate_hash=hash_used))


@pytest.mark.parametrize(
    "changes", [{"digest_hash": "sha1"}, {"certificate_hash": "sha1"}], ids=str
)
def test_sha1_is_refused(changes: dict[str, Any]) -> None:
    assert fails(MAKER.but(**changes), Unsupported) == "timestamp.algorithm"


@pytest.mark.parametrize("place", ["issuer", "signer"])
def test_certificates_that_are_signed_with_sha1(place: str) -> None:
    issuer, signer = MAKER.issuer, MAKER.signer
    if place == "issuer":
        data = with_sha1(issuer.der, MAKER.root.key)
        issuer = replace(issuer, certificate=x509.load_der_x509_certificate(data))
    else:
        data = with_sha1(signer.der, issuer.key)
        signer = replace(signer, certificate=x509.load_der_x509_certificate(data))
    assert fails(TokenMaker(MAKER.root, issuer, signer), TrustMaterialMissing) == "timestamp.chain"


def test_a_certificate_named_by_sha1_alone_is_refused() -> None:
    """ESSCertID of RFC 2634 knows no other hash."""

    def old_name(parts: list[bytes]) -> list[bytes]:
        name = oid("1.2.840.113549.1.9.16.2.12")
        value = sequence(sequence(sequence(octets(bytes(20)))))
        kept = [one for one in parts if oid("1.2.840.113549.1.9.16.2.47") not in one]
        return sorted([*kept, sequence(name, der(0x31, value))])

    assert fails(MAKER.but(change_attributes=old_name), Unsupported) == "timestamp.algorithm"


@pytest.mark.parametrize("key", ["rsa1024", "secp224r1", "brainpool", "ed448", "rsa16384"])
def test_keys_that_are_not_allowed(key: str) -> None:
    from cryptography.hazmat.primitives.asymmetric import ed448, rsa

    if key == "rsa16384":  # a public key is enough: the signature is never looked at
        numbers = rsa.RSAPublicNumbers(65_537, (1 << 16_383) + 1)
        signer = certify("Signer", _PublicOnly(numbers.public_key()), MAKER.issuer, **OPTIONS)
        maker = MAKER.but(signer=replace(signer, key=MAKER.signer.key))
    else:
        secret = {
            "rsa1024": lambda: new_key("rsa1024"),
            "secp224r1": lambda: ec.generate_private_key(ec.SECP224R1()),
            "brainpool": lambda: ec.generate_private_key(ec.BrainpoolP256R1()),
            "ed448": ed448.Ed448PrivateKey.generate,
        }[key]()
        signer = certify("Signer", secret, MAKER.issuer, **OPTIONS)
        other = MAKER.signer.key if key == "ed448" else secret
        maker = MAKER.but(signer=replace(signer, key=other))
    assert fails(maker, Unsupported) == "timestamp.algorithm"


@pytest.mark.parametrize("place", ["root", "issuer", "signer"])
def test_keys_of_a_kind_that_nobody_knows(place: str) -> None:
    """Another object identifier in the place of that of elliptic curves."""
    known, unknown = bytes.fromhex("2a8648ce3d0201"), bytes.fromhex("2a8648ce3d0202")
    one = getattr(MAKER, place)
    certificate = x509.load_der_x509_certificate(one.der.replace(known, unknown))
    maker = MAKER.but(**{place: replace(one, certificate=certificate)})
    kind = TrustMaterialMissing if place == "issuer" else Unsupported
    assert fails(maker, kind) in ("timestamp.algorithm", "timestamp.chain")


class _PublicOnly:
    """A key of which the public half alone is known."""

    def __init__(self, public: Any) -> None:
        self._public = public

    def public_key(self) -> Any:
        return self._public


@pytest.mark.parametrize("place", ["root", "issuer"])
def test_short_keys_above_the_signer(place: str) -> None:
    short = new_key("rsa1024")
    root = certify("Root", short if place == "root" else new_key(), ca=True, **OPTIONS)
    issuer = certify("I", new_key() if place == "root" else short, root, ca=True, **OPTIONS)
    signer = certify("Signer", new_key(), issuer, **OPTIONS)
    with pytest.raises((Unsupported, TrustMaterialMissing)) as caught:
        good(TokenMaker(root, issuer, signer))
    assert caught.value.check in ("timestamp.algorithm", "timestamp.chain")


def test_a_signature_algorithm_that_is_another_key_s() -> None:
    for name, parameters in (
        ("1.2.840.113549.1.1.11", (b"\5\0",)), ("1.2.840.10045.4.3.3", ()), ("1.3.101.112", ()),
        ("1.2.840.113549.1.1.10", ()),
    ):  # fmt: skip
        changed = algorithm(name, *parameters)

        def other(parts: list[bytes], changed: bytes = changed) -> list[bytes]:
            return [*parts[:4], changed, *parts[5:]]

        assert fails(MAKER.but(change_signer=other), Unsupported) == "timestamp.algorithm"
