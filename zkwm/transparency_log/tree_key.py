"""The keys of a log or witness: the encrypted secret file, and the public one (SPEC.md 25.1).

Each signs in two lines: Ed25519, and ML-DSA-44 for the time after large quantum computers. The name
is fixed when the keys are made: a log's is its origin. The public file is two verifier keys of
C2SP, one a line, as a policy names them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from zkwm.files import read_limited, write_atomic
from zkwm.secret_files import storage
from zkwm.secret_files.encrypted import Cost, open_file, seal_file
from zkwm_protocols.errors import InvalidSignature, Malformed, UsageError, ZkwmError
from zkwm_protocols.schema import require_bytes, require_map, require_text
from zkwm_protocols.transparency.checkpoint import (
    Checkpoint,
    SignedCheckpoint,
    sign_checkpoint,
)
from zkwm_protocols.transparency.note import LONGEST_NAME, NoteSignature, require_key_name
from zkwm_protocols.transparency.note_keys import NoteSigningKey, SignatureType, VerifierKey
from zkwm_protocols.transparency.tree import TreeHead

FILE_LIMIT = 4096
PUBLIC_LIMIT = 8192
CLOCK_SECONDS = 300
"""How far clocks may differ: a time further ahead is of the future (SPEC.md 23.4)."""


class KeyKind(StrEnum):
    """Whose keys a file holds; the value is the kind of the secret file."""

    LOG = "log-key"
    WITNESS = "witness-key"


_FIRST_LINE = {
    KeyKind.LOG: SignatureType.ED25519,
    KeyKind.WITNESS: SignatureType.ED25519_COSIGNATURE,
}


class TreeKey:
    """Both keys of a log or a witness; ``repr`` shows no secret."""

    def __init__(
        self,
        kind: KeyKind,
        name: str,
        secrets: tuple[bytes, bytes],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """The keys of two seeds of 32 bytes: Ed25519's and ML-DSA-44's.

        ``clock`` gives the time of cosignatures. Raises Malformed for a name that no key can have.
        """
        self._kind = kind
        self._clock = clock
        self._keys = (
            NoteSigningKey(name, _FIRST_LINE[kind], secrets[0]),
            NoteSigningKey(name, SignatureType.ML_DSA_44_COSIGNATURE, secrets[1]),
        )

    @classmethod
    def generate(cls, kind: KeyKind, name: str) -> TreeKey:
        """New keys. Raises Malformed for a name that no key can have."""
        first = NoteSigningKey.generate(require_key_name(name), _FIRST_LINE[kind])
        second = NoteSigningKey.generate(name, SignatureType.ML_DSA_44_COSIGNATURE)
        return cls(kind, name, (first.to_bytes(), second.to_bytes()))

    @property
    def origin(self) -> str:
        """The name of the keys; of a log its origin."""
        return self._keys[0].verifier.name

    @property
    def verifiers(self) -> tuple[VerifierKey, VerifierKey]:
        """What others verify with, Ed25519 first."""
        return self._keys[0].verifier, self._keys[1].verifier

    @property
    def first(self) -> NoteSigningKey:
        """The Ed25519 key, which also signs receipts."""
        return self._keys[0]

    def lines(self, checkpoint: Checkpoint) -> tuple[NoteSignature, ...]:
        """A signature line by each key. Whoever signs has to know that the tree only grew."""
        now = int(self._clock())
        return tuple(
            sign_checkpoint(
                checkpoint,
                key,
                None if key.verifier.signature_type is SignatureType.ED25519 else now,
            )
            for key in self._keys
        )

    def sign(self, head: TreeHead) -> bytes:
        """The checkpoint of this log with both its lines."""
        checkpoint = Checkpoint(self.origin, head)
        return SignedCheckpoint(checkpoint, self.lines(checkpoint)).to_bytes()

    def read(self, checkpoint: bytes) -> TreeHead:
        """The tree of a checkpoint that both keys signed.

        Raises Malformed, or InvalidSignature where a line is missing or does not verify.
        """
        return read_checkpoint(checkpoint, self.verifiers).checkpoint.head

    def is_of_the_future(self, checkpoint: bytes) -> bool:
        """Whether the second line of this checkpoint says a time that verifiers would refuse.

        So it is where the clock of this machine was ahead. Raises as ``read``.
        """
        by = read_checkpoint(checkpoint, self.verifiers).signed_by(self._keys[1].verifier)
        return by is not None and by.time is not None and by.time > self._clock() + CLOCK_SECONDS

    def seal(self, passphrase: str, cost: Cost | None = None) -> bytes:
        """The encrypted secret file. Raises UsageError for a short passphrase."""
        first, second = (key.to_bytes() for key in self._keys)
        value = {"name": self.origin, "ed25519": first, "ml_dsa_44": second}
        return seal_file(self._kind, passphrase, value, cost)

    def public_file(self) -> bytes:
        """The public file: two verifier keys."""
        return "".join(f"{key.to_text()}\n" for key in self.verifiers).encode()

    def __repr__(self) -> str:
        return f"<TreeKey {self.origin}>"


def read_checkpoint(data: bytes, verifiers: tuple[VerifierKey, ...]) -> SignedCheckpoint:
    """A checkpoint of the log of these keys, which all of them signed.

    Raises Malformed, or InvalidSignature where a line is missing or does not verify, or the origin
    is another one.
    """
    signed = SignedCheckpoint.from_bytes(data)
    for key in verifiers:
        if signed.checkpoint.origin != key.name or signed.signed_by(key) is None:
            raise InvalidSignature(
                f"the checkpoint is not signed by {key.name} with the key {key.key_id.hex()}",
                hint="see that the checkpoint is of this log, and that its keys are the log's",
            )
    return signed


def create_tree_key(
    path: Path, kind: KeyKind, name: str, passphrase: str, *, cost: Cost | None = None
) -> TreeKey:
    """Make new keys: write ``path`` (encrypted, 0600) and ``<path>.pub`` (0644).

    Raises UsageError when either exists, the passphrase is short or the name has a scheme,
    Malformed for a name that is none, CouldNotCheck when one cannot be written; then neither is
    left.
    """
    if "://" in name:
        rest = name.partition("://")[2].rstrip("/") or "log.example/2027"
        raise UsageError(
            f"{name!r} is an address, and this name has no scheme (C2SP)", hint=f"name it {rest}"
        )
    key = TreeKey.generate(kind, name)
    sealed = key.seal(passphrase, cost)
    public = Path(f"{path}.pub")
    write_atomic(public, key.public_file())
    try:
        storage.write_private(path, sealed, overwrite=False)
    except ZkwmError:
        public.unlink(missing_ok=True)
        raise
    return key


def open_tree_key(path: Path, kind: KeyKind, passphrase: str) -> TreeKey:
    """Open a secret file. Raises VaultUnusable, Malformed or Unsupported."""
    target = storage.resolve(path)
    data = storage.read_private(target, FILE_LIMIT, kind)
    fields = require_map(open_file(kind, passphrase, data), "name ed25519 ml_dsa_44", kind)
    seeds = require_bytes(fields["ed25519"], 32), require_bytes(fields["ml_dsa_44"], 32)
    return TreeKey(kind, require_text(fields["name"], LONGEST_NAME), seeds)


def read_verifiers(path: Path) -> tuple[VerifierKey, ...]:
    """The verifier keys of a public file: one a line, all of one name.

    Raises CouldNotCheck where it cannot be read, Malformed or Unsupported.
    """
    try:
        text = read_limited(path, PUBLIC_LIMIT).decode("ascii")
    except UnicodeDecodeError:
        raise Malformed(f"{path} is no file of verifier keys") from None
    keys = tuple(VerifierKey.from_text(line) for line in text.splitlines())
    if not keys:
        raise Malformed(f"{path} has no verifier key")
    if len({key.name for key in keys}) > 1 or len(set(keys)) < len(keys):
        raise UsageError(f"{path} holds keys of more than one name, or one key twice")
    return keys
