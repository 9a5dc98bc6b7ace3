"""The container of every secret file: passphrase, Argon2id, XChaCha20-Poly1305 (SPEC.md 11).

The first line is ``zkwm-<kind>/1``; then comes a map with the parameters of the key derivation, a
nonce and the ciphertext. Everything before the ciphertext is authenticated with it.
"""

from __future__ import annotations

import hmac
import unicodedata
from dataclasses import dataclass
from typing import Any

from zkwm_protocols.encoding import Value, decode, encode_large, pack, unpack
from zkwm_protocols.errors import Malformed, Unsupported, UsageError, VaultUnusable
from zkwm_protocols.schema import require_bytes, require_integer, require_map, require_text
from zkwm_protocols.sealing import (
    NONCE_BYTES,
    SALT_BYTES,
    TAG_BYTES,
    decrypt,
    encrypt,
    new_nonce,
    new_salt,
    password_key,
)

FILE_LIMIT = 512 * 2**20
KDF_ALGORITHM = "argon2id13"
SHORTEST = 8
"""Characters of a new passphrase; length is what makes guesses dear, and 8 are few."""
LEAST_OPERATIONS, MOST_OPERATIONS = 1, 10
LEAST_MEMORY_KIB, MOST_MEMORY_KIB = 8 * 2**10, 2**20


@dataclass(frozen=True)
class Cost:
    """The price of one guess at the passphrase: passes of Argon2id, and memory in KiB.

    Raises Unsupported outside 1 to 10 passes and 8 MiB to 1 GiB, so that no file can make its
    reader work, or allocate, without bound.
    """

    operations: int = 3
    memory_kib: int = 256 * 2**10

    def __post_init__(self) -> None:
        if not (
            LEAST_OPERATIONS <= self.operations <= MOST_OPERATIONS
            and LEAST_MEMORY_KIB <= self.memory_kib <= MOST_MEMORY_KIB
        ):
            raise Unsupported(
                "the key derivation asks for more or less work than this version accepts",
                hint="1 to 10 passes and 8 MiB to 1 GiB are accepted; the file may be damaged",
            )


DEFAULT_COST = Cost()
"""The cost of every new file for which none is given."""


@dataclass(frozen=True)
class Container:
    """A secret file that has been read and not yet decrypted."""

    kind: str
    cost: Cost
    salt: bytes
    nonce: bytes
    ciphertext: bytes

    @classmethod
    def from_bytes(cls, kind: str, data: bytes) -> Container:
        """Read a file of ``kind``. Raises Malformed or Unsupported before any costly work."""
        if len(data) > FILE_LIMIT:
            raise Malformed(f"a {kind} file has at most {FILE_LIMIT} bytes")
        fields = require_map(unpack(kind, data, limit=FILE_LIMIT), "kdf nonce ciphertext", kind)
        kdf = require_map(fields["kdf"], "algorithm operations memory_kib salt", "key derivation")
        if require_text(kdf["algorithm"], 32) != KDF_ALGORITHM:
            raise Unsupported(
                "a key derivation that this version does not know",
                hint="use the zkwm release that wrote the file",
            )
        most = 2**64 - 1
        cost = Cost(
            require_integer(kdf["operations"], most), require_integer(kdf["memory_kib"], most)
        )
        ciphertext = require_bytes(fields["ciphertext"])
        if len(ciphertext) < TAG_BYTES:
            raise Malformed(f"the {kind} file is empty")
        return cls(
            kind=kind,
            cost=cost,
            salt=require_bytes(kdf["salt"], SALT_BYTES),
            nonce=require_bytes(fields["nonce"], NONCE_BYTES),
            ciphertext=ciphertext,
        )


class FileKey:
    """The key of one secret file, derived once and used for all its versions."""

    def __init__(self, passphrase: str, cost: Cost, salt: bytes) -> None:
        """Derive the key, the slow step. Raises CouldNotCheck when there is not enough memory."""
        self._cost = cost
        self._salt = salt
        self._key = password_key(
            _passphrase_bytes(passphrase),
            salt,
            operations=cost.operations,
            memory_bytes=cost.memory_kib * 1024,
        )

    @classmethod
    def new(cls, passphrase: str, cost: Cost | None = None) -> FileKey:
        """A key for a new file, with a random salt. Raises UsageError for a short passphrase."""
        _require_long(passphrase)
        return cls(passphrase, cost or DEFAULT_COST, new_salt())

    def fits(self, container: Container) -> bool:
        """Whether the file asks for this derivation: same salt, same cost."""
        return self._cost == container.cost and hmac.compare_digest(self._salt, container.salt)

    def seal(self, kind: str, value: Value) -> bytes:
        """The whole file, under a fresh nonce. Raises UsageError when it would be too large."""
        nonce = new_nonce()
        kdf = _kdf_map(self._cost, self._salt)
        ciphertext = encrypt(
            encode_large(value),
            key=self._key,
            nonce=nonce,
            associated=_associated(kind, kdf, nonce),
        )
        data = pack(kind, {"kdf": kdf, "nonce": nonce, "ciphertext": ciphertext})
        if len(data) > FILE_LIMIT:
            raise UsageError(
                f"the {kind} would grow over {FILE_LIMIT // 2**20} MiB",
                hint="use another one for new commitments",
            )
        return data

    def open(self, container: Container) -> Value:
        """The value of a file. Raises VaultUnusable; wrong key and altered file look the same."""
        return decode(self.plaintext(container), limit=FILE_LIMIT)

    def plaintext(self, container: Container) -> bytes:
        """The encoded value of a file: ``open``, for callers who free the container before."""
        kdf = _kdf_map(container.cost, container.salt)
        associated = _associated(container.kind, kdf, container.nonce)
        try:
            return decrypt(
                container.ciphertext,
                key=self._key,
                nonce=container.nonce,
                associated=associated,
            )
        except Malformed:
            raise VaultUnusable(
                "wrong passphrase, or the file has been altered",
                hint="try the passphrase again; if it is right, restore a copy of the file",
            ) from None

    def __repr__(self) -> str:
        return "<FileKey>"


def seal_file(kind: str, passphrase: str, value: Value, cost: Cost | None = None) -> bytes:
    """A secret file of ``kind`` with ``value``. Raises UsageError for a short passphrase."""
    return FileKey.new(passphrase, cost).seal(kind, value)


def open_file(kind: str, passphrase: str, data: bytes) -> Value:
    """The value of a secret file.

    Raises Malformed or Unsupported for what can be seen without the passphrase, and VaultUnusable,
    always with the same message, for a wrong passphrase or an altered file.
    """
    container = Container.from_bytes(kind, data)
    return FileKey(passphrase, container.cost, container.salt).open(container)


def _require_long(passphrase: str) -> None:
    """Raise UsageError for a passphrase of fewer than ``SHORTEST`` characters."""
    length = len(unicodedata.normalize("NFC", passphrase))
    if length < SHORTEST:
        raise UsageError(
            f"the passphrase has {length} of the {SHORTEST} characters that a new one needs"
            if passphrase
            else "the passphrase is empty",
            hint="whoever gets a copy of the file can try passphrases for years: choose a long "
            "one, such as five random words",
        )


def _kdf_map(cost: Cost, salt: bytes) -> dict[str, Any]:
    """The CBOR map of the key derivation."""
    return {
        "algorithm": KDF_ALGORITHM,
        "operations": cost.operations,
        "memory_kib": cost.memory_kib,
        "salt": salt,
    }


def _associated(kind: str, kdf: dict[str, Any], nonce: bytes) -> bytes:
    """The bytes that are authenticated and not encrypted."""
    return pack(kind, kdf) + nonce


def _passphrase_bytes(passphrase: str) -> bytes:
    """UTF-8 of Unicode's form NFC, so that a passphrase is the same from every keyboard."""
    try:
        return unicodedata.normalize("NFC", passphrase).encode("utf-8")
    except UnicodeEncodeError:
        raise UsageError("the passphrase is not text in UTF-8") from None
