"""A judge's keys on disk: the encrypted secret file, and the public file (SPEC.md section 11)."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zkwm.files import read_limited, write_atomic
from zkwm.hardware_keys import HardwareKey
from zkwm.secret_files import storage
from zkwm.secret_files.encrypted import Cost, open_file, seal_file
from zkwm.secret_files.new_passphrase import change_passphrase
from zkwm_protocols.errors import UsageError, ZkwmError
from zkwm_protocols.keys import ED25519, BoxKey, JudgePublic, SigningKey
from zkwm_protocols.schema import require_bytes, require_map

KIND = "judge-key"
_DECOYS = b"zkwm-decoys-1"
_SEED_TAG = b"zkwm-seed-tag-2"
FILE_LIMIT = 4096


@dataclass(frozen=True)
class JudgeKey:
    """The secret keys of a judge: one to sign challenges, X25519 to unseal openings.

    Args:
        signing: Ed25519, or a key in a hardware token.
        box: unseals.
        seed: 32 secret bytes from which decoys and tags derive, where the signing key is in a
            token; else None, and they derive from that key.
    """

    signing: SigningKey
    box: BoxKey
    seed: bytes | None = field(default=None, repr=False)

    @classmethod
    def generate(cls) -> JudgeKey:
        """New keys."""
        return cls(SigningKey.generate(ED25519), BoxKey.generate())

    @classmethod
    def in_token(cls, signing: HardwareKey) -> JudgeKey:
        """A key in a hardware token to sign with, and new other secrets."""
        return cls(signing, BoxKey.generate(), secrets.token_bytes(32))

    @property
    def public(self) -> JudgePublic:
        """The public keys, which the judge publishes."""
        return JudgePublic(self.signing.public, self.box.public)

    def decoy_key(self, challenge: bytes, asking: int) -> bytes:
        """The key of the decoys for a challenge (its digest), 32 bytes (SPEC.md 7).

        ``asking`` counts how often the suspect was asked before, from 0.
        """
        message = _DECOYS + challenge + asking.to_bytes(8, "big")
        return hmac.digest(self._secret(), message, "sha256")

    def seed_tag(self, digest: bytes, beacon: bytes | None, seed: bytes) -> bytes:
        """The tag of a label seed that this judge derived and keeps elsewhere, 32 bytes.

        ``digest`` is D, ``beacon`` and ``seed`` have 32 bytes; no beacon is 32 zero bytes (SPEC.md
        5.4).
        """
        named = _SEED_TAG + digest + (beacon or bytes(32)) + seed
        return hmac.digest(self._secret(), named, "sha256")

    def _secret(self) -> bytes:
        """What decoys and tags derive from, 32 bytes."""
        return self.signing.to_bytes() if self.seed is None else self.seed

    def to_map(self) -> dict[str, Any]:
        """The CBOR map ``JudgeKey``."""
        if isinstance(self.signing, HardwareKey):
            signing: object = self.signing.to_map()
            return {"signing": signing, "seed": self._secret(), "box": self.box.to_bytes()}
        return {"signing": self.signing.to_bytes(), "box": self.box.to_bytes()}

    @classmethod
    def from_map(cls, value: object) -> JudgeKey:
        """Read ``to_map``. Raises Malformed or Unsupported."""
        if isinstance(value, dict) and "seed" in value:
            fields = require_map(value, "signing seed box", "judge's key")
            signing = HardwareKey.from_map(fields["signing"])
            box = BoxKey(require_bytes(fields["box"], 32))
            return cls(signing, box, require_bytes(fields["seed"], 32))
        fields = require_map(value, "signing box", "judge's key")
        return cls(
            SigningKey.from_bytes(ED25519, require_bytes(fields["signing"], 32)),
            BoxKey(require_bytes(fields["box"], 32)),
        )


def create_judge_key(
    path: str | Path,
    passphrase: str,
    *,
    cost: Cost | None = None,
    signing: HardwareKey | None = None,
) -> JudgeKey:
    """Make new keys: write ``path`` (encrypted, 0600) and ``<path>.pub`` (0644).

    ``cost`` is the price of a guess at the passphrase (Argon2id), ``signing`` a key in a hardware
    token to sign with. Raises UsageError when either
    file exists or the passphrase is short, and CouldNotCheck when one cannot be written; then
    neither is left.
    """
    target = storage.resolve(path)
    public = Path(f"{path}.pub")
    if public.exists():
        raise UsageError(f"{public} exists", hint="choose another name")
    key = JudgeKey.generate() if signing is None else JudgeKey.in_token(signing)
    # public first: a public key without the secret one harms nobody, and the other way round
    # the judge could not publish it
    write_atomic(public, key.public.to_bytes())
    try:
        storage.write_private(
            target, seal_file(KIND, passphrase, key.to_map(), cost), overwrite=False
        )
    except ZkwmError:
        public.unlink(missing_ok=True)
        raise
    return key


def write_judge_public(path: str | Path, passphrase: str) -> JudgePublic:
    """Write ``<path>.pub`` again from the secret file ``path``.

    Raises UsageError where the public file exists, CouldNotCheck where it cannot be written, and
    what ``open_judge_key`` raises.
    """
    public = open_judge_key(path, passphrase).public
    write_atomic(Path(f"{path}.pub"), public.to_bytes())
    return public


def change_judge_passphrase(
    path: str | Path, passphrase: str, new: str, *, cost: Cost | None = None
) -> None:
    """Encrypt a judge's secret file under another passphrase; the keys stay.

    Raises what ``zkwm.secret_files.new_passphrase`` does.
    """
    change_passphrase(storage.resolve(path), KIND, passphrase, new, limit=FILE_LIMIT, cost=cost)


def open_judge_key(path: str | Path, passphrase: str) -> JudgeKey:
    """Open a judge's secret file. Raises VaultUnusable, Malformed or Unsupported."""
    target = storage.resolve(path)
    storage.clean(target)
    data = storage.read_private(target, FILE_LIMIT, KIND)
    return JudgeKey.from_map(open_file(KIND, passphrase, data))


def read_judge_public(path: str | Path) -> JudgePublic:
    """Read a judge's public file. Raises CouldNotCheck, Malformed or Unsupported."""
    return JudgePublic.from_bytes(read_limited(path, FILE_LIMIT))
