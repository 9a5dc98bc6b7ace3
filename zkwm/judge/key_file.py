"""A judge's keys on disk: the encrypted secret file, and the public file (SPEC.md section 11)."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from pathlib import Path

from zkwm.files import read_limited, write_atomic
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
    """The secret keys of a judge: Ed25519 to sign challenges, X25519 to unseal openings."""

    signing: SigningKey
    box: BoxKey

    @classmethod
    def generate(cls) -> JudgeKey:
        """New keys."""
        return cls(SigningKey.generate(ED25519), BoxKey.generate())

    @property
    def public(self) -> JudgePublic:
        """The public keys, which the judge publishes."""
        return JudgePublic(self.signing.public, self.box.public)

    def decoy_key(self, challenge: bytes, asking: int) -> bytes:
        """The key of the decoys for a challenge (its digest), 32 bytes (SPEC.md 7).

        ``asking`` counts how often the suspect was asked before, from 0.
        """
        message = _DECOYS + challenge + asking.to_bytes(8, "big")
        return hmac.digest(self.signing.to_bytes(), message, "sha256")

    def seed_tag(self, digest: bytes, beacon: bytes | None, seed: bytes) -> bytes:
        """The tag of a label seed that this judge derived and keeps elsewhere, 32 bytes.

        ``digest`` is D, ``beacon`` and ``seed`` have 32 bytes; no beacon is 32 zero bytes (SPEC.md
        5.4).
        """
        named = _SEED_TAG + digest + (beacon or bytes(32)) + seed
        return hmac.digest(self.signing.to_bytes(), named, "sha256")


def create_judge_key(path: str | Path, passphrase: str, *, cost: Cost | None = None) -> JudgeKey:
    """Make new keys: write ``path`` (encrypted, 0600) and ``<path>.pub`` (0644).

    ``cost`` is the price of a guess at the passphrase (Argon2id). Raises UsageError when either
    file exists or the passphrase is short, and CouldNotCheck when one cannot be written; then
    neither is left.
    """
    target = storage.resolve(path)
    public = Path(f"{path}.pub")
    if public.exists():
        raise UsageError(f"{public} exists", hint="choose another name")
    key = JudgeKey.generate()
    value = {"signing": key.signing.to_bytes(), "box": key.box.to_bytes()}
    # public first: a public key without the secret one harms nobody, and the other way round
    # the judge could not publish it
    write_atomic(public, key.public.to_bytes())
    try:
        storage.write_private(target, seal_file(KIND, passphrase, value, cost), overwrite=False)
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
    fields = require_map(open_file(KIND, passphrase, data), "signing box", "judge's key")
    return JudgeKey(
        SigningKey.from_bytes(ED25519, require_bytes(fields["signing"], 32)),
        BoxKey(require_bytes(fields["box"], 32)),
    )


def read_judge_public(path: str | Path) -> JudgePublic:
    """Read a judge's public file. Raises CouldNotCheck, Malformed or Unsupported."""
    return JudgePublic.from_bytes(read_limited(path, FILE_LIMIT))
