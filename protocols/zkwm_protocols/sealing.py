"""Sealed boxes to a judge's key, Argon2id, authenticated encryption (SPEC.md 4.2).

All of it is libsodium by PyNaCl; this module fixes which parts are used and which error each
failure is. The container of secret files is in ``zkwm.secret_files.encrypted``.
"""

from __future__ import annotations

import nacl.bindings
import nacl.exceptions
import nacl.pwhash.argon2id
import nacl.utils

from zkwm_protocols.errors import CouldNotCheck, InvalidOpening, Malformed
from zkwm_protocols.keys import BoxKey, BoxPublicKey
from zkwm_protocols.schema import require_bytes

KEY_BYTES = 32
NONCE_BYTES = 24
SALT_BYTES = 16
TAG_BYTES = 16
SEAL_BYTES = 48
"""What ``seal`` adds to the plaintext: an ephemeral public key and a tag."""


def seal(plaintext: bytes, recipient: BoxPublicKey) -> bytes:
    """Encrypt to a public key: libsodium's ``crypto_box_seal``, ``SEAL_BYTES`` longer.

    Anybody can seal; a signature over the result says who did. Two calls never give the same
    bytes.
    """
    return nacl.bindings.crypto_box_seal(plaintext, recipient.data)


def unseal(ciphertext: bytes, key: BoxKey) -> bytes:
    """Open ``seal``. Raises InvalidOpening (check ``opening.sealed``) when it does not open."""
    try:
        return nacl.bindings.crypto_box_seal_open(ciphertext, key.public.data, key.to_bytes())
    except (nacl.exceptions.CryptoError, nacl.exceptions.TypeError):
        raise InvalidOpening(
            "the sealed openings do not open with this judge's key",
            hint="check that the proof answers a challenge of this judge, and is not damaged",
            check="opening.sealed",
        ) from None


def password_key(password: bytes, salt: bytes, *, operations: int, memory_bytes: int) -> bytes:
    """32 bytes by Argon2id version 1.3 (RFC 9106), one lane.

    Args:
        password: any bytes.
        salt: 16 bytes.
        operations: the number of passes.
        memory_bytes: a multiple of 1,024.

    Raises:
        CouldNotCheck: there is not enough memory.
        Malformed: impossible parameters.
    """
    require_bytes(salt, SALT_BYTES)
    try:
        return nacl.pwhash.argon2id.kdf(
            KEY_BYTES, password, salt, opslimit=operations, memlimit=memory_bytes
        )
    except (nacl.exceptions.ValueError, nacl.exceptions.TypeError):
        raise Malformed("impossible parameters for Argon2id") from None
    except (nacl.exceptions.CryptoError, MemoryError):
        raise CouldNotCheck(
            f"Argon2id needs {memory_bytes // 2**20} MiB of memory and did not get it",
            hint="free some memory and try again",
        ) from None


def new_nonce() -> bytes:
    """24 random bytes: enough that no two encryptions under one key ever share them."""
    return nacl.utils.random(NONCE_BYTES)


def new_salt() -> bytes:
    """16 random bytes for ``password_key``."""
    return nacl.utils.random(SALT_BYTES)


def encrypt(plaintext: bytes, *, key: bytes, nonce: bytes, associated: bytes) -> bytes:
    """XChaCha20-Poly1305 (libsodium's IETF form): ``TAG_BYTES`` longer than the plaintext.

    Args:
        plaintext: what is encrypted.
        key: 32 bytes.
        nonce: 24 bytes, never used twice with one key.
        associated: authenticated, and not encrypted.

    Raises:
        Malformed: a key or nonce of another length.
    """
    require_bytes(key, KEY_BYTES)
    require_bytes(nonce, NONCE_BYTES)
    return nacl.bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(
        plaintext, associated, nonce, key
    )


def decrypt(ciphertext: bytes, *, key: bytes, nonce: bytes, associated: bytes) -> bytes:
    """Open ``encrypt``. Raises Malformed when key, nonce, associated data or ciphertext differ."""
    require_bytes(key, KEY_BYTES)
    require_bytes(nonce, NONCE_BYTES)
    if len(ciphertext) < TAG_BYTES:
        raise Malformed("the ciphertext does not open")
    try:
        return nacl.bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
            ciphertext, associated, nonce, key
        )
    except nacl.exceptions.CryptoError:
        raise Malformed("the ciphertext does not open") from None
