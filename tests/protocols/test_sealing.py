"""Sealed boxes, keys from passwords, authenticated encryption."""

from __future__ import annotations

import json
from typing import Any

import nacl.exceptions
import nacl.pwhash.argon2id
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.spec_vectors import VECTORS
from zkwm_protocols.errors import CouldNotCheck, InvalidOpening, Malformed
from zkwm_protocols.keys import BoxKey
from zkwm_protocols.sealing import (
    KEY_BYTES,
    NONCE_BYTES,
    SEAL_BYTES,
    TAG_BYTES,
    decrypt,
    encrypt,
    new_nonce,
    new_salt,
    password_key,
    seal,
    unseal,
)

VECTORS: dict[str, Any] = json.loads(VECTORS.joinpath("keys.json").read_text(encoding="utf-8"))
JUDGE = BoxKey.generate()
KEY = bytes(range(KEY_BYTES))
NONCE = bytes(range(NONCE_BYTES))

# draft-irtf-cfrg-xchacha-03, appendix A.3.1.
DRAFT_KEY = bytes(range(0x80, 0xA0))
DRAFT_NONCE = bytes(range(0x40, 0x58))
DRAFT_ASSOCIATED = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
DRAFT_PLAINTEXT = (
    b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
    b"future, sunscreen would be it."
)
DRAFT_CIPHERTEXT = bytes.fromhex(
    "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb"
    "731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452"
    "2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
    "21f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49"
)


def test_encryption_is_that_of_the_xchacha_draft() -> None:
    sealed = encrypt(DRAFT_PLAINTEXT, key=DRAFT_KEY, nonce=DRAFT_NONCE, associated=DRAFT_ASSOCIATED)
    assert sealed == DRAFT_CIPHERTEXT


@pytest.mark.parametrize("vector", VECTORS["sealed"])
def test_sealed_vectors(vector: dict[str, str]) -> None:
    key = BoxKey(bytes.fromhex(vector["box_secret"]))
    assert unseal(bytes.fromhex(vector["ciphertext"]), key).hex() == vector["plaintext"]


@pytest.mark.parametrize("vector", VECTORS["password_keys"])
def test_password_key_vectors(vector: dict[str, Any]) -> None:
    key = password_key(
        bytes.fromhex(vector["password"]),
        bytes.fromhex(vector["salt"]),
        operations=vector["operations"],
        memory_bytes=vector["memory_bytes"],
    )
    assert key.hex() == vector["key"]


@pytest.mark.parametrize("vector", VECTORS["encrypted"])
def test_encryption_vectors(vector: dict[str, str]) -> None:
    key, nonce, associated, plaintext = (
        bytes.fromhex(vector[name]) for name in ("key", "nonce", "associated", "plaintext")
    )
    sealed = encrypt(plaintext, key=key, nonce=nonce, associated=associated)
    assert sealed.hex() == vector["ciphertext"]
    assert decrypt(sealed, key=key, nonce=nonce, associated=associated) == plaintext


@settings(deadline=None)
@given(plaintext=st.binary(max_size=300))
def test_what_is_sealed_opens_with_the_key_alone(plaintext: bytes) -> None:
    sealed = seal(plaintext, JUDGE.public)
    assert len(sealed) == len(plaintext) + SEAL_BYTES
    assert unseal(sealed, JUDGE) == plaintext
    with pytest.raises(InvalidOpening) as caught:
        unseal(sealed, BoxKey.generate())
    assert caught.value.check == "opening.sealed"


def test_every_flipped_byte_and_every_cut_of_a_sealed_box_is_refused() -> None:
    sealed = seal(b"thirteen bytes", JUDGE.public)
    for position in range(len(sealed)):
        altered = bytearray(sealed)
        altered[position] ^= 0x40
        for wrong in (bytes(altered), sealed[:position]):
            with pytest.raises(InvalidOpening):
                unseal(wrong, JUDGE)
    with pytest.raises(InvalidOpening):
        unseal(sealed + b"\0", JUDGE)


def test_a_box_with_an_ephemeral_key_of_small_order_is_refused() -> None:
    for vector in VECTORS["refused_box_keys"]:
        ephemeral = bytes.fromhex(vector["public"])
        with pytest.raises(InvalidOpening):
            unseal(ephemeral + bytes(40), JUDGE)


def test_every_flipped_byte_and_every_cut_of_a_ciphertext_is_refused() -> None:
    sealed = encrypt(b"content", key=KEY, nonce=NONCE, associated=b"header")
    assert len(sealed) == 7 + TAG_BYTES
    for position in range(len(sealed)):
        altered = bytearray(sealed)
        altered[position] ^= 1
        for wrong in (bytes(altered), sealed[:position]):
            with pytest.raises(Malformed):
                decrypt(wrong, key=KEY, nonce=NONCE, associated=b"header")


def test_another_key_nonce_or_header_is_refused() -> None:
    sealed = encrypt(b"content", key=KEY, nonce=NONCE, associated=b"header")
    for key, nonce, associated in (
        (bytes(32), NONCE, b"header"),
        (KEY, bytes(24), b"header"),
        (KEY, NONCE, b"headeR"),
        (KEY, NONCE, b""),
    ):
        with pytest.raises(Malformed):
            decrypt(sealed, key=key, nonce=nonce, associated=associated)


@pytest.mark.parametrize(("key", "nonce"), [(bytes(31), NONCE), (KEY, bytes(12))])
def test_keys_and_nonces_of_another_length_are_refused(key: bytes, nonce: bytes) -> None:
    with pytest.raises(Malformed):
        encrypt(b"", key=key, nonce=nonce, associated=b"")
    with pytest.raises(Malformed):
        decrypt(bytes(16), key=key, nonce=nonce, associated=b"")


@pytest.mark.parametrize(
    ("salt", "operations", "memory_bytes"),
    [(bytes(15), 1, 2**23), (bytes(16), 0, 2**23), (bytes(16), 1, 1), (bytes(16), 1, 2**45)],
)
def test_impossible_parameters_are_refused(salt: bytes, operations: int, memory_bytes: int) -> None:
    with pytest.raises(CouldNotCheck):
        password_key(b"x", salt, operations=operations, memory_bytes=memory_bytes)


def test_lack_of_memory_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> bytes:
        raise nacl.exceptions.RuntimeError("Unexpected failure in key derivation")

    monkeypatch.setattr(nacl.pwhash.argon2id, "kdf", fail)
    with pytest.raises(CouldNotCheck, match="needs 64 MiB of memory"):
        password_key(b"x", bytes(16), operations=1, memory_bytes=2**26)


def test_salts_and_nonces_are_new_each_time() -> None:
    assert len({new_nonce() for _ in range(100)}) == 100
    assert len({new_salt() for _ in range(100)}) == 100
    assert (len(new_nonce()), len(new_salt())) == (24, 16)
